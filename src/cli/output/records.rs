//! One line a value: for long texts and for more columns than a terminal is wide.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::cell::{Breaks, Cells, width};
use super::target::Target;
use super::writer::ResultWriter;
use crate::cli::errors::Failure;

/// Dashes after a row's number where there is no terminal.
const RULE: usize = 40;

/// Writes rows as they come, each as a block of `name | value` lines.
pub struct Records<'a> {
    out: &'a mut Target,
    names: Vec<String>,
    rule: usize,
    row: usize,
}

impl<'a> Records<'a> {
    /// `terminal`: columns there are.
    pub fn new(out: &'a mut Target, schema: &SchemaRef, terminal: Option<usize>) -> Self {
        let widest = schema.fields().iter().map(|f| width(f.name())).max().unwrap_or(0);
        let padded = |name: &String| format!("{name}{}", " ".repeat(widest - width(name)));
        let names = schema.fields().iter().map(|f| padded(f.name())).collect();
        Self { out, names, rule: terminal.unwrap_or(RULE), row: 0 }
    }
}

impl ResultWriter for Records<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let columns = batch.columns().iter().map(|c| Cells::new(c, Breaks::Kept, true));
        let columns = columns.collect::<Result<Vec<_>, Failure>>()?;
        for row in 0..batch.num_rows() {
            self.row += 1;
            let head = format!("-[ row {} ]", self.row);
            let dashes = "-".repeat(self.rule.saturating_sub(head.len()));
            writeln!(self.out, "{head}{dashes}")?;
            for (name, column) in self.names.iter().zip(&columns) {
                let text = column.text(row)?;
                let mut lines = text.split('\n');
                writeln!(self.out, "{name} | {}", lines.next().unwrap_or_default())?;
                for line in lines {
                    writeln!(self.out, "{} | {line}", " ".repeat(width(name)))?;
                }
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}
