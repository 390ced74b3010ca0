//! Finds values in JSON texts by path without parsing the rest. A value keeps its text from the document.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The value of a key.
    Key(String),
    /// An array item by position from 0, or from the end if negative.
    Item(i64),
}

/// A path into a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

impl Path {
    /// Parses `$.key.list[0]."a key"`, `/key/list/0` or the name of a key.
    ///
    /// # Errors
    /// A message that says what is wrong with the path.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix('/') {
            let unescape = |part: &str| part.replace("~1", "/").replace("~0", "~");
            let step = |part: &str| match part.parse::<u32>() {
                Ok(number) => Step::Item(number.into()),
                Err(_) => Step::Key(unescape(part)),
            };
            return Ok(Self(rest.split('/').map(step).collect()));
        }
        match text.strip_prefix('$') {
            Some(rest) => steps(rest).map(Self).ok_or_else(|| format!("'{text}' is no path such as $.key.list[0]")),
            None => Ok(Self(vec![Step::Key(text.to_owned())])),
        }
    }

    /// Finds the value at the path; `None` if there is none.
    ///
    /// # Errors
    /// The document is not valid JSON.
    pub fn find<'a>(&self, document: &'a str) -> serde_json::Result<Option<&'a str>> {
        let mut value: &RawValue = serde_json::from_str(document)?;
        for step in &self.0 {
            let found = match step {
                Step::Key(key) => member(value.get(), key)?,
                Step::Item(number) => item(value.get(), *number)?,
            };
            let Some(found) = found else { return Ok(None) };
            value = found;
        }
        Ok(Some(value.get()))
    }
}

fn steps(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = vec![];
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (number, after) = inside.split_once(']')?;
            steps.push(Step::Item(number.trim().parse().ok()?));
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix(".\"") {
            let (key, after) = quoted.split_once('"')?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (key, after) = name.split_at(end);
            if key.is_empty() {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
    }
    Some(steps)
}

/// Keys and values in document order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = vec![];
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Visitor).map(Self)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of `key`. If the key occurs several times, the last one counts, as in most readers.
fn member<'a>(object: &'a str, key: &str) -> serde_json::Result<Option<&'a RawValue>> {
    if !object.starts_with('{') {
        return Ok(None);
    }
    let Members(members) = serde_json::from_str(object)?;
    Ok(members.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value))
}

fn item(array: &str, number: i64) -> serde_json::Result<Option<&RawValue>> {
    if !array.starts_with('[') {
        return Ok(None);
    }
    let items: Vec<&RawValue> = serde_json::from_str(array)?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let place = if number < 0 { length.saturating_add(number) } else { number };
    Ok(usize::try_from(place).ok().and_then(|place| items.get(place).copied()))
}

/// The text of a value: a string without quotes and escapes, `None` for null, and anything else as written.
///
/// # Errors
/// A string contains half of a surrogate pair.
pub fn text(value: &str) -> serde_json::Result<Option<Cow<'_, str>>> {
    match value {
        "null" => Ok(None),
        value if value.starts_with('"') => serde_json::from_str::<Key<'_>>(value).map(|Key(text)| Some(text)),
        value => Ok(Some(Cow::Borrowed(value))),
    }
}

/// The keys of an object in document order; `None` for any other value.
///
/// # Errors
/// The value is not valid JSON.
pub fn keys(value: &str) -> serde_json::Result<Option<Vec<Cow<'_, str>>>> {
    let value: &RawValue = serde_json::from_str(value)?;
    if !value.get().starts_with('{') {
        return Ok(None);
    }
    let Members(members) = serde_json::from_str(value.get())?;
    Ok(Some(members.into_iter().map(|(key, _)| key).collect()))
}

/// The number of items of an array; `None` for any other value.
///
/// # Errors
/// The value is not valid JSON.
pub fn array_length(value: &str) -> serde_json::Result<Option<usize>> {
    let value: &RawValue = serde_json::from_str(value)?;
    if !value.get().starts_with('[') {
        return Ok(None);
    }
    serde_json::from_str::<Vec<IgnoredAny>>(value.get()).map(|items| Some(items.len()))
}

/// Whether the text is exactly one JSON value.
pub fn is_valid(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(document: &str, path: &str) -> Option<String> {
        Path::parse(path).unwrap().find(document).unwrap().map(str::to_owned)
    }

    #[test]
    fn paths_lead_to_values_as_they_are_written() {
        let document =
            r#" {"a": {"b c": [1.50, 12345678901234567890123, {"x": null}]}, "a.b": "\u00e9", "d": 1, "d": 2} "#;
        assert_eq!(find(document, r#"$.a."b c"[0]"#).unwrap(), "1.50");
        assert_eq!(find(document, "/a/b c/1").unwrap(), "12345678901234567890123");
        assert_eq!(find(document, r#"$.a."b c"[-1].x"#).unwrap(), "null");
        assert_eq!(find(document, "a.b").unwrap(), r#""\u00e9""#);
        assert_eq!(find(document, "d").unwrap(), "2");
        for missing in ["$.x", "$.d.e", "$[0]", r#"$.a."b c"[9]"#, r#"$.a."b c"[-4]"#] {
            assert_eq!(find(document, missing), None, "{missing}");
        }
        assert_eq!(find("[1]", "$").unwrap(), "[1]");
        assert!(Path::parse("$").unwrap().find("{").is_err());
        for wrong in ["$a", "$.", "$[x]", "$.a..b", "$[1"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_keys_and_lengths() {
        assert_eq!(text(r#""a\n\u00e9""#).unwrap().unwrap(), "a\né");
        assert_eq!(text("null").unwrap(), None);
        assert_eq!(text("1.50").unwrap().unwrap(), "1.50");
        assert!(text(r#""\ud800""#).is_err());
        assert_eq!(keys(r#"{"b": 1, "a": {}}"#).unwrap().unwrap(), ["b", "a"]);
        assert_eq!(
            (keys("[1]").unwrap(), array_length(" [1, [2]] ").unwrap(), array_length("{}").unwrap()),
            (None, Some(2), None)
        );
        assert!(is_valid(" {} ") && !is_valid("{} {}") && !is_valid(""));
    }
}
