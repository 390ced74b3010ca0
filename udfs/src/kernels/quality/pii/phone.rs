//! Phone numbers.

use super::text::{char_after, char_before, is_listed, is_word_char, words_before};

/// Finds the next phone number at or after `from`.
pub fn next_phone(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        let b = bytes[at];
        if b.is_ascii_digit() || b == b'+' || b == b'(' {
            let bound = char_before(text, at).is_some_and(|c| is_word_char(c) || matches!(c, '+' | '-' | '.' | '/'));
            if !bound && let Some(end) = phone(text, at) {
                return Some((at, end));
            }
        }
        at += 1;
        // If a run of digits is not a number from its first digit, it is not one from a later digit either.
        while b.is_ascii_digit() && at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
    }
    None
}

/// The end of the phone number that starts at `at`.
fn phone(text: &str, at: usize) -> Option<usize> {
    let (groups, count) = groups(text, at);
    let groups = &groups[..count];
    groups.first()?;
    let count = if text.as_bytes()[at] == b'+' {
        international(text, at, groups)?
    } else {
        north_american(text, at, groups).or_else(|| national(text, at, groups))?
    };
    let end = groups[count - 1].end;
    let runs_on = match char_after(text, end) {
        Some('-' | '.' | '/' | ',' | ':') => text.as_bytes().get(end + 1).is_some_and(u8::is_ascii_digit),
        Some('%' | '°') => true,
        next => next.is_some_and(is_word_char),
    };
    (!runs_on).then_some(end)
}

/// `+`, a country code in use and a number as long as numbers of that country are.
fn international(text: &str, at: usize, groups: &[Group]) -> Option<usize> {
    // `+40.712776` is a decimal number.
    if groups.len() == 2 && groups[1].separator == b'.' {
        return None;
    }
    let digits: Vec<u8> = text[at..groups.last()?.end].bytes().filter(u8::is_ascii_digit).collect();
    let (code, lengths) = country(&digits)?;
    // A separator must not divide the country code.
    if groups[0].len < code {
        return None;
    }
    // `(0)` after the country code is only dialled within the country.
    let home = usize::from(groups.get(1).is_some_and(|g| g.separator == b'(' && g.len == 1 && g.digit == b'0'));
    // Digits without separators are more likely some other number.
    let least = if groups.len() == 1 { lengths.0.max(8) } else { lengths.0 };
    let (mut total, mut found) = (0, None);
    for (n, group) in groups.iter().enumerate() {
        total += group.len;
        if (least..=lengths.1).contains(&total.saturating_sub(code + home)) && total <= 15 {
            found = Some((n + 1, total));
            if code == 1 && digits[0] == b'1' {
                break;
            }
        }
    }
    let (count, total) = found?;
    let number = &digits[code + home..total];
    let valid = match digits[..code] {
        [b'1'] => groups.len() > 1 || number[0] >= b'2',
        // Italian and some African numbers start with 0.
        [b'3', b'9'] | [b'2', _, _] => true,
        _ => number[0] != b'0',
    };
    let varied = number.iter().any(|d| *d != number[0]);
    (valid && varied).then_some(count)
}

/// The North American form: three, three and four digits with separators.
fn north_american(text: &str, at: usize, groups: &[Group]) -> Option<usize> {
    let skip = usize::from(groups[0].len == 1 && groups[0].digit == b'1');
    let [area, exchange, line] = groups.get(skip..skip + 3)? else { return None };
    if area.digit < b'2' || [area.len, exchange.len, line.len] != [3, 3, 4] {
        return None;
    }
    let end = line.end;
    let parentheses = text[at..end].starts_with('(') || text[at..end].contains(" (");
    let mut before = words_before(text, at);
    let label = before.next();
    let label = label.as_deref().unwrap_or_default();
    if is_reference(text, at, label) {
        return None;
    }
    // Three numbers in a list, or with a unit, look the same.
    let spaced = !parentheses && [area, exchange, line].iter().all(|group| group.separator == b' ');
    let is_called = is_listed(LABELS, label);
    if spaced {
        let behind = text.as_bytes().get(at.wrapping_sub(2)..at);
        let in_row = groups.len() > skip + 3 || matches!(behind, Some([b'0'..=b'9', b' ']));
        let counts = text[end..].strip_prefix(' ').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()));
        if in_row || !is_called && (counts || text[..at].ends_with([' ', '\t']) && !label.is_empty()) {
            return None;
        }
    }
    Some(skip + 3)
}

/// A number in another country's national form, directly after a word such as `Tel.`.
fn national(text: &str, at: usize, groups: &[Group]) -> Option<usize> {
    let gap = text[..at].trim_end_matches([' ', '.', ':', '\u{a0}', '：', '(']);
    let label = words_before(gap, gap.len()).next()?;
    if !is_listed(LABELS, &label) || !gap.ends_with(char::is_alphabetic) {
        return None;
    }
    let most = if groups[0].digit == b'0' { 15 } else { 13 };
    let totals = groups.iter().scan(0, |sum, group| {
        *sum += group.len;
        Some(*sum)
    });
    let (digits, count) = totals.zip(1..).take_while(|&(total, _)| total <= most).last()?;
    // Dates and numbers with four parts have another shape; a number that does not start with 0 could be a count.
    let is_date = groups[0].len == 4 && groups.get(1).is_some_and(|g| g.len == 2 && g.separator != b' ')
        || groups.get(2).is_some_and(|g| g.len == 4 && groups[0].len == 2 && groups[1].len == 2);
    let is_dotted = count == 4 && groups[1..4].iter().all(|g| g.separator == b'.' && g.len <= 3);
    let is_number = groups[0].digit == b'0' || text[at..].starts_with('(') || !is_listed(VERBS, &label);
    (digits >= if count > 1 { 8 } else { 9 } && is_number && !is_date && !is_dotted).then_some(count)
}

