//! Results of queries, written as they come.

mod cell;
mod formats;
mod records;
mod table;
mod target;
mod writer;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use clap::{Args, ValueEnum};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use limpid_connectors::sinks::encode::{Nested, WriteFormat, WriteKind};
use limpid_connectors::sources::Compression;

use super::errors::Failure;
use target::Target;
use writer::ResultWriter;

/// Rows of a table that a terminal shows unless told otherwise.
const TERMINAL_ROWS: usize = 40;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns with a frame, for people
    Table,
    /// Comma-separated values with a header; nested values as JSON
    Csv,
    /// Tab-separated values with a header; nested values as JSON
    Tsv,
    /// One JSON array of objects
    Json,
    /// One JSON object per line
    #[value(alias = "jsonl")]
    Ndjson,
    /// A Parquet file
    Parquet,
    /// One line a value, for long texts and many columns
    Vertical,
}

/// Where results go and what they look like.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format of results; without it what the name of --output says, else table
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write the result to this file, which appears whole or not at all; its name says format and compression: .parquet,
    /// .csv, .tsv, .json, .jsonl, .ndjson, also with .gz or .zst, or .txt for a table
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Rows to show in formats for people: a number or `all`; 40 on a terminal, else all
    #[arg(long, value_name = "ROWS", value_parser = parse_rows)]
    pub max_rows: Option<MaxRows>,
}

/// A number of rows, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxRows(pub Option<usize>);

/// Reads `--max-rows`.
pub fn parse_rows(given: &str) -> Result<MaxRows, String> {
    if given.eq_ignore_ascii_case("all") {
        return Ok(MaxRows(None));
    }
    given.parse().map(|rows| MaxRows(Some(rows))).map_err(|_| "write a number of rows or 'all'".to_owned())
}

impl Format {
    /// The format of a file that programs read; `None` for those that people read.
    fn file(self) -> Option<WriteFormat> {
        Some(match self {
            Self::Table | Self::Vertical => return None,
            Self::Csv => WriteFormat::Csv,
            Self::Tsv => WriteFormat::Tsv,
            Self::Json => WriteFormat::Json,
            Self::Ndjson => WriteFormat::JsonLines,
            Self::Parquet => WriteFormat::Parquet,
        })
    }

    fn of_file(format: WriteFormat) -> Self {
        match format {
            WriteFormat::Parquet => Self::Parquet,
            WriteFormat::Json => Self::Json,
            WriteFormat::JsonLines => Self::Ndjson,
            WriteFormat::Csv => Self::Csv,
            WriteFormat::Tsv => Self::Tsv,
        }
    }
}

impl OutputArgs {
    /// The format asked for, or the one that the file's name says, and the compression of the file.
    ///
    /// # Errors
    /// The name says nothing, or something else than what was asked for.
    pub fn kind(&self) -> Result<(Format, Compression), Failure> {
        let plain = (self.format.unwrap_or(Format::Table), Compression::None);
        let Some(path) = &self.output else { return Ok(plain) };
        // Pipes and devices take anything.
        if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Ok(plain);
        }
        let name = path.to_string_lossy();
        let wanted = self.format.map(Format::file);
        let is_text = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt"));
        match (wanted, WriteKind::of_name(&name, None)) {
            (Some(None), Ok(named)) => Err(Failure::error(format!(
                "cannot write {name} as a table: its ending says {named}; rename the file or leave out the format"
            ))),
            (Some(None), Err(_)) => Ok(plain),
            (None, Err(_)) if is_text => Ok(plain),
            (wanted, _) => {
                let kind = WriteKind::of_name(&name, wanted.flatten())?;
                Ok((self.format.unwrap_or_else(|| Format::of_file(kind.format)), kind.compression))
            }
        }
    }
}

/// What became of one result.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Rows the query gave.
    pub rows: usize,
    /// Rows that were shown of them.
    pub shown: usize,
}

/// Writes one result after another to standard output or a file.
pub struct Printer {
    format: Format,
    compression: Compression,
    max_rows: Option<usize>,
    /// Columns of the terminal, where there is one.
    width: Option<usize>,
    target: Target,
    results: usize,
    /// How the user asks for more rows.
    rows_flag: &'static str,
}

