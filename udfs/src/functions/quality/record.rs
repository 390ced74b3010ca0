//! Builders of the struct columns that the quality functions return.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, NullBufferBuilder, StringBuilder, StructArray,
    UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, internal_err};

use crate::functions::strings::Strings;

/// The value of a field. Its variant must agree with the declared [`Kind`].
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// A count.
    Count(u64),
    /// A ratio, fraction or mean.
    Number(f64),
    /// A Boolean.
    Flag(bool),
    /// A name or code; `None` is NULL.
    Name(Option<&'static str>),
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `UInt64`
    Count,
    /// `Float64`
    Number,
    /// `Boolean`
    Flag,
    /// `Utf8`
    Name,
}

/// The struct type with `fields`.
pub fn struct_type(fields: &[(&str, Kind)]) -> DataType {
    DataType::Struct(arrow_fields(fields))
}

fn arrow_fields(fields: &[(&str, Kind)]) -> Fields {
    let data_type = |kind| match kind {
        Kind::Count => DataType::UInt64,
        Kind::Number => DataType::Float64,
        Kind::Flag => DataType::Boolean,
        Kind::Name => DataType::Utf8,
    };
    fields.iter().map(|&(name, kind)| Field::new(name, data_type(kind), true)).collect()
}

/// Builds one struct per text by calling `row`; NULL for a NULL text.
pub fn records<const N: usize>(
    texts: Strings<'_>,
    fields: &[(&str, Kind); N],
    row: impl Fn(&str) -> [Value; N],
) -> Result<ArrayRef> {
    let mut columns = fields.map(|(_, kind)| Column::new(kind, texts.len()));
    let mut nulls = NullBufferBuilder::new(texts.len());
    for text in texts.iter() {
        nulls.append(text.is_some());
        match text.map(&row) {
            Some(values) => columns.iter_mut().zip(values).try_for_each(|(column, value)| column.append(value))?,
            None => columns.iter_mut().for_each(Column::append_null),
        }
    }
    let arrays = columns.iter_mut().map(Column::finish).collect();
    Ok(Arc::new(StructArray::try_new(arrow_fields(fields), arrays, nulls.finish())?))
}

enum Column {
    Count(UInt64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
    Name(StringBuilder),
}

impl Column {
    fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Count => Self::Count(UInt64Builder::with_capacity(rows)),
            Kind::Number => Self::Number(Float64Builder::with_capacity(rows)),
            Kind::Flag => Self::Flag(BooleanBuilder::with_capacity(rows)),
            Kind::Name => Self::Name(StringBuilder::with_capacity(rows, 0)),
        }
    }

    fn append(&mut self, value: Value) -> Result<()> {
        match (self, value) {
            (Self::Count(b), Value::Count(v)) => b.append_value(v),
            (Self::Number(b), Value::Number(v)) => b.append_value(v),
            (Self::Flag(b), Value::Flag(v)) => b.append_value(v),
            (Self::Name(b), Value::Name(v)) => b.append_option(v),
            (_, value) => return internal_err!("a quality field got {value:?}, which is not of its kind"),
        }
        Ok(())
    }

    fn append_null(&mut self) {
        match self {
            Self::Count(b) => b.append_null(),
            Self::Number(b) => b.append_null(),
            Self::Flag(b) => b.append_null(),
            Self::Name(b) => b.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Count(b) => ArrayBuilder::finish(b),
            Self::Number(b) => ArrayBuilder::finish(b),
            Self::Flag(b) => ArrayBuilder::finish(b),
            Self::Name(b) => ArrayBuilder::finish(b),
        }
    }
}
