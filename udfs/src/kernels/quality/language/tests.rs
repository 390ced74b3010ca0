//! Tests detection on our own sentences in `sentences.tsv` (language code, sentence).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SENTENCES: &str = include_str!("sentences.tsv");

fn sentences() -> impl Iterator<Item = (&'static str, &'static str)> {
    SENTENCES.lines().map(|line| line.split_once('\t').unwrap())
}

/// Languages that `detect` has a code for.
fn is_known(code: &str) -> bool {
    words::KNOWN.lines().any(|line| line.split('\t').next() == Some(code))
        || ["ben", "cmn", "div", "ell", "guj", "hye", "jpn", "kan", "kat", "khm", "kor", "lao", "mal", "mya", "ori"]
            .contains(&code)
        || ["pan", "sin", "tam", "tel", "tha"].contains(&code)
}

/// The numbers that `docs/quality.md` states.
#[test]
fn accuracy() {
    let (mut known, mut right, mut reliable, mut unknown) = (0, 0, 0, 0);
    let mut lost = BTreeMap::new();
    for (language, text) in sentences() {
        let found = detect(text);
        assert!(!found.reliable || found.code == Some(language), "{language} {found:?} {text}");
        if is_known(language) {
            known += 1;
            right += usize::from(found.code == Some(language));
            reliable += usize::from(found.reliable);
            if !found.reliable {
                lost.entry(language).or_insert_with(Vec::new).push((found.code, found.confidence));
            }
        } else {
            unknown += 1;
        }
    }
    println!("{known} known: {right} right, {reliable} reliable; {unknown} unknown; not reliable: {lost:#?}");
    assert!(known >= 170 && unknown >= 100 && right * 100 >= known * 97 && reliable * 100 >= known * 88);
}

#[test]
fn long_texts_are_reliable() {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for (language, text) in sentences().filter(|(language, _)| is_known(language)) {
        *texts.entry(language).or_default() += &format!("{text} ");
    }
    let unsure: Vec<_> = texts.into_iter().filter(|(_, text)| !detect(text).reliable).map(|(code, _)| code).collect();
    // Indonesian and Malay share most words; Zulu has few words that stand alone.
    assert_eq!(unsure, ["ind", "zul"]);
}

#[test]
fn nothing_to_go_by() {
    for text in ["", " \n", "12345 -- !!", "🎉🎉", "\u{301}\u{301}", "\0\0"] {
        assert_eq!(detect(text), Language::default(), "{text:?}");
    }
    for text in ["Hello", "x", "asdf qwer zxcv tyui", "İ", "π", "SELECT", "👍 ok"] {
        let short = detect(text);
        assert!(short.code.is_some() && !short.reliable, "{text} {short:?}");
    }
}

#[test]
fn mixed_scripts_are_not_reliable() {
    let text = "Это русский текст, и он не один. This is an English text.";
    assert!(!detect(text).reliable);
}

#[test]
fn the_whole_of_a_long_text_counts() {
    let english = "This is an English sentence about nothing in particular. ".repeat(300);
    let russian = "Это русский текст о том, чего не было. ".repeat(3000);
    let found = detect(&(english.clone() + &russian));
    assert_eq!((found.code, found.script), (Some("rus"), Some("Cyrl")));
    let (short, long) = (detect(&english), detect(&english.repeat(40)));
    assert!(short.code == long.code && short.reliable && long.reliable, "{short:?} {long:?}");
}

#[test]
fn every_form_of_unicode_counts_the_same() {
    use unicode_normalization::UnicodeNormalization;
    for (_, text) in sentences() {
        assert_eq!(detect(text), detect(&text.nfd().collect::<String>()), "{text}");
    }
}

proptest! {
    #[test]
    fn confidence_and_flag_agree(text in "(\\PC|the |и |的|の|a ){0,40}") {
        let found = detect(&text);
        prop_assert!((0.0..=1.0).contains(&found.confidence));
        prop_assert_eq!(found.reliable, found.confidence > RELIABLE);
        prop_assert_eq!(found.code.is_some(), found.script.is_some());
    }
}
