//! Real tables, where they are at hand: the natural and the derived containments that are known of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use limpid_lakes::options::{Options, Rows, Stage, Types};

use crate::{compare, pairs, roomy};

/// The folder of real data beside the checkout.
fn data() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/data"));
    let found = above.into_iter().find(|folder| folder.join("lake").is_dir());
    if found.is_none() {
        println!("skipped: there is no folder shared/data/lake beside the checkout");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn natural_containments_are_all_found() {
    let Some(data) = data() else { return };
    let ctx = SessionContext::new();
    let truth = data.join("lake/TRUTH_natural_containment.parquet");
    let truth = ctx.read_parquet(truth.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    let mut known = BTreeSet::new();
    for batch in truth.collect().await.unwrap() {
        let text = |name: &str| cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        let (a, b) = (text("a"), text("b"));
        let share = batch.column_by_name("containment_a_in_b").unwrap().as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            if share.value(row) >= 1.0 {
                let name = |column: &dyn arrow::array::Array| {
                    column.as_string::<i32>().value(row).trim_end_matches(".parquet").to_owned()
                };
                known.insert((name(a.as_ref()), name(b.as_ref())));
            }
        }
    }
    assert!(!known.is_empty());
    let options = Options { rows: Rows::Set, types: Types::Text, ..Options::default() };
    let outcome = compare(&data.join("lake"), &options, &roomy(), 2).await;
    let found = pairs(&outcome);
    println!("{} known, {} found, {:?}", known.len(), found.len(), outcome.counts);
    let missed: Vec<_> = known.difference(&found).collect();
    assert!(missed.is_empty(), "{missed:?}");
    println!("beyond the known: {:?}", found.difference(&known).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn derived_containments_are_all_found() {
    let Some(data) = data() else { return };
    let lineage = std::fs::read_to_string(data.join("lake_derived/LINEAGE.csv")).unwrap();
    let mut known = BTreeSet::new();
    let header: Vec<&str> = lineage.lines().next().unwrap().split(',').collect();
    let place = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (path, parent, contained) = (place("path"), place("parent"), place("child_contained_in_parent"));
    for line in lineage.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if fields[contained] == "True" {
            let name = |at: usize| fields[at].trim_end_matches(".parquet").to_owned();
            known.insert((name(path), name(parent)));
        }
    }
    assert!(known.len() > 100);
    let options = Options { stage: Stage::Exact, rows: Rows::Set, types: Types::Text, ..Options::default() };
    let both = data.join("{lake,lake_derived}/**/*.parquet");
    let outcome = compare(&both, &options, &roomy(), 2).await;
    let found = pairs(&outcome);
    println!("{} known, {} found, {:?}", known.len(), found.len(), outcome.counts);
    let missed: Vec<_> = known.difference(&found).collect();
    assert!(missed.is_empty(), "{} missed: {:?}", missed.len(), missed.iter().take(5).collect::<Vec<_>>());
}
