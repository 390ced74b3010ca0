//! The language of a text.
//!
//! Letter trigrams (the `whatlang` crate) propose a language, and common words check it: a language is reliable only
//! where enough of the words of the text are common words of that language, and clearly fewer are common words of any
//! other. So a text in a language that is not known finds no support, whatever language its trigrams resemble. Close
//! relatives of the known languages have word lists too (`unknown.tsv`); a text that matches one of them best is
//! undetermined. Scripts that one language is written in need no words, and Chinese and Japanese are told apart by
//! kana and by characters that only one of them uses.

mod han;
mod sample;
mod script;
mod words;

pub use sample::SAMPLE_BYTES;

use script::Scripts;

/// The code of a text whose language cannot be told (ISO 639-3).
pub const UNDETERMINED: &str = "und";
/// Least confidence, exclusive, of a reliable answer.
pub const RELIABLE: f64 = 0.9;

/// The language and script of a text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Language {
    /// ISO 639-3 code; `und` where the language cannot be told, `None` where the text holds no letter.
    pub code: Option<&'static str>,
    /// From 0 to 1.
    pub confidence: f64,
    /// Whether the confidence is over 0.9.
    pub reliable: bool,
    /// ISO 15924 code of the script with the most letters, `Jpan` for kana and kanji together; `None` where the text
    /// holds no letter.
    pub script: Option<&'static str>,
}

/// Share of the letters that the main script must have for a reliable answer.
const MIN_SCRIPT_SHARE: f64 = 0.6;
/// Fewest letters for a reliable answer in a script that one language uses.
const MIN_LETTERS: f64 = 8.0;

/// Tells the language of `text` from at most 16 KiB of it, taken from its beginning, its end and between.
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

/// The confidence in evidence that is `strength` times what a reliable answer takes.
fn confidence(strength: f64) -> f64 {
    if strength >= 1.0 { 1.0 - 0.09 / strength } else { RELIABLE * strength }
}

#[cfg(test)]
mod tests;
