//! Translates errors of the engine to plain language.

mod signatures;

use arrow::error::ArrowError;
use datafusion::common::utils::quote_identifier;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;

/// A message with the position in the SQL that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What is wrong, without a leading `error:`.
    pub text: String,
    /// Line and column, both from 1.
    pub place: Option<(u64, u64)>,
    /// Whether the cause is a file that does not contain what its format promises.
    pub unreadable: bool,
}

/// Translates an error: removes names of the engine's layers and locates it in the SQL.
pub fn plain(error: &DataFusionError) -> Message {
    match error {
        DataFusionError::SQL(parser, _) => parse_error(parser),
        _ => Message { text: tidy(&words(error)), place: place(error), unreadable: is_unreadable(error) },
    }
}

/// Whether a message reports a full disk. Some layers pass the system's error on as text only.
pub fn is_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("not enough space on the disk")
}

fn is_unreadable(error: &DataFusionError) -> bool {
    use ArrowError as A;
    match error.find_root() {
        DataFusionError::ParquetError(_) => true,
        DataFusionError::ArrowError(error, _) => {
            matches!(**error, A::ParquetError(_) | A::CsvError(_) | A::JsonError(_) | A::IpcError(_))
        }
        _ => false,
    }
}

fn place(error: &DataFusionError) -> Option<(u64, u64)> {
    error.diagnostic().and_then(|d| d.span).map(|span| (span.start.line, span.start.column))
}

fn words(error: &DataFusionError) -> String {
    use DataFusionError as E;
    match error {
        E::Plan(text) | E::Execution(text) | E::Configuration(text) | E::Substrait(text) | E::Ffi(text) => text.clone(),
        E::ResourcesExhausted(text) => exhausted(text),
        E::NotImplemented(text) if changes_files(text) => {
            "only tables that CREATE TABLE made can be changed, files cannot; write the rows you want with COPY (SELECT ...) TO a new file".to_owned()
        }
        E::NotImplemented(text) => format!("not supported: {}", signatures::without_syntax_trees(text)),
        E::Internal(text) => internal(text),
        E::SQL(parser, _) => parse_error(parser).text,
        E::SchemaError(schema, _) => schema_error(schema),
        E::ArrowError(error, _) => arrow(error),
        E::ParquetError(error) => parquet(&error.to_string()),
        E::ObjectStore(error) => object_store(error),
        E::IoError(error) => error.to_string(),
        E::External(error) => external(error.as_ref()),
        E::ExecutionJoin(error) => bug(&error.to_string()),
        E::Context(context, inner) if names_a_rule(context) => words(inner),
        E::Context(context, inner) => format!("{context}: {}", words(inner)),
        E::Diagnostic(_, inner) => words(inner),
        E::Shared(inner) => words(inner),
        E::Collection(errors) => {
            let all: Vec<String> = errors.iter().map(words).collect();
            all.join("; ")
        }
    }
}

/// Whether a context only says which part of the planner was active.
fn names_a_rule(context: &str) -> bool {
    context.starts_with("Optimizer rule") || context.starts_with("Analyzer rule") || !context.contains(' ')
}

/// Says which resource ran out and which flags change that; DataFusion names its own settings.
fn exhausted(text: &str) -> String {
    let text = without_settings(text);
    if text.contains("disk") {
        format!("{text}; give a larger disk with --spill-dir, or more memory with --memory-limit")
    } else {
        format!("out of memory: {text}; raise --memory-limit, or lower --threads or --batch-size")
    }
}

/// Removes sentences that recommend settings of DataFusion.
fn without_settings(text: &str) -> String {
    let recommends = |sentence: &str| sentence.contains("datafusion.") && !sentence.contains("datafusion.public");
    if !recommends(text) {
        return text.trim_end().to_owned();
    }
    let sentences = text.split_inclusive(". ").flat_map(|part| part.split_inclusive('\n'));
    let kept: String = sentences.filter(|sentence| !recommends(sentence)).collect();
    kept.trim_end_matches([' ', '.', '\n']).to_owned()
}

/// What tables over files say to INSERT, UPDATE, DELETE, MERGE and TRUNCATE.
fn changes_files(text: &str) -> bool {
    text.contains("not supported for Base table") || text.contains("Insert into not implemented for this table")
}

/// DataFusion also calls it an internal error if arguments have wrong types. What remains is a bug of limpid: users did not
/// call DataFusion.
fn internal(text: &str) -> String {
    let text = signatures::without_blame(text);
    let text = match text.strip_prefix("Assertion failed: ").and_then(|rest| rest.split_once(": ")) {
        Some((_, why)) => why,
        None => text.as_str(),
    };
    if let Some(plain) = signatures::plain(text) {
        return plain;
    }
    if is_mistake(text) {
        return text.to_owned();
    }
    bug(text)
}

/// The message for an error that no user can have caused.
pub fn bug(text: &str) -> String {
    format!("this is a bug of limpid, please report it together with the statement: {text}")
}

