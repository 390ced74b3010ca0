//! Files without row groups whose footer the Rust reader rejects.
//!
//! Fastparquet writes the empty list of row groups without an element type, which other readers accept. As the file has no
//! rows, the type would not matter.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// The footer of a file of `size` bytes, if that is its only defect; `None` otherwise.
pub async fn footer(store: &dyn ObjectStore, location: &Path, size: u64) -> Option<ParquetMetaData> {
    let end = store.get_range(location, size.checked_sub(8)?..size).await.ok()?;
    let [a, b, c, d, b'P', b'A', b'R', b'1'] = *end else { return None };
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let bytes = store.get_range(location, size.checked_sub(length.checked_add(8)?)?..size - 8).await.ok()?;
    mended(&bytes)
}

fn mended(footer: &[u8]) -> Option<ParquetMetaData> {
    /// Field 3, no rows; field 4, a list of no elements of no type.
    const WRITTEN: [u8; 4] = [0x16, 0x00, 0x19, 0x00];
    /// The type of structs.
    const STRUCT: u8 = 0x0C;
    let at = footer.windows(WRITTEN.len()).position(|bytes| bytes == WRITTEN)?;
    let mut mended = footer.to_vec();
    *mended.get_mut(at + 3)? = STRUCT;
    let found = ParquetMetaDataReader::decode_metadata(&mended).ok()?;
    (found.num_row_groups() == 0 && found.file_metadata().num_rows() == 0).then_some(found)
}
