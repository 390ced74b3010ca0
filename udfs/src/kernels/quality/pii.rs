//! Removal of personal data: mail addresses, IP addresses, phone numbers. Precision comes first: what is replaced is
//! written in a form that is hardly ever anything else.
//!
//! - **Mail address**: up to 64 of letters, digits and `._%+'~-`, then `@`, then a host name of at least two labels
//!   whose last is of two or more letters. Not `pkg@1.2.3`, not `icon@2x.png`, not `user@localhost`.
//! - **IP address**: four decimal octets without leading zeros that are not part of a longer dotted number, or an IPv6
//!   address in any of its forms. Only globally reachable unicast addresses are replaced; private, loopback,
//!   link-local, shared, documentation, benchmark, multicast and reserved ones name no one and stay (datatrove's
//!   formatter has the same default). A port or prefix length behind the address stays.
//! - **Phone number**: `+` and 8 to 15 digits (10 to 15 where nothing separates them) that start with a country code,
//!   or the North American form of three, three and four digits with separators, its area code not starting with 0 or
//!   1, with or without a leading 1. Separators are single spaces, no-break spaces, hyphens, full stops, and
//!   parentheses around an area code. Other national forms are not recognised.
//!
//! Replaced in this order; each step is one pass.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What stands in for a mail address.
pub const EMAIL: &str = "<EMAIL>";
/// What stands in for an IP address.
pub const IP: &str = "<IP>";
/// What stands in for a phone number.
pub const PHONE: &str = "<PHONE>";

/// Which kinds of personal data to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds {
    /// Mail addresses.
    pub email: bool,
    /// IP addresses.
    pub ip: bool,
    /// Phone numbers.
    pub phone: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self { email: true, ip: true, phone: true };

    /// Reads a list like `email,ip`; an error is the entry that is none of `email`, `ip`, `phone`.
    pub fn parse(list: &str) -> Result<Self, &str> {
        let mut kinds = Self { email: false, ip: false, phone: false };
        for kind in list.split(',') {
            match kind.trim() {
                "email" => kinds.email = true,
                "ip" => kinds.ip = true,
                "phone" => kinds.phone = true,
                other => return Err(other),
            }
        }
        Ok(kinds)
    }
}

/// `text` with personal data of the chosen kinds replaced; borrowed where there is none.
pub fn redact(text: &str, kinds: Kinds) -> Cow<'_, str> {
    let steps: [(bool, Finder, &str); 3] =
        [(kinds.email, next_email, EMAIL), (kinds.ip, next_ip, IP), (kinds.phone, next_phone, PHONE)];
    let mut text = Cow::Borrowed(text);
    for (_, find, placeholder) in steps.into_iter().filter(|(chosen, ..)| *chosen) {
        if let Some(replaced) = replace(&text, find, placeholder) {
            text = Cow::Owned(replaced);
        }
    }
    text
}

/// Finds the next match that starts at or after a byte position, and its end.
type Finder = fn(&str, usize) -> Option<(usize, usize)>;

fn replace(text: &str, find: Finder, placeholder: &str) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    while let Some((start, end)) = find(text, done) {
        out.push_str(&text[done..start]);
        out.push_str(placeholder);
        done = end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}

/// Letters and digits of the scripts that are written with spaces, so that an address does not swallow what stands
/// before it without one.
fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ('\u{aa}'..'\u{530}').contains(&c) && c.is_alphanumeric()
}

fn next_email(text: &str, from: usize) -> Option<(usize, usize)> {
    const MOST_LOCAL: usize = 64;
    let mut search = from;
    while let Some(found) = text[search..].find('@') {
        let at = search + found;
        search = at + 1;
        let local = text[from..at]
            .char_indices()
            .rev()
            .take(MOST_LOCAL)
            .take_while(|&(_, c)| is_name_char(c) || matches!(c, '.' | '_' | '%' | '+' | '\'' | '~' | '-'))
            .filter(|&(_, c)| is_name_char(c) || c == '_')
            .last();
        let Some((local, _)) = local else { continue };
        let start = from + local;
        if text[..at].ends_with('.') || text[start..at].contains("..") {
            continue;
        }
        if let Some(width) = host(&text[at + 1..]) {
            return Some((start, at + 1 + width));
        }
    }
    None
}

