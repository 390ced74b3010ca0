//! What the line editor knows of SQL: completion and colours.

use std::borrow::Cow;

use datafusion::prelude::SessionContext;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::{Context, Helper, Hinter, Validator};

use crate::cli::script::commands;
use crate::cli::script::lexer::{self, Kind as Piece};
use crate::session::catalogue::{self, Entry, Kind};

/// Words of SQL that are completed and coloured.
const KEYWORDS: &[&str] = &[
    "ALL",
    "ANALYZE",
    "AND",
    "ANTI",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "CSV",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "FUNCTIONS",
    "GROUP",
    "HAVING",
    "IF",
    "ILIKE",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "JSON",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OPTIONS",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARQUET",
    "PARTITION",
    "PARTITIONED",
    "QUALIFY",
    "RANGE",
    "RECURSIVE",
    "REPLACE",
    "RESET",
    "RIGHT",
    "ROWS",
    "SELECT",
    "SEMI",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "TABLES",
    "THEN",
    "TO",
    "TRUE",
    "UNION",
    "UNNEST",
    "USING",
    "VALUES",
    "VERBOSE",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Candidates for completion beside keywords.
#[derive(Debug, Default)]
pub struct Names {
    functions: Vec<String>,
    /// Functions whose place is behind FROM.
    relations: Vec<String>,
    tables: Vec<String>,
    settings: Vec<String>,
}

impl Names {
    /// What the session knows now.
    pub fn of(ctx: &SessionContext) -> Self {
        let state = ctx.state();
        let call = |entries: Vec<Entry>| entries.into_iter().map(|e| format!("{}(", e.name)).collect();
        let (relations, functions) =
            catalogue::entries(&state).into_iter().partition(|e| matches!(e.kind, Kind::Table | Kind::Relation));
        let mut settings: Vec<String> = state.config_options().entries().into_iter().map(|e| e.key).collect();
        settings.sort();
        let mut tables = Vec::new();
        let defaults = &state.config_options().catalog;
        for catalog_name in state.catalog_list().catalog_names() {
            let Some(catalog) = state.catalog_list().catalog(&catalog_name) else { continue };
            for schema_name in catalog.schema_names() {
                let Some(schema) = catalog.schema(&schema_name) else { continue };
                let here = catalog_name == defaults.default_catalog && schema_name == defaults.default_schema;
                let qualified = |t: String| if here { t } else { format!("{schema_name}.{t}") };
                tables.extend(schema.table_names().into_iter().map(qualified));
            }
        }
        tables.sort();
        Self { functions: call(functions), relations: call(relations), tables, settings }
    }
}

/// Completes and colours the line being typed.
#[derive(Helper, Hinter, Validator)]
pub struct SqlHelper {
    names: Names,
    files: FilenameCompleter,
}

impl SqlHelper {
    /// A helper that knows no names yet.
    pub fn new() -> Self {
        Self { names: Names::default(), files: FilenameCompleter::new() }
    }

    /// Takes over what the session knows now.
    pub fn learn(&mut self, names: Names) {
        self.names = names;
    }

    /// What may follow `before`, whose last piece is the beginning of a word.
    fn words(&self, before: &str, word: &str) -> Vec<Pair> {
        let typed = word.to_lowercase();
        let earlier = lexer::pieces(&before[..before.len() - word.len()]);
        let mut earlier =
            earlier.iter().filter(|p| p.kind == Piece::Word).map(|p| before[p.start..p.end].to_uppercase());
        let first = earlier.next().unwrap_or_default();
        let last = earlier.next_back().unwrap_or_else(|| first.clone());
        let names = &self.names;
        let mut found: Vec<&String> = names.tables.iter().filter(|t| t.to_lowercase().starts_with(&typed)).collect();
        found.extend(names.relations.iter().filter(|f| f.starts_with(&typed)));
        if matches!(first.as_str(), "SET" | "RESET" | "SHOW") {
            found.extend(names.settings.iter().filter(|s| s.starts_with(&typed)));
        }
        // A name behind a dot is a column or a table, and behind these words stands a relation.
        let relation = matches!(last.as_str(), "FROM" | "JOIN" | "INTO" | "DESCRIBE" | "TABLE");
        if word.contains('.') || (relation && !found.is_empty()) {
            return found.into_iter().map(pair).collect();
        }
        found.extend(names.functions.iter().filter(|f| f.starts_with(&typed)));
        let lower = word.chars().any(char::is_lowercase);
        let keywords = KEYWORDS.iter().filter(|k| k.to_lowercase().starts_with(&typed));
        let keywords = keywords.map(|k| pair(if lower { k.to_lowercase() } else { (*k).to_owned() }));
        found.into_iter().map(pair).chain(keywords).collect()
    }
}

impl Completer for SqlHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        if let Some(typed) = before.strip_prefix('\\')
            && !typed.contains(' ')
        {
            return Ok((0, commands::names().filter(|n| n.starts_with(before)).map(pair).collect()));
        }
        let pieces = lexer::pieces(before);
        match pieces.last() {
            Some(last) if matches!(last.kind, Piece::Text | Piece::Comment) && !last.closed => match last.kind {
                Piece::Text => self.files.complete_path(line, pos),
                _ => Ok((pos, Vec::new())),
            },
            Some(last) if last.kind == Piece::Word => Ok((last.start, self.words(before, &before[last.start..]))),
            // Listing everything helps nobody, but tables are few.
            _ => {
                Ok((pos, self.names.tables.iter().filter(|t| !t.starts_with("information_schema")).map(pair).collect()))
            }
        }
    }
}

