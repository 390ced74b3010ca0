//! Words as the published filters count them.
//!
//! datatrove 0.10 measures English with the rules of spaCy's blank English tokenizer. These are rules of our own that
//! come to the same words on running text:
//!
//! 1. A text is cut at white space.
//! 2. Quotation marks, brackets, punctuation, currency signs and pictographs are taken off both ends of a piece, each
//!    one a word of its own; two or more full stops together are one word.
//! 3. A full stop at the end comes off after a lower-case letter, a digit, a mark or two capitals, unless the piece is
//!    a common abbreviation (`e.g.`, `Mr.`, `U.S.`).
//! 4. `'s`, `n't`, `'ll`, `'re`, `'ve`, `'d`, `'m` come off a word, a unit or a percent sign off a number (`5 km` out
//!    of `5km`).
//! 5. What is left is one word if it is a web or mail address; otherwise it is cut at a hyphen, dash or one of `: < > =
//!    /` before a letter, at a comma between letters, at a full stop between a lower-case and a capital letter, at an
//!    operator between digits, and around runs of full stops and pictographs.
//!
//! Contractions without an apostrophe and emoticons, which spaCy lists one by one, are not treated.

use super::chars::{ends_sentence, is_currency, is_edge_mark, is_icon, is_punctuation, is_space};

const SPACE: u8 = 0;
const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const OTHER: u8 = 3;

const CLASS: [u8; 128] = {
    let mut class = [OTHER; 128];
    let mut b = 0;
    while b < 128 {
        let c = b as u8;
        if c.is_ascii_alphabetic() {
            class[b] = LETTER;
        } else if c.is_ascii_digit() {
            class[b] = DIGIT;
        } else if matches!(c, b' ' | 0x09..=0x0d | 0x1c..=0x1f) {
            class[b] = SPACE;
        }
        b += 1;
    }
    class
};

/// Calls `word` with every word of `text`, in order.
pub fn for_each_word<'a>(text: &'a str, mut word: impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    let mut suffixes = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let (mut plain, mut digits) = (true, false);
        while at < bytes.len() {
            if bytes[at] < 128 {
                match CLASS[bytes[at] as usize] {
                    SPACE => break,
                    LETTER => {}
                    DIGIT => digits = true,
                    _ => plain = false,
                }
                at += 1;
            } else {
                let Some(c) = text[at..].chars().next() else { break };
                if is_space(c) {
                    break;
                }
                plain &= c.is_alphabetic() && !is_icon(c);
                at += c.len_utf8();
            }
        }
        let piece = &text[start..at];
        if plain && !digits {
            if !piece.is_empty() {
                word(piece);
            }
        } else {
            split(piece, &mut suffixes, &mut word);
        }
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
}

/// Number of words in `text`.
pub fn count_words(text: &str) -> u64 {
    let mut n = 0;
    for_each_word(text, |_| n += 1);
    n
}

/// Number of sentences in `text`. A sentence ends with a word that is a single sentence mark; the next one starts at the next
/// word that is not punctuation (the rule of spaCy's sentencizer).
pub fn count_sentences(text: &str) -> u64 {
    let (mut n, mut ended) = (0, true);
    for_each_word(text, |word| {
        let mut chars = word.chars();
        let mark = chars.next().is_some_and(ends_sentence) && chars.next().is_none();
        if n == 0 || (ended && !mark && !word.chars().all(is_punctuation)) {
            n += 1;
            ended = mark;
        } else if mark {
            ended = true;
        }
    });
    n
}

/// Words of a piece without white space that holds more than letters.
fn split<'a>(piece: &'a str, suffixes: &mut Vec<&'a str>, word: &mut impl FnMut(&'a str)) {
    let mut rest = piece;
    while !rest.is_empty() && !is_whole(rest) {
        match prefix(rest) {
            0 => break,
            n => {
                word(&rest[..n]);
                rest = &rest[n..];
            }
        }
    }
    while !rest.is_empty() && !is_whole(rest) {
        match suffix(rest) {
            0 => break,
            n => {
                let (head, tail) = rest.split_at(rest.len() - n);
                suffixes.push(tail);
                rest = head;
            }
        }
    }
    if !rest.is_empty() {
        infixes(rest, word);
    }
    while let Some(tail) = suffixes.pop() {
        word(tail);
    }
}

