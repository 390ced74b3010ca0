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
    /// Its columns, with structs flattened, ordered by their normalised names.
    pub columns: Arc<Vec<Column>>,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// The version in its log, if it has one.
    pub version: Option<u64>,
    /// Why the table must never be set aside, if its content is the reason.
    pub stays: Option<String>,
    /// Why the table must not be set aside as long as others depend on it: links, or tables that are rebuilt from it.
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
    /// Positions of deleted rows, ascending.
    pub deleted: Arc<[u64]>,
}

impl Table {
    /// Why the file must not be set aside, if there is a reason.
    pub fn why_it_stays(&self) -> Option<&str> {
        self.stays.as_deref().or(self.held.as_deref())
    }

    /// Whether a plain reader of its files would see deleted rows.
    pub fn has_deleted(&self) -> bool {
        self.files.iter().any(|file| !file.deleted.is_empty())
    }
}

/// Where a file has the values of a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// In this leaf of the file's schema.
    Leaf(u32),
    /// In the name of its folder; `None` is NULL.
    Folder(Option<String>),
    /// In the table's log, as a text that represents a value of the column's type.
    Value(String),
    /// Nowhere: all values are NULL.
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
    /// The class of values that its values can equal.
    pub class: Class,
    /// What is known of the values.
    pub stats: ColumnStats,
}

/// Classes of values. Values of different classes are never equal.
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
    /// Number of NULLs, if every file states it.
    pub nulls: Option<u64>,
    /// Bounds of the other values, if every file states them.
    pub range: Option<Range>,
    /// Bytes of the encoded values before compression. The more bytes per row, the more distinct values.
    pub encoded: u64,
}
