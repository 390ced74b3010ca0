//! All other kinds of tokenizers, through the crate tokenizers.

use super::{Kind, Tokenizer};

const PROBES: [&str; 6] = ["a", "the", "1", ".", "\u{4e2d}", "\u{430}"];

/// Reads a `tokenizer.json`.
pub(super) fn read(bytes: &[u8]) -> Result<Tokenizer, String> {
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
    let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1);
    let ids = |text: &str, special: bool| {
        tokenizer.encode_fast(text, special).map(|found| found.get_ids().to_vec()).map_err(|error| error.to_string())
    };
    // Any text with tokens, whatever the language of the vocabulary: the tokens around it are the frame.
    let mut tried = PROBES.iter().map(|text| Ok((text, ids(text, false)?)));
    let found = tried.find(|found: &Result<_, String>| found.as_ref().map_or(true, |(_, tokens)| !tokens.is_empty()));
    let Some((text, plain)) = found.transpose()? else {
        return Err("it finds no tokens in letters, digits and signs".to_owned());
    };
    let framed = ids(text, true)?;
    let Some(at) = framed.windows(plain.len()).position(|window| window == plain) else {
        return Err("its post-processor changes the tokens of a text".to_owned());
    };
    let (before, after) = (framed[..at].to_vec(), framed[at + plain.len()..].to_vec());
    Ok(Tokenizer { kind: Kind::Library(Box::new(tokenizer)), before, after, size })
}

/// Appends the first `most` tokens of `text`.
pub(super) fn tokens(
    tokenizer: &tokenizers::Tokenizer,
    text: &str,
    most: usize,
    tokens: &mut Vec<u32>,
) -> Result<(), String> {
    let found = tokenizer.encode_fast(text, false).map_err(|error| error.to_string())?;
    let ids = found.get_ids();
    tokens.extend_from_slice(&ids[..ids.len().min(most)]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tokenize::wordpiece::WordPiece;

    /// A `tokenizer.json` with the frame `<s>` and `</s>` that truncates and pads unless disabled.
    fn framed(pre_tokenizer: &Value, model: &Value) -> Vec<u8> {
        let special = |id: u32, content: &str| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        };
        let piece = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
        let frame = json!([piece("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, piece("</s>")]);
        let json = json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "<s>"},
            "added_tokens": [special(0, "<s>"), special(1, "</s>")],
            "normalizer": null,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": {"type": "TemplateProcessing", "single": frame, "pair": frame, "special_tokens": {
                "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
            "decoder": null,
            "model": model,
        });
        json.to_string().into_bytes()
    }

    /// Texts with the tokens that Python's tokenizers 0.23 returns for the same file.
    type Expected = [(&'static str, &'static [u32]); 7];

    fn assert_tokens(file: &[u8], size: usize, expected: Expected) {
        let tokenizer = super::read(file).unwrap();
        assert_eq!((&tokenizer.before[..], &tokenizer.after[..], tokenizer.size), (&[0][..], &[1][..], size));
        for (text, expected) in expected {
            let mut found = vec![7];
            tokenizer.tokens(text, usize::MAX, &mut found).unwrap();
            assert_eq!(found[1..], *expected, "{text:?}");
            found.clear();
            tokenizer.tokens(text, 2, &mut found).unwrap();
            assert_eq!(found, expected[..expected.len().min(2)], "{text:?}");
        }
    }

    #[test]
    fn pairs_of_bytes_are_merged() {
        let words = [
            "<s>",
            "</s>",
            "\u{120}",
            "h",
            "e",
            "l",
            "o",
            "w",
            "r",
            "d",
            "!",
            "\u{120}h",
            "\u{120}he",
            "ll",
            "\u{120}hell",
            "\u{120}hello",
            "\u{120}w",
            "or",
            "\u{120}wor",
            "ld",
            "\u{c3}",
            "\u{a9}",
        ];
        let vocabulary: serde_json::Map<String, Value> =
            words.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), json!(id))).collect();
        let merges = json!([
            ["\u{120}", "h"],
            ["\u{120}h", "e"],
            ["l", "l"],
            ["\u{120}he", "ll"],
            ["\u{120}hell", "o"],
            ["\u{120}", "w"],
            ["o", "r"],
            ["\u{120}w", "or"],
            ["l", "d"]
        ]);
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
        let model = json!({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges});
        assert_tokens(
            &framed(&bytes, &model),
            words.len(),
            [
                ("hello world", &[15, 18, 19]),
                ("", &[]),
                ("a", &[2]),
                ("hello hello!", &[15, 15, 10]),
                ("h\u{e9}", &[11, 20, 21]),
                ("  world", &[2, 18, 19]),
                ("hello</s>he", &[15, 1, 12]),
            ],
        );
    }

    #[test]
    fn pieces_are_chosen_by_how_likely_they_are() {
        let spaces = json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true});
        let model = json!({"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [
            ["<s>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u{2581}hello", -1.0], ["\u{2581}", -2.0], ["wor", -2.5],
            ["ld", -2.5], ["world", -6.0], ["h", -4.0], ["e", -4.0]]});
        assert_tokens(
            &framed(&spaces, &model),
            10,
            [
                ("hello world", &[3, 4, 5, 6]),
                ("", &[]),
                ("a", &[4, 2]),
                ("hello hello!", &[3, 3, 2]),
                ("h\u{e9}", &[4, 8, 2]),
                ("  world", &[4, 4, 5, 6]),
                ("hello</s>he", &[3, 1, 4, 8, 9]),
            ],
        );
    }

    #[test]
    fn a_file_of_no_kind_is_an_error() {
        let none = json!({"type": "BPE", "vocab": {}, "merges": []});
        assert!(super::read(&framed(&Value::Null, &none)).unwrap_err().contains("no tokens"));
        assert!(super::read(b"{}").is_err());
    }

    #[test]
    fn our_own_word_piece_finds_the_same_tokens() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/text/tokenizer.json");
        let bytes = std::fs::read(file).unwrap();
        let library = super::read(&bytes).unwrap();
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        let own = WordPiece::from_json(&json).unwrap().unwrap();
        assert_eq!((&own.before, &own.after, own.size), (&library.before, &library.after, library.size));
        for text in [
            "",
            " ",
            "hello worlds",
            "HELLO, Worldss.",
            "hello\u{301} w\u{f6}rld",
            "a[SEP]b [CLS]c[",
            "a\u{0}b\u{7f}c\u{200b}a",
            "a\u{a0}b\u{3000}c",
            "中a文",
            "İstanbul ß ﬁ",
            "a\u{b}b\u{c}c",
            "\u{fffd}a",
            "don't—stop…",
            "a\r\nb\tc",
        ] {
            let (mut ours, mut theirs) = (vec![], vec![]);
            own.tokens(text, usize::MAX, &mut ours).unwrap();
            library.tokens(text, usize::MAX, &mut theirs).unwrap();
            assert_eq!(ours, theirs, "{text:?}");
        }
    }
}