/// Words in [`LABELS`] that precede other numbers too.
const VERBS: &str = "call called calling calls cell celular contact dial mobile numer númer port portable sms text";
/// Words before a phone number.
const LABELS: &str = "call called calling calls cell cellphone celular contact dial fax gsm handy helpline hotline mob mobiel mobil \
    mobile móvil numer númer ph phone phones portable puh puhelin rufnummer sms tel telefax telefon telefone \
    telefonnummer telefono telefoon telephone teléfono text tfn tfno tlf tél téléphone whatsapp звоните моб тел \
    телефон факс טלפון هاتف 手机 手機 携帯 电话 電話 전화";
/// Words before other kinds of numbers.
const REFERENCES: &str = "account acct art article batch bestellung build case catalog catalogue claim code commande doc docket \
    document ean factura facture guid id ids invoice isbn issn item key licence license lot model order \
    ordernumber orders part parts patent pedido policy product rechnung record ref reference serial sku ticket \
    tracking upc uuid version заказ";

/// Whether the digits at `at` are the number of an order, a part, a case or the like.
fn is_reference(text: &str, at: usize, label: &str) -> bool {
    text[..at].ends_with(['#', '№', '$', '€', '£', '=', '*', '@', '\\', '_'])
        && !matches!(label, "tel" | "phone" | "mobile" | "fax" | "cell")
        || is_listed(REFERENCES, label)
}

/// Number of digits of the country code at the start of `digits`, and the minimum and maximum number of digits that follow it
/// (ITU-T E.164, its list of assigned codes, and national numbering plans).
fn country(digits: &[u8]) -> Option<(usize, (usize, usize))> {
    let code = |n: usize| digits.get(..n).map(|d| d.iter().fold(0u16, |code, d| code * 10 + u16::from(d - b'0')));
    let two = |code| {
        Some(match code {
            20 => (8, 10),
            27 => (9, 9),
            30 => (10, 10),
            31 => (9, 9),
            32 => (8, 9),
            33 => (9, 9),
            34 => (9, 9),
            36 => (8, 9),
            39 => (6, 11),
            40 => (9, 9),
            41 => (9, 9),
            43 => (7, 13),
            44 => (9, 10),
            45 => (8, 8),
            46 => (7, 10),
            47 => (8, 8),
            48 => (9, 9),
            49 => (7, 11),
            51 => (8, 9),
            52 => (10, 11),
            53 => (8, 8),
            54 => (10, 11),
            55 => (10, 11),
            56 => (9, 9),
            57 => (10, 10),
            58 => (10, 10),
            60 => (8, 10),
            61 => (9, 9),
            62 => (8, 12),
            63 => (8, 10),
            64 => (8, 10),
            65 => (8, 8),
            66 => (8, 9),
            81 => (9, 10),
            82 => (8, 10),
            84 => (9, 10),
            86 => (10, 11),
            90 => (10, 10),
            91 => (10, 10),
            92 => (9, 10),
            93 => (9, 9),
            94 => (9, 9),
            95 => (7, 10),
            98 => (10, 10),
            _ => return None,
        })
    };
    match code(1)? {
        1 => return Some((1, (10, 10))),
        7 => return Some((1, (10, 10))),
        _ => {}
    }
    if let Some(lengths) = two(code(2)?) {
        return Some((2, lengths));
    }
    let assigned = matches!(code(3)?, 211..=213 | 216 | 218 | 220..=258 | 260..=269 | 290 | 291 | 297..=299 | 350..=359
        | 370..=383 | 385..=387 | 389 | 420 | 421 | 423 | 500..=509 | 590..=599 | 670 | 672..=683 | 685..=692
        | 850 | 852 | 853 | 855 | 856 | 880 | 886 | 960..=968 | 970..=977 | 992..=996 | 998);
    assigned.then_some((3, (7, 10)))
}

/// A run of digits, with or without parentheses.
#[derive(Clone, Copy, Default)]
struct Group {
    /// Number of digits.
    len: usize,
    /// The first digit.
    digit: u8,
    /// The separator before the group: a space, `-`, `.`, or `(` if parentheses are involved.
    separator: u8,
    /// Where the group ends, including its parenthesis.
    end: usize,
}

/// The groups of digits from `start` on that are separated by single separators, and their number (8 at most).
fn groups(text: &str, start: usize) -> ([Group; 8], usize) {
    let bytes = text.as_bytes();
    let mut groups = [Group::default(); 8];
    let mut at = start + usize::from(bytes[start] == b'+');
    let mut separator = b' ';
    for count in 0..groups.len() {
        let open = bytes.get(at) == Some(&b'(');
        at += usize::from(open);
        let len = bytes[at..].iter().take(16).take_while(|b| b.is_ascii_digit()).count();
        let closed = !open || bytes.get(at + len) == Some(&b')');
        if len == 0 || len > 15 || !closed {
            return (groups, count);
        }
        let end = at + len + usize::from(open);
        groups[count] = Group { len, digit: bytes[at], separator: if open { b'(' } else { separator }, end };
        at = end;
        separator = b'(';
        match bytes.get(at) {
            Some(&b @ (b' ' | b'-' | b'.')) => {
                separator = b;
                at += 1;
            }
            Some(0xc2) if text[at..].starts_with('\u{a0}') => {
                separator = b' ';
                at += 2;
            }
            Some(b'(') => {}
            _ if open => {}
            _ => return (groups, count + 1),
        }
    }
    (groups, groups.len())
}
