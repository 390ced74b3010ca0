//! Examples of words, and properties that hold for any text.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

const RULES: [Rule; 3] = [Rule::Word, Rule::Token, Rule::PythonWord];

fn words(rule: Rule, text: &str) -> Vec<String> {
    let mut words = vec![];
    Tokenizer::new(rule).for_each(text, |word| words.push(word.to_owned()));
    words
}

/// Processes the whole text as one piece. The fast path must agree with this.
fn slowly(rule: Rule, text: &str) -> Vec<String> {
    let mut words = vec![];
    Pieces::default().for_each(text, rule == Rule::Token, |text, start, end| words.push(text[start..end].to_owned()));
    words
}

#[test]
fn words_of_every_script() {
    for (text, expected) in [
        ("", vec![]),
        (" \t\n.,;— 👍 ≠", vec![]),
        ("Don't stop_me 2nd", vec!["don", "t", "stop_me", "2nd"]),
        ("İstanbul i\u{307}stanbul ISTANBUL ı", vec!["i\u{307}stanbul", "i\u{307}stanbul", "istanbul", "ı"]),
        ("Straße STRASSE ẞ ﬁn", vec!["strasse", "strasse", "ss", "fin"]),
        ("ΟΔΟΣ οδος ΣΑΣ ᾳ Α\u{345}", vec!["οδοσ", "οδοσ", "σασ", "αι", "αι"]),
        ("ÉTÉ e\u{301}te\u{301} a\u{323}\u{302} a\u{302}\u{323} ậ", vec!["été", "été", "ậ", "ậ", "ậ"]),
        ("½ ² Ⅷ ٣ Ａ１", vec!["½", "²", "ⅷ", "٣", "ａ１"]),
        ("की कि के कु हिन्दी क\u{93c} क़", vec!["की", "कि", "के", "कु", "हिन्दी", "क\u{93c}", "क\u{93c}"]),
        ("বাংলা தமிழ் മലയാളം ಕನ್ನಡ తెలుగు ગુજરાતી", vec!["বাংলা", "தமிழ்", "മലയാളം", "ಕನ್ನಡ", "తెలుగు", "ગુજરાતી"]),
        ("كَتَبَ كتب שָׁלוֹם", vec!["كَتَبَ", "كتب", "שָׁלוֹם"]),
        ("می\u{200c}خواهم میخواهم", vec!["می\u{200c}خواهم", "میخواهم"]),
        ("한국어 \u{1112}\u{1161}\u{11ab}국어", vec!["한국어", "한국어"]),
        ("漢字、かながカ\u{3099}ー3人", vec!["漢", "字", "か", "な", "が", "ガ", "ー", "3", "人"]),
        ("ป้า ปี ภาษาไทย", vec!["ป้", "า", "ปี", "ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("กำ ພາສາລາວ ភាសា", vec!["กำ", "ພ", "າ", "ສ", "າ", "ລ", "າ", "ວ", "ភា", "សា"]),
        ("မြန်မာ ស្ថានភាព ꦲꦏ꧀ꦱꦫ", vec!["မြ", "န်", "မာ", "ស្ថា", "ន", "ភា", "ព", "ꦲ", "ꦏ꧀ꦱ", "ꦫ"]),
        ("བོད་སྐད", vec!["བོད", "སྐད"]),
        ("ёлка елка Ёлка", vec!["ёлка", "елка", "ёлка"]),
        ("Donau\u{ad}dampf \u{feff}a\u{200e}b", vec!["donaudampf", "ab"]),
        ("\u{301}abc \u{301} x\u{a0}\u{301}y", vec!["\u{301}abc", "\u{301}", "x", "\u{301}y"]),
        ("=\u{338} ≠a ❤\u{fe0f} \u{fe0f}b 1\u{fe0f}\u{20e3}", vec!["a", "b", "1\u{fe0f}\u{20e3}"]),
        ("\u{378}a\u{e000}b\u{ffff}", vec!["a", "b"]),
    ] {
        assert_eq!(words(Rule::Word, text), expected, "{text:?}");
    }
}

#[test]
fn tokens_are_words_and_symbols() {
    for (text, expected) in [
        ("", vec![]),
        (" \t\n\u{200b}\u{7}", vec![]),
        ("12 + 7", vec!["12", "+", "7"]),
        ("C C++ c#", vec!["C", "C", "+", "+", "c", "#"]),
        ("a[i]=1.5;", vec!["a", "[", "i", "]", "=", "1", ".", "5", ";"]),
        ("Foo_1::foo_1", vec!["Foo_1", ":", ":", "foo_1"]),
        ("Straße ÉTÉ e\u{301}", vec!["Straße", "ÉTÉ", "é"]),
        ("x→→y ≠ =\u{338}", vec!["x", "→", "→", "y", "≠", "≠"]),
        ("👍🏽👩‍👩‍👧🇩🇪🇫🇷❤\u{fe0f}#\u{fe0f}\u{20e3}", vec!["👍🏽", "👩‍👩‍👧", "🇩🇪", "🇫🇷", "❤\u{fe0f}", "#\u{fe0f}\u{20e3}"]),
        ("漢字、かな。", vec!["漢", "字", "、", "か", "な", "。"]),
        ("\u{600}٣٤ \u{301}+", vec!["\u{600}", "٣٤", "\u{301}", "+"]),
        ("कि।", vec!["कि", "।"]),
    ] {
        assert_eq!(words(Rule::Token, text), expected, "{text:?}");
    }
}

#[test]
fn ascii_words_are_those_of_python() {
    for byte in 0..128_u8 {
        let text = format!("aB{}Cd {0}", char::from(byte));
        assert_eq!(words(Rule::Word, &text), words(Rule::PythonWord, &text), "{text:?}");
    }
}

#[test]
fn every_character_agrees_with_the_slow_way() {
    let mut tokenizers = [Rule::Word, Rule::Token].map(|rule| (rule, Tokenizer::new(rule)));
    // Large blocks of equal characters are sampled.
    let all = ('\0'..='\u{33ff}').chain('\u{a000}'..='\u{abff}').chain('\u{f800}'..='\u{1ffff}');
    for c in all.chain(('\0'..=char::MAX).step_by(61)) {
        for (rule, tokenizer) in &mut tokenizers {
            let text = format!("{c}a{c}{c}B {c}.{c}字{c}");
            let mut found = vec![];
            tokenizer.for_each(&text, |word| found.push(word.to_owned()));
            assert_eq!(found, slowly(*rule, &text), "{rule:?} {c:?}");
            let decomposed: String = text.nfd().collect();
            assert_eq!(words(*rule, &decomposed), found, "{rule:?} {c:?}");
        }
    }
}

#[test]
fn words_may_meet_block_ends() {
    for rule in RULES {
        for length in 0..200 {
            assert_eq!(words(rule, &"x".repeat(length)).len(), length.min(1));
            let text = format!("{} {}", "a".repeat(length), "é".repeat(64));
            assert_eq!(words(rule, &text).concat(), text.trim_start().replace(' ', ""));
            assert_eq!(
                words(rule, &format!("{}e\u{301}.", " ".repeat(length)))[0].chars().next(),
                Some(if rule == Rule::PythonWord { 'e' } else { 'é' })
            );
        }
    }
}

#[test]
fn twenty_megabytes_are_nothing_special() {
    for (line, count) in [("One fish, zwölf Fische. ", 4), ("ภาษาไทย", 7), ("e\u{301}", 1), ("👩‍👩‍👧", 0), ("漢", 1)]
    {
        let times = 20_000_000 / line.len();
        let mut hashes = vec![];
        Tokenizer::new(Rule::Word).hashes(&line.repeat(times), &mut hashes);
        let expected = if line == "e\u{301}" { 1 } else { count * times };
        assert_eq!(hashes.len(), expected, "{line}");
    }
}

/// Texts of difficult characters: marks, joiners, jamo, clusters, capitals of every kind, ignored and unassigned characters.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        any::<String>(),
        "[a-cA-C0_ .=\u{301}\u{323}\u{338}\u{345}éÉΣσςİßẞΐǰᾳ]{0,40}",
        "[ .\u{1112}\u{1161}\u{11ab}한하か\u{3099}ー漢กำ\u{e49}\u{e38}ဗာ\u{103a}क\u{94d}\u{93c}ि\u{200d}\u{200c}]{0,40}",
        "[ #👍🏽👩❤🇩🇪\u{fe0f}\u{20e3}\u{200d}\u{600}\u{ad}\u{feff}\u{200b}\u{e0067}\u{378}a1]{0,40}",
    ]
}

