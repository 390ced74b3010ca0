//! What a model folder holds.

use std::path::Path;

use limpid_encoders::folder::Settings;
use limpid_encoders::onnx::graph::facts;
use limpid_encoders::tokenize::Tokenizer;

use crate::engine;

pub(crate) const SETTINGS: &[&str] = &[
    "pooling = 'mean'\nnormalize = true\nprefix = 'query: '\n",
    "kind = 'image'\nimage = { size = 224, crop = 224, mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }\n",
    "max_tokens = 512\nlicence = 'MIT'\n",
];
pub(crate) const TOKENIZERS: &[&str] = &[
    r####"{"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##b": 4}},
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}}"####,
    r#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, "pre_tokenizer": {"type": "Whitespace"}}"#,
    r#"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.5]]}}"#,
];
/// A graph with a table of two rows, and one with weights in a file beside it.
pub(crate) const GRAPHS: &[&str] = &[
    "\u{8}\u{8}:\u{1c}\u{a}\u{10}\u{a}\u{1}w\u{a}\u{1}x\u{12}\u{1}y\"\u{6}Gather*\u{8}\u{8}\u{2}\u{8}\u{3}\u{10}\u{1}B\u{1}w",
    ":\u{1a}*\u{18}B\u{1}wj\u{11}\u{a}\u{8}location\u{12}\u{5}a.bin",
];

pub(crate) fn settings(bytes: &[u8]) {
    let path = engine::file("model.toml", bytes);
    if let Some(folder) = Path::new(&path).parent() {
        let _ = Settings::read(folder);
    }
}

/// A `tokenizer.json`, and tokens of itself.
pub(crate) fn tokenizer(bytes: &[u8]) {
    let path = engine::file("tokenizer.json", bytes);
    if let Ok(tokenizer) = Tokenizer::read(Path::new(&path)) {
        let mut tokens = vec![];
        for text in ["", "ab \u{e9}", &String::from_utf8_lossy(bytes)] {
            let _ = tokenizer.tokens(text, 64, &mut tokens);
        }
    }
}

pub(crate) fn graph(bytes: &[u8]) {
    let path = engine::file("model.onnx", bytes);
    let _ = facts(Path::new(&path));
}
