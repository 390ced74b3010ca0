//! Detects the dialect of a CSV file, its header and the names of its columns from its beginning.

use std::collections::BTreeSet;

use super::super::RecordOptions;
use super::super::error::Defect;
use super::super::types::Observed;
use super::{Dialect, Field, Next};

/// Candidate delimiters, most common first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Number of records that are examined.
const RECORDS: usize = 500;

/// How one file is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvLayout {
    pub dialect: Dialect,
    /// Whether the first record names the columns.
    pub header: bool,
    /// Whether the header was detected with certainty.
    pub sure: bool,
    /// Names of the columns, each once.
    pub names: Vec<String>,
    /// Names that stand in the header more than once.
    pub repeated: Vec<String>,
    /// Bytes before the first record that is a row.
    pub body: usize,
}

/// The result of examining the beginning of a file.
pub(crate) enum Found {
    Layout(CsvLayout),
    /// The file has no record.
    Nothing,
    /// The first record is longer than the sample.
    More,
}

impl CsvLayout {
    /// Examines `head`, the beginning of a file or all of it. `columns` are those given by the user, if any.
    pub(crate) fn find(
        head: &[u8],
        whole: bool,
        options: &RecordOptions,
        columns: Option<&[String]>,
    ) -> Result<Found, Defect> {
        let dialect = Self::dialect(head, whole, options);
        let mut records = Records::new(&dialect, head, whole);
        let Some(first) = records.next() else {
            return Ok(if whole { Found::Nothing } else { Found::More });
        };
        let first = first?;
        let (start, after) = (records.start, records.at);
        let mut guess = || {
            let rest: Vec<Vec<String>> = records.by_ref().take(RECORDS).filter_map(Result::ok).collect();
            guess_header(&first, &rest, options)
        };
        let (header, sure) = match (options.header, columns) {
            (Some(header), _) => (header, true),
            (None, None) => guess(),
            (None, Some(columns)) => {
                let named = first.iter().any(|name| columns.iter().any(|column| column.eq_ignore_ascii_case(name)));
                if !named && guess().0 {
                    let reason =
                        "the first record names none of the table's columns: give header => false if it is data";
                    return Err(Defect::record(0, reason));
                }
                (named, true)
            }
        };
        let (names, repeated) = match columns {
            _ if header => unique(first),
            Some(columns) => (columns.to_vec(), Vec::new()),
            None => ((1..=first.len()).map(|i| format!("column_{i}")).collect(), Vec::new()),
        };
        let body = if header { after } else { start };
        Ok(Found::Layout(Self { dialect, header, sure, names, repeated, body }))
    }

    fn dialect(head: &[u8], whole: bool, options: &RecordOptions) -> Dialect {
        let carriage_returns = head.contains(&b'\r') && !head.contains(&b'\n');
        let quote = options.quote.unwrap_or(Some(b'"'));
        let given = |delimiter| Dialect {
            delimiter,
            quote,
            escape: options.escape,
            comment: options.comment,
            carriage_returns,
        };
        if let Some(delimiter) = options.delimiter {
            return given(delimiter);
        }
        let mut best = (0, 1, given(DELIMITERS[0]));
        for delimiter in DELIMITERS {
            if quote == Some(delimiter) {
                continue;
            }
            let dialect = given(delimiter);
            let (share, columns) = fit(&dialect, head, whole);
            if columns > 1 && (share, columns) > (best.0, best.1) {
                best = (share, columns, dialect);
            }
        }
        best.2
    }
}

/// How many records in a thousand have as many fields as the first, and that number of fields.
fn fit(dialect: &Dialect, head: &[u8], whole: bool) -> (usize, usize) {
    let mut records = Records::new(dialect, head, whole);
    let mut widths = std::iter::from_fn(|| Some(records.step()?.ok().map(|_| records.fields.len())));
    let Some(Some(columns)) = widths.next() else { return (0, 0) };
    let (mut same, mut all) = (1, 1);
    for width in widths.take(RECORDS) {
        all += 1;
        same += usize::from(width == Some(columns));
    }
    (1000 * same / all, columns)
}

/// Whether the first record is a header: either it does not fit the types of the others, or everything is text and it could
/// be one.
fn guess_header(first: &[String], rest: &[Vec<String>], options: &RecordOptions) -> (bool, bool) {
    let typed = |value: &str| {
        let mut observed = Observed::default();
        if !options.is_null(value) {
            observed.csv(value);
        }
        observed
    };
    if rest.is_empty() {
        let data = first.iter().any(|value| typed(value).is_typed());
        return (!data, false);
    }
    let mut fits = false;
    for (i, name) in first.iter().enumerate() {
        let mut column = Observed::default();
        for value in rest.iter().filter_map(|record| record.get(i)) {
            column.merge(typed(value));
        }
        if !column.is_typed() || options.is_null(name) {
            continue;
        }
        column.merge(typed(name));
        if !column.is_typed() {
            return (true, true);
        }
        fits = true;
    }
    if fits {
        return (false, true);
    }
    let named = first.iter().skip(1).all(|name| !name.is_empty());
    let distinct = first.iter().collect::<BTreeSet<_>>().len() == first.len();
    (named && distinct, false)
}

