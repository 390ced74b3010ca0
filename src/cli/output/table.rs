//! Aligned columns in a frame.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::cell::{Breaks, Cells, cut, width};
use super::target::Target;
use super::writer::ResultWriter;
use crate::cli::errors::Failure;

/// Rows that are held back to see how wide columns are; a table with more goes on with these widths.
const PAGE: usize = 10_000;

/// The least width that a column which must be cut keeps.
const LEAST: usize = 8;

/// Columns of a terminal below which a table of so many columns cannot be read.
pub fn narrowest(columns: usize) -> usize {
    columns * (LEAST + 3) + 1
}

/// Writes a table once its rows are known, or page by page.
pub struct Table<'a> {
    out: &'a mut Target,
    names: Vec<String>,
    right: Vec<bool>,
    terminal: Option<usize>,
    page: usize,
    rows: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    any: bool,
}

impl<'a> Table<'a> {
    /// `terminal`: columns there are; without it nothing is cut. `limit`: rows that will come at most.
    pub fn new(out: &'a mut Target, schema: &SchemaRef, terminal: Option<usize>, limit: Option<usize>) -> Self {
        let names = schema.fields().iter().map(|f| f.name().replace(['\n', '\r'], " ")).collect();
        let right = schema.fields().iter().map(|f| f.data_type().is_numeric()).collect();
        let page = limit.unwrap_or(PAGE).min(PAGE);
        Self { out, names, right, terminal, page, rows: Vec::new(), widths: None, any: false }
    }

    /// Writes the rows held back, after the head if it is not written yet.
    fn write_page(&mut self) -> Result<(), Failure> {
        let widths = match self.widths.take() {
            Some(widths) => widths,
            None => {
                let widths = self.fitted();
                let rule = rule(&widths);
                let head = line(&self.names, &widths, &vec![false; widths.len()], self.terminal.is_some());
                self.out.write_all(format!("{rule}{head}{rule}").as_bytes())?;
                widths
            }
        };
        for row in self.rows.drain(..) {
            self.out.write_all(line(&row, &widths, &self.right, self.terminal.is_some()).as_bytes())?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn fitted(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.names.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            for (widest, text) in widths.iter_mut().zip(row) {
                *widest = width(text).max(*widest);
            }
        }
        match self.terminal {
            Some(terminal) => fit(&widths, terminal.saturating_sub(3 * widths.len() + 1)),
            None => widths,
        }
    }
}

impl ResultWriter for Table<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let whole = self.terminal.is_none();
        let columns = batch.columns().iter().map(|c| Cells::new(c, Breaks::Escaped, whole));
        let columns = columns.collect::<Result<Vec<_>, Failure>>()?;
        self.any |= batch.num_rows() > 0;
        for row in 0..batch.num_rows() {
            self.rows.push(columns.iter().map(|c| c.text(row)).collect::<Result<_, Failure>>()?);
            if self.rows.len() >= PAGE {
                self.write_page()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.rows.len() >= self.page {
            self.write_page()?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        if self.widths.is_none() || !self.rows.is_empty() {
            self.write_page()?;
        }
        let widths = self.widths.take().unwrap_or_default();
        // Without rows the rule below the head closes the frame.
        if self.any {
            self.out.write_all(rule(&widths).as_bytes())?;
        }
        Ok(())
    }
}

/// Widths that fill `room` at most: the widest columns are cut first, to the same width.
fn fit(natural: &[usize], room: usize) -> Vec<usize> {
    if natural.iter().sum::<usize>() <= room {
        return natural.to_vec();
    }
    let mut sorted = natural.to_vec();
    sorted.sort_unstable();
    let mut left = room;
    let mut cap = LEAST;
    for (i, &w) in sorted.iter().enumerate() {
        cap = left / (sorted.len() - i);
        if w > cap {
            break;
        }
        left -= w;
    }
    natural.iter().map(|&w| w.min(cap.max(LEAST))).collect()
}

fn rule(widths: &[usize]) -> String {
    let mut rule = String::from("+");
    for width in widths {
        rule.push_str(&"-".repeat(width + 2));
        rule.push('+');
    }
    rule.push('\n');
    rule
}

fn line(texts: &[String], widths: &[usize], right: &[bool], cuts: bool) -> String {
    let mut line = String::from("|");
    for ((text, &room), &right) in texts.iter().zip(widths).zip(right) {
        let text = if cuts { cut(text, room) } else { text.clone() };
        let pad = " ".repeat(room.saturating_sub(width(&text)));
        let (before, after) = if right { (pad.as_str(), "") } else { ("", pad.as_str()) };
        line.push_str(&format!(" {before}{text}{after} |"));
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wide_columns_give_way_to_narrow_ones() {
        assert_eq!(fit(&[3, 4], 100), vec![3, 4]);
        assert_eq!(fit(&[5, 200], 65), vec![5, 60]);
        assert_eq!(fit(&[5, 200, 300], 65), vec![5, 30, 30]);
        assert_eq!(fit(&[40, 200, 10], 100), vec![40, 50, 10]);
    }

    proptest! {
        #[test]
        fn a_fitted_table_fits(natural in prop::collection::vec(1usize..500, 1..12), spare in 0usize..300) {
            let room = natural.len() * LEAST + spare;
            let fitted = fit(&natural, room);
            prop_assert!(fitted.iter().sum::<usize>() <= room);
            for (&natural, &fitted) in natural.iter().zip(&fitted) {
                prop_assert!(fitted <= natural && fitted >= natural.min(LEAST));
            }
        }
    }
}
