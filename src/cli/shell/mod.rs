//! The interactive shell.

mod helper;

use std::io::Write;
use std::path::{Path, PathBuf};

use datafusion::prelude::SessionContext;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::engine::Engine;
use super::errors::{Failure, note};
use super::output::{Format, OutputArgs, Printer, parse_rows};
use super::runner::Runner;
use super::script::commands::{self, Command};
use super::script::lexer;
use super::statements::Source;
use helper::{Names, SqlHelper};

const PROMPT: &str = "limpid> ";
const MORE: &str = "     -> ";

type LineEditor = Editor<SqlHelper, FileHistory>;

/// Reads and runs statements until the user leaves.
pub fn run(output: OutputArgs, engine: &Engine, ctx: &SessionContext) -> Result<(), Failure> {
    if !engine.quiet {
        note(&format!("limpid {} - \\h for help, \\q to leave", env!("CARGO_PKG_VERSION")));
    }
    let mut editor = editor().map_err(|e| Failure::error(format!("cannot use this terminal: {e}")))?;
    let history = history_file();
    if let Some(path) = &history {
        // There is none before the first session.
        let _ = editor.load_history(path);
    }
    Shell { engine, ctx, output, timing: !engine.quiet, history }.read(&mut editor)
}

struct Shell<'a> {
    engine: &'a Engine,
    ctx: &'a SessionContext,
    output: OutputArgs,
    timing: bool,
    history: Option<PathBuf>,
}

impl Shell<'_> {
    fn read(&mut self, editor: &mut LineEditor) -> Result<(), Failure> {
        let mut text = String::new();
        loop {
            if text.is_empty()
                && let Some(helper) = editor.helper_mut()
            {
                helper.learn(Names::of(self.ctx));
            }
            match editor.readline(if text.is_empty() { PROMPT } else { MORE }) {
                Ok(line) => {
                    let starts = text.is_empty() || line.trim_start().starts_with('\\');
                    if starts && let Some(command) = commands::parse(&line) {
                        self.remember(editor, &line);
                        match self.command(command) {
                            Ok(true) => continue,
                            Ok(false) => return Ok(()),
                            Err(failure) => Self::tell(&failure)?,
                        }
                        continue;
                    }
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&line);
                    if text.trim().is_empty() {
                        text.clear();
                    } else if lexer::is_complete(&text) {
                        self.remember(editor, &text);
                        let source = Source::typed(std::mem::take(&mut text));
                        if let Err(failure) = self.execute(source) {
                            Self::tell(&failure)?;
                        }
                    }
                }
                Err(ReadlineError::Interrupted) => text.clear(),
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(Failure::error(format!("cannot read from this terminal: {error}"))),
            }
        }
    }

    /// Does what a backslash command says; `false` to leave.
    fn command(&mut self, command: Command) -> Result<bool, Failure> {
        match command {
            Command::Quit => return Ok(false),
            Command::Help => write!(std::io::stdout(), "{}", commands::help())?,
            Command::Timing => {
                self.timing = !self.timing;
                note(if self.timing { "timing is on" } else { "timing is off" });
            }
            Command::Vertical => {
                let vertical = self.output.format == Some(Format::Vertical);
                self.output.format = Some(if vertical { Format::Table } else { Format::Vertical });
                note(if vertical { "results are tables" } else { "results are one line a value" });
            }
            Command::Rows(rows) => match parse_rows(&rows) {
                Ok(rows) => self.output.max_rows = Some(rows),
                Err(error) => note(&format!("error: {error}")),
            },
            Command::Include(path) => self.execute(Source::of_file(Path::new(&path))?)?,
            Command::Sql(sql) => self.execute(Source::typed(sql))?,
            Command::Unknown(name) => {
                note(&format!("error: there is no command {name}, or its argument is missing; \\h lists them"))
            }
        }
        Ok(true)
    }

    fn execute(&self, source: Source) -> Result<(), Failure> {
        let printer = Printer::new(&self.output)?.in_shell();
        let mut runner = Runner { ctx: self.ctx.clone(), printer, timing: self.timing, notes: true };
        self.engine.run(async move { runner.run(&source).await })
    }

    /// Keeps a statement at once: a killed shell loses none, and two shells share one file.
    fn remember(&mut self, editor: &mut LineEditor, text: &str) {
        let added = editor.add_history_entry(text.trim()).unwrap_or(false);
        if added
            && let Some(path) = &self.history
            && let Err(error) = append_history(editor, path)
        {
            note(&format!("warning: cannot keep the history in {}: {error}", path.display()));
            self.history = None;
        }
    }

    /// A failed statement does not end the shell; a closed terminal does.
    fn tell(failure: &Failure) -> Result<(), Failure> {
        match failure {
            Failure::ClosedOutput => Err(Failure::ClosedOutput),
            Failure::Interrupted(130) => {
                note("\ncancelled");
                Ok(())
            }
            Failure::Interrupted(code) => Err(Failure::Interrupted(*code)),
            other => {
                other.report();
                Ok(())
            }
        }
    }
}

fn editor() -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(10_000)?
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(SqlHelper::new()));
    Ok(editor)
}

/// `$XDG_STATE_HOME/limpid/history`, by default in `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("limpid/history"))
}

fn append_history(editor: &mut LineEditor, path: &Path) -> rustyline::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.append_history(path)
}
