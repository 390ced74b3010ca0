//! Settings of a model from three sources: `model.toml`, the flags of `limpid models add`, and the files that
//! sentence-transformers writes. Sources have an order of precedence; settings in none of them have defaults.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::folder::{ImageSettings, Long, Modality, Pooling};

/// Settings, each of which may be missing. They are described in [`Settings`](crate::folder::Settings).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "they are those of Settings")]
pub struct Given {
    pub modality: Option<Modality>,
    pub model: Option<String>,
    pub pooling: Option<Pooling>,
    pub normalize: Option<bool>,
    pub max_length: Option<usize>,
    pub long: Option<Long>,
    pub lowercase: Option<bool>,
    pub prefix: Option<String>,
    pub default_prompt: Option<String>,
    pub output: Option<String>,
    #[serde(alias = "licence")]
    pub license: Option<String>,
    pub sha256: Option<String>,
    pub source: Option<String>,
    pub image: Option<ImageSettings>,
    pub prompts: Option<BTreeMap<String, String>>,
    pub files: Option<BTreeMap<String, String>>,
}

impl Given {
    /// Takes missing settings from `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            modality: self.modality.or(other.modality),
            model: self.model.or(other.model),
            pooling: self.pooling.or(other.pooling),
            normalize: self.normalize.or(other.normalize),
            max_length: self.max_length.or(other.max_length),
            long: self.long.or(other.long),
            lowercase: self.lowercase.or(other.lowercase),
            // A prefix and a default prompt exclude each other, so a source that gives one decides both.
            default_prompt: if self.prefix.is_some() {
                self.default_prompt
            } else {
                self.default_prompt.or(other.default_prompt)
            },
            prefix: self.prefix.or(other.prefix),
            output: self.output.or(other.output),
            license: self.license.or(other.license),
            sha256: self.sha256.or(other.sha256),
            source: self.source.or(other.source),
            image: self.image.or(other.image),
            prompts: self.prompts.or(other.prompts),
            files: self.files.or(other.files),
        }
    }

    /// Where these settings contradict those of sentence-transformers: `(setting, here, there)`.
    pub fn contradictions(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>, text: impl Fn(&T) -> String) -> Option<(String, String)> {
            a.zip(b).filter(|(a, b)| a != b).map(|(a, b)| (text(a), text(b)))
        }
        let prompt = |given: &Self| {
            let by_default = given.default_prompt.as_ref().and_then(|name| given.prompts.as_ref()?.get(name).cloned());
            given.prefix.clone().or(by_default)
        };
        let (prefix, there) = (prompt(self), prompt(other));
        let found = [
            ("pooling", differ(self.pooling.as_ref(), other.pooling.as_ref(), |pooling| pooling.name().to_owned())),
            ("normalize", differ(self.normalize.as_ref(), other.normalize.as_ref(), ToString::to_string)),
            ("max_length", differ(self.max_length.as_ref(), other.max_length.as_ref(), ToString::to_string)),
            ("lowercase", differ(self.lowercase.as_ref(), other.lowercase.as_ref(), ToString::to_string)),
            ("prefix", differ(prefix.as_ref(), there.as_ref(), |text| format!("'{text}'"))),
            ("prompts", differ(self.prompts.as_ref(), other.prompts.as_ref(), |prompts| format!("{prompts:?}"))),
        ];
        found.into_iter().filter_map(|(name, found)| found.map(|(here, there)| (name, here, there))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_something_first_counts() {
        let first = Given { pooling: Some(Pooling::Cls), ..Given::default() };
        let prompts = BTreeMap::from([("query".to_owned(), "query: ".to_owned())]);
        let second = Given {
            pooling: Some(Pooling::Mean),
            max_length: Some(8),
            prompts: Some(prompts),
            default_prompt: Some("query".to_owned()),
            ..Given::default()
        };
        let both = first.clone().or(second.clone());
        assert_eq!((both.pooling, both.max_length), (Some(Pooling::Cls), Some(8)));
        assert_eq!(first.contradictions(&second), [("pooling", "cls".to_owned(), "mean".to_owned())]);
        // A prefix replaces the default prompt.
        let prefix = Given { prefix: Some(String::new()), ..Given::default() };
        assert_eq!(prefix.contradictions(&second), [("prefix", "''".to_owned(), "'query: '".to_owned())]);
        assert_eq!(prefix.or(second).default_prompt, None);
    }
}
