//! IP addresses, and the version and section numbers that look like them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::text::{char_after, char_before, is_listed, is_word_char, words_after, words_before};

/// Finds the next IP address at or after `from`.
pub fn next_ip(text: &str, from: usize) -> Option<(usize, usize)> {
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
                && !is_version(text, start + s, start + e)
            {
                return Some((start + s, start + e));
            }
        } else if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' {
            // A run that starts inside a word is part of that word.
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    None
}

/// Finds the address in a run of hexadecimal digits, colons and full stops. The flags say whether a word directly precedes or
/// follows the run.
fn address(run: &str, after_word: bool, before_word: bool) -> Option<(usize, usize)> {
    const LONGEST: usize = 45;
    // Remove surrounding punctuation.
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
    // IPv4, possibly with an adjacent name or port.
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

/// Words before a number that make it a version or section.
const NUMBERED: &str = "abschnitt acrobat algorithm android api appendix art article artifact assembly bios boost build builds bump \
    bumped bumping bumps capítulo changelog chapitre chapter chrome chromium clause corollary cuda definition \
    dependency directx dll docker downgrade downgraded driver drivers ec edge electron eq equation exercise \
    explorer fig figure firefox firmware flash framework gecko gem hotfix image implementation installed ios item \
    jar java jdk jetty jre kapitel kernel lemma listing macos mib mysql nginx node nuget oid opengl opera oracle \
    package para paragraph patch patched php player plugin postgresql problem proposition python qt reader \
    release released releases req require requirement requires rev revision revisions ruby rule safari sdk sec \
    sección section sections since skype snmp step sürüm sürümü table tag tagged theorem tomcat update updated \
    upgrade upgraded upgrading v ver versie version versione versions versiunea versión versão verze verzia \
    verzió vlc vulkan webkit wersja wersji windows wine версией версии версию версия версія глава пункт раздел";
/// Words before a number that make it an address.
const ADDRESSED: &str = "addr address addresses adres adresse bind client clients connect connected connection destination dirección \
    dns dst gateway host hosts inet ip ips ipv4 listen logged login nameserver peer ping pinged proxy remote \
    server servers source src traceroute адрес";
/// Words after a number that make it a version.
const RELEASED: &str = "above alpha beta build changelog earlier higher later newer older onwards patch preview release released \
    releases version";
/// Maximum number of bytes around a number on its line that may be heading marks.
const MAX_MARKS: usize = 32;
/// Number of words before a number that are examined.
const WORDS_BEFORE: usize = 4;
const WORDS_AFTER: usize = 2;

/// Whether the context shows that the four numbers at `start..end` are a version or section number.
fn is_version(text: &str, start: usize, end: usize) -> bool {
    let number = &text[start..end];
    if number.contains(':') {
        return false;
    }
    // A network or a version, but not a host.
    if number.ends_with(".0.0") {
        return true;
    }
    let (before, after) = (&text[..start], &text[end..]);
    is_part_of_name(before, after)
        || is_heading(before, number, after)
        || is_constraint(before)
        || is_named_version(text, start, end)
}

/// `name-1.2.3.4`, `1.2.3.4-rc1`, `1.2.3.4+git`, `Firefox/1.2.3.4`, `releases/1.2.3.4`.
fn is_part_of_name(before: &str, after: &str) -> bool {
    let mut back = before.chars().rev();
    let (last, last_but_one) = (back.next(), back.next());
    let name = |c: Option<char>| c.is_some_and(|c| is_word_char(c) && !c.is_ascii_digit());
    let mut ahead = after.chars();
    let (next, next_but_one) = (ahead.next(), ahead.next());
    let port = next == Some(':') && next_but_one.is_some_and(|c| c.is_ascii_digit());
    let range = |rest: &str| {
        rest.split(|c: char| !(c.is_ascii_digit() || c == '.')).next().is_some_and(|r| r.matches('.').count() == 3)
    };
    // `group:artifact:1.2.3.4`, `repository/image:1.2.3.4`
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(MAX_MARKS))..];
    let token = near.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_tag = token.strip_suffix(':').is_some_and(|t| t.ends_with(is_word_char) && t.contains([':', '/']));
    match (last, next) {
        (Some(':'), _) => is_tag && !token.contains("//"),
        (Some('-'), _) if name(last_but_one) => true,
        (Some('/'), _) if name(last_but_one) && !port => true,
        (_, Some('+')) => next_but_one.is_some_and(is_word_char),
        (_, Some('-')) => next_but_one.is_some_and(is_word_char) && !range(&after[1..]),
        _ => false,
    }
}

