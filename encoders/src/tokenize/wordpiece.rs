//! WordPiece tokenization as in BERT: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (NAACL 2019).
//! The rules are those of a `tokenizer.json` with `BertNormalizer`, `BertPreTokenizer` and `WordPiece`.
//!
//! Texts are read once, character by character, up to the last token needed: the first 256 tokens of a book cost as much as
//! those of a page.

use hashbrown::HashMap;
use serde_json::Value;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::char::decompose_canonical;

use super::Tokenizer;

/// How characters are normalised before words are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether control characters are dropped.
    pub clean: bool,
    /// Whether each Chinese character is a word.
    pub chinese: bool,
    /// Whether accents are dropped.
    pub strip: bool,
    /// Whether letters are lower-cased.
    pub lowercase: bool,
}

/// The rules of an uncased model.
pub const UNCASED: Rules = Rules { clean: true, chinese: true, strip: true, lowercase: true };

/// A vocabulary with its rules.
#[derive(Debug)]
pub struct WordPiece {
    rules: Rules,
    starts: HashMap<Box<str>, u32>,
    inner: HashMap<Box<str>, u32>,
    /// Length of the longest token in bytes.
    longest: usize,
    unknown: u32,
    most_chars: usize,
    /// Tokens that are matched in the raw text.
    added: Vec<(String, u32)>,
    firsts: Vec<u8>,
}

impl WordPiece {
    /// Creates a vocabulary from `names`; a name that starts with `##` continues a word.
    pub fn new<'a>(names: impl Iterator<Item = (&'a str, u32)>, unknown: &str, rules: Rules) -> Result<Self, String> {
        let (mut starts, mut inner, mut longest) = (HashMap::new(), HashMap::new(), 1);
        for (name, token) in names {
            let (map, name) = match name.strip_prefix("##") {
                Some(rest) if !rest.is_empty() => (&mut inner, rest),
                _ => (&mut starts, name),
            };
            longest = longest.max(name.len());
            map.insert(Box::from(name), token);
        }
        let Some(&unknown) = starts.get(unknown) else {
            return Err(format!("the vocabulary has no token '{unknown}'"));
        };
        let (added, firsts) = (vec![], vec![]);
        Ok(Self { rules, starts, inner, longest, unknown, most_chars: 100, added, firsts })
    }

    /// Reads a `tokenizer.json`; `None` if it is of another kind.
    pub(super) fn from_json(json: &Value) -> Option<Result<Tokenizer, String>> {
        let (model, normalizer) = (&json["model"], &json["normalizer"]);
        let is = |value: &Value, kind: &str| value["type"] == kind;
        let plain = is(model, "WordPiece")
            && is(normalizer, "BertNormalizer")
            && is(&json["pre_tokenizer"], "BertPreTokenizer")
            && model["continuing_subword_prefix"].as_str().unwrap_or("##") == "##";
        let (before, after) = frame(&json["post_processor"])?;
        let mut added = vec![];
        for token in json["added_tokens"].as_array().map_or(&[][..], Vec::as_slice) {
            let flag = |name: &str| token[name].as_bool().unwrap_or(false);
            if flag("single_word") || flag("lstrip") || flag("rstrip") || flag("normalized") {
                return None;
            }
            added.push((token["content"].as_str()?.to_owned(), number(&token["id"])?));
        }
        plain.then(|| Self::with(model, normalizer, added, (before, after)))
    }

    fn with(
        model: &Value,
        normalizer: &Value,
        added: Vec<(String, u32)>,
        (before, after): (Vec<u32>, Vec<u32>),
    ) -> Result<Tokenizer, String> {
        let flag = |name: &str, default: bool| normalizer[name].as_bool().unwrap_or(default);
        let lowercase = flag("lowercase", true);
        let rules = Rules {
            clean: flag("clean_text", true),
            chinese: flag("handle_chinese_chars", true),
            strip: flag("strip_accents", lowercase),
            lowercase,
        };
        let Some(vocabulary) = model["vocab"].as_object() else { return Err("it has no vocabulary".to_owned()) };
        let mut names = Vec::with_capacity(vocabulary.len());
        for (name, token) in vocabulary {
            match number(token) {
                Some(token) => names.push((name.as_str(), token)),
                None => return Err(format!("the token '{name}' has the number {token}")),
            }
        }
        let largest = names.iter().map(|(_, token)| *token).chain(added.iter().map(|(_, token)| *token)).max();
        let unknown = model["unk_token"].as_str().unwrap_or("[UNK]");
        let mut words = Self::new(names.into_iter(), unknown, rules)?;
        words.most_chars = number(&model["max_input_chars_per_word"]).map_or(100, |most| most as usize);
        let firsts = added.iter().filter_map(|(name, _)| name.bytes().next());
        words.firsts = firsts.collect::<std::collections::BTreeSet<u8>>().into_iter().collect();
        words.added = added.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        // If one is a prefix of another, the longer one matches.
        words.added.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Ok(Tokenizer::word_piece(words, before, after, largest.map_or(0, |token| token as usize + 1)))
    }

    /// Appends the first `most` tokens of `text`.
    pub fn tokens(&self, text: &str, most: usize, tokens: &mut Vec<u32>) {
        let mut out = Out { words: self, tokens, word: String::new(), end: 0 };
        out.end = out.tokens.len().saturating_add(most);
        let (mut rest, mut from) = (text, 0);
        while !self.firsts.is_empty() && !out.full() {
            let Some(at) = rest.as_bytes()[from..].iter().position(|byte| self.firsts.contains(byte)) else { break };
            let at = from + at;
            match self.added.iter().find(|(name, _)| rest.as_bytes()[at..].starts_with(name.as_bytes())) {
                Some((name, token)) => {
                    out.text(&rest[..at]);
                    out.push(*token);
                    (rest, from) = (&rest[at + name.len()..], 0);
                }
                None => from = at + 1,
            }
        }
        out.text(rest);
        let end = out.end;
        tokens.truncate(end);
    }
}

