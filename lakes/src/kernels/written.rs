//! Recognises texts that spell a number, time or Boolean, and gives them the spelling of [`canonical`](super::canonical).

/// The canonical spelling of what a text spells; `None` if it spells none of these, or is best left alone.
///
/// Numbers lose trailing zeros and exponents. Times lose the `T`, trailing zeros of the fraction and, at midnight, the clock;
/// offsets of zero become `Z`. Numbers with leading zeros or a plus sign are codes and stay as they are, and so do times with
/// other offsets.
pub fn spelling(text: &str) -> Option<String> {
    let word = match text {
        "true" | "True" | "TRUE" => Some("true"),
        "false" | "False" | "FALSE" => Some("false"),
        "nan" | "NaN" | "-nan" | "-NaN" => Some("NaN"),
        "inf" | "Infinity" | "infinity" => Some("inf"),
        "-inf" | "-Infinity" | "-infinity" => Some("-inf"),
        _ => None,
    };
    word.map(str::to_owned).or_else(|| number(text)).or_else(|| time(text))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str) -> Option<String> {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    if !digits(whole) || !digits(fraction) || !digits(exponent_digits) || exponent_digits.len() > 3 {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let kept = all.trim_matches('0');
    if kept.is_empty() {
        return Some("0".to_owned());
    }
    // Digits before the point.
    let point = i32::try_from(whole.len()).ok()? - i32::try_from(leading).ok()? + exponent;
    let length = i32::try_from(kept.len()).ok()?;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    Some(if point <= 0 {
        format!("{sign}0.{}{kept}", zeros(-point))
    } else if point >= length {
        format!("{sign}{kept}{}", zeros(point - length))
    } else {
        let (whole, fraction) = kept.split_at(usize::try_from(point).ok()?);
        format!("{sign}{whole}.{fraction}")
    })
}

fn time(text: &str) -> Option<String> {
    if !text.is_ascii() {
        return None;
    }
    let Some((date, rest)) = text.split_once(['T', ' ']) else { return clock(text) };
    let shape = |text: &str, lengths: &[usize], between: char| {
        text.split(between).map(str::len).eq(lengths.iter().copied()) && text.split(between).all(digits)
    };
    if !shape(date, &[4, 2, 2], '-') {
        return None;
    }
    let (of_day, zone) = match rest.find(['Z', 'z', '+', '-', ' ']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let zone = match zone {
        "" => "",
        "Z" | "z" | "+00" | "+00:00" | "+0000" | "-00:00" | " UTC" => "Z",
        _ => return None,
    };
    let of_day = clock(of_day)?;
    Some(if of_day == "00:00:00" && zone.is_empty() { date.to_owned() } else { format!("{date} {of_day}{zone}") })
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`.
fn clock(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| part.len() == 2 && digits(part)) || !digits(fraction)
    {
        return None;
    }
    let seconds = parts.get(2).unwrap_or(&"00");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{}:{}:{seconds}{point}{fraction}", parts[0], parts[1]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::canonical::{self, Form, Time};
    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        write(&mut out);
        String::from_utf8(out[1..].to_vec()).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_one() {
        for (text, expected) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            ("1e+23", "100000000000000000000000"),
            ("-2.5E-3", "-0.0025"),
            ("12.5e1", "125"),
            ("120", "120"),
            ("True", "true"),
            ("nan", "NaN"),
            ("2020-01-01T00:00:00", "2020-01-01"),
            ("2020-01-01 00:00:00.000", "2020-01-01"),
            ("2020-01-01 10:30", "2020-01-01 10:30:00"),
            ("2020-01-01T10:30:01.500000Z", "2020-01-01 10:30:01.5Z"),
            ("2020-01-01 00:00:00+00", "2020-01-01 00:00:00Z"),
            ("10:30:00.000", "10:30:00"),
        ] {
            assert_eq!(spelling(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "-",
            "007",
            "+5",
            ".5",
            "5.",
            "1e",
            "1e9999",
            "0x10",
            "1_000",
            "2020-01-01T10:30:00+02:00",
            "10:3",
            "é",
        ] {
            assert_eq!(spelling(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_floats_meet_floats(value in any::<f64>()) {
            let float = shown(|out| canonical::float(out, Form::Parsed, value));
            for text in [format!("{value}"), format!("{value:?}"), format!("{value:e}")] {
                prop_assert_eq!(spelling(&text), Some(float.clone()), "{}", text);
            }
        }

        #[test]
        fn printed_decimals_meet_decimals(mantissa in any::<i64>(), scale in 0_i8..12) {
            let decimal = shown(|out| canonical::decimal(out, Form::Parsed, mantissa.into(), scale));
            let power = 10_u64.pow(scale as u32);
            let (whole, fraction) = (mantissa.unsigned_abs() / power, mantissa.unsigned_abs() % power);
            let sign = if mantissa < 0 { "-" } else { "" };
            let text = match scale {
                0 => format!("{sign}{whole}"),
                _ => format!("{sign}{whole}.{fraction:0>width$}", width = scale as usize),
            };
            prop_assert_eq!(spelling(&text), Some(decimal));
        }

        #[test]
        fn printed_times_meet_times(seconds in -4_000_000_000_i64..4_000_000_000, nanos in 0_i64..1_000_000_000) {
            let all = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            for kind in [Time::Local, Time::Instant] {
                let time = shown(|out| canonical::time(out, Form::Parsed, kind, all));
                let padded = match (time.split_once(' '), nanos) {
                    (Some((date, clock)), 0) => format!("{date}T{}.000000{}", clock.trim_end_matches('Z'), if kind == Time::Instant { "+00:00" } else { "" }),
                    _ => time.clone(),
                };
                prop_assert_eq!(spelling(&padded).unwrap_or(padded), time);
            }
        }
    }
}
