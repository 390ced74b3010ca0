//! Detects the language of a text.
//!
//! Letter trigrams (the `whatlang` crate) propose a language, and common words verify it. A language is reliable only if
//! enough words of the text are common words of that language, and clearly fewer are common words of any other. A text in an
//! unknown language therefore finds no support, whatever language its trigrams resemble. Close relatives of the known
//! languages have word lists too (`unknown.tsv`); a text that matches one of them best is undetermined. Scripts used by a
//! single language need no words. Chinese and Japanese are distinguished by kana and by characters that only one of them
//! uses.

mod han;
mod sample;
mod script;
mod words;

pub use sample::SAMPLE_BYTES;

use script::Scripts;

/// The code of a text whose language cannot be determined (ISO 639-3).
pub const UNDETERMINED: &str = "und";
/// Minimum confidence, exclusive, of a reliable answer.
pub const RELIABLE: f64 = 0.9;

/// The language and script of a text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Language {
    /// ISO 639-3 code; `und` if the language cannot be determined, `None` if the text contains no letter.
    pub code: Option<&'static str>,
    /// The confidence, from 0 to 1.
    pub confidence: f64,
    /// Whether the confidence is above 0.9.
    pub reliable: bool,
    /// ISO 15924 code of the script with the most letters, `Jpan` for kana and kanji together; `None` if the text contains no
    /// letter.
    pub script: Option<&'static str>,
}

/// Minimum fraction of letters in the main script for a reliable answer.
const MIN_SCRIPT_SHARE: f64 = 0.6;
/// Minimum number of letters for a reliable answer in a script used by one language.
const MIN_LETTERS: f64 = 8.0;

/// Detects the language of `text` from at most 16 KiB of it, taken from its beginning, its end and evenly in between.
pub fn detect(text: &str) -> Language {
    let sample = sample::sample(text);
    let scripts = Scripts::count(&sample);
    let Some(main) = scripts.main() else { return Language::default() };
    let (code, confidence) = match main.code {
        "Latn" | "Cyrl" | "Arab" | "Deva" | "Hebr" | "Ethi" => words::tell(&sample),
        "Hani" | "Jpan" | "Hira" | "Kana" => han::tell(&sample),
        code => script::only_language(code, &sample)
            .map_or((UNDETERMINED, 0.0), |code| (code, confidence(main.letters as f64 / MIN_LETTERS))),
    };
    let confidence = if main.share < MIN_SCRIPT_SHARE { confidence.min(main.share) } else { confidence };
    Language { code: Some(code), confidence, reliable: confidence > RELIABLE, script: Some(main.code) }
}

/// The confidence in evidence that is `strength` times the evidence required for a reliable answer.
fn confidence(strength: f64) -> f64 {
    if strength >= 1.0 { 1.0 - 0.09 / strength } else { RELIABLE * strength }
}

#[cfg(test)]
mod tests;
