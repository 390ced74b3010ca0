//! Types that describe themselves as parts of a JSON schema: their keys, descriptions and allowed values.
//!
//! `described!` takes a struct definition, so that what serde parses and what the reference says cannot differ.

use serde_json::{Value, json};

use super::yaml::{Entries, OneOrMany, Text};

/// A type with a JSON schema.
pub trait Describe {
    /// Whether a field of this type is required.
    const REQUIRED: bool = true;
    /// The schema of a value.
    fn schema() -> Value;
    /// The type's name and its keys, if it has any, followed by the types it contains.
    fn kinds(_: &mut Vec<Kind>) {}
}

/// A mapping with known keys.
#[derive(Debug, Clone)]
pub struct Kind {
    /// The name of the type.
    pub name: &'static str,
    /// What it is.
    pub about: String,
    /// Its keys in order.
    pub keys: Vec<Key>,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// The name in the file.
    pub name: &'static str,
    /// What it is.
    pub about: String,
    /// Whether it is required.
    pub required: bool,
    /// The schema of its value.
    pub schema: Value,
}

/// A struct that serde reads, with unknown keys as errors, and that describes itself by its documentation. `#[words(...)]` is a schema
/// of fewer values than those of the field's type.
macro_rules! described {
    ($(
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[serde($default:ident)])?
                $(#[words($words:expr)])?
                pub $field:ident: $kind:ty,
            )*
        }
    )*) => { $(
        $(#[doc = $about])*
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                $(#[serde($default)])?
                pub $field: $kind,
            )*
        }

        impl $crate::jobs::describe::Describe for $name {
            fn schema() -> serde_json::Value {
                serde_json::json!({ "$ref": concat!("#/$defs/", stringify!($name)) })
            }

            fn kinds(kinds: &mut Vec<$crate::jobs::describe::Kind>) {
                use $crate::jobs::describe::{Describe, Key, Kind, first, sentence};
                let keys = vec![$(Key {
                    name: stringify!($field),
                    about: sentence(&[$($doc),*]),
                    required: <$kind as Describe>::REQUIRED && sentence(&[$(stringify!($default)),*]).is_empty(),
                    schema: first([$(Some($words),)? Some(<$kind as Describe>::schema())]),
                }),*];
                kinds.push(Kind { name: stringify!($name), about: sentence(&[$($about),*]), keys });
                $(<$kind as Describe>::kinds(kinds);)*
            }
        }
    )* };
}
pub(super) use described;

/// Lines of documentation as one.
pub fn sentence(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The first schema that is given.
pub fn first<const N: usize>(schemas: [Option<Value>; N]) -> Value {
    schemas.into_iter().flatten().next().unwrap_or_default()
}

impl Describe for Text {
    fn schema() -> Value {
        // YAML reads 0.7 and true as no texts; a job takes every scalar as it is written.
        json!({ "type": ["string", "number", "boolean"] })
    }
}

impl Describe for OneOrMany {
    fn schema() -> Value {
        json!({ "anyOf": [Text::schema(), { "type": "array", "items": Text::schema() }] })
    }
}

impl<T: Describe> Describe for Entries<T> {
    fn schema() -> Value {
        json!({ "type": ["object", "null"], "additionalProperties": T::schema() })
    }
    fn kinds(kinds: &mut Vec<Kind>) {
        T::kinds(kinds);
    }
}

impl<T: Describe> Describe for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
    fn kinds(kinds: &mut Vec<Kind>) {
        T::kinds(kinds);
    }
}

impl<T: Describe> Describe for Option<T> {
    const REQUIRED: bool = false;
    fn schema() -> Value {
        json!({ "anyOf": [T::schema(), { "type": "null" }] })
    }
    fn kinds(kinds: &mut Vec<Kind>) {
        T::kinds(kinds);
    }
}
