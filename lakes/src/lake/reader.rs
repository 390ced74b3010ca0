//! Reads Parquet files of a store and counts the bytes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use limpid_connectors::sources::parquet::empty;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// One file.
pub struct FileReader {
    store: Arc<dyn ObjectStore>,
    location: ObjectPath,
    size: u64,
    footer: Option<Arc<ParquetMetaData>>,
    tail: Option<usize>,
    bytes_read: Arc<AtomicU64>,
}

impl FileReader {
    /// A reader of `meta` that adds what it reads to `bytes_read`.
    pub fn new(
        store: &Arc<dyn ObjectStore>,
        meta: &ObjectMeta,
        footer: Option<&Arc<ParquetMetaData>>,
        bytes_read: &Arc<AtomicU64>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            location: meta.location.clone(),
            size: meta.size,
            footer: footer.map(Arc::clone),
            tail: None,
            bytes_read: Arc::clone(bytes_read),
        }
    }

    /// Fetches this many bytes at the end at once, hoping to include the footer: one request instead of two, at the cost of
    /// more bytes.
    #[must_use]
    pub fn with_tail(mut self, tail: Option<usize>) -> Self {
        self.tail = tail;
        self
    }

    /// The footer.
    ///
    /// # Errors
    /// The file cannot be read or is no Parquet file.
    pub async fn read_footer(&mut self) -> Result<Arc<ParquetMetaData>> {
        if let Some(footer) = &self.footer {
            return Ok(Arc::clone(footer));
        }
        let size = self.size;
        let reader = ParquetMetaDataReader::new().with_prefetch_hint(self.tail);
        let footer = match reader.load_and_finish(&mut *self, size).await {
            Ok(footer) => footer,
            Err(e) => empty::footer(self.store.as_ref(), &self.location, size).await.ok_or(e)?,
        };
        let footer = Arc::new(footer);
        self.footer = Some(Arc::clone(&footer));
        Ok(footer)
    }

    fn count(&self, bytes: &Bytes) {
        self.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

fn failed(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let bytes = self.store.get_range(&self.location, range).await.map_err(failed)?;
            self.count(&bytes);
            Ok(bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let all = self.store.get_ranges(&self.location, &ranges).await.map_err(failed)?;
            all.iter().for_each(|bytes| self.count(bytes));
            Ok(all)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        self.read_footer().boxed()
    }
}
