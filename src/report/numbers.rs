//! Numbers as people read them: thousands separators, decimal byte units, seconds, percentages.

/// Stands where there is no number.
pub const NONE: &str = "–";

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes with three significant digits in decimal units: `999 B`, `1.23 kB`, `45.6 GB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    for (i, unit) in UNITS.iter().enumerate() {
        // 999.5 and more would be printed as 1000.
        if value < 999.5 || i + 1 == UNITS.len() {
            return format!("{} {unit}", three_digits(value));
        }
        value /= 1000.0;
    }
    String::new()
}

/// Seconds as a person says them: `4 ms`, `12.3 s`, `3 min 05 s`, `2 h 07 min`; [`NONE`] for no duration.
pub fn seconds(s: f64) -> String {
    if !s.is_finite() || s < 0.0 {
        return NONE.to_owned();
    }
    if s < 0.0005 {
        return if s == 0.0 { "0 s".to_owned() } else { "<1 ms".to_owned() };
    }
    if s < 0.9995 {
        return format!("{:.0} ms", s * 1000.0);
    }
    if s < 59.95 {
        return format!("{} s", three_digits(s));
    }
    let whole = s.round() as u64;
    if whole < 3600 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    let minutes = (s / 60.0).round() as u64;
    format!("{} h {:02} min", thousands(minutes / 60), minutes % 60)
}

/// `part` of `whole` in percent with one decimal; never rounded to 0 or 100 unless it is; [`NONE`] where `whole` is 0.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    let p = 100.0 * part as f64 / whole as f64;
    match part {
        0 => "0%".to_owned(),
        _ if part == whole => "100%".to_owned(),
        _ if p < 0.1 => "<0.1%".to_owned(),
        _ if part < whole && p >= 99.95 => ">99.9%".to_owned(),
        _ => format!("{p:.1}%"),
    }
}

/// Events a second, rounded to three significant digits and grouped; [`NONE`] where no time passed.
pub fn rate(n: u64, seconds: f64) -> String {
    let r = n as f64 / seconds;
    if !r.is_finite() || seconds <= 0.0 {
        return NONE.to_owned();
    }
    if r < 100.0 {
        return three_digits(r);
    }
    let unit = 10f64.powf(r.log10().floor() - 2.0);
    thousands(((r / unit).round() * unit) as u64)
}

/// A similarity with four decimals, cut and not rounded so that only 1 is shown as 1.
pub fn similarity(s: f64) -> String {
    if !s.is_finite() {
        return NONE.to_owned();
    }
    if s == 1.0 {
        return "1".to_owned();
    }
    // The small addend undoes binary representation error: 0.7 must not become 0.6999.
    format!("{:.4}", (s * 1e4 + 1e-6).floor() / 1e4)
}

/// A short axis label: `0.85`, `500`, `2.5k`, `1M`.
pub fn tick(v: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    for (size, unit) in UNITS {
        if v.abs() >= size * 0.999_999 {
            return format!("{}{unit}", trimmed(v / size, 2));
        }
    }
    trimmed(v, 3)
}

/// Five significant digits; powers of ten where the number is very large or small.
pub fn significant(v: f64) -> String {
    let size = v.abs();
    if v == 0.0 || !v.is_finite() {
        return v.to_string();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{v:.4e}");
    }
    let whole = size.log10().floor() as i32 + 1;
    trimmed(v, usize::try_from(5 - whole).unwrap_or(0))
}

fn trimmed(v: f64, decimals: usize) -> String {
    let text = format!("{v:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn three_digits(v: f64) -> String {
    if v < 9.995 {
        format!("{v:.2}")
    } else if v < 99.95 {
        format!("{v:.1}")
    } else {
        format!("{v:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_groups_from_the_right() {
        for (n, text) in
            [(0, "0"), (12, "12"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (100_000, "100,000")]
        {
            assert_eq!(thousands(n), text);
        }
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_take_the_fitting_unit() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (999_499, "999 kB"),
            (999_999, "1.00 MB"),
            (1_234_000_000, "1.23 GB"),
            (12_340_000_000_000, "12.3 TB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn seconds_change_unit_without_gaps() {
        for (s, text) in [
            (0.0, "0 s"),
            (0.0001, "<1 ms"),
            (0.004, "4 ms"),
            (0.9994, "999 ms"),
            (0.9996, "1.00 s"),
            (12.34, "12.3 s"),
            (59.94, "59.9 s"),
            (59.97, "1 min 00 s"),
            (185.0, "3 min 05 s"),
            (3599.6, "1 h 00 min"),
            (7620.0, "2 h 07 min"),
            (f64::NAN, NONE),
            (-1.0, NONE),
            (f64::INFINITY, NONE),
        ] {
            assert_eq!(seconds(s), text, "{s}");
        }
    }

    #[test]
    fn percent_never_lies_at_the_ends() {
        for (part, whole, text) in [
            (0, 0, NONE),
            (5, 0, NONE),
            (0, 10, "0%"),
            (10, 10, "100%"),
            (1, 10_000_000, "<0.1%"),
            (9_999_999, 10_000_000, ">99.9%"),
            (302, 1000, "30.2%"),
            (3, 2, "150.0%"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
    }

    #[test]
    fn rates() {
        for (n, s, text) in [
            (40_000, 12.3, "3,250"),
            (5, 10.0, "0.50"),
            (100, 0.0, NONE),
            (0, 1.0, "0.00"),
            (1, f64::NAN, NONE),
            (123_456_789, 1.0, "123,000,000"),
        ] {
            assert_eq!(rate(n, s), text, "{n} in {s}");
        }
    }

    #[test]
    fn only_one_is_shown_as_one() {
        for (s, text) in
            [(1.0, "1"), (0.999_99, "0.9999"), (0.7, "0.7000"), (0.87456, "0.8745"), (0.0, "0.0000"), (f64::NAN, NONE)]
        {
            assert_eq!(similarity(s), text);
        }
    }

    #[test]
    fn five_digits_say_enough() {
        for (v, text) in [
            (0.0, "0"),
            (0.374_165_738, "0.37417"),
            (-0.5, "-0.5"),
            (1234.5678, "1234.6"),
            (123_456.7, "123457"),
            (1e-9, "1.0000e-9"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(significant(v), text);
        }
    }

    #[test]
    fn ticks_are_short() {
        for (v, text) in [
            (0.0, "0"),
            (0.85, "0.85"),
            (500.0, "500"),
            (1000.0, "1k"),
            (2500.0, "2.5k"),
            (1e6, "1M"),
            (3e9, "3G"),
            (0.7000000001, "0.7"),
        ] {
            assert_eq!(tick(v), text);
        }
    }
}
