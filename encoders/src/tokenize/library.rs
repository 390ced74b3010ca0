//! Every other kind of tokenizer, through the crate tokenizers.

use super::{Kind, Tokenizer};

/// Reads a `tokenizer.json`.
pub(super) fn read(bytes: &[u8]) -> Result<Tokenizer, String> {
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
    let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1);
    let ids = |special: bool| tokenizer.encode_fast("a", special).map(|found| found.get_ids().to_vec());
    let (framed, plain) = (ids(true).map_err(|e| e.to_string())?, ids(false).map_err(|e| e.to_string())?);
    let Some(at) = framed.windows(plain.len().max(1)).position(|window| window == plain) else {
        return Err("its post-processor changes the tokens of a text".to_owned());
    };
    let (before, after) = (framed[..at].to_vec(), framed[at + plain.len()..].to_vec());
    Ok(Tokenizer { kind: Kind::Library(Box::new(tokenizer)), before, after, size })
}

/// Appends the tokens of `text`, at most `most` of them.
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
    use serde_json::Value;

    use crate::tokenize::wordpiece::WordPiece;

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
