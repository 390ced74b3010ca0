//! Scripts: statements, and commands of the shell on lines of their own between them.

pub mod commands;
pub mod lexer;

use std::path::Path;

use datafusion::execution::session_state::SessionState;

use super::errors::Failure;
use super::statements::{Located, Source};
use commands::Command;

/// A part of a script.
#[derive(Debug)]
pub enum Part {
    /// Statements. Lines before them are empty, so that places are those of the whole script.
    Statements(Source),
    /// A command.
    Command(Command),
}

/// A part that can be run.
#[derive(Debug)]
pub enum Parsed {
    /// Statements of the script.
    Statements(Vec<Located>),
    /// Tell the time of each statement, or no longer.
    Timing,
    /// The statement that a command stands for.
    Sql(Source),
    /// Another script.
    Include(Source),
    /// The end.
    Quit,
}

/// Cuts a script at its commands.
pub fn parts(source: &Source) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut text, mut lines) = (String::new(), 0);
    let statements =
        |text: &mut String| Part::Statements(Source { file: source.file.clone(), text: std::mem::take(text) });
    for line in source.text.split_inclusive('\n') {
        lines += 1;
        // Whether a statement has ended is asked at such lines alone: the answer reads all of its text.
        let is_command = line.trim_start().starts_with('\\') && lexer::is_complete(&text);
        match commands::parse(line).filter(|_| is_command) {
            Some(command) => {
                if !text.trim().is_empty() {
                    parts.push(statements(&mut text));
                }
                parts.push(Part::Command(command));
                text = "\n".repeat(lines);
            }
            None => text.push_str(line),
        }
    }
    if !text.trim().is_empty() {
        parts.push(statements(&mut text));
    }
    parts
}

impl Part {
    /// Reads the part.
    ///
    /// # Errors
    /// A statement that does not parse, a file that cannot be read, a command that only the shell has.
    pub fn parse(self, state: &SessionState) -> Result<Parsed, Failure> {
        let shell_only =
            |name: &str, instead: &str| Failure::error(format!("{name} works in the shell only; {instead}"));
        match self {
            Self::Statements(source) => Ok(Parsed::Statements(source.parse(state)?)),
            Self::Command(Command::Timing) => Ok(Parsed::Timing),
            Self::Command(Command::Quit) => Ok(Parsed::Quit),
            Self::Command(Command::Sql(sql)) => Ok(Parsed::Sql(Source::typed(sql))),
            Self::Command(Command::Include(path)) => Ok(Parsed::Include(Source::of_file(Path::new(&path))?)),
            Self::Command(Command::Vertical) => Err(shell_only("\\x", "start with --format vertical")),
            Self::Command(Command::Rows(_)) => Err(shell_only("\\rows", "start with --max-rows")),
            Self::Command(Command::Help) => Err(shell_only("\\h", "limpid sql --help says what scripts can do")),
            Self::Command(Command::Unknown(name)) => {
                Err(Failure::error(format!("there is no command {name}, or its argument is missing")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_on_lines_between_statements() {
        let text = "\\timing\nSELECT 1;\n\\d\nSELECT '\n\\d\n';\n\\q";
        let source = Source { file: Some("a.sql".to_owned()), text: text.to_owned() };
        let found: Vec<String> = parts(&source)
            .into_iter()
            .map(|part| match part {
                Part::Statements(source) => format!("{:?}", source.text),
                Part::Command(command) => format!("{command:?}").chars().take(6).collect(),
            })
            .collect();
        let statements = ["\"\\nSELECT 1;\\n\"", "\"\\n\\n\\nSELECT '\\n\\\\d\\n';\\n\""];
        assert_eq!(found, ["Timing", statements[0], "Sql(\"S", statements[1], "Quit"]);
    }
}