impl Printer {
    /// A printer for the user's choices.
    ///
    /// # Errors
    /// Parquet for a terminal; a name that says no format or another one; a file that cannot be made.
    pub fn new(args: &OutputArgs) -> Result<Self, Failure> {
        let (format, compression) = args.kind()?;
        let on_terminal = args.output.is_none() && std::io::stdout().is_terminal();
        if format == Format::Parquet && on_terminal {
            return Err(Failure::Usage("Parquet is not for a terminal: name a file with --output".to_owned()));
        }
        let max_rows = match args.max_rows {
            Some(MaxRows(rows)) => rows,
            None => on_terminal.then_some(TERMINAL_ROWS),
        };
        let width = on_terminal.then(|| terminal_size::terminal_size().map_or(120, |(w, _)| usize::from(w.0)));
        let target = Target::open(args.output.as_deref())?;
        Ok(Self { format, compression, max_rows, width, target, results: 0, rows_flag: "--max-rows" })
    }

    /// The same, speaking of the shell's commands rather than of flags.
    #[must_use]
    pub fn in_shell(mut self) -> Self {
        self.rows_flag = "\\rows";
        self
    }

    /// Whether people read this, rather than programs.
    pub fn is_for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Vertical)
    }

    /// Writes one result, batch by batch.
    ///
    /// # Errors
    /// Those of the query and of writing; a second result for a file that holds one.
    pub async fn print(&mut self, mut stream: SendableRecordBatchStream) -> Result<Written, Failure> {
        self.results += 1;
        let one_result = self.format == Format::Parquet || (self.target.is_file() && !self.is_for_people());
        if one_result && self.results > 1 {
            return Err(Failure::error("the file holds one result, but another statement returns rows"));
        }
        let schema = stream.schema();
        let limit = if self.is_for_people() { self.max_rows } else { None };
        let mut written = Written::default();
        let result = {
            let kind = (self.format, self.compression);
            let mut writer = writer(kind, &mut self.target, &schema, self.width, limit)?;
            let mut failed = None;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                let show = batch.num_rows().min(limit.map_or(usize::MAX, |limit| limit - written.shown));
                written.rows += batch.num_rows();
                written.shown += show;
                if show > 0
                    && let Err(failure) = writer.write(&batch.slice(0, show))
                {
                    failed = Some(failure);
                    break;
                }
                // The user reads what is complete while the rest is only counted.
                if limit == Some(written.shown)
                    && let Err(failure) = writer.flush()
                {
                    failed = Some(failure);
                    break;
                }
            }
            match failed {
                Some(failure) => Err(failure),
                None => writer.finish(),
            }
        };
        let result = result.and_then(|()| Ok(self.target.flush()?));
        if self.target.closed() {
            return Err(Failure::ClosedOutput);
        }
        result?;
        if written.shown < written.rows {
            let line =
                format!("({} of {} rows; {} all shows every row)\n", written.shown, written.rows, self.rows_flag);
            self.text(&line)?;
        }
        Ok(written)
    }

    /// Writes plain text, such as a plan.
    ///
    /// # Errors
    /// Those of writing.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.target.write_all(text.as_bytes())?;
        Ok(self.target.flush()?)
    }

    /// Makes the file appear under its name.
    ///
    /// # Errors
    /// There is no result for a Parquet file, or the file cannot be written.
    pub fn commit(self) -> Result<(), Failure> {
        if self.format == Format::Parquet && self.results == 0 {
            return Err(Failure::error("no statement returned rows, so there is nothing to write as Parquet"));
        }
        self.target.commit()
    }
}

fn writer<'a>(
    (format, compression): (Format, Compression),
    out: &'a mut Target,
    schema: &SchemaRef,
    width: Option<usize>,
    limit: Option<usize>,
) -> Result<Box<dyn ResultWriter + Send + 'a>, Failure> {
    // Standard output shows what a file refuses, since nothing reads it back.
    let nested = if out.is_file() { Nested::Refused } else { Nested::Shown };
    Ok(match format {
        Format::Table if width.is_some_and(|w| w < table::narrowest(schema.fields().len())) => {
            Box::new(records::Records::new(out, schema, width))
        }
        Format::Table => Box::new(table::Table::new(out, schema, width, limit)),
        Format::Vertical => Box::new(records::Records::new(out, schema, width)),
        Format::Csv => Box::new(formats::Lines::delimited(out, schema, b',', nested, compression)?),
        Format::Tsv => Box::new(formats::Lines::delimited(out, schema, b'\t', nested, compression)?),
        Format::Json => Box::new(formats::JsonArrayWriter::new(out, schema, compression)?),
        Format::Ndjson => Box::new(formats::Lines::json(out, schema, compression)?),
        Format::Parquet => Box::new(formats::Parquet::new(out, schema)?),
    })
}