/// A heading of a change log (`## [1.10.0.0] - 2024-01-15`) or of a numbered document (`4.2.1.3 Memory model`).
fn is_heading(before: &str, number: &str, after: &str) -> bool {
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(MAX_MARKS))..];
    let line = near.rsplit(['\n', '\r']).next().unwrap_or_default();
    let marks = line.trim_start_matches([' ', '\t', '#', '*', '=', '[', '(', 'v', 'V']);
    if !marks.is_empty() || line.len() == before.len().min(MAX_MARKS) && line.len() == MAX_MARKS {
        return false;
    }
    let near = &after[..after.floor_char_boundary(MAX_MARKS)];
    let after = near.split(['\n', '\r']).next().unwrap_or_default();
    let rest = after.trim_start_matches([']', ')', ' ', '-', '–', '—', '/', '(', ':', '*', '|']);
    let is_date = |s: &str| {
        let b = s.as_bytes();
        b.len() >= 10
            && b[..10]
                .iter()
                .enumerate()
                .all(|(i, c)| if i == 4 || i == 7 { matches!(c, b'-' | b'/' | b'.') } else { c.is_ascii_digit() })
    };
    // A log line continues with a time of day.
    if line.trim_start().starts_with('#') || is_date(rest) && !rest[10..].contains(':') {
        return true;
    }
    let small = number.split('.').all(|n| n.len() <= 2 && n.parse::<u8>().is_ok_and(|n| n <= 30));
    let title = after.trim_start_matches(['.', ')', ' ', '\t']);
    let mut title = if title.len() < after.len() { title } else { "" }.chars();
    let first = title.next().is_some_and(char::is_uppercase);
    let equal = number.split('.').all(|n| number.starts_with(n));
    small && !equal && first && title.next().is_some_and(char::is_lowercase)
}

/// `package==1.2.3.4` and the like, but not `ip.src==1.2.3.4`.
fn is_constraint(before: &str) -> bool {
    let before = if before.ends_with("~> ") { before.trim_end() } else { before };
    let name = before.trim_end_matches(['=', '<', '>', '~', '^', '≥', '≤', '!']);
    if name.len() == before.len() {
        return false;
    }
    let operator = &before[name.len()..];
    if operator == "=" || operator == ">" || operator == "<" {
        return false;
    }
    let word = words_before(name, name.len()).next();
    name.is_empty()
        || name.ends_with([' ', '"', '\'']) && operator.contains(['~', '^'])
        || name.ends_with(is_word_char) && word.is_some_and(|w| !is_listed(ADDRESSED, &w))
}

/// Decides by the nearest indicative word: `version 1.2.3.4`, `the version to 1.2.3.4`, `1.2.3.4 or later`.
fn is_named_version(text: &str, start: usize, end: usize) -> bool {
    if text[..start].trim_end().ends_with(['§', '版', '本']) {
        return true;
    }
    for word in words_before(text, start).take(WORDS_BEFORE) {
        if is_listed(ADDRESSED, &word) {
            return false;
        }
        if is_listed(NUMBERED, &word) || word.ends_with("version") {
            return true;
        }
    }
    words_after(text, end).take(WORDS_AFTER).any(|word| is_listed(RELEASED, &word))
}
