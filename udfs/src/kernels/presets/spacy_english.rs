//! spaCy 3.8's rule tokenizer for English (`spacy.blank("en")`) on text that datatrove has simplified.
//!
//! The algorithm is the one of spaCy's documentation, "How spaCy's tokenizer works": per white-space span, peel prefixes and
//! suffixes off until a special case or nothing to peel remains, then split at infixes. Simplified text is lower-case, without
//! ASCII punctuation and with `0` as its only digit, so most rules of the English model cannot match; listed here are all that
//! still can. Rules and special cases: `spacy/lang/{punctuation,char_classes,tokenizer_exceptions}.py` and `spacy/lang/en`.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::charset::CharSet;

/// Special cases that split a word. (Those that keep a word whole change nothing here.)
const CONTRACTIONS: &str = "\
ai nt,are nt,can not,ca nt,ca nt ve,could nt,could nt ve,could ve,dare nt,did nt,did nt ve,does nt,does nt ve,do nt,\
do nt ve,gon na,got ta,had nt,had nt ve,has nt,have nt,he d,he d ve,he ll ve,he s,how d,how d ve,how ll,how ll ve,how re,\
how s,how ve,i d,i d ve,i ll ve,i m,i m a,is nt,it d,it d ve,it ll,it ll ve,i ve,may nt,may nt ve,might nt,might nt ve,\
might ve,must nt,must nt ve,must ve,need nt,need nt ve,not ve,ought nt,ought nt ve,sha nt,sha nt ve,she d ve,she ll ve,\
she s,should nt,should nt ve,should ve,that d,that d ve,that ll,that ll ve,that s,there d,there d ve,there ll,\
there ll ve,there re,there s,there ve,these d,these d ve,these ll,these ll ve,these re,these ve,they d,they d ve,they ll,\
they ll ve,they re,they ve,this d,this d ve,this ll,this ll ve,this s,those d,those d ve,those ll,those ll ve,those re,\
those ve,was nt,we d,we d ve,we ll ve,were nt,we ve,what d,what d ve,what ll,what ll ve,what re,what s,what ve,when d,\
when d ve,when ll,when ll ve,when re,when s,when ve,where d,where d ve,where ll,where ll ve,where re,where s,where ve,\
who d,who d ve,who ll,who ll ve,who s,who ve,why d,why d ve,why ll,why ll ve,why re,why s,why ve,wo nt,wo nt ve,would nt,\
would nt ve,would ve,y all,you d,you d ve,you ll,you ll ve,you re,you ve";

/// Longest key of [`SPECIAL`] in bytes.
const LONGEST_SPECIAL: usize = 10;

/// Maps each special case to its tokens, joined by a space.
static SPECIAL: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let split = CONTRACTIONS.split(',').map(|tokens| (tokens.replace(' ', ""), tokens));
    split.chain([QUOTE_S, SPACE_TAG].map(|whole| (whole.to_string(), whole))).collect()
});
const QUOTE_S: &str = "‘s";
const SPACE_TAG: &str = "<space>";

/// Units that end a token after a digit.
const UNITS: &str = "\
km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz kmh mph mbar mb kb gb tb км км² км³ м м² \
м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг мбар кб мб гб тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب";

/// Longest of [`UNITS`] in characters.
const LONGEST_UNIT: usize = 5;

/// Symbols that are tokens wherever they stand: category So up to Unicode 11, when spaCy's list was drawn up.
static ICONS: LazyLock<CharSet> = LazyLock::new(|| CharSet::new(r"[[\p{So}&&\p{age:11.0}]--\x{166D}]"));