/// Parts of internal errors that report arguments of a type which a function does not accept.
const MISTAKES: [&str; 14] = [
    "argument",
    "data type",
    "Unsupported",
    "unsupported",
    "not supported",
    "expected",
    "Expected",
    "expects",
    "coerce",
    "could not cast",
    "default cast",
    "invalid",
    "not implemented",
    "Uncomparable",
];

fn is_mistake(text: &str) -> bool {
    MISTAKES.iter().any(|word| text.contains(word))
}

fn schema_error(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            match valid_fields.iter().find(|valid| differs_in_case(&valid.name, &field.name)) {
                Some(meant) => quoting(field, meant, valid_fields),
                None => error.to_string().replacen("No field named ", "there is no column ", 1).replacen(
                    "Valid fields are ",
                    "The columns are ",
                    1,
                ),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            format!("column {} is in more than one table; write table.column", field.quoted_flat_name())
        }
        _ => error.to_string(),
    }
}

/// Users write the name as they see it, and SQL reads it in lower case.
fn quoting(given: &Column, meant: &Column, columns: &[Column]) -> String {
    let columns: Vec<String> = columns.iter().map(Column::quoted_flat_name).collect();
    format!(
        "there is no column {}; write {}: a name without double quotes is read in lower case. The columns are {}.",
        given.flat_name(),
        quote_identifier(&meant.name),
        columns.join(", ")
    )
}

fn differs_in_case(valid: &str, given: &str) -> bool {
    valid != given && valid.to_lowercase() == given.to_lowercase()
}

fn arrow(error: &ArrowError) -> String {
    use ArrowError as E;
    match error {
        E::ExternalError(error) => external(error.as_ref()),
        E::IoError(_, error) => error.to_string(),
        E::DivideByZero => "division by zero".to_owned(),
        E::NotYetImplemented(text) => format!("not supported: {text}"),
        E::CastError(text)
        | E::MemoryError(text)
        | E::ParseError(text)
        | E::SchemaError(text)
        | E::ComputeError(text)
        | E::ArithmeticOverflow(text)
        | E::CsvError(text)
        | E::JsonError(text)
        | E::IpcError(text)
        | E::InvalidArgumentError(text) => text.clone(),
        E::ParquetError(text) => parquet(text),
        other => other.to_string(),
    }
}

fn parquet(text: &str) -> String {
    let text = text.trim_start_matches("Parquet error: ").trim_start_matches("External: ");
    format!("Parquet: {text}")
}

fn object_store(error: &object_store::Error) -> String {
    use object_store::Error as E;
    match error {
        E::NotFound { path, .. } => format!("there is no file {}", absolute(path)),
        E::PermissionDenied { path, .. } => format!("no permission to use {}", absolute(path)),
        E::AlreadyExists { path, .. } => format!("{} exists already", absolute(path)),
        E::Generic { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// The local store names files without the leading slash.
fn absolute(path: &str) -> String {
    let rooted = format!("/{path}");
    if !path.starts_with('/') && std::path::Path::new(&rooted).parent().is_some_and(std::path::Path::exists) {
        rooted
    } else {
        path.to_owned()
    }
}

fn external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        words(error)
    } else if let Some(error) = error.downcast_ref::<ArrowError>() {
        arrow(error)
    } else if let Some(error) = error.downcast_ref::<object_store::Error>() {
        object_store(error)
    } else {
        error.to_string()
    }
}

/// The parser's complaint, with the place it writes at the end of its message taken out of it.
fn parse_error(error: &ParserError) -> Message {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_owned(),
    };
    let (text, place) = match text.rsplit_once(" at Line: ").map(|(head, tail)| (head.to_owned(), read_place(tail))) {
        Some((head, Some(place))) => (head, Some(place)),
        _ => (text, None),
    };
    let text = text
        .replacen("Expected: ", "expected ", 1)
        .replacen(", found: EOF", ", found the end of the statement", 1)
        .replacen(", found: ", ", found ", 1);
    Message { text: tidy(&text), place, unreadable: false }
}

/// Reads `3, Column: 14`.
fn read_place(tail: &str) -> Option<(u64, u64)> {
    let (line, column) = tail.split_once(", Column: ")?;
    Some((line.parse().ok()?, column.trim_end().parse().ok()?))
}

/// One paragraph without the default catalogue's name and the prefixes that nested errors carry as text.
fn tidy(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let mut text = without_settings(&signatures::without_blame(text).replace("datafusion.public.", ""));
    for prefix in [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "Parquet error: ",
        "External error: ",
        "This feature is not implemented: ",
        "Schema error: ",
        "Internal error: ",
    ] {
        text = text.replace(prefix, "");
    }
    let text = missing_file(&text).or_else(|| signatures::plain(&text)).unwrap_or(text);
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let mut joined = lines.next().unwrap_or("unknown error").to_owned();
    for line in lines {
        if !joined.ends_with(['.', '?', '!', ',', ';', ':']) {
            joined.push(';');
        }
        joined.push(' ');
        joined.push_str(line);
    }
    uncapitalised(&joined)
}

