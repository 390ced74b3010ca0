//! Many tables of one schema: pairs that metadata rule out are never looked at one by one.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use limpid_lakes::options::Options;
use parquet::arrow::ArrowWriter;
use tempfile::tempdir;

use crate::{compare, roomy};

/// Rows of a day.
const REGIONS: i64 = 21;

fn day(day: i64) -> RecordBatch {
    let regions: StringArray = (0..REGIONS).map(|region| Some(format!("region {region}"))).collect();
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("day".to_owned(), Arc::new(Int32Array::from(vec![day as i32; REGIONS as usize]))),
        ("region".to_owned(), Arc::new(regions)),
    ];
    for measure in 0..18 {
        let values = (0..REGIONS).map(|region| (day * 31 + region * 7 + measure * 13) % 9973);
        columns.push((format!("m{measure}"), Arc::new(Int64Array::from_iter_values(values))));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

fn write(path: &Path, rows: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), rows.schema(), None).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_daily_tables() {
    // More on demand.
    let most = std::env::var("LIMPID_DAILIES").ok().and_then(|most| most.parse().ok()).unwrap_or(5000_i64);
    for count in [most / 10, most] {
        let folder = tempdir().unwrap();
        let mut days = vec![];
        for number in 0..count {
            let rows = day(number);
            write(&folder.path().join(format!("day_{number:06}.parquet")), &rows);
            days.push(rows);
            if days.len() == 500 || number == count - 1 {
                let full = concat_batches(&days[0].schema(), &days).unwrap();
                write(&folder.path().join(format!("full_{:04}.parquet", number / 500)), &full);
                days.clear();
            }
        }
        let start = Instant::now();
        let outcome = compare(folder.path(), &Options::default(), &roomy(), 2).await;
        let counts = outcome.counts;
        println!(
            "{} tables, {} pairs by schema, {} by bounds, {:?}",
            counts.tables,
            counts.schema,
            counts.minmax,
            start.elapsed()
        );
        assert!(outcome.problems.is_empty());
        assert_eq!(outcome.found.len() as i64, count);
        assert_eq!(counts.schema, counts.tables * (counts.tables - 1));
        assert!(counts.minmax < 3 * counts.tables);
    }
}