/// Letters between which `<`, `=` and `>` split: lower-case Latin, Greek and Cyrillic (without marks), and the scripts
/// without case that spaCy lists.
static LETTERS: LazyLock<CharSet> = LazyLock::new(|| {
    CharSet::new(concat!(
        r"[a-z\x{DF}-\x{F6}\x{F8}-\x{1BF}\x{1C4}-\x{2AF}\x{1D00}-\x{1D25}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1EFF}",
        r"\x{2C60}-\x{2C7B}\x{2C7E}\x{2C7F}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{A790}-\x{A7B9}\x{A7FA}",
        r"\x{AB30}-\x{AB5A}\x{AB60}-\x{AB64}\x{FF41}-\x{FF5A}α-ωа-яёәөүҗңһіїєґѓѕјљњќѐѝ",
        r"\x{591}-\x{5F4}\x{620}-\x{64A}\x{66E}-\x{6D5}\x{6E5}-\x{6FF}\x{750}-\x{77F}\x{8A0}-\x{8BD}\x{900}-\x{9FF}",
        r"\x{B80}-\x{CFF}\x{D80}-\x{DFF}\x{1100}-\x{137F}\x{2E80}-\x{2FDF}\x{2FF0}-\x{303F}\x{3040}-\x{30FF}",
        r"\x{31C0}-\x{31EF}\x{3200}-\x{4DBF}\x{4E00}-\x{9FFF}\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}\x{FB1D}-\x{FBB1}",
        r"\x{FBD3}-\x{FD3D}\x{FD50}-\x{FDC7}\x{FDF0}-\x{FDFB}\x{FE30}-\x{FE4F}\x{FE70}-\x{FEFC}\x{1EE00}-\x{1EEBB}",
        r"\x{1F200}-\x{1F2FF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}\x{2CEB0}-\x{2EBEF}\x{2F800}-\x{2FA1F}]",
    ))
});

/// Appends the tokens of `text`, joined by one space.
pub fn tokenize_into(text: &str, out: &mut String) {
    let (start, mut tokens, mut suffixes) = (out.len(), vec![], vec![]);
    for span in text.split(' ').filter(|span| !span.is_empty()) {
        tokens.clear();
        tokenize_span(span, &mut tokens, &mut suffixes);
        for token in &tokens {
            if out.len() > start {
                out.push(' ');
            }
            out.push_str(token);
        }
    }
}

/// Pushes the tokens of a span without white space.
fn tokenize_span<'a>(span: &'a str, tokens: &mut Vec<&'a str>, suffixes: &mut Vec<&'a str>) {
    let plain = span.bytes().all(|b| b.is_ascii_lowercase());
    let rest = if plain { span } else { peel(span, tokens, suffixes) };
    match special(rest) {
        Some(parts) => tokens.extend(parts.split(' ')),
        None if plain => tokens.push(rest),
        None => split_infixes(rest, tokens),
    }
    while let Some(suffix) = suffixes.pop() {
        tokens.push(suffix);
    }
    merge(span, &["‘", "s"], tokens);
    merge(span, &["<", "space", ">"], tokens);
}

/// Moves prefixes to `tokens` and suffixes to `suffixes`; returns what remains.
fn peel<'a>(span: &'a str, tokens: &mut Vec<&'a str>, suffixes: &mut Vec<&'a str>) -> &'a str {
    let mut rest = span;
    while !rest.is_empty() && special(rest).is_none() {
        let (prefix, after) = rest.split_at(prefix_len(rest));
        if !prefix.is_empty() && special(after).is_some() {
            tokens.push(prefix);
            return after;
        }
        let (before, suffix) = rest.split_at(rest.len() - suffix_len(after));
        if !suffix.is_empty() && special(before).is_some() {
            suffixes.push(suffix);
            return before;
        }
        if prefix.is_empty() && suffix.is_empty() {
            break;
        }
        tokens.extend((!prefix.is_empty()).then_some(prefix));
        suffixes.extend((!suffix.is_empty()).then_some(suffix));
        rest = &before[prefix.len()..];
    }
    rest
}

fn special(token: &str) -> Option<&'static str> {
    if token.len() > LONGEST_SPECIAL { None } else { SPECIAL.get(token).copied() }
}

/// Length in bytes of the prefix to peel off.
fn prefix_len(text: &str) -> usize {
    let is_prefix = |c: &char| is_edge(*c) || is_currency(*c) || matches!(c, '=' | '§');
    text.chars().next().filter(is_prefix).map_or(0, char::len_utf8)
}

/// Length in bytes of the suffix to peel off; of two that match, the longer.
fn suffix_len(text: &str) -> usize {
    let zero = text.char_indices().rev().take(LONGEST_UNIT + 1).find(|(_, c)| *c == '0');
    if let Some((zero, _)) = zero {
        let tail = &text[zero + 1..];
        if UNITS.split(' ').any(|unit| unit == tail) || is_one(tail, is_currency) {
            return tail.len();
        }
    }
    text.chars().next_back().filter(|c| is_edge(*c)).map_or(0, char::len_utf8)
}

