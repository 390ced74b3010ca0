//! The commands of the shell that are not SQL.

/// What a line that begins with a backslash asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Leave.
    Quit,
    /// Say what can be typed.
    Help,
    /// Tell the time of each statement, or no longer.
    Timing,
    /// Turn between tables and one line a value.
    Vertical,
    /// Show so many rows of a table, or all.
    Rows(String),
    /// Run a file.
    Include(String),
    /// Run a statement.
    Sql(String),
    /// Something that there is not.
    Unknown(String),
}

/// Name, argument, meaning.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("\\d", "[TABLE]", "tables, or the columns of one"),
    ("\\df", "[PATTERN]", "limpid's functions, or all whose names contain the pattern"),
    ("\\h", "", "this help"),
    ("\\i", "FILE", "run the statements of a file"),
    ("\\q", "", "leave (also quit, exit or Ctrl-D)"),
    ("\\rows", "N|all", "rows of a result that are shown"),
    ("\\timing", "", "tell or no longer tell rows, seconds and memory"),
    ("\\x", "", "one line a value, or tables again"),
];

/// Reads a line; `None` where it is SQL.
pub fn parse(line: &str) -> Option<Command> {
    let line = line.trim().trim_end_matches(';').trim_end();
    if matches!(line.to_lowercase().as_str(), "quit" | "exit") {
        return Some(Command::Quit);
    }
    if !line.starts_with('\\') {
        return None;
    }
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim();
    Some(match (name, argument) {
        ("\\q", _) => Command::Quit,
        ("\\h" | "\\?", _) => Command::Help,
        ("\\timing", _) => Command::Timing,
        ("\\x", _) => Command::Vertical,
        ("\\rows", rows) if !rows.is_empty() => Command::Rows(rows.to_owned()),
        ("\\i", file) if !file.is_empty() => Command::Include(file.trim_matches('\'').to_owned()),
        ("\\d" | "\\dt", "") => Command::Sql(
            "SELECT table_schema AS schema, table_name AS name, table_type AS kind FROM information_schema.tables \
             WHERE table_schema <> 'information_schema' ORDER BY 1, 2"
                .to_owned(),
        ),
        ("\\d", table) => Command::Sql(format!("DESCRIBE {table}")),
        ("\\df", "") => Command::Sql("SHOW FUNCTIONS WHERE source = 'limpid'".to_owned()),
        ("\\df", pattern) => {
            let pattern = pattern.replace('\'', "''").replace('*', "%");
            let pattern = if pattern.contains('%') { pattern } else { format!("%{pattern}%") };
            Command::Sql(format!("SHOW FUNCTIONS ILIKE '{pattern}'"))
        }
        _ => Command::Unknown(name.to_owned()),
    })
}

/// Names for completion.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _, _)| *name)
}

/// What the shell understands.
pub fn help() -> String {
    let mut help = String::from("Statements end with a semicolon and may span lines; Tab completes names and paths.\n");
    help.push_str("Ctrl-C cancels a running query or clears the line.\n\n");
    for (name, argument, meaning) in COMMANDS {
        help.push_str(&format!("  {:20} {meaning}\n", format!("{name} {argument}")));
    }
    help.push_str("\nSHOW FUNCTIONS lists every function; `limpid functions NAME` documents one.\n");
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_sql() {
        assert_eq!(parse("\\q"), Some(Command::Quit));
        assert_eq!(parse(" quit ; "), Some(Command::Quit));
        assert_eq!(parse("EXIT"), Some(Command::Quit));
        assert_eq!(parse("\\timing"), Some(Command::Timing));
        assert_eq!(parse("\\rows 5"), Some(Command::Rows("5".to_owned())));
        assert_eq!(parse("\\d docs;"), Some(Command::Sql("DESCRIBE docs".to_owned())));
        assert_eq!(parse("\\df hash*"), Some(Command::Sql("SHOW FUNCTIONS ILIKE 'hash%'".to_owned())));
        assert_eq!(parse("\\nonsense x"), Some(Command::Unknown("\\nonsense".to_owned())));
        assert_eq!(parse("\\i"), Some(Command::Unknown("\\i".to_owned())));
        assert_eq!(parse("SELECT 'quit'"), None);
        assert_eq!(parse("exit_code"), None);
    }

    #[test]
    fn help_names_every_command() {
        assert!(names().all(|name| help().contains(name)));
    }
}