/// Makes the names of a header unique: `value, value` become `value, value_1`, an empty one `column_3`.
fn unique(header: Vec<String>) -> (Vec<String>, Vec<String>) {
    let written: BTreeSet<String> = header.iter().cloned().collect();
    let mut taken = BTreeSet::new();
    let mut repeated = Vec::new();
    let names = header.into_iter().enumerate().map(|(i, name)| {
        let name = if name.is_empty() { format!("column_{}", i + 1) } else { name };
        if taken.insert(name.clone()) {
            return name;
        }
        repeated.push(name.clone());
        let free =
            (1u64..).map(|n| format!("{name}_{n}")).find(|other| !written.contains(other) && !taken.contains(other));
        let free = free.unwrap_or(name);
        taken.insert(free.clone());
        free
    });
    (names.collect(), repeated)
}

/// Records of what is in memory, as text.
struct Records<'a> {
    dialect: &'a Dialect,
    bytes: &'a [u8],
    whole: bool,
    start: usize,
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Records<'a> {
    fn new(dialect: &'a Dialect, bytes: &'a [u8], whole: bool) -> Self {
        Self { dialect, bytes, whole, start: 0, at: 0, fields: Vec::new() }
    }

    /// The text of the next record, whose fields are then in `fields`.
    fn step(&mut self) -> Option<Result<&'a str, Defect>> {
        loop {
            self.start = self.at;
            match self.dialect.next(self.bytes, self.at, self.whole, &mut self.fields) {
                Next::Blank { next } | Next::Comment { next } => self.at = next,
                Next::Broken { next, defect, .. } => {
                    self.at = next;
                    return Some(Err(defect));
                }
                Next::Record { end, next } => {
                    self.at = next;
                    let record = self.bytes.get(self.start..end).unwrap_or_default();
                    let text = std::str::from_utf8(record);
                    return Some(text.map_err(|_| Defect::record(0, super::super::error::NOT_UTF8)));
                }
                Next::More | Next::End => return None,
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<String>, Defect>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = match self.step()? {
            Ok(text) => text,
            Err(defect) => return Some(Err(defect)),
        };
        let place = |field: &Field| Field { start: field.start - self.start, end: field.end - self.start, ..*field };
        let content = |field: &Field| self.dialect.content(text, place(field)).into_owned();
        Some(Ok(self.fields.iter().map(content).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sources::records::formats::CSV;

    fn find(text: &str, options: &[(&str, &str)]) -> CsvLayout {
        let options: BTreeMap<String, String> =
            options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let options = RecordOptions::parse(CSV, &options).unwrap();
        match CsvLayout::find(text.as_bytes(), true, &options, None).unwrap() {
            Found::Layout(layout) => layout,
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn delimiters() {
        for (text, delimiter, columns) in [
            ("a,b\n1,2\n", b',', 2),
            ("id;name;price\n1;Anna;1,50\n2;Bert;2,75\n", b';', 3),
            ("a\tb\n1,5\t2\n", b'\t', 2),
            ("a|b\n1|2\n", b'|', 2),
            ("id,text\n1,a;b\n2,c;d\n", b',', 2),
            ("a,b,c\n1,2,3\n4,5\n6,7,8\n", b',', 3),
            ("\"a;b\",c\n\"1;2\",3\n", b',', 2),
            ("text\nhello\n", b',', 1),
        ] {
            let layout = find(text, &[]);
            assert_eq!((layout.dialect.delimiter, layout.names.len()), (delimiter, columns), "{text}");
        }
    }

    #[test]
    fn headers() {
        for (text, header) in [
            ("id,name\n1,a\n", true),
            ("first,last\nAda,Lovelace\n", true),
            ("1,2\n3,4\n", false),
            ("1,a\n2,b\n", false),
            ("2024-01-01,a\n2024-01-02,b\n", false),
            ("a,b\n", true),
            ("1,b\n", false),
            ("a,a\nb,c\n", false),
            (",text\n0,a\n1,b\n", true),
            ("id,v\n1,\n2,\n", true),
        ] {
            assert_eq!(find(text, &[]).header, header, "{text}");
        }
        assert!(!find("id,name\n1,a\n", &[("header", "false")]).header);
        assert_eq!(find("1,2\n3,4\n", &[]).names, ["column_1", "column_2"]);
        let layout = find("id,v,v,,v_1\n1,2,3,4,5\n", &[]);
        assert_eq!(layout.names, ["id", "v", "v_2", "column_4", "v_1"]);
        assert_eq!((layout.repeated, layout.body), (vec!["v".to_owned()], 12));
    }
}