/// Length in bytes of the word to split off the start of `s`; 0 if there is none.
fn prefix(s: &str) -> usize {
    let bytes = s.as_bytes();
    match bytes[0] {
        b'%' | b'=' | b'$' => 1,
        b'.' => match bytes.iter().take_while(|&&b| b == b'.').count() {
            1 => 0,
            run => run,
        },
        b'+' => usize::from(!bytes.get(1).is_some_and(u8::is_ascii_digit)),
        b if b < 128 => usize::from(is_ascii_edge(b)),
        _ => match s.chars().next() {
            Some(c) if is_edge_mark(c) || is_currency(c) || c == '§' => c.len_utf8(),
            _ => 0,
        },
    }
}

/// Length in bytes of the word to split off the end of `s`; 0 if there is none.
fn suffix(s: &str) -> usize {
    let bytes = s.as_bytes();
    let n = bytes.len();
    let before = |k: usize| if n > k { bytes[n - 1 - k] } else { 0 };
    match bytes[n - 1] {
        b'.' => match bytes.iter().rev().take_while(|&&b| b == b'.').count() {
            1 => usize::from(ends_before_stop(&s[..n - 1])),
            run => run,
        },
        b'+' | b'$' => usize::from(before(1).is_ascii_digit()),
        b if b.is_ascii_alphabetic() => {
            let clitic = clitic(s);
            if clitic > 0 { clitic } else { unit(s) }
        }
        b'%' => unit(s),
        b if b < 128 => usize::from(is_ascii_edge(b)),
        _ => match s.chars().next_back() {
            Some(c) if is_edge_mark(c) => c.len_utf8(),
            Some(c) if is_currency(c) && before(c.len_utf8()).is_ascii_digit() => c.len_utf8(),
            Some('²' | '³') => unit(s),
            _ => 0,
        },
    }
}

