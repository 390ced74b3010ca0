//! Elementary text normalisations, and the lists of them that known curation pipelines apply before comparing texts.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick};

use super::chars::{CharTable, DIGIT, MARK, PUNCTUATION, SPACE};

/// One elementary rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `lower`: the full Unicode lower-case mapping.
    Lower,
    /// `trim`: removes white space at both ends.
    Trim,
    /// `collapse_space`: replaces each run of white space by one space.
    CollapseSpace,
    /// `strip_punctuation`: removes Unicode punctuation and ASCII symbols.
    StripPunctuation,
    /// `strip_ascii_punctuation`: removes the 32 ASCII punctuation characters and symbols.
    StripAsciiPunctuation,
    /// `punctuation_to_space`: replaces each character that `strip_punctuation` removes by a space.
    PunctuationToSpace,
    /// `datatrove_punctuation_to_space`: replaces each character of datatrove's punctuation list by a space, including
    /// control characters other than tab and line feed.
    DatatrovePunctuationToSpace,
    /// `digits_to_zero`: replaces each decimal number of any script, including a fraction after one separator, by one `0`.
    DigitsToZero,
    /// `nfc`: canonical composition.
    Nfc,
    /// `nfd`: canonical decomposition.
    Nfd,
    /// `nfkc`: compatibility composition.
    Nfkc,
    /// `nfd_strip_marks`: canonical decomposition without the non-spacing marks, and therefore without accents.
    NfdStripMarks,
}

/// All rules by name.
pub const RULES: [(&str, Rule); 12] = [
    ("lower", Rule::Lower),
    ("trim", Rule::Trim),
    ("collapse_space", Rule::CollapseSpace),
    ("strip_punctuation", Rule::StripPunctuation),
    ("strip_ascii_punctuation", Rule::StripAsciiPunctuation),
    ("punctuation_to_space", Rule::PunctuationToSpace),
    ("datatrove_punctuation_to_space", Rule::DatatrovePunctuationToSpace),
    ("digits_to_zero", Rule::DigitsToZero),
    ("nfc", Rule::Nfc),
    ("nfd", Rule::Nfd),
    ("nfkc", Rule::Nfkc),
    ("nfd_strip_marks", Rule::NfdStripMarks),
];

/// Every preset by its name: the normalisation before MinHash of
/// - `basic`: limpid itself, for people;
/// - `fineweb`: datatrove 0.10, `simplify_text`;
/// - `bigcode`: bigcode-dataset, which compares texts as they are;
/// - `slimpajama`: NFC at an earlier stage, then `get_features` of `to_hash.py` in Cerebras' model zoo;
/// - `rpv2`: RedPajama-Data, `normalize`.
pub const PRESETS: [(&str, &[Rule]); 5] = [
    ("basic", &[Rule::Lower, Rule::Nfc, Rule::CollapseSpace, Rule::Trim]),
    (
        "fineweb",
        &[
            Rule::Lower,
            Rule::DigitsToZero,
            Rule::DatatrovePunctuationToSpace,
            Rule::CollapseSpace,
            Rule::Trim,
            Rule::NfdStripMarks,
            Rule::Trim,
        ],
    ),
    ("bigcode", &[]),
    ("slimpajama", &[Rule::Nfc, Rule::Lower, Rule::StripAsciiPunctuation, Rule::CollapseSpace, Rule::Trim]),
    ("rpv2", &[Rule::StripAsciiPunctuation, Rule::Lower, Rule::CollapseSpace, Rule::Trim, Rule::Nfd]),
];

/// Printable part of datatrove's `PUNCTUATION`.
const DATATROVE_PUNCTUATION: &str =
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»´–—’“„…━►∶、。〈〉《》「」【】！％（），．１：；？～";
/// Separators allowed between the digits of a number and those of its fraction, after datatrove's `NUMBERS_PATTERN`.
const DECIMAL_SEPARATORS: &str = ".,،٫⎖⎗⎘";

/// Parses the name of a preset or a comma-separated list of rule names, in order of application.
///
/// The error is the first part that is neither.
pub fn parse_rules(rules: &str) -> Result<Vec<Rule>, &str> {
    if let Some((_, preset)) = PRESETS.iter().find(|(name, _)| *name == rules.trim()) {
        return Ok(preset.to_vec());
    }
    rules
        .split(',')
        .map(str::trim)
        .map(|name| RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule).ok_or(name))
        .collect()
}

/// Applies a list of rules to one text after another, reusing its buffers.
#[derive(Debug, Default)]
pub struct Normalizer {
    rules: Vec<Rule>,
    text: String,
    next: String,
}

impl Normalizer {
    /// Creates a normalizer that applies `rules` in order.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// The normalised text.
    pub fn apply(&mut self, text: &str) -> &str {
        self.text.clear();
        self.text.push_str(text);
        for rule in &self.rules {
            self.next.clear();
            rule.apply(&self.text, &mut self.next);
            std::mem::swap(&mut self.text, &mut self.next);
        }
        &self.text
    }
}

