//! The script of a text, and the languages that have a script to themselves.

use unicode_script::{Script, UnicodeScript};

/// Number of letters of each script in a text.
#[derive(Debug, Default)]
pub struct Scripts {
    counts: Vec<(Script, u64)>,
}

/// The script with the most letters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Main {
    /// ISO 15924 code.
    pub code: &'static str,
    /// Number of its letters.
    pub letters: u64,
    /// Its fraction of all letters.
    pub share: f64,
}

impl Scripts {
    /// Counts the letters of `text` by script.
    pub fn count(text: &str) -> Self {
        let mut found = Self::default();
        let mut latin = 0;
        // Letters come in runs of one script.
        let (mut run, mut len) = (Script::Common, 0);
        for c in text.chars() {
            if c.is_ascii() {
                latin += u64::from(c.is_ascii_alphabetic());
            } else if c.is_alphabetic() {
                let script = c.script();
                if script != run {
                    found.add(run, len);
                    (run, len) = (script, 0);
                }
                len += 1;
            }
        }
        found.add(run, len);
        found.add(Script::Latin, latin);
        found
    }

    fn add(&mut self, script: Script, letters: u64) {
        if letters == 0 || matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
            return;
        }
        match self.counts.iter_mut().find(|(s, _)| *s == script) {
            Some((_, n)) => *n += letters,
            None => self.counts.push((script, letters)),
        }
    }

    fn of(&self, script: Script) -> u64 {
        self.counts.iter().find(|(s, _)| *s == script).map_or(0, |&(_, n)| n)
    }

    /// The script with the most letters; on a tie, the first in the text. Kanji and kana count as one script.
    pub fn main(&self) -> Option<Main> {
        let all: u64 = self.counts.iter().map(|(_, n)| n).sum();
        let kana = self.of(Script::Hiragana) + self.of(Script::Katakana);
        let han = self.of(Script::Han);
        let is_japanese = |s: Script| matches!(s, Script::Han | Script::Hiragana | Script::Katakana);
        let mut best: Option<(&'static str, u64)> = (kana > 0 && han > 0).then_some(("Jpan", kana + han));
        for &(script, n) in &self.counts {
            let is_part = kana > 0 && han > 0 && is_japanese(script);
            if !is_part && best.is_none_or(|(_, most)| n > most) {
                best = Some((script.short_name(), n));
            }
        }
        best.map(|(code, letters)| Main { code, letters, share: letters as f64 / all as f64 })
    }
}

/// The only language that is written in `script` today, if there is one. `None` if `text` uses letters of the script that
/// this language lacks.
pub fn only_language(script: &str, text: &str) -> Option<&'static str> {
    let (code, foreign): (_, fn(char) -> bool) = match script {
        "Armn" => ("hye", |_| false),
        // Assamese; Manipuri shares its letters.
        "Beng" => ("ben", |c| matches!(c, 'ৰ' | 'ৱ')),
        // Ancient Greek is written with more accents.
        "Grek" => ("ell", |c| matches!(c, '\u{1f00}'..='\u{1fff}')),
        // Mingrelian, Svan, Laz.
        "Geor" => ("kat", |c| matches!(c, '\u{10f1}'..='\u{10fc}')),
        "Gujr" => ("guj", |_| false),
        "Guru" => ("pan", |_| false),
        "Hang" => ("kor", |_| false),
        "Khmr" => ("khm", |_| false),
        "Knda" => ("kan", |_| false),
        "Laoo" => ("lao", |_| false),
        "Mlym" => ("mal", |_| false),
        // Mon, Karen, Shan and others.
        "Mymr" => (
            "mya",
            |c| matches!(c, 'ဢ' | 'ဨ' | '\u{1033}'..='\u{1035}' | '\u{1050}'..='\u{109f}' | '\u{aa60}'..='\u{aa7f}'),
        ),
        "Orya" => ("ori", |_| false),
        "Sinh" => ("sin", |_| false),
        "Taml" => ("tam", |_| false),
        "Telu" => ("tel", |_| false),
        "Thaa" => ("div", |_| false),
        "Thai" => ("tha", |_| false),
        _ => return None,
    };
    // A few foreign letters may be names and quotations.
    let (foreign, letters) = text
        .chars()
        .filter(|c| !c.is_ascii() && c.is_alphabetic())
        .fold((0, 0), |(n, all), c| (n + usize::from(foreign(c)), all + 1));
    (foreign * 50 <= letters).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_script() {
        let main = |text| Scripts::count(text).main().map(|m| m.code);
        for (text, code) in [
            ("", None),
            ("12 + 7 = 19 🎉", None),
            ("abc", Some("Latn")),
            ("Дом и lab", Some("Cyrl")),
            ("ab аб", Some("Cyrl")),
            ("東京", Some("Hani")),
            ("東京へ行く", Some("Jpan")),
            ("ひらがな", Some("Hira")),
            ("カタカナ", Some("Kana")),
            ("한국어 漢字", Some("Hang")),
            ("ພາສາລາວ", Some("Laoo")),
            ("བོད་སྐད", Some("Tibt")),
            ("e\u{301}\u{301}", Some("Latn")),
        ] {
            assert_eq!(main(text), code, "{text}");
        }
        let mixed = Scripts::count("abcд").main().unwrap();
        assert_eq!((mixed.letters, mixed.share), (3, 0.75));
    }

    #[test]
    fn one_language_and_its_letters() {
        assert_eq!(only_language("Beng", "আমি বাংলায় গান গাই"), Some("ben"));
        assert_eq!(only_language("Beng", "মই অসমীয়া ভাষাৰ গান গাওঁ"), None);
        assert_eq!(only_language("Grek", "Καλημέρα κόσμε"), Some("ell"));
        assert_eq!(only_language("Grek", "μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος"), None);
        assert_eq!(only_language("Tibt", "བོད་སྐད"), None);
    }
}
