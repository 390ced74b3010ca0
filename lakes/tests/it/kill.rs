//! Processes that die at a failpoint, and what they leave.
//!
//! A process is killed for good: nothing is dropped and nothing cleaned up. Failpoints are set for a whole process, so each death needs
//! one of its own, which is this test binary run once more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use limpid_lakes::demo;
use limpid_lakes::retire::PlanFile;
use limpid_udfs::kernels::random::SplitMix64;
use tempfile::tempdir;

use crate::retire::{apply, copy, files, plan, purge, restore, small};

/// Every failpoint of `retire`.
const POINTS: [&str; 15] = [
    "retire::prepared",
    "retire::rows-found",
    "retire::positions-written",
    "retire::rehearsed",
    "retire::recipe-written",
    "retire::entry-named",
    "retire::file-aside",
    "retire::all-aside",
    "retire::entry-opened",
    "retire::file-back",
    "retire::entry-closed",
    "retire::file-rebuilt",
    "retire::rebuilt-adopted",
    "retire::hashes-written",
    "retire::originals-freed",
];

/// What a dying process does, in the lake of which folder, and how many failpoints it passes before it dies at the next.
const WORK: &str = "LIMPID_TEST_WORK";
const LAKE: &str = "LIMPID_TEST_LAKE";
const PASSES: &str = "LIMPID_TEST_PASSES";
/// What it says last.
const DIES: &str = "dies at ";

/// The plan of a lake, beside its folder.
fn plan_of(root: &Path) -> PathBuf {
    root.with_extension("plan.json")
}

/// Not a test of its own: [`killed`] starts it as a process that dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dying() {
    let var = |name: &str| std::env::var(name).ok();
    let (Some(work), Some(root), Some(passes)) = (var(WORK), var(LAKE), var(PASSES)) else { return };
    let (root, passes) = (PathBuf::from(root), passes.parse().unwrap());
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    for point in POINTS {
        limpid_failpoints::cfg_callback(point, move || {
            if PASSED.fetch_add(1, Ordering::SeqCst) >= passes {
                println!("{DIES}{point}");
                std::process::abort();
            }
        });
    }
    match work.as_str() {
        "apply" => apply(&root, &PlanFile::read(&plan_of(&root)).unwrap()).await.unwrap(),
        "purge" => purge(&root, &[], false).await.unwrap(),
        "restore" => restore(&root, false).await.unwrap(),
        "rebuild" => restore(&root, true).await.unwrap(),
        _ => panic!("{work}"),
    };
}

/// Does `work` in a process that dies after `passes` failpoints, and says at which; `None` where the work was done before.
fn killed(work: &str, root: &Path, passes: usize) -> Option<String> {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "kill::dying", "--nocapture"]);
    let output = process.env(WORK, work).env(LAKE, root).env(PASSES, passes.to_string()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let point = text.lines().find_map(|line| line.split_once(DIES)).map(|(_, point)| point.to_owned());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(point.is_none(), output.status.success(), "{work} after {passes}: {text}{error}");
    point
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_failpoint_nothing_is_lost() {
    let folder = tempdir().unwrap();
    let origin = folder.path().join("origin");
    small(&origin);
    let before = files(&origin);
    let (mut steps, mut points) = ([0; 3], BTreeSet::new());
    for (phase, steps) in steps.iter_mut().enumerate() {
        for at in 0.. {
            let root = folder.path().join(format!("lake-{phase}-{at}"));
            copy(&origin, &root);
            let plan = plan(&root).await;
            assert_eq!(plan.retire.len(), 3);
            plan.write(&plan_of(&root)).unwrap();
            let work = ["apply", if at % 2 == 0 { "rebuild" } else { "restore" }, "purge"][phase];
            if work != "apply" {
                let done = apply(&root, &plan).await.unwrap();
                assert!(done.iter().all(|done| done.done), "{done:?}");
                let range = done.iter().find(|done| done.table == "range.parquet").unwrap();
                let query = r#"SELECT "id", "name", "share" FROM "all.parquet" WHERE "id" BETWEEN 50 AND 119"#;
                assert_eq!(range.says, query);
            }
            let died = killed(work, &root, at);
            let ended = died.is_none();
            points.extend(died);
            // A second death, while the first is being cleaned up.
            points.extend(killed("restore", &root, at % 5));
            let back = restore(&root, false).await.unwrap();
            assert!(back.iter().all(|done| done.done), "{work}, step {at}: {back:?}");
            assert_eq!(files(&root), before, "{work}, step {at}");
            assert_eq!(std::fs::read_dir(root.join("_limpid/retired")).unwrap().count(), 0);
            std::fs::remove_dir_all(&root).unwrap();
            if ended {
                *steps = at;
                break;
            }
        }
    }
    println!("killed at {steps:?} steps");
    assert!(steps[0] > 20 && steps[1] > 8 && steps[2] > 6, "{steps:?}");
    assert_eq!(points, POINTS.map(str::to_owned).into(), "every failpoint was a place to die");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_rounds_lose_nothing() {
    let mut random = SplitMix64::new(99);
    let folder = tempdir().unwrap();
    let mut cut_short = 0;
    for round in 0..12 {
        let root = folder.path().join(format!("lake-{round}"));
        demo::write(&root, &demo::Plan { roots: 1, rows: (20, 60), seed: random.next_u64() }).unwrap();
        let before = files(&root);
        let mut plan = plan(&root).await;
        plan.retire.truncate(8);
        plan.write(&plan_of(&root)).unwrap();
        let at = (random.next_u64() % 70) as usize;
        cut_short += usize::from(killed("apply", &root, at).is_some());
        let back = restore(&root, round % 2 == 0).await.unwrap();
        assert!(back.iter().all(|done| done.done), "{back:?}");
        assert_eq!(files(&root), before, "round {round}, step {at}");
    }
    println!("{cut_short} of 12 rounds were cut short");
}

/// The list above against the code.
#[test]
fn every_failpoint_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/retire");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let names = text.split("fail_point!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(names.map(str::to_owned));
    }
    assert_eq!(found, POINTS.map(str::to_owned).into());
}
