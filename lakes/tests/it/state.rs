//! A lake that changes: updating finds what comparing anew finds, and reads what changed.

use std::fs;
use std::path::Path;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use datafusion::prelude::SessionContext;
use limpid_lakes::demo::{self, Plan};
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::options::{Options, Rows};
use limpid_lakes::pipeline::{self, Outcome};
use limpid_udfs::kernels::random::SplitMix64;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use tempfile::tempdir;

use crate::{compare, pairs, roomy};

async fn update(root: &Path, options: &Options) -> Outcome {
    let listed = list_files(&SessionContext::new().state(), root.to_str().unwrap()).await.unwrap();
    pipeline::update(listed, options, &roomy(), 2, root).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updating_is_comparing_anew() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    // Roots of more rows than make samples worth keeping, and of few.
    demo::write(&root.join("small"), &Plan { roots: 2, rows: (30, 300), seed: 3 }).unwrap();
    demo::write(&root.join("large"), &Plan { roots: 2, rows: (5000, 9000), seed: 4 }).unwrap();
    let mut random = SplitMix64::new(8);
    for rows in [Rows::Multiset, Rows::Set] {
        let options = Options { rows, ..Options::default() };
        let first = update(&root, &options).await;
        let all = first.counts.bytes_read;
        for round in 0..8 {
            let names: Vec<String> = first.lake.tables.iter().map(|table| table.name.clone()).collect();
            let file = |random: &mut SplitMix64| root.join(&names[(random.next_u64() % names.len() as u64) as usize]);
            let (from, to) = (file(&mut random), file(&mut random));
            if from.is_file() {
                match round % 4 {
                    1 => assert!(fs::copy(&from, root.join(format!("new_{round}.parquet"))).is_ok()),
                    2 if to.is_file() && to != from => assert!(fs::copy(&from, &to).is_ok()),
                    3 => fs::remove_file(&from).unwrap(),
                    _ => {}
                }
            }
            let updated = update(&root, &options).await;
            let anew = compare(&root, &options, &roomy(), 2).await;
            assert!(updated.problems.is_empty(), "{:?}", updated.problems);
            assert_eq!(pairs(&updated), pairs(&anew), "{rows:?}, round {round}");
            println!(
                "{rows:?} round {round}: {} pairs, {} bytes instead of {all}",
                updated.found.len(),
                updated.counts.bytes_read
            );
            if round % 4 == 0 {
                assert_eq!((updated.counts.bytes_read, updated.counts.scanned), (0, 0), "nothing changed");
            } else {
                assert!(updated.counts.bytes_read < anew.counts.bytes_read / 2);
            }
        }
    }
    // A state that is damaged or of other options is no state.
    let state = root.join("_limpid/state/tables.parquet");
    fs::write(&state, "torn").unwrap();
    let anew = compare(&root, &Options::default(), &roomy(), 2).await;
    assert_eq!(pairs(&update(&root, &Options::default()).await), pairs(&anew));
}

/// Writes the rows of a file anew, in another encoding.
fn rewrite(path: &Path, keep: impl Fn(usize) -> bool) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let rows = concat_batches(&batches[0].schema(), &batches).unwrap();
    let kept: BooleanArray = (0..rows.num_rows()).map(|row| Some(keep(row))).collect();
    let rows = filter_record_batch(&rows, &kept).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_written_anew_cost_their_own_table_only() {
    for rows in [Rows::Multiset, Rows::Set] {
        let folder = tempdir().unwrap();
        let root = folder.path().join("lake");
        demo::write(&root, &Plan { roots: 3, rows: (200, 3000), seed: 6 }).unwrap();
        let options = Options { rows, ..Options::default() };
        let first = update(&root, &options).await;
        let before = pairs(&first);
        for table in ["r000/root.parquet", "r001/01_copy.parquet", "r002/04_range.parquet"] {
            let path = root.join(table);
            rewrite(&path, |_| true);
            let size = fs::metadata(&path).unwrap().len();
            let updated = update(&root, &options).await;
            assert_eq!(pairs(&updated), before, "{table}");
            println!("{table}: {} bytes of {size} read", updated.counts.bytes_read);
            assert!(updated.counts.bytes_read <= size && updated.counts.scanned == 1, "{:?}", updated.counts);
        }
        // A copy of a known table under a new name has its containments.
        fs::copy(root.join("r000/root.parquet"), root.join("again.parquet")).unwrap();
        let updated = update(&root, &options).await;
        assert_eq!(pairs(&updated), pairs(&compare(&root, &options, &roomy(), 2).await));
        assert_eq!(updated.counts.scanned, 1);
        // Other rows under an old name have other ones.
        rewrite(&root.join("r000/root.parquet"), |row| row % 50 != 7);
        let updated = update(&root, &options).await;
        let anew = compare(&root, &options, &roomy(), 2).await;
        assert_eq!(pairs(&updated), pairs(&anew));
        println!("{} bytes read, {} anew", updated.counts.bytes_read, anew.counts.bytes_read);
        assert!(updated.counts.bytes_read < anew.counts.bytes_read / 2);
    }
}
