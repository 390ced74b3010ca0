//! Detects the content of a file by its first bytes.

use serde::de::IgnoredAny;

use crate::compression::Compression;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// Parquet.
    Parquet,
    /// Compressed data.
    Compressed(Compression),
    /// A format that limpid does not read.
    Foreign(&'static str),
    /// Bytes that are no text.
    Binary,
    /// Text that begins with a JSON object on one line, or with an array of objects.
    Json,
    /// Any other text.
    Text,
}

impl Content {
    /// Detects the content of a file that starts with `head`; `whole` means that this is the whole file.
    pub(crate) fn of(head: &[u8], whole: bool) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some(found) = Self::by_magic(head) {
            return found;
        }
        if matches!(head, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
            return Self::Text;
        }
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // A character may be cut at the end of the sample.
            Err(e) if e.error_len().is_none() && !whole => {
                std::str::from_utf8(head.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(_) => return Self::Binary,
        };
        match text {
            text if text.contains('\0') => Self::Binary,
            text if is_json(text, whole) => Self::Json,
            _ => Self::Text,
        }
    }

    /// Detects signatures that no text starts with.
    pub(crate) fn by_magic(head: &[u8]) -> Option<Self> {
        // A column of a CSV file may be called PARENT or ORC.
        let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        let text = head.len() > 4 && head.iter().take(8).all(printable);
        Some(match head {
            _ if text && !head.starts_with(b"%PDF-") && !head.starts_with(b"SQLite format 3\0") => return None,
            [b'P', b'A', b'R', b'1', ..] | [b'P', b'A', b'R', b'E', ..] => Self::Parquet,
            [0x1F, 0x8B, ..] => Self::Compressed(Compression::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Compressed(Compression::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                Self::Compressed(Compression::Bzip2)
            }
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Self::Compressed(Compression::Xz),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [b'F', b'E', b'A', b'1', ..] | [0xFF, 0xFF, 0xFF, 0xFF, ..] => {
                Self::Foreign("Arrow IPC")
            }
            [b'O', b'b', b'j', 1, ..] => Self::Foreign("Avro"),
            [b'O', b'R', b'C', 0..=31, ..] => Self::Foreign("ORC"),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => {
                Self::Foreign("a ZIP archive (an Excel workbook is one)")
            }
            [0xD0, 0xCF, 0x11, 0xE0, ..] => Self::Foreign("an old Excel or Word file"),
            [0x89, b'H', b'D', b'F', ..] => Self::Foreign("HDF5"),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::Foreign("a NumPy array"),
            [b'%', b'P', b'D', b'F', b'-', ..] => Self::Foreign("PDF"),
            head if head.starts_with(b"SQLite format 3\0") => Self::Foreign("an SQLite database"),
            _ => return None,
        })
    }

    /// What it is called in messages.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Empty => "empty".to_owned(),
            Self::Parquet => "Parquet".to_owned(),
            Self::Compressed(compression) => format!("compressed with {compression}"),
            Self::Foreign(name) => name.to_owned(),
            Self::Binary => "binary".to_owned(),
            Self::Json => "JSON".to_owned(),
            Self::Text => "text".to_owned(),
        }
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Empty | Self::Json | Self::Text)
    }
}

/// Whether `text` begins with an object on one line, or with an array of objects.
fn is_json(text: &str, whole: bool) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if let Some(items) = text.strip_prefix('[') {
        return items.trim_start().starts_with('{');
    }
    if !text.starts_with('{') {
        return false;
    }
    match text.split_once('\n') {
        Some((line, _)) => serde_json::from_str::<IgnoredAny>(line).is_ok(),
        None if whole => serde_json::from_str::<IgnoredAny>(text).is_ok(),
        // A single line longer than the sample.
        None => text.trim_start_matches('{').trim_start().starts_with('"'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        for (head, content) in [
            (&b"PAR1\x15..."[..], Content::Parquet),
            (b"\x1f\x8b\x08", Content::Compressed(Compression::Gzip)),
            (b"ARROW1\0\0", Content::Foreign("Arrow IPC")),
            (b"{\"a\":1}\n{\"a\":2}\n", Content::Json),
            (b"\xef\xbb\xbf {\"a\":1}", Content::Json),
            (b"[\n {\"a\":1}]", Content::Json),
            (b"{\n  \"a\": 1\n}", Content::Text),
            (b"[package]\nname = 1", Content::Text),
            (b"{ block } in some language\n", Content::Text),
            (b"Parquet is a format", Content::Text),
            (b"PARENT,CHILD\n1,2\n", Content::Text),
            (b"ORC\n1\n", Content::Text),
            (b"PAR1\x15\x04\x15\x10", Content::Parquet),
            (b"a\0b", Content::Binary),
            (b"caf\xe9 au lait", Content::Binary),
            (b"\xff\xfea\0", Content::Text),
            (b"", Content::Empty),
        ] {
            assert_eq!(Content::of(head, true), content, "{:?}", String::from_utf8_lossy(head));
        }
        assert_eq!(Content::of("é".as_bytes().get(..1).unwrap(), false), Content::Text);
    }
}