/// A table whose name looks like a path is a file to the user.
fn missing_file(text: &str) -> Option<String> {
    let name = text.strip_prefix("table '")?.strip_suffix("' not found")?;
    name.contains(['/', '.', '*']).then(|| format!("there is no file or table '{name}'"))
}

/// A message follows a colon and therefore starts in lower case, unless its first word is not an ordinary capitalised word.
fn uncapitalised(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if word.len() > 1 && word.chars().skip(1).all(|c| c.is_ascii_lowercase()) && word != "Parquet" => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::{plan_datafusion_err, plan_err};
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn error_of(sql: &str) -> Message {
        let ctx = SessionContext::new();
        ctx.sql("SET datafusion.sql_parser.collect_spans = true").await.unwrap();
        let error = match ctx.sql(sql).await {
            Ok(frame) => frame.collect().await.unwrap_err(),
            Err(error) => error,
        };
        plain(&error)
    }

    #[tokio::test]
    async fn parse_errors_carry_their_place() {
        let error = error_of("SELECT 1\n  GROUP 1").await;
        assert!(error.text.starts_with("expected "), "{error:?}");
        assert_eq!(error.place.unwrap().0, 2, "{error:?}");
        let error = error_of("SELECT 'open").await;
        assert_eq!((error.text.as_str(), error.place), ("unterminated string literal", Some((1, 8))));
        let error = error_of("SELECT (1 +").await;
        assert_eq!(error.text, "expected an expression, found the end of the statement");
    }

    #[tokio::test]
    async fn planning_errors_are_plain() {
        let error = error_of("SELECT alpa FROM (SELECT 1 AS alpha)").await;
        assert_eq!(error.text, "there is no column alpa. Did you mean 'alpha'? The columns are alpha.");
        assert_eq!(error.place, Some((1, 8)));
        let error = error_of("SELECT * FROM nowhere").await;
        assert_eq!(error.text, "table 'nowhere' not found");
        for (sql, said) in [("SELECT nofunc(1)", "Invalid function 'nofunc'"), ("SELECT 1/0", "division by zero")] {
            let error = error_of(sql).await;
            assert!(error.text.to_lowercase().starts_with(&said.to_lowercase()), "{error:?}");
        }
        let error = error_of("SELECT CAST('x' AS INT)").await;
        assert!(!error.text.contains("Arrow error") && !error.text.contains("Optimizer rule"), "{error:?}");
        assert!(error.text.starts_with("cannot cast string 'x'"), "{error:?}");
        let error = error_of("SELECT * FROM 'a/b.parquet'").await;
        assert_eq!(error.text, "there is no file or table 'a/b.parquet'");
    }

    #[tokio::test]
    async fn names_with_capitals_are_quoted() {
        let error = error_of("SELECT UserId FROM (SELECT 1 AS \"UserId\", 2 AS n) AS u").await;
        let said = "there is no column userid; write \"UserId\": a name without double quotes is read in lower case. \
                    The columns are u.\"UserId\", u.n.";
        assert_eq!(error.text, said);
    }

    #[test]
    fn mistakes_are_no_bugs_and_bugs_are_ours() {
        let internal = |text: &str| plain(&DataFusionError::Internal(text.to_owned())).text;
        assert_eq!(
            internal("f got an argument of a data type it does not know"),
            "f got an argument of a data type it does not know"
        );
        let bug = internal("physical input schema\nThis issue was likely caused by a bug in DataFusion's code.");
        assert_eq!(bug, "this is a bug of limpid, please report it together with the statement: physical input schema");
    }

    #[test]
    fn settings_are_flags() {
        let text =
            "Failed to allocate 10 MB. Consider increasing the config 'datafusion.runtime.memory_limit', or else";
        let error = plain(&DataFusionError::ResourcesExhausted(text.to_owned())).text;
        assert_eq!(
            error,
            "out of memory: Failed to allocate 10 MB; raise --memory-limit, or lower --threads or --batch-size"
        );
    }

    #[test]
    fn layers_do_not_show() {
        let inner = plan_datafusion_err!("argument threshold is 1.7; allowed is 0 to 1");
        let layered = DataFusionError::Context("type_coercion".to_owned(), Box::new(inner));
        let layered = DataFusionError::External(Box::new(ArrowError::ExternalError(Box::new(layered))));
        assert_eq!(plain(&layered).text, "argument threshold is 1.7; allowed is 0 to 1");
        let useful = DataFusionError::Context("reading a.parquet".to_owned(), Box::new(plan_datafusion_err!("short")));
        assert_eq!(plain(&useful).text, "reading a.parquet: short");
        let listed: datafusion::common::Result<()> = plan_err!("first\nsecond line.\nthird");
        assert_eq!(plain(&listed.unwrap_err()).text, "first; second line. third");
        assert_eq!(uncapitalised("UTF-8 is needed"), "UTF-8 is needed");
    }
}
