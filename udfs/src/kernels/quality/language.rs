//! The language of a text, by the letter trigrams and scripts of the `whatlang` crate.

/// Bytes looked at: the method gains nothing from more, and it is the slowest of the quality signals.
pub const SAMPLE_BYTES: usize = 16 * 1024;

/// A guess at the language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Language {
    /// ISO 639-3 code; `None` where the text holds no letter of a known script.
    pub code: Option<&'static str>,
    /// From 0 to 1; lower for short texts and close languages.
    pub confidence: f64,
    /// Whether the confidence is over 0.9.
    pub reliable: bool,
}

/// Guesses the language of the first 16 KiB of `text`.
pub fn detect(text: &str) -> Language {
    let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    whatlang::detect(sample).map_or_else(Language::default, |info| Language {
        code: Some(info.lang().code()),
        confidence: info.confidence(),
        reliable: info.is_reliable(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_reliable() {
        for (text, code) in [
            (
                "The quick brown fox jumps over the lazy dog while the sun is shining over the hills and the river.",
                "eng",
            ),
            (
                "Der schnelle braune Fuchs springt über den faulen Hund, während die Sonne über den Hügeln scheint.",
                "deu",
            ),
            ("Съешь же ещё этих мягких французских булок, да выпей чаю.", "rus"),
            ("我们今天去公园散步，天气非常好。", "cmn"),
        ] {
            let found = detect(text);
            assert_eq!(found.code, Some(code), "{text}");
            assert!(found.reliable && found.confidence > 0.9, "{found:?}");
        }
    }

    #[test]
    fn nothing_to_go_by() {
        for text in ["", " \n", "12345 -- !!", "🎉🎉"] {
            assert_eq!(detect(text), Language::default(), "{text}");
        }
        let short = detect("Hello");
        assert!(short.code.is_some() && !short.reliable, "{short:?}");
    }

    #[test]
    fn only_the_sample_counts() {
        let head = "This is an English sentence about nothing in particular. ".repeat(300);
        assert_eq!(detect(&(head.clone() + &"Это русский текст. ".repeat(5000))), detect(&head));
        assert_eq!(detect(&"é".repeat(20_000)).code, detect(&"é".repeat(SAMPLE_BYTES / 2)).code);
    }
}
