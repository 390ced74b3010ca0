//! Every target over its seeds and over seeds that are changed at random, on any toolchain.
//!
//! `LIMPID_FUZZ_SECONDS` is how long each target runs (1 by default) and `LIMPID_FUZZ_TARGET` the only one that does. The input
//! that is being tried is kept in the temporary folder as `limpid-fuzz-TARGET`, for the case that it ends the process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use limpid_fuzz::{TARGETS, Target, seeds};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// What makes inputs change: values at the edge, and marks of every language that is parsed.
const PIECES: &[&str] = &[
    "",
    "0",
    "-1",
    "1e309",
    "NaN",
    "18446744073709551616",
    "0.1",
    "NULL",
    "true",
    "\u{0}",
    "\n",
    "\r\n",
    "\t",
    "'",
    "\"",
    "`",
    ",",
    ";",
    ":",
    "=>",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "$",
    "-- ",
    "#",
    "\\",
    "\\u",
    "é",
    "\u{301}",
    "日本",
    "\u{1F600}",
    "\u{feff}",
    "SELECT * FROM t",
    "a",
    "\u{7f}\u{80}",
    "*",
    "?",
    "+",
    "::",
    "%",
];

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Insert(usize, &'static str),
    Byte(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize, usize),
    Splice(usize, usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = |place: usize| place % (bytes.len() + 1);
        match *self {
            Self::Insert(place, piece) => {
                let at = at(place);
                bytes.splice(at..at, piece.bytes());
            }
            Self::Byte(place, byte) => {
                let at = at(place);
                bytes.splice(at..bytes.len().min(at + 1), [byte]);
            }
            Self::Remove(place, length) => {
                let at = at(place);
                bytes.drain(at..bytes.len().min(at + length));
            }
            Self::Repeat(place, length, times) => {
                let at = at(place);
                let part = bytes[at..bytes.len().min(at + length)].repeat(times);
                bytes.splice(at..at, part);
            }
            Self::Splice(place, seed) => {
                let other = &seeds[seed % seeds.len()];
                bytes.truncate(at(place));
                bytes.extend_from_slice(&other[other.len().min(place % (other.len() + 1))..]);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), proptest::sample::select(PIECES)).prop_map(|(place, piece)| Change::Insert(place, piece)),
        (any::<usize>(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        (any::<usize>(), 1..40_usize).prop_map(|(place, length)| Change::Remove(place, length)),
        (any::<usize>(), 1..20_usize, 1..60_usize)
            .prop_map(|(place, length, times)| Change::Repeat(place, length, times)),
        (any::<usize>(), any::<usize>()).prop_map(|(place, seed)| Change::Splice(place, seed)),
    ]
}

/// Messages of panics, of every thread.
type Panics = Arc<Mutex<Vec<String>>>;

fn try_one(target: &Target, bytes: &[u8], panics: &Panics) -> Result<(), TestCaseError> {
    std::fs::write(std::env::temp_dir().join(format!("limpid-fuzz-{}", target.name)), bytes).unwrap();
    let done = std::panic::catch_unwind(|| (target.run)(bytes));
    let said = std::mem::take(&mut *panics.lock().unwrap());
    if done.is_ok() && said.is_empty() {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{}: {}\n{:?}", target.name, said.join("\n"), String::from_utf8_lossy(bytes))))
}

#[test]
fn no_target_panics() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(number("LIMPID_FUZZ_SECONDS").unwrap_or(1));
    let only = std::env::var("LIMPID_FUZZ_TARGET").ok();
    let panics = Panics::default();
    let found = Arc::clone(&panics);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| found.lock().unwrap().push(panic.to_string())));
    let mut failed = vec![];
    for target in TARGETS.iter().filter(|target| only.as_ref().is_none_or(|name| name == target.name)) {
        let (end, seeds) = (Instant::now() + time, seeds(target).unwrap());
        let tried = Cell::new(0);
        let attempt = |bytes: &[u8]| {
            tried.set(tried.get() + 1);
            try_one(target, bytes, &panics)
        };
        let mut result = seeds.iter().try_for_each(|seed| attempt(seed)).map_err(|error| error.to_string());
        let inputs = (any::<usize>(), proptest::collection::vec(change(), 1..8));
        while result.is_ok() && Instant::now() < end {
            // A runner stops for good after so many cases.
            let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
            let run = runner.run(&inputs, |(seed, changes)| {
                if Instant::now() > end {
                    return Ok(());
                }
                let mut bytes = seeds[seed % seeds.len()].clone();
                changes.iter().for_each(|change| change.apply(&mut bytes, &seeds));
                attempt(&bytes)
            });
            result = run.map_err(|error| error.to_string());
        }
        println!("{}: {} inputs", target.name, tried.get());
        failed.extend(result.err());
    }
    std::panic::set_hook(before);
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
