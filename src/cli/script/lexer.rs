//! SQL cut into pieces while it is still being typed: quotes may be open and words half there.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name.
    Word,
    /// A number.
    Number,
    /// A text in single quotes.
    Text,
    /// A name in double quotes.
    Name,
    /// A comment.
    Comment,
    /// The end of a statement.
    Semicolon,
    /// White space.
    Space,
    /// Anything else.
    Symbol,
}

/// A piece of the input: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Whether its closing mark is there.
    pub closed: bool,
}

/// All pieces, in order and without gaps.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let (kind, length, closed) = match first {
            '\'' => quoted(rest, '\'', Kind::Text),
            '"' => quoted(rest, '"', Kind::Name),
            ';' => (Kind::Semicolon, 1, true),
            _ if rest.starts_with("--") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), true),
            _ if rest.starts_with("/*") => block(rest),
            c if c.is_whitespace() => run(rest, Kind::Space, char::is_whitespace),
            c if c.is_ascii_digit() => run(rest, Kind::Number, |c| c.is_alphanumeric() || c == '.' || c == '_'),
            c if is_word(c) => run(rest, Kind::Word, is_word),
            c => (Kind::Symbol, c.len_utf8(), true),
        };
        pieces.push(Piece { kind, start, end: start + length, closed });
        start += length;
    }
    pieces
}

/// Whether the text ends with a semicolon that ends a statement, so that it can run.
pub fn is_complete(text: &str) -> bool {
    let pieces = pieces(text);
    let last = pieces.iter().rfind(|p| !matches!(p.kind, Kind::Space | Kind::Comment));
    pieces.iter().all(|p| p.closed) && last.is_none_or(|p| p.kind == Kind::Semicolon)
}

/// Characters of names.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

fn run(text: &str, kind: Kind, inside: fn(char) -> bool) -> (Kind, usize, bool) {
    (kind, text.find(|c| !inside(c)).unwrap_or(text.len()), true)
}

/// A doubled quote is a quote within; the pieces on both sides of it join here.
fn quoted(text: &str, quote: char, kind: Kind) -> (Kind, usize, bool) {
    let mut at = 1;
    while let Some(found) = text[at..].find(quote) {
        at += found + 1;
        if !text[at..].starts_with(quote) {
            return (kind, at, true);
        }
        at += 1;
    }
    (kind, text.len(), false)
}

/// Block comments nest.
fn block(text: &str) -> (Kind, usize, bool) {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return (Kind::Comment, at, true);
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    (Kind::Comment, text.len(), false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements_end_at_their_semicolon() {
        for whole in
            ["SELECT 1;", "a; -- b", ";", "", "SELECT ';' ; ", "/* ; */", "SELECT 'it''s';\n", "x /* a /* b */ c */;"]
        {
            assert!(is_complete(whole), "{whole}");
        }
        for part in ["SELECT 1", "SELECT ';", "SELECT \"a;", "SELECT 1; /* ", "a; b", "SELECT 1 -- ;", "/* /* */ ;"] {
            assert!(!is_complete(part), "{part}");
        }
    }

    #[test]
    fn kinds() {
        let kinds: Vec<Kind> = pieces("SELECT a.b, 'x''y' FROM \"T\" -- c").iter().map(|p| p.kind).collect();
        use Kind::*;
        assert_eq!(kinds, [Word, Space, Word, Symbol, Space, Text, Space, Word, Space, Name, Space, Comment]);
    }

    proptest! {
        #[test]
        fn pieces_cover_any_text(text in "[a-z0-9'\"/*;\\- \\né日]{0,40}") {
            let joined: String = pieces(&text).iter().map(|p| &text[p.start..p.end]).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
