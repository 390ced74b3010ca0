//! JSON records to columns, by name.

use super::super::error::{Defect, shown};
use super::super::types::{Body, Column, Names};
use super::cursor::{Cursor, MAX_DEPTH, kind_name};
use super::observe::duplicate;

type Result<T> = std::result::Result<T, Defect>;

/// Reads records into columns.
#[derive(Debug)]
pub(crate) struct JsonDecoder {
    names: Names,
    /// The column that a name is read into, if any.
    slots: Vec<Option<usize>>,
    /// Whether keys that are not columns are ignored rather than errors.
    open: bool,
    /// Whether a value that does not fit becomes NULL.
    lenient: bool,
    seen: Vec<u64>,
    record: u64,
    /// Number of values that did not fit and became NULL.
    pub(crate) rejected: usize,
}

impl JsonDecoder {
    pub(crate) fn new(names: Names, slots: Vec<Option<usize>>, open: bool, lenient: bool) -> Self {
        Self { seen: vec![0; names.len()], names, slots, open, lenient, record: 0, rejected: 0 }
    }

    /// Appends the record at the cursor to `columns`. On an error, some columns may have an extra value.
    pub(crate) fn record(&mut self, cursor: &mut Cursor<'_>, columns: &mut [Column]) -> Result<()> {
        match cursor.peek()? {
            b'{' => {}
            other => {
                cursor.skip(true)?;
                return Err(Defect::record(0, format!("a record must be an object, this is {}", kind_name(other))));
            }
        }
        self.record += 1;
        let Self { names, slots, open, lenient, seen, record, rejected } = self;
        let mut values = Values { open: *open, lenient: *lenient, rejected };
        let mut guess = 0;
        cursor.object(|cursor, key| {
            let Some(place) = names.find(key, guess) else { return values.unknown(cursor, key) };
            guess = place + 1;
            if let Some(last) = seen.get_mut(place) {
                if *last == *record {
                    return Err(duplicate(cursor.at(), key));
                }
                *last = *record;
            }
            let column = slots.get(place).copied().flatten().and_then(|slot| columns.get_mut(slot));
            let read = match column {
                Some(column) => values.append(cursor, column, 1),
                None => values.skip(cursor),
            };
            read.map_err(|defect| defect.within(key))
        })?;
        for (slot, last) in slots.iter().zip(seen.iter()) {
            if let (Some(slot), true) = (slot, *last != *record)
                && let Some(column) = columns.get_mut(*slot)
            {
                column.null();
            }
        }
        Ok(())
    }
}

struct Values<'a> {
    open: bool,
    lenient: bool,
    rejected: &'a mut usize,
}

impl Values<'_> {
    fn unknown(&mut self, cursor: &mut Cursor<'_>, key: &str) -> Result<()> {
        if self.open {
            return self.skip(cursor);
        }
        let defect = Defect::value(cursor.at(), "this key is in no record of the sample").within(key);
        if self.lenient {
            *self.rejected += 1;
            return cursor.skip(false);
        }
        Err(defect)
    }

    /// Skips the value of an unwanted column.
    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let start = cursor.at;
        match cursor.skip(true) {
            Err(defect) if defect.value_only && self.lenient => {
                *self.rejected += 1;
                cursor.at = start;
                cursor.skip(false)
            }
            other => other,
        }
    }

    /// Appends the value at the cursor.
    fn append(&mut self, cursor: &mut Cursor<'_>, column: &mut Column, depth: usize) -> Result<()> {
        let (start, before) = (cursor.at, column.len());
        match self.value(cursor, column, depth) {
            Err(defect) if defect.value_only && self.lenient => {
                *self.rejected += 1;
                column.truncate(before);
                cursor.at = start;
                cursor.skip(false)?;
                column.null();
                Ok(())
            }
            other => other,
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, column: &mut Column, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(cursor.too_deep());
        }
        let first = cursor.peek()?;
        let start = cursor.at;
        let no = |reason: String| Defect::value(start, reason);
        match first {
            b'n' => {
                cursor.word("null")?;
                column.null();
                return Ok(());
            }
            b'"' => {
                if let Body::Text(texts) = &mut column.body {
                    cursor.string_into(&mut texts.bytes)?;
                    texts.close();
                    column.close();
                    return Ok(());
                }
                let text = cursor.string()?;
                if column.declared {
                    return column.text(&text).map_err(no);
                }
                return Err(no(format!("the string {} is not of type {}", shown(&text), column.type_name())));
            }
            _ => {}
        }
        match (&mut column.body, first) {
            (Body::Text(_), _) => {
                cursor.skip(true)?;
                column.text(cursor.since(start)).map_err(no)
            }
            (Body::Object { fields, names, seen, objects }, b'{') => {
                *objects += 1;
                let mut guess = 0;
                cursor.object(|cursor, key| {
                    let Some(place) = names.find(key, guess) else { return self.unknown(cursor, key) };
                    guess = place + 1;
                    if let Some(last) = seen.get_mut(place) {
                        if *last == *objects {
                            return Err(duplicate(cursor.at(), key));
                        }
                        *last = *objects;
                    }
                    match fields.get_mut(place) {
                        Some(field) => self.append(cursor, field, depth + 1).map_err(|defect| defect.within(key)),
                        None => self.skip(cursor),
                    }
                })?;
                for (field, last) in fields.iter_mut().zip(seen.iter()) {
                    if *last != *objects {
                        field.null();
                    }
                }
                column.close();
                Ok(())
            }
            (Body::List { item, ends }, b'[') => {
                let before = ends.last().copied().unwrap_or(0);
                cursor.array(|cursor, place| {
                    self.append(cursor, item, depth + 1).map_err(|defect| defect.within(&format!("[{place}]")))
                })?;
                let count = item.len() - before;
                ends.push(item.len());
                column.close();
                match column.width() {
                    Some(width) if width != count => {
                        Err(no(format!("an array of {count} items where {width} are wanted")))
                    }
                    _ => Ok(()),
                }
            }
            (_, b't' | b'f') => {
                cursor.word(if first == b't' { "true" } else { "false" })?;
                column.boolean(first == b't').map_err(no)
            }
            (_, b'{' | b'[') => {
                cursor.skip(true)?;
                Err(no(format!("{} is not of type {}", kind_name(first), column.type_name())))
            }
            (Body::Object { .. } | Body::List { .. }, _) => {
                let token = cursor.number()?;
                Err(no(format!("the number {} is not of type {}", shown(token), column.type_name())))
            }
            _ => {
                let token = cursor.number()?;
                column.text(token).map_err(no)
            }
        }
    }
}