fn is_one(text: &str, test: fn(char) -> bool) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(test) && chars.next().is_none()
}

/// Characters peeled off at either end.
fn is_edge(c: char) -> bool {
    match c {
        'a'..='z' | '0' => false,
        ';' | '<' | '>' | '`' | '¡' | '´' | '·' | '¿' | '،' | '؛' | '؟' | '٪' | '۔' | '।' | '‘' | '‚' | '⟦' | '⟧' => {
            true
        }
        '〈' | '〉' | '『' | '』' | '〔' | '〕' => true,
        _ => ICONS.contains(c),
    }
}

fn is_currency(c: char) -> bool {
    matches!(c, '£' | '¥' | '฿' | '\u{20a0}'..='\u{20bf}' | '﷼')
}

/// Pushes `text` split at its infixes, infixes included.
fn split_infixes<'a>(text: &'a str, tokens: &mut Vec<&'a str>) {
    let mut start = 0;
    for (i, c) in text.char_indices().skip(1) {
        let end = i + c.len_utf8();
        if ICONS.contains(c) || (matches!(c, '<' | '=' | '>') && joins(&text[..i], &text[end..])) {
            tokens.extend((start < i).then(|| &text[start..i]));
            tokens.push(&text[i..end]);
            start = end;
        }
    }
    tokens.extend((start < text.len()).then(|| &text[start..]));
}

fn joins(before: &str, after: &str) -> bool {
    before.chars().next_back().is_some_and(|c| c == '0' || LETTERS.contains(c))
        && after.chars().next().is_some_and(|c| LETTERS.contains(c))
}

/// Merges adjacent pieces that spell a special case into one token. They must be adjacent in `span`.
fn merge<'a>(span: &'a str, pieces: &[&str], tokens: &mut Vec<&'a str>) {
    let Some(first) = pieces.first().filter(|first| span.contains(**first)) else { return };
    let mut i = 0;
    let mut offset = 0;
    while i + pieces.len() <= tokens.len() {
        if tokens[i] == *first && tokens[i..i + pieces.len()] == *pieces {
            let len = pieces.iter().map(|piece| piece.len()).sum::<usize>();
            tokens.splice(i..i + pieces.len(), [&span[offset..offset + len]]);
        }
        offset += tokens[i].len();
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_like_spacy() {
        // Each expected value is the output of spacy.blank("en") 3.8.18.
        for (text, expected) in [
            ("cannot  couldntve its", "can not could nt ve its"),
            ("0km 0kms 0µm 0€ €0 x0km 0m0km 0тбكم", "0 km 0kms 0 µm 0 € € 0 x0 km 0m0 km 0 тбكم"),
            ("©cannot© a©b ©©", "© can not © a © b © ©"),
            ("it‘s ‘s ‘‘s ‘s©© ‘ s", "it‘s ‘s ‘ ‘s ‘s © © ‘ s"),
            ("a=b 0=b a=0 =a a= <space> x<space>y <space>©", "a = b 0 = b a=0 = a a= <space> x <space> y <space> ©"),
            ("", ""),
        ] {
            let mut out = String::new();
            tokenize_into(text, &mut out);
            assert_eq!(out, expected, "{text:?}");
        }
    }

    #[test]
    fn takes_linear_time() {
        for unit in ["👍", "0", "€", "‘s", "a©", "=", "0km"] {
            let mut out = String::new();
            tokenize_into(&unit.repeat(300_000), &mut out);
            assert_eq!(out.replace(' ', ""), unit.repeat(300_000));
        }
    }

    #[test]
    fn sets_have_the_size_of_spacys() {
        let count = |set: &CharSet| ('\0'..=char::MAX).filter(|c| set.contains(*c)).count();
        assert_eq!(count(&ICONS), 5984);
        assert!(count(&LETTERS) > 90_000);
        assert_eq!(SPECIAL.keys().map(String::len).max(), Some(LONGEST_SPECIAL));
        assert_eq!(UNITS.split(' ').map(|unit| unit.chars().count()).max(), Some(LONGEST_UNIT));
    }
}