fn is_ascii_edge(b: u8) -> bool {
    matches!(b, b',' | b':' | b';' | b'!' | b'?' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>')
        || matches!(b, b'_' | b'#' | b'*' | b'&' | b'\'' | b'"' | b'`')
}

/// Whether a full stop after `head` is a word of its own.
fn ends_before_stop(head: &str) -> bool {
    let mut chars = head.chars().rev();
    let Some(last) = chars.next() else { return false };
    match last {
        '%' | '²' | '-' | '+' | '|' | '0'..='9' => true,
        c if c.is_ascii() && is_ascii_edge(c as u8) => true,
        c if c.is_uppercase() => chars.next().is_some_and(|c| c.is_uppercase()),
        c => c.is_alphabetic() || is_edge_mark(c),
    }
}

/// Length in bytes of the clitic that ends `s`; 0 if there is none.
fn clitic(s: &str) -> usize {
    let quote = |tail: &str| s.strip_suffix(tail).and_then(|head| head.strip_suffix(['\'', '’']));
    for tail in ["s", "S"] {
        if let Some(head) = quote(tail) {
            return s.len() - head.len();
        }
    }
    for tail in ["ll", "re", "ve", "d", "m"] {
        if let Some(head) = quote(tail)
            && head.ends_with(char::is_alphabetic)
        {
            return s.len() - head.len();
        }
    }
    match quote("t").and_then(|head| head.strip_suffix('n')) {
        Some(head) if head.ends_with(char::is_alphabetic) => s.len() - head.len(),
        _ => 0,
    }
}

/// Length in bytes of the unit that ends `s` after a digit; 0 if there is none.
fn unit(s: &str) -> usize {
    const UNITS: [&str; 54] = [
        "%", "G", "GB", "Gb", "K", "KB", "Kb", "M", "MB", "Mb", "Pa", "T", "TB", "cm", "cm²", "cm³", "dm", "dm²",
        "dm³", "ft", "g", "gb", "hPa", "ha", "in", "kb", "kg", "km", "km/h", "kmh", "km²", "km³", "lb", "m", "m/s",
        "mb", "mbar", "mg", "mm", "mm²", "mm³", "mph", "m²", "m³", "nm", "oz", "t", "tb", "yd", "µg", "µm", "kPa",
        "ml", "l",
    ];
    let Some(digit) = s.bytes().rev().take(6).position(|b| b.is_ascii_digit()) else { return 0 };
    let tail = &s[s.len() - digit..];
    if UNITS.contains(&tail) { digit } else { 0 }
}

/// Whether `s` is one word although its end looks like something to split off.
fn is_whole(s: &str) -> bool {
    const ABBREVIATIONS: [&str; 99] = [
        "Adm.", "Ak.", "Ala.", "Apr.", "Ariz.", "Ark.", "Aug.", "Bros.", "Calif.", "Co.", "Colo.", "Conn.", "Corp.",
        "D.C.", "Dec.", "Del.", "Dr.", "E.G.", "E.g.", "Feb.", "Fla.", "Ga.", "Gen.", "Gov.", "I.E.", "I.e.", "Ia.",
        "Id.", "Ill.", "Inc.", "Ind.", "Jan.", "Jr.", "Jul.", "Jun.", "Kan.", "Kans.", "Ky.", "La.", "Ltd.", "Mar.",
        "Mass.", "Md.", "Messrs.", "Mich.", "Minn.", "Miss.", "Mo.", "Mont.", "Mr.", "Mrs.", "Ms.", "Mt.", "N.C.",
        "N.D.", "N.H.", "N.J.", "N.M.", "N.Y.", "Neb.", "Nebr.", "Nev.", "Nov.", "Oct.", "Okla.", "Ore.", "Pa.",
        "Ph.D.", "Prof.", "Rep.", "Rev.", "S.C.", "Sen.", "Sep.", "Sept.", "St.", "Tenn.", "Va.", "Wash.", "Wis.",
        "a.m.", "co.", "e.g.", "i.e.", "p.m.", "v.s.", "vs.", "C++", "and/or", "ma'am", "o'clock", "w/o", "'em", "'ll",
        "'re", "'s", "'d", "'cause", "''",
    ];
    let bytes = s.as_bytes();
    match bytes.last() {
        Some(b'.') if bytes.len() == 2 => bytes[0].is_ascii_lowercase(),
        Some(b'.' | b'+' | b'r' | b'm' | b'k' | b'o' | b'l' | b'e' | b's' | b'd' | b'\'') if bytes.len() <= 7 => {
            ABBREVIATIONS.contains(&s)
        }
        _ => false,
    }
}

/// The words of a stem: one if it is an address, otherwise its inner marks and the parts between them.
fn infixes<'a>(stem: &'a str, word: &mut impl FnMut(&'a str)) {
    let bytes = stem.as_bytes();
    let (mut start, mut at, mut checked) = (0, 0, false);
    while at < bytes.len() {
        let width = if may_split(bytes[at]) { infix(stem, at) } else { 0 };
        if width == 0 || at == 0 {
            at += width.max(1);
            continue;
        }
        if !checked && is_address(stem) {
            break;
        }
        checked = true;
        if start < at {
            word(&stem[start..at]);
        }
        word(&stem[at..at + width]);
        at += width;
        start = at;
    }
    if start < stem.len() {
        word(&stem[start..]);
    }
}

fn may_split(b: u8) -> bool {
    matches!(b, b'.' | b',' | b'-' | b'~' | b'+' | b'*' | b'^' | b':' | b'<' | b'>' | b'=' | b'/' | 0xc2 | 0xe2..)
}

/// Length in bytes of the inner mark of `stem` at byte `at`; 0 if the stem is not split there.
fn infix(stem: &str, at: usize) -> usize {
    let Some(tail) = stem.get(at..) else { return 0 };
    let mut chars = tail.chars();
    let Some(mark) = chars.next() else { return 0 };
    let next = chars.next();
    let last = stem[..at].chars().next_back();
    let alpha = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let alpha_or_digit = |c: Option<char>| c.is_some_and(|c| c.is_alphabetic() || c.is_ascii_digit());
    let cut = match mark {
        '.' if next == Some('.') => return tail.bytes().take_while(|&b| b == b'.').count(),
        '.' => {
            last.is_some_and(|c| is_quote(c) || c.is_alphabetic() && !c.is_uppercase())
                && next.is_some_and(|c| is_quote(c) || c.is_alphabetic() && !c.is_lowercase())
        }
        ',' => alpha(last) && alpha(next),
        '+' | '*' | '^' | '-' if last.is_some_and(|c| c.is_ascii_digit()) && is_digit_or_minus(next) => true,
        '-' if tail.starts_with("--") => {
            let run = if tail.starts_with("---") { 3 } else { 2 };
            return if alpha_or_digit(last) && alpha(tail[run..].chars().next()) { run } else { 0 };
        }
        '—' if next == Some('—') => {
            let run = 2 * mark.len_utf8();
            return if alpha_or_digit(last) && alpha(tail[run..].chars().next()) { run } else { 0 };
        }
        '-' | '–' | '—' | '~' | ':' | '<' | '>' | '=' | '/' => alpha_or_digit(last) && alpha(next),
        '…' => true,
        c => is_icon(c),
    };
    if cut { mark.len_utf8() } else { 0 }
}

fn is_digit_or_minus(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_digit() || c == '-')
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`' | '”' | '“' | '‘' | '´' | '’' | '‚' | '„' | '»' | '«')
}

/// Whether `stem` is a web or mail address: an optional scheme, an optional user, a host name whose last label is of
/// lower-case letters, an optional port, and whatever follows a `/`, `?` or `#`.
fn is_address(stem: &str) -> bool {
    let scheme = |s: &str| s.len() >= 2 && s.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '+' | '-' | '.'));
    let rest = match stem.split_once("://") {
        Some((head, tail)) if scheme(head) => tail,
        _ => stem,
    };
    let after_user = |at: Option<usize>| at.is_some_and(|at| at > 0 && is_host_and_path(&rest[at + 1..]));
    is_host_and_path(rest) || after_user(rest.find('@')) || after_user(rest.rfind('@'))
}