/// Whether folding the capital form equals folding the character. This fails for the dotless i, whose capital is that of i.
fn folds_as_its_capital(c: char) -> bool {
    let text = c.to_string();
    words(Rule::Word, &text) == words(Rule::Word, &text.to_uppercase())
}

proptest! {
    #[test]
    fn words_without_spaces_are_grapheme_clusters(
        text in "ก[กรำ\u{e49}\u{e38}]{0,20}|ສ[ສຳ\u{ec9}]{0,20}|ក[កថ\u{17d2}\u{17b6}\u{17c6}]{0,20}|က[ကမ\u{1039}\u{103c}\u{102d}]{0,20}|漢[かカ\u{3099}漢\u{fe00}ー]{0,20}",
    ) {
        let text: String = text.nfc().collect();
        let clusters: Vec<&str> = UnicodeSegmentation::graphemes(&*text, true).collect();
        prop_assert_eq!(words(Rule::Word, &text), clusters);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_fast_way_is_the_slow_way(text in texts()) {
        for rule in [Rule::Word, Rule::Token] {
            prop_assert_eq!(words(rule, &text), slowly(rule, &text), "{:?}", rule);
        }
    }

    #[test]
    fn equivalent_texts_have_the_same_words(text in texts()) {
        for rule in [Rule::Word, Rule::Token] {
            let expected = words(rule, &text);
            prop_assert_eq!(&words(rule, &text.nfc().collect::<String>()), &expected, "{:?}", rule);
            prop_assert_eq!(&words(rule, &text.nfd().collect::<String>()), &expected, "{:?}", rule);
        }
    }

    #[test]
    fn case_changes_no_word(text in texts()) {
        let text: String = text.nfd().filter(|&c| folds_as_its_capital(c)).collect();
        let expected = words(Rule::Word, &text);
        prop_assert_eq!(&words(Rule::Word, &text.to_uppercase()), &expected);
        prop_assert_eq!(&words(Rule::Word, &text.to_lowercase()), &expected);
    }

    #[test]
    fn words_are_their_own_words(text in texts()) {
        for rule in RULES {
            let once = words(rule, &text);
            prop_assert_eq!(&words(rule, &once.join(" ")), &once, "{:?}", rule);
        }
    }

    #[test]
    fn texts_may_be_cut_at_spaces(a in texts(), b in texts(), space in "[ \n\t]") {
        for rule in [Rule::Word, Rule::Token] {
            let parts = [words(rule, &a), words(rule, &b)].concat();
            prop_assert_eq!(words(rule, &format!("{a}{space}{b}")), parts, "{:?}", rule);
        }
    }

    #[test]
    fn tokens_leave_nothing_visible_out(text in texts()) {
        let class = |c| WordTable::get().flags(c).class();
        let visible = |text: &str| -> String {
            text.chars().filter(|&c| !matches!(class(c), Class::Space | Class::Ignored | Class::Attached)).collect()
        };
        let normal: String = visible(&text.chars().filter(|&c| class(c) != Class::Ignored).nfc().collect::<String>());
        prop_assert_eq!(visible(&words(Rule::Token, &text).concat()), normal);
    }

    #[test]
    fn words_are_the_letters_of_tokens(text in texts()) {
        // Folding turns the iota subscript, alone among marks, into a letter, even after a symbol.
        prop_assume!(!text.nfd().any(|c| c == '\u{345}'));
        let folded: Vec<String> =
            words(Rule::Token, &text).iter().flat_map(|token| words(Rule::Word, token)).collect();
        prop_assert_eq!(folded, words(Rule::Word, &text));
    }
}