/// Bytes of the host name at the start of `s`, up to the last label of letters.
fn host(s: &str) -> Option<usize> {
    const MOST_CHARS: usize = 255;
    let outside = |&(i, (_, c)): &(usize, (usize, char))| i >= MOST_CHARS || !(is_name_char(c) || c == '-' || c == '.');
    let run = &s[..s.char_indices().enumerate().find(outside).map_or(s.len(), |(_, (end, _))| end)];
    let (mut end, mut start) = (None, 0);
    for label in run.split('.') {
        let trimmed = label.trim_end_matches('-');
        if trimmed.is_empty() || trimmed.len() > 63 || trimmed.starts_with('-') {
            break;
        }
        let letters = trimmed.chars().count() >= 2 && trimmed.chars().all(char::is_alphabetic);
        let encoded = trimmed.as_bytes().get(..4).is_some_and(|b| b.eq_ignore_ascii_case(b"xn--"));
        if start > 0 && (letters || encoded) {
            end = Some(start + trimmed.len());
        }
        if trimmed.len() < label.len() {
            break;
        }
        start += label.len() + 1;
    }
    let end = end?;
    // `icon@2x.png` is a file name.
    let scaled = matches!(run.as_bytes(), [b'0'..=b'9', b'x', b'.', ..]) && !run[3..end].contains('.');
    (!scaled).then_some(end)
}

fn is_word_char(c: char) -> bool {
    is_name_char(c) || c == '_'
}

fn char_before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

fn char_after(text: &str, at: usize) -> Option<char> {
    text[at..].chars().next()
}

fn next_ip(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let is_part = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
    let mut at = from;
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && is_part(bytes[at]) {
            at += 1;
        }
        if start < at {
            let after_word = char_before(text, start).is_some_and(is_word_char);
            let before_word = char_after(text, at).is_some_and(is_word_char);
            if at - start >= 3
                && let Some((s, e)) = address(&text[start..at], after_word, before_word)
            {
                return Some((start + s, start + e));
            }
        } else if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' {
            // What starts as a word goes on as a word.
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    None
}

/// The address in a run of hexadecimal digits, colons and full stops, which stands right after or before a word.
fn address(run: &str, after_word: bool, before_word: bool) -> Option<(usize, usize)> {
    const LONGEST: usize = 45;
    // What is left of the run when the punctuation around it is gone.
    let head = run.len() - run.trim_start_matches(['.', ':']).len();
    let tail = run.trim_end_matches(['.', ':']).len();
    if (after_word && matches!(&run[..head], "" | ".")) || (before_word && matches!(run.get(tail..), Some("" | "."))) {
        return None;
    }
    // An IPv6 address may itself start or end with two colons.
    let from = if run[..head].ends_with("::") { head - 2 } else { head };
    let to = if run[tail..].starts_with("::") { tail + 2 } else { tail };
    if from < to && to - from <= LONGEST {
        let six = &run[from..to];
        if six.contains(':') && six.parse::<Ipv6Addr>().is_ok_and(is_global_v6) {
            return Some((from, to));
        }
    }
    // IPv4, with a name or a port beside it.
    let mut start = head;
    for part in run.get(head..tail)?.split(':') {
        if part.len() <= 15 && part.parse::<Ipv4Addr>().is_ok_and(is_global_v4) {
            return Some((start, start + part.len()));
        }
        start += part.len() + 1;
    }
    None
}

