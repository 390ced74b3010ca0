//! Converts texts to tokens by the rules of a `tokenizer.json`.

#[cfg(feature = "tokenizers")]
mod library;
pub mod unigram;
pub mod wordpiece;

use std::path::Path;

use serde_json::Value;

use crate::{Error, Result};
use wordpiece::WordPiece;

/// Converts texts to tokens.
#[derive(Debug)]
pub struct Tokenizer {
    kind: Kind,
    /// Tokens added before those of a text.
    pub before: Vec<u32>,
    /// Tokens added after those of a text.
    pub after: Vec<u32>,
    /// The vocabulary size: all tokens are below it.
    pub size: usize,
}

#[derive(Debug)]
enum Kind {
    WordPiece(WordPiece),
    #[cfg(feature = "tokenizers")]
    Library(Box<tokenizers::Tokenizer>),
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |message: String| Error::Tokenizer { path: path.to_owned(), message };
        let bytes = std::fs::read(path).map_err(|error| Error::file(path, &error))?;
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| wrong(format!("not a tokenizer.json: {error}")))?;
        let kind = value["model"]["type"].as_str().unwrap_or("of no kind").to_owned();
        match WordPiece::from_json(&value) {
            Some(read) => read.map_err(wrong),
            None => Self::other(&bytes, &kind).map_err(wrong),
        }
    }

    #[cfg(feature = "tokenizers")]
    fn other(bytes: &[u8], _: &str) -> Result<Self, String> {
        library::read(bytes)
    }

    #[cfg(not(feature = "tokenizers"))]
    fn other(_: &[u8], kind: &str) -> Result<Self, String> {
        Err(format!(
            "the tokenizer is {kind}; built in is WordPiece as BERT has it; others need limpid built with --features tokenizers"
        ))
    }

    pub(crate) fn word_piece(words: WordPiece, before: Vec<u32>, after: Vec<u32>, size: usize) -> Self {
        Self { kind: Kind::WordPiece(words), before, after, size }
    }

    /// Appends the first `most` tokens of `text`, without those added before and after.
    pub fn tokens(&self, text: &str, most: usize, tokens: &mut Vec<u32>) -> Result<(), String> {
        match &self.kind {
            Kind::WordPiece(words) => {
                words.tokens(text, most, tokens);
                Ok(())
            }
            #[cfg(feature = "tokenizers")]
            Kind::Library(tokenizer) => library::tokens(tokenizer, text, most, tokens),
        }
    }

    /// Number of tokens added to those of a text.
    pub fn added(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_tokenizer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        assert!(Tokenizer::read(&path).unwrap_err().to_string().contains("tokenizer.json"));
        for (text, part) in [
            ("no json", "not a tokenizer.json"),
            ("{}", ""),
            (r#"{"model": {"type": "WordPiece", "vocab": {}}}"#, ""),
            (r#"{"model": {"type": "BPE", "vocab": {}, "merges": []}}"#, ""),
        ] {
            std::fs::write(&path, text).unwrap();
            // Which of the two readers fails, and how, depends on the enabled features.
            if let Err(error) = Tokenizer::read(&path) {
                assert!(error.to_string().contains(part), "{error}");
            }
        }
    }
}