/// The tokens before and after a text according to the post-processor; `None` if it is of another kind.
fn frame(post: &Value) -> Option<(Vec<u32>, Vec<u32>)> {
    match post["type"].as_str() {
        None => Some((vec![], vec![])),
        Some("BertProcessing") => Some((vec![number(&post["cls"][1])?], vec![number(&post["sep"][1])?])),
        Some("TemplateProcessing") => {
            let (mut before, mut after, mut seen) = (vec![], vec![], false);
            for piece in post["single"].as_array()? {
                if !piece["Sequence"].is_null() {
                    seen = true;
                    continue;
                }
                let name = piece["SpecialToken"]["id"].as_str()?;
                let ids = post["special_tokens"][name]["ids"].as_array()?;
                let side = if seen { &mut after } else { &mut before };
                for id in ids {
                    side.push(number(id)?);
                }
            }
            seen.then_some((before, after))
        }
        Some(_) => None,
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// Collects the tokens of one text.
struct Out<'a> {
    words: &'a WordPiece,
    tokens: &'a mut Vec<u32>,
    word: String,
    end: usize,
}

impl Out<'_> {
    fn full(&self) -> bool {
        self.tokens.len() >= self.end
    }

    fn push(&mut self, token: u32) {
        self.tokens.push(token);
    }

    fn text(&mut self, text: &str) {
        let rules = self.words.rules;
        for c in text.chars() {
            if c.is_ascii() {
                self.ascii(c, rules);
            } else {
                self.other(c, rules);
            }
            if self.full() {
                self.word.clear();
                return;
            }
        }
        self.flush();
    }

    fn ascii(&mut self, c: char, rules: Rules) {
        match c {
            'a'..='z' | '0'..='9' => self.word.push(c),
            'A'..='Z' => self.word.push(if rules.lowercase { c.to_ascii_lowercase() } else { c }),
            ' ' | '\t' | '\n' | '\r' => self.flush(),
            '\0' if rules.clean => {}
            _ if c.is_ascii_control() && rules.clean => {}
            // Vertical tab and form feed.
            '\x0b' | '\x0c' => self.flush(),
            _ if c.is_ascii_punctuation() => self.alone(c),
            _ => self.word.push(c),
        }
    }

    fn other(&mut self, c: char, rules: Rules) {
        if rules.clean && (c == '\u{fffd}' || is_control(c)) {
            return;
        }
        if c.is_whitespace() {
            return self.flush();
        }
        let chinese = rules.chinese && is_chinese(c);
        if chinese {
            self.flush();
        }
        if rules.strip {
            decompose_canonical(c, |part| {
                if get_general_category(part) != GeneralCategory::NonspacingMark {
                    self.small(part, rules);
                }
            });
        } else {
            self.small(c, rules);
        }
        if chinese {
            self.flush();
        }
    }

    fn small(&mut self, c: char, rules: Rules) {
        if rules.lowercase {
            c.to_lowercase().for_each(|small| self.letter(small));
        } else {
            self.letter(c);
        }
    }

    fn letter(&mut self, c: char) {
        if c.is_whitespace() {
            self.flush();
        } else if c.is_ascii_punctuation() || is_punctuation(c) {
            self.alone(c);
        } else {
            self.word.push(c);
        }
    }

    /// Adds a character that is a word of its own.
    fn alone(&mut self, c: char) {
        self.flush();
        self.word.push(c);
        self.flush();
    }

    /// Adds the tokens of the word: the longest token that it starts with, then the longest that the rest starts with.
    fn flush(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let (word, words) = (self.word.as_str(), self.words);
        let first = self.tokens.len();
        let mut start = 0;
        let fits = word.len() <= words.most_chars || word.chars().count() <= words.most_chars;
        while fits && start < word.len() {
            let map = if start == 0 { &words.starts } else { &words.inner };
            let mut end = word.len().min(start + words.longest);
            let found = loop {
                if end <= start {
                    break None;
                }
                if word.is_char_boundary(end)
                    && let Some(token) = map.get(&word[start..end])
                {
                    break Some(*token);
                }
                end -= 1;
            };
            let Some(token) = found else { break };
            self.tokens.push(token);
            start = end;
        }
        if start < word.len() {
            self.tokens.truncate(first);
            self.tokens.push(words.unknown);
        }
        self.word.clear();
    }
}

