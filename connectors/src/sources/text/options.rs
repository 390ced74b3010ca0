//! Options of the TEXT format: plain data, so that a plan that carries them can be serialised.

use std::collections::HashMap;

use datafusion::common::{Result, plan_err};
use serde::{Deserialize, Serialize};

/// How text files are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextOptions {
    /// Larger files are skipped and counted (`files_skipped_too_large`). If `None`, a file over 2 GiB is an error.
    pub max_file_size: Option<u64>,
    /// Whether a file that is binary, or not text in a known encoding, is an error instead of being skipped and counted.
    pub binary_is_error: bool,
    /// Whether unreadable files are skipped and counted (`files_skipped_unreadable`) instead of failing.
    pub skip_unreadable: bool,
}

impl TextOptions {
    /// Reads the options of `OPTIONS (...)`: `max_file_size` (`'512'`, `'64KB'`, `'10MB'`, `'1GB'`; powers of 1024),
    /// `skip_unreadable` (`'true'` or `'false'`) and `binary` (`'skip'` or `'error'`), each with or without the prefix `format.`.
    ///
    /// # Errors
    /// An unknown option, or a value that is none of those.
    pub fn parse(options: &HashMap<String, String>) -> Result<Self> {
        let mut parsed = Self::default();
        for (key, value) in options {
            match key.strip_prefix("format.").unwrap_or(key) {
                "max_file_size" => parsed.max_file_size = Some(parse_size(value)?),
                "skip_unreadable" => {
                    parsed.skip_unreadable = match value.to_ascii_lowercase().as_str() {
                        "true" => true,
                        "false" => false,
                        _ => return plan_err!("option skip_unreadable is '{value}': allowed are true and false"),
                    }
                }
                "binary" => {
                    parsed.binary_is_error = match value.to_ascii_lowercase().as_str() {
                        "error" => true,
                        "skip" => false,
                        _ => return plan_err!("option binary is '{value}': allowed are skip and error"),
                    }
                }
                other => {
                    return plan_err!(
                        "TEXT has no option {other}: there are max_file_size, skip_unreadable and binary"
                    );
                }
            }
        }
        Ok(parsed)
    }
}

fn parse_size(text: &str) -> Result<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        _ => return bad_size(text),
    };
    match digits.parse::<u64>() {
        Ok(number) => number.checked_mul(1 << shift).map_or_else(|| bad_size(text), Ok),
        Err(_) => bad_size(text),
    }
}

fn bad_size(text: &str) -> Result<u64> {
    plan_err!("option max_file_size is '{text}': allowed is a whole number of bytes, or one followed by KB, MB or GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<TextOptions> {
        TextOptions::parse(&HashMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn sizes_and_flags() {
        assert_eq!(parse("max_file_size", "512").unwrap().max_file_size, Some(512));
        assert_eq!(parse("format.max_file_size", "10 MB").unwrap().max_file_size, Some(10 << 20));
        assert_eq!(parse("max_file_size", "1gib").unwrap().max_file_size, Some(1 << 30));
        assert!(parse("skip_unreadable", "TRUE").unwrap().skip_unreadable);
    }

    #[test]
    fn wrong_values_are_named() {
        for (key, value) in [("max_file_size", "many"), ("max_file_size", "-1"), ("max_file_size", "99999999999999 GB")]
        {
            let error = parse(key, value).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
        assert!(parse("skip_unreadable", "maybe").unwrap_err().to_string().contains("maybe"));
        assert!(parse("encoding", "latin1").unwrap_err().to_string().contains("no option encoding"));
    }
}
