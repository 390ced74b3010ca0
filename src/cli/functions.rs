//! `limpid functions`: the reference in the terminal.

use std::io::{BufWriter, Write};

use clap::Args;

use super::engine::Engine;
use super::errors::Failure;
use crate::session::catalogue::{self, Entry};

/// Show limpid's SQL functions and relation operators with their documentation
#[derive(Debug, Args)]
pub struct FunctionsArgs {
    /// Only names that contain this text; an exact name shows everything about it
    pub pattern: Option<String>,
    /// DataFusion's functions too
    #[arg(long)]
    pub all: bool,
}

/// Runs the command.
pub fn run(args: &FunctionsArgs, engine: &Engine) -> Result<(), Failure> {
    let ctx = engine.session()?;
    let pattern = args.pattern.as_deref().unwrap_or_default().to_lowercase();
    let mut entries = catalogue::entries(&ctx.state());
    let exact = entries.iter().any(|e| e.name == pattern);
    entries.retain(|e| if exact { e.name == pattern } else { (args.all || e.ours) && e.name.contains(&pattern) });
    if entries.is_empty() {
        return Err(Failure::error(format!("no function's name contains '{pattern}'")));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let width = terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0).clamp(40, 120));
    for (i, entry) in entries.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        short(&mut out, entry, width)?;
        if entries.len() == 1 {
            long(&mut out, entry, width)?;
        }
    }
    Ok(out.flush()?)
}

fn short(out: &mut impl Write, entry: &Entry, width: usize) -> Result<(), Failure> {
    writeln!(out, "{}   [{}]", entry.syntax(), entry.kind.word())?;
    Ok(wrapped(out, &entry.description(), "    ", width)?)
}

fn long(out: &mut impl Write, entry: &Entry, width: usize) -> Result<(), Failure> {
    let Some(documentation) = &entry.documentation else { return Ok(()) };
    for other in documentation.alternative_syntax.iter().flatten() {
        writeln!(out, "    also: {other}")?;
    }
    if let Some(arguments) = &documentation.arguments {
        writeln!(out, "\nArguments:")?;
        for (name, description) in arguments {
            writeln!(out, "  {name}")?;
            wrapped(out, description, "      ", width)?;
        }
    }
    if let Some(example) = &documentation.sql_example {
        writeln!(out, "\nExample:")?;
        for line in example.lines().filter(|l| !l.trim_start().starts_with("```")) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// Words on lines of at most `width` columns.
fn wrapped(out: &mut impl Write, text: &str, indent: &str, width: usize) -> std::io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + 1 + word.len() > width {
            writeln!(out, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.is_empty() { Ok(()) } else { writeln!(out, "{indent}{line}") }
}
