//! The tables below a prefix: found, described, their footers folded.

pub mod bounds;
pub mod constant;
pub mod delta;
pub mod discover;
pub mod footer;
pub mod grouping;
pub mod key;
pub mod links;
pub mod reader;
pub mod shared;
pub mod stored;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::ParquetMetaData;
use serde::{Deserialize, Serialize};

pub use bounds::{Bound, Range};
pub use grouping::Kind;

/// What was found.
#[derive(Debug)]
pub struct Lake {
    /// The store that holds it.
    pub store: Arc<dyn ObjectStore>,
    /// URL of the store.
    pub url: ObjectStoreUrl,
    /// Tables in the order of their names.
    pub tables: Vec<Table>,
    /// What looked like a table and was left out.
    pub problems: Vec<Problem>,
    /// Bytes read for it.
    pub bytes_read: u64,
}

/// Something that could not be read as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its name.
    pub table: String,
    /// How it was found.
    pub kind: Kind,
    /// Files and bytes it has.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// Why it was left out.
    pub reason: String,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Path below the prefix.
    pub name: String,
    /// How it was found.
    pub kind: Kind,
    /// Its files, by path.
    pub files: Vec<File>,
    /// Its columns, structs taken apart, in the order of their normalised names.
    pub columns: Arc<Vec<Column>>,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// The version that a log gives it, where it has one.
    pub version: Option<u64>,
    /// Why it is never set aside, where what its files hold stands against that.
    pub stays: Option<String>,
    /// Why it is not set aside as long as other things lead to it: links, tables that are rebuilt from it.
    pub held: Option<String>,
}

/// A file of a table.
#[derive(Debug)]
pub struct File {
    /// Place, size and time of change.
    pub meta: ObjectMeta,
    /// Its footer, kept while there is room.
    pub footer: Option<Arc<ParquetMetaData>>,
    /// Where the values of each column of the table are.
    pub sources: Arc<[Source]>,
    /// Positions of rows that do not count, ascending.
    pub deleted: Arc<[u64]>,
}

impl Table {
    /// Why it is not set aside, where something stands against that.
    pub fn why_it_stays(&self) -> Option<&str> {
        self.stays.as_deref().or(self.held.as_deref())
    }

    /// Whether a reader of its files would see rows that do not count.
    pub fn has_deleted(&self) -> bool {
        self.files.iter().any(|file| !file.deleted.is_empty())
    }
}

/// Where a file has the values of a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// In this leaf of its schema.
    Leaf(u32),
    /// In the name of its folder; `None` is NULL.
    Folder(Option<String>),
    /// In the table's log, a text that stands for a value of the column's type.
    Value(String),
    /// Nowhere: they are NULL.
    Nowhere,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The name that is compared.
    pub name: Arc<str>,
    /// The name as the files have it.
    pub shown: Arc<str>,
    /// Type of the values.
    pub data_type: DataType,
    /// What its values can be equal to.
    pub class: Class,
    /// What is known of the values.
    pub stats: ColumnStats,
}

/// Kinds of values; those of different kinds are never equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// Every value is NULL.
    Null,
    /// Truth values.
    Boolean,
    /// Integers, floats and decimals.
    Number,
    /// Texts.
    Text,
    /// Bytes.
    Binary,
    /// Dates and timestamps without a zone.
    Local,
    /// Timestamps with a zone.
    Instant,
    /// Times of day.
    OfDay,
    /// Durations.
    Duration,
    /// Calendar intervals.
    Interval,
    /// Lists and maps.
    Nested,
}

impl Class {
    /// The kind of a type's values.
    pub fn of(data_type: &DataType) -> Self {
        use DataType as T;
        match data_type {
            T::Null => Self::Null,
            T::Boolean => Self::Boolean,
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => Self::Number,
            T::Float16 | T::Float32 | T::Float64 => Self::Number,
            T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => Self::Number,
            T::Utf8 | T::LargeUtf8 | T::Utf8View => Self::Text,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => Self::Binary,
            T::Date32 | T::Date64 | T::Timestamp(_, None) => Self::Local,
            T::Timestamp(_, Some(_)) => Self::Instant,
            T::Time32(_) | T::Time64(_) => Self::OfDay,
            T::Duration(_) => Self::Duration,
            T::Interval(_) => Self::Interval,
            T::Dictionary(_, value) => Self::of(value),
            T::RunEndEncoded(_, value) => Self::of(value.data_type()),
            _ => Self::Nested,
        }
    }
}

/// The type without its encoding: what `types => 'strict'` compares.
pub fn logical_type(data_type: &DataType) -> String {
    use DataType as T;
    match data_type {
        T::LargeUtf8 | T::Utf8View => T::Utf8.to_string(),
        T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary.to_string(),
        T::Dictionary(_, value) => logical_type(value),
        T::RunEndEncoded(_, value) => logical_type(value.data_type()),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::ListView(item) | T::LargeListView(item) => {
            format!("List({})", logical_type(item.data_type()))
        }
        other => other.to_string(),
    }
}

/// What footers say of a column, over all files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// Number of NULLs, where every file says it.
    pub nulls: Option<u64>,
    /// Bounds of the other values, where every file gives them.
    pub range: Option<Range>,
    /// Bytes of the encoded values before compression: the more of them a row, the more different the values.
    pub encoded: u64,
}
