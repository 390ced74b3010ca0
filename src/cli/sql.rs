//! `limpid sql`: statements from the command line, from files, from standard input, or typed into a shell.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;

use super::engine::Engine;
use super::errors::Failure;
use super::output::{OutputArgs, Printer};
use super::runner::Runner;
use super::shell;
use super::statements::Source;

/// Run SQL: statements given here, in files or on standard input, or an interactive shell
///
/// All statements of a source are read before the first one runs, and the first that fails ends the program. With -c, -f
/// or SQL on standard input, results go to standard output and everything else to standard error. Tables are cut to the
/// terminal and to its first 40 rows; into a pipe or a file goes everything.
///
/// Exit codes: 0 done, 1 a statement or its input was wrong, 2 the command line was wrong, 130 interrupted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SqlArgs {
    /// Run these statements, separated by semicolons; may be given several times
    #[arg(short, long, value_name = "SQL")]
    pub command: Vec<String>,
    /// Run the statements of a file, `-` for standard input; files run before -c
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help of the command")]
    pub output: OutputArgs,
    /// Say rows, seconds and peak memory of each statement on standard error
    #[arg(long)]
    pub timing: bool,
}

const EXAMPLES: &str = "Examples:
  limpid sql -c \"SELECT count(*) FROM 'docs/*.parquet'\"
  limpid sql -f curate.sql --memory-limit 4GiB
  limpid sql --format csv -c \"SELECT * FROM 'a.parquet'\" | head
  limpid sql                      start the shell; \\h there lists its commands";

/// Runs the command.
pub fn run(args: &SqlArgs, engine: &Engine) -> Result<(), Failure> {
    let sources = sources(args)?;
    let ctx = engine.session()?;
    let Some(sources) = sources else {
        if args.output.output.is_some() {
            return Err(Failure::Usage("--output needs statements from -c, -f or standard input".to_owned()));
        }
        return shell::run(args.output.clone(), engine, &ctx);
    };
    let mut runner = Runner {
        ctx,
        printer: Printer::new(&args.output)?,
        timing: args.timing && !engine.quiet,
        notes: !engine.quiet,
    };
    engine.run(async move {
        for source in &sources {
            runner.run(source).await?;
        }
        runner.printer.commit()
    })
}

/// The SQL to run; `None` asks for the shell.
fn sources(args: &SqlArgs) -> Result<Option<Vec<Source>>, Failure> {
    let mut sources = Vec::new();
    for path in &args.file {
        sources.push(if path.as_os_str() == "-" { standard_input()? } else { Source::of_file(path)? });
    }
    sources.extend(args.command.iter().map(Source::typed));
    if !sources.is_empty() {
        return Ok(Some(sources));
    }
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    Ok(Some(vec![standard_input()?]))
}

fn standard_input() -> Result<Source, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|e| Failure::error(format!("cannot read SQL from standard input: {e}")))?;
    Ok(Source { file: Some("<stdin>".to_owned()), text })
}
