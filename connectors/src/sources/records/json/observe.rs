//! Infers the types of columns from a JSON record.

use super::super::error::Defect;
use super::super::types::{Fields, Observed};
use super::cursor::{Cursor, MAX_DEPTH, kind_name};

/// Adds the record at the cursor to the observations.
pub(crate) fn observe(cursor: &mut Cursor<'_>, fields: &mut Fields) -> Result<(), Defect> {
    match cursor.peek()? {
        b'{' => object(cursor, Some(fields), 0),
        other => {
            cursor.skip(true)?;
            Err(Defect::record(0, format!("a record must be an object, this is {}", kind_name(other))))
        }
    }
}

fn object(cursor: &mut Cursor<'_>, mut fields: Option<&mut Fields>, depth: usize) -> Result<(), Defect> {
    if let Some(fields) = fields.as_deref_mut() {
        fields.begin();
    }
    let mut guess = 0;
    cursor.object(|cursor, key| {
        let Some(fields) = fields.as_deref_mut() else { return cursor.skip(true) };
        let place = fields.place(key, guess);
        guess = place + 1;
        if fields.again(place) {
            return Err(duplicate(cursor.at(), key));
        }
        match fields.get_mut(place) {
            Some(column) => value(cursor, column, depth + 1).map_err(|defect| defect.within(key)),
            None => cursor.skip(true),
        }
    })
}

fn value(cursor: &mut Cursor<'_>, column: &mut Observed, depth: usize) -> Result<(), Defect> {
    if depth > MAX_DEPTH {
        return Err(cursor.too_deep());
    }
    match cursor.peek()? {
        b'n' => return cursor.skip(true),
        b'"' => {
            cursor.skip(true)?;
            column.string();
        }
        b't' | b'f' => {
            cursor.skip(true)?;
            column.boolean();
        }
        b'{' => return object(cursor, column.object(), depth),
        b'[' => {
            let mut item = column.list();
            return cursor.array(|cursor, place| match item.as_deref_mut() {
                Some(item) => value(cursor, item, depth + 1).map_err(|defect| defect.within(&format!("[{place}]"))),
                None => cursor.skip(true),
            });
        }
        _ => column.number(cursor.number()?),
    }
    Ok(())
}

pub(super) fn duplicate(at: usize, key: &str) -> Defect {
    Defect::record(at, format!("the key {key} is there twice"))
}
