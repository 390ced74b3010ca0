//! Files appear whole in one crate only: `limpid-io`.

use std::fs;
use std::path::{Path, PathBuf};

/// The crate that may.
const HOME: &str = "connectors/io/";

/// Calls that only that crate may make.
const ONLY_THERE: [&str; 6] =
    ["fs::rename(", "sync_all(", "sync_data(", ".persist(", ".persist_noclobber(", "hard_link("];

/// Calls that make a file which can be seen half written.
const BIT_BY_BIT: [&str; 5] = ["fs::write(", "File::create(", "File::create_new(", "fs::copy(", "OpenOptions::new("];

/// Where that is right, and why.
const ALLOWED: [(&str, &str); 10] = [
    ("connectors/src/sinks/hashing.rs", "a part of a staging folder, which is committed as a whole"),
    ("encoders/src/hub.rs", "a download into a temporary folder, from which the model is then added"),
    ("encoders/src/registry.rs", "the files of a model in a staging folder, which is committed as a whole"),
    ("lakes/src/demo/write.rs", "a made-up lake to try things with"),
    ("lakes/src/retire/rebuild.rs", "a file of an entry that does not count yet, which is committed as a whole"),
    ("lakes/src/retire/store.rs", "a lock, which is empty"),
    ("src/cli/memory.rs", "a switch of the kernel below /proc"),
    ("src/cli/output/target.rs", "a pipe or a device, which takes bytes as they come"),
    ("src/jobs/lock.rs", "a lock, which says who holds it"),
    ("src/jobs/writer.rs", "the rows of a step, which count once its manifest is there"),
];

/// Production code: each file without its comments and its tests.
fn production() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> =
        ["src", "udfs/src", "connectors", "encoders/src", "lakes/src"].map(|folder| root.join(folder)).to_vec();
    let mut found = vec![];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !matches!(name.as_str(), "tests" | "benches" | "examples") {
                folders.push(path);
            } else if name.ends_with(".rs") && !matches!(name.as_str(), "tests.rs" | "testing.rs" | "round_trip.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod ").next().unwrap().lines();
                let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
                found.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), code.join("\n")));
            }
        }
    }
    found
}

#[test]
fn only_one_crate_renames_files_and_puts_them_on_disk() {
    let code = production();
    assert!(code.len() > 300 && code.iter().any(|(path, code)| path.starts_with(HOME) && code.contains("sync_all(")));
    for (path, code) in code.iter().filter(|(path, _)| !path.starts_with(HOME)) {
        for call in ONLY_THERE {
            assert!(!code.contains(call), "{path} calls `{call}`: use `limpid_io`, which puts file and folder on disk");
        }
    }
}

/// The first call in `code` that makes a file bit by bit: `File::create(`, and not `NewFile::create(`.
fn writes(code: &str) -> Option<&'static str> {
    let calls = |call: &&str| {
        code.match_indices(*call).any(|(at, _)| !code[..at].ends_with(|before: char| before.is_alphanumeric()))
    };
    BIT_BY_BIT.into_iter().find(calls)
}

#[test]
fn files_that_are_written_bit_by_bit_are_listed() {
    let code = production();
    for (path, code) in code.iter().filter(|(path, _)| !path.starts_with(HOME)) {
        if let Some(call) = writes(code) {
            let listed = ALLOWED.iter().any(|(allowed, _)| allowed == path);
            assert!(
                listed,
                "{path} calls `{call}`: use `limpid_io::write`, or say above why it may be seen half written"
            );
        }
    }
    for (allowed, _) in ALLOWED {
        let used = code.iter().any(|(path, code)| path == allowed && writes(code).is_some());
        assert!(used, "{allowed} is listed above and writes no file bit by bit any more");
    }
}