fn pair(name: impl Into<String>) -> Pair {
    let name = name.into();
    Pair { display: name.clone(), replacement: name }
}

impl Highlighter for SqlHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if line.starts_with('\\') {
            return Cow::Borrowed(line);
        }
        let mut coloured = String::with_capacity(line.len() * 2);
        for piece in lexer::pieces(line) {
            let text = &line[piece.start..piece.end];
            let colour = match piece.kind {
                Piece::Word if KEYWORDS.binary_search(&text.to_uppercase().as_str()).is_ok() => "1;34",
                Piece::Text => "32",
                Piece::Number => "33",
                Piece::Comment => "2",
                _ => {
                    coloured.push_str(text);
                    continue;
                }
            };
            coloured.push_str(&format!("\x1b[{colour}m{text}\x1b[0m"));
        }
        Cow::Owned(coloured)
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

#[cfg(test)]
mod tests {
    use rustyline::history::DefaultHistory;

    use super::*;

    fn completed(line: &str) -> Vec<String> {
        let ctx = SessionContext::new();
        ctx.register_batch(
            "docs",
            arrow::record_batch::RecordBatch::new_empty(arrow::datatypes::Schema::empty().into()),
        )
        .unwrap();
        let mut helper = SqlHelper::new();
        helper.learn(Names::of(&ctx));
        let history = DefaultHistory::new();
        let (start, found) = helper.complete(line, line.len(), &Context::new(&history)).unwrap();
        found.iter().map(|p| format!("{}{}", &line[..start], p.replacement)).collect()
    }

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn completion_knows_keywords_tables_functions_settings_and_files() {
        assert_eq!(completed("SEL"), ["SELECT"]);
        assert_eq!(completed("sel"), ["select"]);
        assert_eq!(completed("SELECT * FROM do"), ["SELECT * FROM docs"]);
        assert!(completed("SELECT do").contains(&"SELECT docs".to_owned()));
        assert!(completed("select 1 from rang").contains(&"select 1 from range(".to_owned()));
        assert_eq!(completed("select * from docs whe"), ["select * from docs when", "select * from docs where"]);
        assert!(completed("select octet_l").contains(&"select octet_length(".to_owned()));
        assert!(
            completed("SET datafusion.execution.batch_s").contains(&"SET datafusion.execution.batch_size".to_owned())
        );
        assert_eq!(completed("SELECT * FROM 'Cargo.t"), ["SELECT * FROM 'Cargo.toml"]);
        assert!(completed("\\ti").contains(&"\\timing".to_owned()));
        assert!(completed("SELECT 'sel").is_empty());
    }

    #[test]
    fn colours_leave_the_text() {
        let line = "SELECT 'a', 1 -- b";
        let coloured = SqlHelper::new().highlight(line, 0).into_owned();
        assert!(coloured.contains("\x1b[1;34mSELECT\x1b[0m") && coloured.contains("\x1b[32m'a'\x1b[0m"));
        let mut plain = coloured;
        for code in ["1;34", "32", "33", "2", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, line);
    }
}
