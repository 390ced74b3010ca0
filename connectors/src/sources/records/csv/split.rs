//! Finds record boundaries in a large CSV or JSON lines file, so that all threads can read it.
//!
//! A line feed within quotes does not end a record, and whether a position is within quotes depends on everything before it.
//! Each chunk is therefore scanned under both assumptions, all chunks in parallel. The first chunk then determines which
//! assumption holds for each following one.

use std::io::{self, Read};

use memchr::{memchr, memchr2};

use super::super::input::fill;
use super::Dialect;

/// How records end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ends {
    /// CSV; whether an empty line is a record.
    Csv(Dialect, bool),
    /// One record per line; lines of white space are ignored.
    Lines,
}

/// The result of scanning a chunk under one assumption.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Scan {
    /// Where the first record of the chunk begins.
    first: Option<u64>,
    /// Records that begin in the chunk.
    records: u64,
    /// Whether the chunk ends within quotes.
    inside: bool,
}

/// A part of a file, between the starts of two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    outside: Scan,
    inside: Scan,
}

/// The beginning of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub place: u64,
    /// Records before it.
    pub row: u64,
}

/// Scans the lines that start in `start..end`; `source` is positioned at `start`. The first chunk of a file starts at a
/// record.
pub(crate) fn look(source: &mut dyn Read, start: u64, end: u64, first: bool, ends: Ends) -> io::Result<Option<Chunk>> {
    let length = usize::try_from(end - start).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let read = fill(source, &mut bytes)?;
    bytes.truncate(read);
    let skip = match first {
        true => 0,
        // The line that begins right at `start` belongs to the chunk before.
        false => match memchr(b'\n', &bytes) {
            Some(at) => at + 1,
            None => return Ok(None),
        },
    };
    // The rest of the last line.
    let mut more = vec![0; 64 << 10];
    loop {
        let read = fill(source, &mut more)?;
        let found = more.get(..read).unwrap_or_default();
        match memchr(b'\n', found) {
            Some(place) => {
                bytes.extend_from_slice(found.get(..=place).unwrap_or_default());
                break;
            }
            None => bytes.extend_from_slice(found),
        }
        if read < more.len() {
            break;
        }
    }
    let lines = bytes.get(skip..).unwrap_or_default();
    let base = start + skip as u64;
    Ok(Some(match ends {
        Ends::Lines => {
            let scan = scan_lines(lines, base);
            Chunk { outside: scan, inside: scan }
        }
        Ends::Csv(dialect, blanks) => {
            let scan = |inside| scan_csv(lines, base, &dialect, blanks, inside);
            let outside = scan(false);
            Chunk { outside, inside: if first || dialect.quote.is_none() { outside } else { scan(true) } }
        }
    }))
}

fn scan_lines(bytes: &[u8], base: u64) -> Scan {
    let mut records = 0;
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        records += u64::from(!rest.get(..end).unwrap_or_default().trim_ascii().is_empty());
        at += end;
    }
    Scan { first: Some(base), records, inside: false }
}

fn scan_csv(bytes: &[u8], base: u64, dialect: &Dialect, blanks: bool, inside: bool) -> Scan {
    let mut scan = Scan::default();
    let mut at = 0;
    let mut begun = 0;
    // Whether `at` is within a record that began before it.
    let mut within = inside;
    if inside {
        match dialect.close(bytes, 0) {
            Some((close, _)) => at = close + 1,
            None => return Scan { inside: true, ..scan },
        }
    }
    while at < bytes.len() {
        if !within {
            scan.first.get_or_insert(base + at as u64);
            let empty = match bytes.get(at..) {
                Some([b'\n', ..]) => 1,
                Some([b'\r', b'\n', ..]) => 2,
                _ => 0,
            };
            scan.records += u64::from(empty == 0 || blanks);
            if empty > 0 {
                at += empty;
                continue;
            }
            begun = at;
            within = true;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let found = match dialect.quote {
            Some(quote) => memchr2(quote, b'\n', rest),
            None => memchr(b'\n', rest),
        };
        let Some(place) = found.map(|found| at + found) else { break };
        if bytes.get(place) == Some(&b'\n') {
            at = place + 1;
            within = false;
            continue;
        }
        let opens = place == begun || (place > 0 && bytes.get(place - 1) == Some(&dialect.delimiter));
        if !opens {
            at = place + 1;
            continue;
        }
        match dialect.close(bytes, place + 1) {
            Some((close, _)) => at = close + 1,
            None => return Scan { inside: true, ..scan },
        }
    }
    scan
}

/// The record starts, one per chunk that has any, from the scanned chunks of a file in order; and the total number of
/// records.
pub(crate) fn starts(chunks: impl IntoIterator<Item = Chunk>) -> (Vec<Start>, u64) {
    let mut inside = false;
    let mut row = 0;
    let mut starts = Vec::new();
    for chunk in chunks {
        let scan = if inside { chunk.inside } else { chunk.outside };
        if let Some(place) = scan.first {
            starts.push(Start { place, row });
        }
        row += scan.records;
        inside = scan.inside;
    }
    (starts, row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sources::records::csv::Next;

    fn cut(text: &[u8], chunk: usize, ends: Ends) -> Vec<Start> {
        let mut chunks = Vec::new();
        for start in (0..text.len()).step_by(chunk) {
            let end = (start + chunk).min(text.len());
            chunks.extend(look(&mut &text[start..], start as u64, end as u64, start == 0, ends).unwrap());
        }
        starts(chunks).0
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn starts_are_those_of_records(
            text in "[ab,\"\n\r\\\\]{0,60}",
            chunk in 1usize..20,
            backslash: bool,
            blanks: bool,
        ) {
            let escape = backslash.then_some(b'\\');
            let dialect = Dialect { delimiter: b',', quote: Some(b'"'), escape, comment: None, carriage_returns: false };
            let mut fields = Vec::new();
            let mut at = 0;
            let mut row = 0;
            let mut all = Vec::new();
            loop {
                all.push(Start { place: at as u64, row });
                match dialect.next(text.as_bytes(), at, true, &mut fields) {
                    Next::Record { next, .. } | Next::Broken { next, .. } => {
                        at = next;
                        row += 1;
                    }
                    Next::Blank { next } => {
                        at = next;
                        row += u64::from(blanks);
                    }
                    _ => break,
                }
            }
            for start in cut(text.as_bytes(), chunk, Ends::Csv(dialect, blanks)) {
                prop_assert!(all.contains(&start), "{start:?} {all:?}");
            }
        }
    }

    #[test]
    fn every_line_begins_a_record_outside_of_quotes() {
        let text = "1,a\n2,b\n\n3,\"c\nd\"\n4,e\n";
        let dialect =
            Dialect { delimiter: b',', quote: Some(b'"'), escape: None, comment: None, carriage_returns: false };
        let found = cut(text.as_bytes(), 4, Ends::Csv(dialect, false));
        let rows: Vec<(u64, u64)> = found.iter().map(|start| (start.place, start.row)).collect();
        assert_eq!(rows, [(0, 0), (8, 2), (9, 2), (17, 3)]);
        let lines = cut(b"{}\n \n{}\n{}", 3, Ends::Lines);
        assert_eq!(lines.last(), Some(&Start { place: 8, row: 2 }));
    }
}