fn is_host_and_path(s: &str) -> bool {
    let (host, mut tail) = s.split_at(s.find([':', '/', '?', '#']).unwrap_or(s.len()));
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || ('\u{a1}'..='\u{ffff}').contains(&c);
    let edge = |c: char| inner(c) && !matches!(c, '_' | '-');
    let label = |l: &str| l.len() <= 256 && l.chars().all(inner) && l.starts_with(edge) && l.ends_with(edge);
    if !(2..=63).contains(&top.chars().take(64).count())
        || !top.chars().all(|c| c.is_alphabetic() && !c.is_uppercase())
        || !labels.split('.').all(label)
    {
        return false;
    }
    if let Some(port) = tail.strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        if !(2..=5).contains(&digits) {
            return false;
        }
        tail = &port[digits..];
    }
    tail.is_empty() || tail.starts_with(['/', '?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for_each_word(text, |w| found.push(w));
        found
    }

    #[test]
    fn white_space_and_edges() {
        assert_eq!(words(""), Vec::<&str>::new());
        assert_eq!(words(" \n\t\u{a0}\u{1c} "), Vec::<&str>::new());
        assert_eq!(words("one two\u{2003}three"), ["one", "two", "three"]);
        assert_eq!(
            words("“Quoted.” (end.) **bold**"),
            ["“", "Quoted", ".", "”", "(", "end", ".", ")", "*", "*", "bold", "*", "*"]
        );
        assert_eq!(words("wait... ...go"), ["wait", "...", "...", "go"]);
        assert_eq!(words("größer, дом!"), ["größer", ",", "дом", "!"]);
        assert_eq!(words("party🎉"), ["party", "🎉"]);
    }

    #[test]
    fn stops_and_abbreviations() {
        assert_eq!(
            words("Mr. Ek, e.g. this. The API. U.S. A."),
            ["Mr.", "Ek", ",", "e.g.", "this", ".", "The", "API", ".", "U.S.", "A."]
        );
        assert_eq!(words("v1.2. (e.g.,"), ["v1.2", ".", "(", "e.g.", ","]);
    }

    #[test]
    fn clitics_and_units() {
        assert_eq!(
            words("don't it’s I'll 5km 18+ 5% $5 dogs'"),
            ["do", "n't", "it", "’s", "I", "'ll", "5", "km", "18", "+", "5", "%", "$", "5", "dogs", "'"]
        );
        assert_eq!(words("x10 0x5g"), ["x10", "0x5", "g"]);
    }

    #[test]
    fn inner_marks_and_addresses() {
        assert_eq!(
            words("well-known a--b a,b foo.Bar 3.5 2-3 x=y foo/bar"),
            [
                "well", "-", "known", "a", "--", "b", "a", ",", "b", "foo", ".", "Bar", "3.5", "2", "-", "3", "x", "=",
                "y", "foo", "/", "bar"
            ]
        );
        assert_eq!(
            words("https://a-b.org/c-d?e=f user-a@b-c.net see.Here/x"),
            ["https://a-b.org/c-d?e=f", "user-a@b-c.net", "see", ".", "Here", "/", "x"]
        );
    }

    #[test]
    fn sentences() {
        assert_eq!(count_sentences(""), 0);
        assert_eq!(count_sentences("One."), 1);
        assert_eq!(count_sentences("One. Two! “Three?” Mr. Four e.g. 3.5"), 4);
        assert_eq!(count_sentences("Really?! Yes... no."), 2);
        assert_eq!(count_sentences("... ."), 1);
    }

    #[test]
    fn words_are_the_text_without_white_space() {
        for text in ["a.b--c…d 🎉x'll've… ((e.g.)) \u{0}é.É ---- '' n't", "https://x.y/z_ a@b@c.de 1--2 —— a——b"]
        {
            let squeezed: String = text.chars().filter(|&c| !is_space(c)).collect();
            assert_eq!(words(text).concat(), squeezed);
        }
    }
}