/// Whether `ip` is a globally reachable unicast address (IANA special-purpose registry).
fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!(a, 0 | 10 | 127 | 224..)
        || matches!((a, b), (100, 64..=127) | (169, 254) | (172, 16..=31) | (192, 168) | (198, 18 | 19))
        || matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113));
    !special
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            let [.., a, b, c, d] = ip.octets();
            is_global_v4(Ipv4Addr::new(a, b, c, d))
        }
        // documentation, protocol assignments
        [0x2001, 0xdb8, ..] | [0x2001, 0..=0x1ff, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn next_phone(text: &str, from: usize) -> Option<(usize, usize)> {
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
        // What is no number from its first digit is none from a later one.
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
    let first = groups.first()?;
    let count = if text.as_bytes()[at] == b'+' {
        let totals = groups.iter().scan(0, |sum, group| {
            *sum += group.len;
            Some(*sum)
        });
        // Country code 1 has eleven digits, the others up to fifteen.
        let (count, digits) = match first.digit {
            b'0' => return None,
            b'1' => totals.zip(1..).find(|&(total, _)| total == 11).map(|(total, n)| (n, total))?,
            _ => totals.zip(1..).take_while(|&(total, _)| total <= 15).last().map(|(total, n)| (n, total))?,
        };
        if digits < if count > 1 { 8 } else { 10 } {
            return None;
        }
        count
    } else {
        let skip = usize::from(first.len == 1 && first.digit == b'1');
        let [area, exchange, line] = groups.get(skip..skip + 3)? else { return None };
        if area.digit < b'2' || [area.len, exchange.len, line.len] != [3, 3, 4] {
            return None;
        }
        // Three numbers in a row of numbers look the same.
        let spaced = [area, exchange, line].iter().all(|group| group.separator == b' ');
        let before = at.checked_sub(2).and_then(|from| text.as_bytes().get(from..at));
        let in_row = groups.len() > skip + 3 || matches!(before, Some([b'0'..=b'9', b' ']));
        if spaced && in_row {
            return None;
        }
        skip + 3
    };
    let end = groups[count - 1].end;
    let runs_on = match char_after(text, end) {
        Some('-' | '.' | '/' | ',') => text.as_bytes().get(end + 1).is_some_and(u8::is_ascii_digit),
        next => next.is_some_and(is_word_char),
    };
    (!runs_on).then_some(end)
}

/// Digits in a row, within parentheses or not.
#[derive(Clone, Copy, Default)]
struct Group {
    /// How many.
    len: usize,
    /// The first of them.
    digit: u8,
    /// What separates them from the group before: a space, `-`, `.`, or `(` where parentheses take part.
    separator: u8,
    /// Where they end, their parenthesis included.
    end: usize,
}

/// The groups of digits from `start` on with one separator each between them, and how many they are (8 at most).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Cow<'_, str> {
        redact(text, Kinds::ALL)
    }

    #[test]
    fn kinds() {
        assert_eq!(Kinds::parse("email,ip,phone"), Ok(Kinds::ALL));
        assert_eq!(Kinds::parse(" ip "), Ok(Kinds { email: false, ip: true, phone: false }));
        assert_eq!(Kinds::parse("ip,fax"), Err("fax"));
        assert_eq!(Kinds::parse(""), Err(""));
        let text = "a@b.org 8.8.8.8 +1 212 555 0123";
        assert_eq!(redact(text, Kinds { email: false, ip: true, phone: false }), "a@b.org <IP> +1 212 555 0123");
        assert_eq!(all(text), "<EMAIL> <IP> <PHONE>");
        assert!(matches!(all("nothing here"), Cow::Borrowed(_)));
    }

    #[test]
    fn mail_addresses() {
        for text in [
            "ann@example.com",
            "ann.lee+tag@mail.example.co.uk",
            "o'brien@x-y.org",
            "_a_@b.museum",
            "jürgen@müller.de",
            "A1@XN--E1AFMKFD.XN--P1AI",
            "x@a1.b2.cd",
        ] {
            assert_eq!(all(text), EMAIL, "{text}");
        }
        for (text, expected) in [
            ("Write to ann@example.com.", "Write to <EMAIL>."),
            ("<ann@example.com>,bob@example.org;", "<<EMAIL>>,<EMAIL>;"),
            ("mailto:ann@example.com?subject=x", "mailto:<EMAIL>?subject=x"),
            ("'ann@example.com'", "'<EMAIL>'"),
            ("--ann@example.com--", "--<EMAIL>--"),
            ("https://ann@example.com/x", "https://<EMAIL>/x"),
            ("邮箱ann@example.com。", "邮箱<EMAIL>。"),
            ("a@b@example.com", "a@<EMAIL>"),
            ("ann@example.com@example.com", "<EMAIL>@example.com"),
        ] {
            assert_eq!(all(text), expected);
        }
        for text in [
            "@handle",
            "ann@",
            "ann@example",
            "user@localhost",
            "lodash@4.17.21",
            "icon@2x.png",
            "ann@-x.org",
            "ann.@x.org",
            "an..n@x.org",
            "ann @ example.com",
            "ann@example..com",
            "@media.print",
            "x@y.z",
            "@",
            "@@",
            "a@.com",
        ] {
            assert_eq!(all(text), text);
        }
    }

    #[test]
    fn ip_addresses() {
        for text in [
            "8.8.8.8",
            "163.36.107.25",
            "214.70.227.4",
            "2001:4860:4860::8888",
            "2a00:1450:4001:81b::200e",
            "2606:4700:4700:0:0:0:0:1111",
            "::ffff:8.8.8.8",
            "2600::",
        ] {
            assert_eq!(all(text), IP, "{text}");
        }
        for (text, expected) in [
            ("from 8.8.8.8, 1.1.1.1.", "from <IP>, <IP>."),
            ("http://8.8.8.8:8080/x 9.9.9.9/24", "http://<IP>:8080/x <IP>/24"),
            ("[2001:4860:4860::8888]:443", "[<IP>]:443"),
            ("(8.8.8.8) “8.8.4.4” 地址8.8.8.8。", "(<IP>) “<IP>” 地址<IP>。"),
            ("host:8.8.8.8:53", "host:<IP>:53"),
        ] {
            assert_eq!(all(text), expected);
        }
        for text in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.2",
            "172.16.0.9",
            "172.31.254.254",
            "169.254.1.1",
            "100.64.0.1",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.1.2.3",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "999.8.8.8",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "v1.2.3.4",
            "1.2.3.4a",
            "1.2.3.04",
            "108.0.0.01",
            "12:30:45",
            "std::net",
            "a::b",
            "de:ad:be:ef:00:01",
            "x1.2.3.4",
            "1.2.3.4_5",
            "lib.1.2.3.4",
            "8.8.8.8.xip",
            "é8.8.8.8",
            "...",
            ":::",
            "1::2::3",
        ] {
            assert_eq!(all(text), text);
        }
    }

    #[test]
    fn phone_numbers() {
        for text in [
            "+1 212 555 0123",
            "+12125550123",
            "+44 20 7946 0958",
            "+49 (30) 1234567",
            "+49-30-1234567",
            "+33 1 23 45 67 89",
            "(212) 555-0123",
            "(212)555-0123",
            "212-555-0123",
            "212.555.0123",
            "212 555 0123",
            "1-800-555-0199",
            "1 (800) 555-0199",
            "+1 (212) 555-0123",
            "+86 138 0013 8000",
            "+1\u{a0}212\u{a0}555\u{a0}0123",
        ] {
            assert_eq!(all(text), PHONE, "{text}");
        }
        for (text, expected) in [
            ("Call (212) 555-0123.", "Call <PHONE>."),
            ("tel:+12125550123, fax +44 20 7946 0958", "tel:<PHONE>, fax <PHONE>"),
            ("212-555-0123 x45", "<PHONE> x45"),
            ("“212-555-0123”", "“<PHONE>”"),
            ("212-555-0123 212-555-0199", "<PHONE> <PHONE>"),
            ("+1 212 555 0123 5 times", "<PHONE> 5 times"),
            ("phone=212-555-0123", "phone=<PHONE>"),
            ("(call 212-555-0123)", "(call <PHONE>)"),
        ] {
            assert_eq!(all(text), expected);
        }
        for text in [
            "2024-01-15",
            "2125550123",
            "123-45-6789",
            "012-555-0123",
            "+0123456789",
            "+12345678",
            "1234 5678 9012 3456",
            "3.14159",
            "978-0-306-40615-7",
            "12:30:45",
            "+00:00",
            "@@ -1234,7 +1234,7 @@",
            "1,234,567,890",
            "100-200-300",
            "212-555-01234",
            "a212-555-0123",
            "212-555-0123a",
            "0.212-555-0123",
            "x=+1",
            "(212",
            "(212) 555",
            "+",
            "()",
            "212--555-0123",
            "400 500 6000 700",
            "100 400 500 6000",
            "5f3e-212-555-0123-aa",
            "1 2 3 4 5 6 7 8 9 10",
        ] {
            assert_eq!(all(text), text);
        }
    }
}
