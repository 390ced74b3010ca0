//! Writes tables as Parquet, in a variety of layouts.

use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::made::Made;

/// Writes one table as a file, a folder of parts, or `part=...` folders. All are one table to a reader.
pub fn write(folder: &Path, table: &Made, number: usize) -> Result<()> {
    let path = folder.join(&table.name);
    if number % 11 == 5 && table.rows.num_rows() > 1 {
        let middle = table.rows.num_rows() / 2;
        fs::create_dir_all(&path)?;
        for (part, (from, rows)) in [(0, middle), (middle, table.rows.num_rows() - middle)].into_iter().enumerate() {
            write_file(&path.join(format!("part-{part:05}.parquet")), &table.rows.slice(from, rows), number)?;
        }
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    write_file(&path.with_extension("parquet"), &table.rows, number)
}

fn write_file(path: &Path, rows: &RecordBatch, number: usize) -> Result<()> {
    let properties = WriterProperties::builder()
        .set_compression([Compression::SNAPPY, Compression::UNCOMPRESSED, Compression::LZ4_RAW][number % 3])
        .set_max_row_group_row_count(Some([1 << 20, 100, 37][number / 3 % 3]))
        .set_dictionary_enabled(number.is_multiple_of(2))
        .set_statistics_enabled(if number % 13 == 12 { EnabledStatistics::None } else { EnabledStatistics::Page })
        .build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path)?, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(())
}
