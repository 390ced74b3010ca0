//! The lake of known derivations: no pair missed, none too many.

use std::collections::{BTreeMap, BTreeSet};

use limpid_lakes::demo::{self, Made, Plan, Relation, truth};
use limpid_lakes::options::{Names, Options, Rows, Stage, Types};
use limpid_lakes::retention::{self, Prices};
use tempfile::tempdir;

use crate::{compare, pairs, roomy, tight};

const ROWS: [Rows; 2] = [Rows::Multiset, Rows::Set];
const TYPES: [Types; 4] = [Types::Widen, Types::Strict, Types::Text, Types::Parsed];

fn plan() -> Plan {
    // More of them on demand: LIMPID_DEMO_ROOTS=30 makes a lake of about 900 tables.
    let roots = std::env::var("LIMPID_DEMO_ROOTS").ok().and_then(|roots| roots.parse().ok()).unwrap_or(6);
    Plan { roots, rows: (30, 900), seed: 11 }
}

fn named(tables: &[Made], pairs: impl IntoIterator<Item = (usize, usize)>) -> BTreeSet<(String, String)> {
    pairs.into_iter().map(|(child, parent)| (tables[child].name.clone(), tables[parent].name.clone())).collect()
}

fn first(difference: &BTreeSet<(String, String)>) -> String {
    format!("{}: {:?}", difference.len(), difference.iter().take(5).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pair_is_missed_and_none_is_false() {
    let folder = tempdir().unwrap();
    let tables = demo::tables(&plan()).unwrap();
    let made = demo::write(folder.path(), &plan()).unwrap();
    assert_eq!(made, tables.len());
    for rows in ROWS {
        for types in TYPES {
            let truth = named(&tables, truth::contained(&tables, rows, types, 1.0).unwrap().into_keys());
            assert!(truth.len() > 300, "{rows:?} {types:?}: {} pairs", truth.len());
            let mut left = None;
            for stage in [Stage::Schema, Stage::Minmax, Stage::Sampled, Stage::Sketch, Stage::Exact, Stage::Bytes] {
                if stage == Stage::Bytes && types != Types::Widen {
                    continue;
                }
                let options = Options { stage, rows, types, ..Options::default() };
                let outcome = compare(folder.path(), &options, &roomy(), 2).await;
                assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
                let found = pairs(&outcome);
                let missed: BTreeSet<_> = truth.difference(&found).cloned().collect();
                assert!(missed.is_empty(), "{stage:?} {rows:?} {types:?} misses {}", first(&missed));
                if matches!(stage, Stage::Exact | Stage::Bytes) {
                    let wrong: BTreeSet<_> = found.difference(&truth).cloned().collect();
                    assert!(wrong.is_empty(), "{stage:?} {rows:?} {types:?} has too many {}", first(&wrong));
                    assert_eq!(outcome.counts.contained as usize, truth.len());
                }
                if !matches!(stage, Stage::Sampled | Stage::Schema) {
                    assert!(left.is_none_or(|left| found.len() <= left), "{stage:?} grows");
                    left = Some(found.len());
                }
                println!("{rows:?} {types:?} {stage:?}: {} pairs, truth {}", found.len(), truth.len());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_derived_is_found() {
    let tables = demo::tables(&plan()).unwrap();
    let all = |rows, types| truth::contained(&tables, rows, types, 1.0).unwrap();
    let (multiset, set, text) =
        (all(Rows::Multiset, Types::Widen), all(Rows::Set, Types::Widen), all(Rows::Multiset, Types::Text));
    let mut seen: BTreeMap<Relation, usize> = BTreeMap::new();
    for (at, table) in tables.iter().enumerate() {
        let Some(parent) = table.parent else { continue };
        let (down, up) = ((at, parent), (parent, at));
        let holds = match table.relation {
            Relation::Equal => multiset.contains_key(&down) && multiset.contains_key(&up),
            Relation::Contained => multiset.contains_key(&down),
            Relation::ContainedAsSet => !multiset.contains_key(&down) && set.contains_key(&down),
            Relation::ContainedAsText => !set.contains_key(&down) && text.contains_key(&down),
            Relation::Contains => multiset.contains_key(&up) && !set.contains_key(&down),
            Relation::Renamed => !text.contains_key(&down),
            Relation::Near | Relation::None => true,
        };
        assert!(holds, "{} is not {:?} of {}", table.name, table.relation, tables[parent].name);
        *seen.entry(table.relation).or_default() += 1;
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_memory_nor_threads_change_the_result() {
    let folder = tempdir().unwrap();
    demo::write(folder.path(), &Plan { roots: 3, rows: (3000, 6000), seed: 5 }).unwrap();
    let mut results = vec![];
    // With 600 kB neither cells nor most row hashes stay in memory: tables are read again and hashes spill.
    for (env, threads) in [(roomy(), 1), (roomy(), 7), (tight(600_000), 1)] {
        let outcome = compare(folder.path(), &Options::default(), &env, threads).await;
        results.push(outcome.found.clone());
        println!(
            "{} pairs, {} scans, {} bytes",
            outcome.found.len(),
            outcome.counts.scanned,
            outcome.counts.bytes_read
        );
    }
    assert!(results[0].len() > 100);
    assert!(results[0] == results[1] && results[0] == results[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn near_containments_have_their_exact_share() {
    let folder = tempdir().unwrap();
    let tables = demo::tables(&plan()).unwrap();
    demo::write(folder.path(), &plan()).unwrap();
    for rows in ROWS {
        let truth = truth::contained(&tables, rows, Types::Widen, 0.9).unwrap();
        let options = Options { rows, threshold: 0.9, ..Options::default() };
        let outcome = compare(folder.path(), &options, &roomy(), 2).await;
        let name = |table: u32| outcome.lake.tables[table as usize].name.trim_end_matches(".parquet").to_owned();
        let found: BTreeMap<_, _> =
            outcome.found.iter().map(|found| ((name(found.child), name(found.parent)), found.similarity)).collect();
        let truth: BTreeMap<_, _> = truth
            .into_iter()
            .map(|((child, parent), share)| ((tables[child].name.clone(), tables[parent].name.clone()), Some(share)))
            .collect();
        assert_eq!(found, truth);
        assert!(truth.values().any(|share| *share < Some(1.0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intervals_of_draws_hold_the_true_share() {
    let folder = tempdir().unwrap();
    let tables = demo::tables(&plan()).unwrap();
    demo::write(folder.path(), &plan()).unwrap();
    let truth = truth::contained(&tables, Rows::Set, Types::Widen, 0.0).unwrap();
    let mut shares: BTreeMap<(String, String), f64> = BTreeMap::new();
    for ((child, parent), share) in truth {
        shares.insert((tables[child].name.clone(), tables[parent].name.clone()), share);
    }
    let (mut held, mut all) = (0, 0);
    for seed in 0..8 {
        // A threshold so low that estimates of every size are listed.
        let options = Options {
            stage: Stage::Sampled,
            rows: Rows::Set,
            threshold: 0.01,
            sample_rows: 40,
            seed,
            ..Options::default()
        };
        let outcome = compare(folder.path(), &options, &roomy(), 2).await;
        let name = |table: u32| outcome.lake.tables[table as usize].name.trim_end_matches(".parquet").to_owned();
        for found in &outcome.found {
            let key = (name(found.child), name(found.parent));
            // Draws are of rows; the truth here is of distinct ones: the same where the first column is a key.
            if key.0.contains("repeat") || !key.0.contains("near") {
                continue;
            }
            let (low, high) = found.interval.unwrap();
            let share = shares[&key];
            held += usize::from(low <= share + 1e-9 && share <= high + 1e-9);
            all += 1;
        }
    }
    println!("{held} of {all} intervals hold the true share");
    assert!(all > 300 && held as f64 / all as f64 >= 0.95, "{held} of {all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_rebuild_from_kept_tables_only() {
    let folder = tempdir().unwrap();
    demo::write(folder.path(), &plan()).unwrap();
    let outcome = compare(folder.path(), &Options::default(), &roomy(), 2).await;
    let known: BTreeSet<(u32, u32)> = outcome.found.iter().map(|found| (found.child, found.parent)).collect();
    let mut gone = vec![];
    for accesses in [0.0, 0.5, 1e6] {
        let prices = Prices { accesses, ..Prices::default() };
        let plan = retention::plan(&outcome, &prices);
        let kept: BTreeSet<u32> = plan.advice.iter().filter(|a| a.from.is_none()).map(|a| a.table).collect();
        for advice in plan.advice.iter().filter(|advice| advice.from.is_some()) {
            let from = advice.from.unwrap();
            assert!(kept.contains(&from) && known.contains(&(advice.table, from)));
            assert!(advice.planned < advice.keeping && advice.state.is_some());
        }
        let cost: f64 = plan.advice.iter().map(|advice| advice.planned).sum();
        assert!(plan.cost <= plan.keeping && plan.bound <= plan.cost + 1e-12, "{plan:?}");
        assert!((plan.cost - cost).abs() <= 1e-6 * plan.keeping, "{} {cost}", plan.cost);
        println!(
            "{accesses} uses: {} of {} tables go, {} to {}, bound {}",
            plan.advice.len() - kept.len(),
            plan.advice.len(),
            plan.keeping,
            plan.cost,
            plan.bound
        );
        gone.push(plan.advice.len() - kept.len());
    }
    assert!(gone[0] > 60 && gone[0] >= gone[1] && gone[2] == 0, "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_names_hide_nothing() {
    let folder = tempdir().unwrap();
    let tables = demo::tables(&plan()).unwrap();
    demo::write(folder.path(), &plan()).unwrap();
    let by_name = pairs(&compare(folder.path(), &Options::default(), &roomy(), 2).await);
    for stage in [Stage::Exact, Stage::Bytes] {
        let options = Options { names: Names::Any, stage, ..Options::default() };
        let outcome = compare(folder.path(), &options, &roomy(), 2).await;
        let found = pairs(&outcome);
        assert!(found.is_superset(&by_name));
        let mut recalled = 0;
        let renamed: Vec<&Made> = tables.iter().filter(|table| table.relation == Relation::Renamed).collect();
        for table in &renamed {
            let root = &tables[table.parent.unwrap()].name;
            recalled += usize::from(found.contains(&(table.name.clone(), root.clone())));
            recalled += usize::from(found.contains(&(root.clone(), table.name.clone())));
        }
        println!(
            "{stage:?}: {} pairs by name, {} more by values; {recalled} of {} renamings",
            by_name.len(),
            found.len() - by_name.len(),
            2 * renamed.len()
        );
        assert_eq!(recalled, 2 * renamed.len());
        // Every one of them is true: renamed accordingly, the child is in its parent.
        for pair in outcome.found.iter().filter(|pair| pair.mapping.is_some()).take(400) {
            let made = |table: u32| {
                let name = outcome.lake.tables[table as usize].name.trim_end_matches(".parquet");
                let made = tables.iter().find(|made| made.name == name).unwrap();
                (made.clone(), &outcome.lake.tables[table as usize].columns)
            };
            let ((child, ours), (parent, theirs)) = (made(pair.child), made(pair.parent));
            if ours.iter().chain(theirs.iter()).any(|column| column.shown.contains('.')) {
                continue;
            }
            let names: BTreeMap<&str, &str> = ours
                .iter()
                .zip(pair.mapping.as_ref().unwrap())
                .map(|(ours, &place)| (&*ours.shown, &*theirs[place as usize].shown))
                .collect();
            let schema = child.rows.schema();
            let columns = schema.fields().iter().zip(child.rows.columns());
            let columns = columns.map(|(field, column)| (names[field.name().as_str()], column.clone()));
            let rows = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
            let two = [Made { rows, ..child }, parent];
            let truth = truth::contained(&two, Rows::Multiset, Types::Widen, 1.0).unwrap();
            assert!(truth.contains_key(&(0, 1)), "{} in {} by {names:?}", two[0].name, two[1].name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_names_and_some_missing_rows() {
    let folder = tempdir().unwrap();
    let tables = demo::tables(&plan()).unwrap();
    demo::write(folder.path(), &plan()).unwrap();
    let shares = truth::contained(&tables, Rows::Multiset, Types::Widen, 0.7).unwrap();
    let options = Options { names: Names::Any, threshold: 0.7, ..Options::default() };
    let outcome = compare(folder.path(), &options, &roomy(), 2).await;
    let name = |table: u32| outcome.lake.tables[table as usize].name.trim_end_matches(".parquet").to_owned();
    let found: BTreeMap<_, _> =
        outcome.found.iter().map(|found| ((name(found.child), name(found.parent)), found)).collect();
    // What is nearly in a root is as nearly in the root under other names, and the other way round.
    let (mut all, mut seen) = (0, 0);
    for renamed in tables.iter().filter(|table| table.relation == Relation::Renamed) {
        let root = renamed.parent.unwrap();
        for (at, near) in tables.iter().enumerate().filter(|(_, table)| table.operation.starts_with("near")) {
            if near.parent != Some(root) {
                continue;
            }
            let pairs = [((at, root), (&near.name, &renamed.name)), ((root, at), (&renamed.name, &near.name))];
            for (known, (child, parent)) in pairs {
                let Some(share) = shares.get(&known) else { continue };
                all += 1;
                let Some(found) = found.get(&(child.clone(), parent.clone())) else { continue };
                assert!(found.mapping.is_some());
                // Columns may be assigned in a way that holds more rows than theirs does; never in one of fewer.
                assert!(found.similarity.unwrap() >= share - 1e-9, "{child} in {parent}: {found:?}, not {share}");
                seen += 1;
            }
        }
    }
    println!("{seen} of {all} near-containments under other names");
    assert!(all > 40 && seen == all, "{seen} of {all}");
}