impl Rule {
    /// Appends the text with this rule applied to `out`.
    pub fn apply(self, text: &str, out: &mut String) {
        let table = CharTable::get();
        match self {
            Self::Lower => out.push_str(&text.to_lowercase()),
            Self::Trim => out.push_str(text.trim_matches(|c| table.is(c, SPACE))),
            Self::CollapseSpace => collapse(text, table, out),
            Self::StripPunctuation => out.extend(text.chars().filter(|&c| !table.is(c, PUNCTUATION))),
            Self::StripAsciiPunctuation => out.extend(text.chars().filter(|c| !c.is_ascii_punctuation())),
            Self::PunctuationToSpace => {
                out.extend(text.chars().map(|c| if table.is(c, PUNCTUATION) { ' ' } else { c }));
            }
            Self::DatatrovePunctuationToSpace => {
                out.extend(text.chars().map(|c| if is_datatrove_punctuation(c) { ' ' } else { c }));
            }
            Self::DigitsToZero => numbers_to_zero(text, table, out),
            Self::Nfc if is_nfc_quick(text.chars()) == IsNormalized::Yes => out.push_str(text),
            Self::Nfc => out.extend(text.nfc()),
            Self::Nfd if is_nfd_quick(text.chars()) == IsNormalized::Yes => out.push_str(text),
            Self::Nfd => out.extend(text.nfd()),
            Self::Nfkc => out.extend(text.nfkc()),
            Self::NfdStripMarks if text.is_ascii() => out.push_str(text),
            Self::NfdStripMarks => out.extend(text.nfd().filter(|&c| !table.is(c, MARK))),
        }
    }
}

fn collapse(text: &str, table: &CharTable, out: &mut String) {
    let mut in_space = false;
    for c in text.chars() {
        let space = table.is(c, SPACE);
        if !space {
            out.push(c);
        } else if !in_space {
            out.push(' ');
        }
        in_space = space;
    }
}

fn is_datatrove_punctuation(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\0'..=' ' | '\u{7f}'..='\u{9f}' => c != ' ',
        '!'..='~' => c.is_ascii_punctuation(),
        _ => DATATROVE_PUNCTUATION.contains(c),
    }
}

fn numbers_to_zero(text: &str, table: &CharTable, out: &mut String) {
    let digit = |c: char| table.is(c, DIGIT);
    let mut rest = text;
    while let Some(start) = rest.find(digit) {
        out.push_str(&rest[..start]);
        out.push('0');
        rest = rest[start..].trim_start_matches(digit);
        let mut after = rest.chars();
        if after.next().is_some_and(|c| DECIMAL_SEPARATORS.contains(c)) && after.next().is_some_and(digit) {
            rest = after.as_str().trim_start_matches(digit);
        }
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn normalize(rules: &str, text: &str) -> String {
        Normalizer::new(parse_rules(rules).unwrap()).apply(text).to_owned()
    }

    #[test]
    fn each_rule_does_what_it_says() {
        for (rules, text, expected) in [
            ("lower", "ÉTÉ ΟΔΟΣ İ", "été οδος i\u{307}"),
            ("trim", " \u{a0}\u{1f}a b\u{3000}\n", "a b"),
            ("collapse_space", " a \t\u{2003}b\r\n", " a b "),
            ("strip_punctuation", "a-b «c» $5 €6 don’t", "ab c 5 €6 dont"),
            ("strip_ascii_punctuation", "a-b «c» $5 €6 don’t", "ab «c» 5 €6 don’t"),
            ("punctuation_to_space", "a-b«c»", "a b c "),
            ("datatrove_punctuation_to_space", "a¿b\u{7}c１«", "a¿b c  "),
            ("digits_to_zero", "1,234,567 v1.2.3 ٣٫٥ 9.", "0,0 v0.0 0 0."),
            ("nfc", "e\u{301}", "é"),
            ("nfd", "é", "e\u{301}"),
            ("nfkc", "ﬁ①", "fi1"),
            ("nfd_strip_marks", "Crème brûlée Å", "Creme brulee A"),
            ("lower, trim", " A ", "a"),
        ] {
            assert_eq!(normalize(rules, text), expected, "{rules} of {text:?}");
            assert_eq!(normalize(rules, ""), "");
        }
    }

    #[test]
    fn presets_apply_the_rules_of_their_tools() {
        // The results of datatrove's, Cerebras' and RedPajama's own Python functions.
        let text = "  |$17.56|\u{a0}Crème—BRÛLÉE, \t don't\r\n\n1,234.50 \u{7}x_y  ";
        assert_eq!(normalize("fineweb", text), "0 creme brulee don t 0 0 x y");
        assert_eq!(normalize("bigcode", text), text);
        assert_eq!(normalize("slimpajama", text), "1756 crème—brûlée dont 123450 \u{7}xy");
        assert_eq!(normalize("rpv2", text), "1756 cre\u{300}me—bru\u{302}le\u{301}e dont 123450 \u{7}xy");
        assert_eq!(normalize("basic", text), "|$17.56| crème—brûlée, don't 1,234.50 \u{7}x_y");
        assert_eq!(normalize("fineweb", "|$17.56||1|\n|$15.37||2599|"), "0 0 0 0");
    }

    #[test]
    fn unknown_rules_are_named() {
        assert_eq!(parse_rules("lower,uper"), Err("uper"));
        assert_eq!(parse_rules(""), Err(""));
        assert_eq!(parse_rules("lower,fineweb"), Err("fineweb"));
        for (name, _) in RULES {
            assert_eq!(parse_rules(name).map(|rules| rules.len()), Ok(1));
        }
    }

    proptest! {
        #[test]
        fn numbers_follow_the_pattern(text in "[0-9.,a٣ ]{0,30}") {
            let numbers = Regex::new(r"\p{Nd}+([.,،٫⎖⎗⎘]\p{Nd}+)?").unwrap();
            prop_assert_eq!(normalize("digits_to_zero", &text), numbers.replace_all(&text, "0"));
        }

        #[test]
        fn basic_changes_nothing_twice(text in "\\PC{0,40}|[ a-zJÉ\u{30c}\u{301}İ.,\t0-9]{0,40}") {
            // What a capital sigma becomes depends on its neighbours.
            prop_assume!(!text.contains('Σ'));
            let once = normalize("basic", &text);
            prop_assert_eq!(normalize("basic", &once), once);
        }
    }
}
