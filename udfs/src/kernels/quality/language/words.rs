//! Detects languages by their common words.

use std::sync::LazyLock;

use hashbrown::HashMap;
use unicode_normalization::char::is_combining_mark;

use super::UNDETERMINED;
use super::sample::spread;

/// Known languages and their common words.
pub(super) const KNOWN: &str = include_str!("known.tsv");
/// Other languages and their common words; the closer to a known language, the more words.
const UNKNOWN: &str = include_str!("unknown.tsv");

/// Number of bytes of a sample from which trigrams are taken. More bytes change little, and trigrams are the slowest part.
const TRIGRAM_BYTES: usize = 4 * 1024;

/// Minimum requirements for a reliable answer.
struct Bounds {
    /// Total weight of the common words of the language.
    weight: f64,
    /// Their fraction of all words.
    share: f64,
    /// Their weight as a multiple of that of the common words of any other language.
    lead: f64,
}

/// Requirements if trigrams agree with high confidence.
const CONFIDENT: Bounds = Bounds { weight: 1.0, share: 0.1, lead: 1.25 };
/// Requirements if trigrams agree.
const AGREED: Bounds = Bounds { weight: 2.0, share: 0.1, lead: 1.25 };
/// Requirements if trigrams disagree.
const ALONE: Bounds = Bounds { weight: 3.0, share: 0.15, lead: 1.6 };
/// Minimum number of common words that a language has and its close relative lacks, both absolute and as a multiple of the
/// relative's own.
const MIN_OWN: f64 = 3.0;
const MIN_OWN_RATIO: f64 = 4.0;
/// Languages with a second ISO 639-3 code that no text can distinguish: Tagalog is also Filipino.
const TWO_CODES: [&str; 1] = ["tgl"];

struct Table {
    /// Language codes; known languages come first.
    languages: Vec<&'static str>,
    known: usize,
    /// Maps a word to the languages in which it is common.
    words: HashMap<&'static str, Vec<u8>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { languages: Vec::new(), known: 0, words: HashMap::new() };
    for (i, line) in KNOWN.lines().chain(UNKNOWN.lines()).enumerate() {
        let Some((code, words)) = line.split_once('\t') else { continue };
        table.languages.push(code);
        table.known += usize::from(i < KNOWN.lines().count());
        let language = (table.languages.len() - 1) as u8;
        for word in words.split(|c| !is_letter(c)).filter(|w| !w.is_empty()) {
            let languages = table.words.entry(word).or_default();
            if languages.last() != Some(&language) {
                languages.push(language);
            }
        }
    }
    table
});

fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() || is_combining_mark(c) }
}

/// Calls `word` with every run of letters of `text`, in lower case.
fn for_each_word(text: &str, mut word: impl FnMut(&str)) {
    let mut lower = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphabetic() {
            lower.push(c.to_ascii_lowercase());
        } else if is_letter(c) {
            lower.extend(c.to_lowercase());
        } else if !lower.is_empty() {
            word(&lower);
            lower.clear();
        }
    }
}

/// The common words of each language in a text.
struct Evidence {
    words: u64,
    /// The weight of each word: the more languages it is common in, the less it counts.
    weights: Vec<f64>,
    counts: Vec<u64>,
    /// The languages of every common word.
    common: Vec<&'static [u8]>,
}

impl Evidence {
    /// How clearly the words favour `language` over `rival`; above 1 if they do. Either the common words of `language` weigh
    /// that much more, or nearly all words that only one of the two has belong to `language`.
    fn lead(&self, language: usize, rival: usize, lead: f64) -> f64 {
        let by_weight = self.weights[language] / (self.weights[rival] * lead);
        if by_weight >= 1.0 {
            return by_weight;
        }
        let only = |a: usize, b: usize| {
            self.common.iter().filter(|l| l.contains(&(a as u8)) && !l.contains(&(b as u8))).count() as f64
        };
        let (own, other) = (only(language, rival), only(rival, language));
        by_weight.max((own / MIN_OWN).min(own / (other * MIN_OWN_RATIO)))
    }
}

fn evidence(text: &str) -> Evidence {
    let table = &*TABLE;
    let n = table.languages.len();
    let mut found = Evidence { words: 0, weights: vec![0.0; n], counts: vec![0; n], common: Vec::new() };
    for_each_word(text, |word| {
        found.words += 1;
        if let Some(languages) = table.words.get(word) {
            let telling = if word.len() > 1 { 3.0 } else { 1.5 };
            let weight = f64::min(telling / languages.len() as f64, 1.0);
            found.common.push(languages);
            for &language in languages {
                found.weights[language as usize] += weight;
                found.counts[language as usize] += 1;
            }
        }
    });
    found
}

/// The language of a text with its confidence.
pub fn tell(text: &str) -> (&'static str, f64) {
    let table = &*TABLE;
    let found = evidence(text);
    let best = |range: std::ops::Range<usize>, but: usize| {
        range.filter(|&l| l != but).max_by(|&a, &b| found.weights[a].total_cmp(&found.weights[b]).then(b.cmp(&a)))
    };
    let Some(known) = best(0..table.known, usize::MAX) else { return (UNDETERMINED, 0.0) };
    let weight = found.weights[known];
    let unknown = best(table.known..table.languages.len(), known).map_or(0.0, |l| found.weights[l]);
    if weight == 0.0 || unknown > weight {
        return (UNDETERMINED, 0.0);
    }
    let code = table.languages[known];
    let (guess, sure) = whatlang::detect(&spread(text, TRIGRAM_BYTES))
        .map_or((UNDETERMINED, false), |found| (found.lang().code(), found.is_reliable()));
    if unknown == weight && guess != code {
        return (UNDETERMINED, 0.0);
    }
    let bounds = if guess != code {
        ALONE
    } else if sure {
        CONFIDENT
    } else {
        AGREED
    };
    let share = found.counts[known] as f64 / found.words as f64;
    let rivals = (0..table.languages.len()).filter(|&l| l != known && found.weights[l] > 0.0);
    let lead = rivals.map(|rival| found.lead(known, rival, bounds.lead)).fold(f64::INFINITY, f64::min);
    let strength = (weight / bounds.weight).min(share / bounds.share).min(lead);
    let strength = if TWO_CODES.contains(&code) { strength.min(0.99) } else { strength };
    (code, super::confidence(strength))
}