fn is_control(c: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse};
    matches!(get_general_category(c), Control | Format | PrivateUse)
}

fn is_punctuation(c: char) -> bool {
    use GeneralCategory::{
        ClosePunctuation, ConnectorPunctuation, DashPunctuation, FinalPunctuation, InitialPunctuation, OpenPunctuation,
        OtherPunctuation,
    };
    matches!(
        get_general_category(c),
        ClosePunctuation
            | ConnectorPunctuation
            | DashPunctuation
            | FinalPunctuation
            | InitialPunctuation
            | OpenPunctuation
            | OtherPunctuation
    )
}

/// Whether the character is in the blocks of Chinese characters that BERT knows.
fn is_chinese(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F
        | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = ["[UNK]", "un", "##aff", "##able", "a", ",", "中", "cafe", "!", "##a", "[SEP]", "[CLS]"];

    fn words() -> WordPiece {
        WordPiece::new(NAMES.iter().copied().zip(0..), "[UNK]", UNCASED).unwrap()
    }

    fn tokens(text: &str, most: usize) -> Vec<u32> {
        let mut tokens = vec![7];
        words().tokens(text, most, &mut tokens);
        tokens.split_off(1)
    }

    #[test]
    fn the_longest_token_goes_first() {
        assert_eq!(tokens("unaffable", 9), [1, 2, 3]);
        assert_eq!(tokens("UNAFFABLE, a!", 9), [1, 2, 3, 5, 4, 8]);
        assert_eq!(tokens("unaffables", 9), [0]);
        assert_eq!(tokens(&"a".repeat(101), 200), [0]);
        assert_eq!(tokens(&"a".repeat(100), 200).len(), 100);
        assert!(tokens("", 9).is_empty() && tokens(" \n\u{200b}\0", 9).is_empty());
    }

    #[test]
    fn accents_control_characters_and_chinese_ones() {
        assert_eq!(tokens("Café", 9), [7]);
        assert_eq!(tokens("CAFE\u{301}", 9), [7]);
        assert_eq!(tokens("a中a", 9), [4, 6, 4]);
        assert_eq!(tokens("u\u{0}n\u{200d}\u{a0}a", 9), [1, 4]);
    }

    #[test]
    fn no_more_tokens_than_asked_for() {
        assert_eq!(tokens("unaffable unaffable", 2), [1, 2]);
        assert_eq!(tokens("unaffable unaffable", 4), [1, 2, 3, 1]);
        assert_eq!(tokens("a a a a a", 3), [4, 4, 4]);
        assert!(tokens("a a", 0).is_empty());
    }

    #[test]
    fn a_tokenizer_file_gives_its_frame_and_its_added_tokens() {
        let vocabulary: serde_json::Map<String, Value> =
            NAMES.iter().zip(0..).map(|(name, token)| ((*name).to_owned(), Value::from(token))).collect();
        let json = serde_json::json!({
            "added_tokens": [{"content": "[SEP]", "id": 10}, {"content": "[CLS]", "id": 11}],
            "normalizer": {"type": "BertNormalizer", "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 10], "cls": ["[CLS]", 11]},
            "model": {"type": "WordPiece", "vocab": vocabulary},
        });
        let tokenizer = WordPiece::from_json(&json).unwrap().unwrap();
        assert_eq!((&tokenizer.before[..], &tokenizer.after[..], tokenizer.size), (&[11][..], &[10][..], 12));
        let mut found = vec![];
        tokenizer.tokens("a[SEP]una [sep [CLS]", 99, &mut found).unwrap();
        assert_eq!(found, [4, 10, 1, 9, 0, 0, 11]);
        let mut found = vec![];
        tokenizer.tokens(&"[SEP]".repeat(100), 3, &mut found).unwrap();
        assert_eq!(found, [10, 10, 10]);
    }
}
