//! The same rows in sessions of every kind: over 1 and 7 partitions, in little memory, on a cluster.

use std::path::Path;

use arrow::array::RecordBatch;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use limpid::session::{EngineOptions, context};

/// Numbers that look random; the same for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub(super) fn unit(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }

    pub(super) fn centred(&mut self) -> f32 {
        (0..4).map(|_| self.below(1 << 20) as f32 / (1 << 20) as f32 - 0.5).sum()
    }
}

/// Writes the rows as `files` Parquet files, the last of which may have none.
pub(super) fn write(rows: &RecordBatch, files: usize, dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let chunk = rows.num_rows().div_ceil(files);
    for number in 0..files {
        let start = (number * chunk).min(rows.num_rows());
        let part = rows.slice(start, chunk.min(rows.num_rows() - start));
        let file = std::fs::File::create(dir.join(format!("{number}.parquet"))).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, rows.schema(), None).unwrap();
        writer.write(&part).unwrap();
        writer.close().unwrap();
    }
}

/// Sessions of every kind with the rows as `table`.
pub(super) async fn sessions(table: &str, rows: &RecordBatch, dir: &Path) -> Vec<(String, SessionContext)> {
    sessions_within(3_000_000, table, rows, dir).await
}

/// The same, with so many bytes for those in little memory.
pub(super) async fn sessions_within(
    little: usize,
    table: &str,
    rows: &RecordBatch,
    dir: &Path,
) -> Vec<(String, SessionContext)> {
    let mut found = vec![];
    for files in [1, 7] {
        write(rows, files, &dir.join(files.to_string()));
        for (name, memory_limit) in [("", None), (" in little memory", Some(little))] {
            let options =
                EngineOptions { threads: Some(files), batch_size: Some(64), memory_limit, ..Default::default() };
            found.push((format!("{files} partitions{name}"), context(&options).unwrap(), files));
        }
    }
    #[cfg(feature = "cluster")]
    {
        let options = EngineOptions { threads: Some(3), ..Default::default() };
        found.push(("a cluster".into(), limpid::cluster::standalone(&options).await.unwrap(), 7));
    }
    let mut sessions = vec![];
    for (name, ctx, files) in found {
        let path = dir.join(files.to_string());
        ctx.register_parquet(table, path.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
        sessions.push((name, ctx));
    }
    sessions
}
