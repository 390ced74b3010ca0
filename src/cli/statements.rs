//! From text to statements that know where they stand.

use std::path::Path;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::sqlparser::dialect::dialect_from_str;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::errors::{Failure, Message, plain};
use crate::session::{depth, rewrite};

/// Longer lines are not shown under an error.
const LONGEST_QUOTE: usize = 160;

/// SQL as the user gave it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file it was read from; `None` for SQL typed into a command line or a shell.
    pub file: Option<String>,
    /// Statements separated by semicolons.
    pub text: String,
}

/// A statement and the line it begins in, from 1.
#[derive(Debug)]
pub struct Located {
    /// What DataFusion's parser made of it.
    pub statement: Statement,
    /// Its first line in the source.
    pub line: u64,
    /// `SUMMARIZE`: the query about whose rows it asks, which is also the statement.
    pub summarized: Option<String>,
}

impl Source {
    /// SQL that comes from no file.
    pub fn typed(text: impl Into<String>) -> Self {
        Self { file: None, text: text.into() }
    }

    /// The statements of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| Failure::error(format!("cannot read {name}: {e}")))?;
        Ok(Self { file: Some(name), text })
    }

    /// All statements. Nothing has run when one of them is wrong.
    ///
    /// # Errors
    /// The first statement that the parser refuses, with its place.
    pub fn parse(&self, state: &SessionState) -> Result<Vec<Located>, Failure> {
        let options = &state.config_options().sql_parser;
        let dialect = dialect_from_str(options.dialect)
            .ok_or_else(|| Failure::error(format!("unknown SQL dialect {}", options.dialect)))?;
        let tokens = Tokenizer::new(dialect.as_ref(), &self.text)
            .tokenize_with_location()
            .map_err(|e| self.failure(&plain(&ParserError::from(e).into()), 1))?;
        let mut located = Vec::new();
        for tokens in tokens.split(|t| t.token == Token::SemiColon) {
            let Some(line) = tokens.iter().find(|t| !is_space(t)).map(|t| t.span.start.line) else { continue };
            let mut tokens = tokens.to_vec();
            let summarized = rewrite::summarized(&mut tokens);
            rewrite::from_first(&mut tokens);
            rewrite::copy_options(&mut tokens).map_err(|e| self.failure(&plain(&e), line))?;
            let parsed = DFParserBuilder::new(tokens)
                .with_dialect(dialect.as_ref())
                .with_recursion_limit(options.recursion_limit.get())
                .build()
                .and_then(|mut parser| parser.parse_statements());
            let statements = parsed.map_err(|e| self.failure(&plain(&e), line))?;
            for statement in statements {
                let statement = depth::check(statement).map_err(|e| self.failure(&plain(&e), line))?;
                located.push(Located { statement, line, summarized: summarized.clone() });
            }
        }
        Ok(located)
    }

    /// The message with file, line and column before it and the line itself below it.
    pub fn failure(&self, message: &Message, statement_line: u64) -> Failure {
        let place = match (&self.file, message.place) {
            (Some(file), Some((line, column))) => format!("{file}:{line}:{column}: "),
            (Some(file), None) => format!("{file}:{statement_line}: "),
            (None, Some((line, column))) if self.text.trim_end().contains('\n') => {
                format!("line {line}, column {column}: ")
            }
            (None, _) => String::new(),
        };
        let quote = message.place.and_then(|at| self.quote(at)).unwrap_or_default();
        Failure::error(format!("{place}{}{quote}", message.text))
    }

    /// The line and a caret under the column.
    fn quote(&self, (line, column): (u64, u64)) -> Option<String> {
        let line = self.text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let before = usize::try_from(column).ok()?.checked_sub(1)?;
        if line.chars().count() > LONGEST_QUOTE {
            return None;
        }
        let pad: String = line.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        Some(format!("\n  {line}\n  {pad}^"))
    }
}

fn is_space(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_) | Token::EOF)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    fn parse(text: &str, file: Option<&str>) -> Result<Vec<u64>, String> {
        let source = Source { file: file.map(str::to_owned), text: text.to_owned() };
        match source.parse(&SessionContext::new().state()) {
            Ok(all) => Ok(all.iter().map(|l| l.line).collect()),
            Err(Failure::Error(message)) => Err(message.text),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn statements_know_their_lines() {
        let text = "-- first; not a statement\nSELECT 1;\n\n/* a\ncomment; */ SELECT ';';;\n;SELECT\n3";
        assert_eq!(parse(text, None), Ok(vec![2, 5, 6]));
        assert_eq!(parse("  -- nothing\n ; ", None), Ok(vec![]));
        assert_eq!(
            parse("COPY (SELECT 1) TO 'x.csv'; CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x.csv'", None),
            Ok(vec![1, 1])
        );
    }

    #[test]
    fn errors_say_where() {
        let error = parse("SELECT 1;\nSELECT\t1 GROUP 1;", Some("a.sql")).unwrap_err();
        assert!(error.starts_with("a.sql:2:"), "{error}");
        assert!(error.lines().nth(1) == Some("  SELECT\t1 GROUP 1;"), "{error}");
        let caret = error.lines().nth(2).unwrap();
        assert!(caret.ends_with('^') && caret.contains('\t'), "{error}");
        let error = parse("SELECT 1;\n\nSELECT (1 +;", Some("a.sql")).unwrap_err();
        assert!(error.starts_with("a.sql:3"), "{error}");
        let error = parse("SELECT 'open", None).unwrap_err();
        assert_eq!(error, "unterminated string literal\n  SELECT 'open\n         ^");
        assert!(parse("SELECT 1 2", None).unwrap_err().starts_with("expected end of statement, found 2"));
    }
}
