//! kill -9 at random moments: the sink is never partial, and the next run ends with the same bytes.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{JOB, Workplace, files};

/// Kills of the test; `benches/crash.sh` does more, on a larger job.
const KILLS: u64 = 4;

#[test]
fn killed_runs_end_with_the_same_bytes() {
    survives(JOB);
}

#[test]
fn killed_runs_of_steps_that_run_as_one_end_with_the_same_bytes() {
    let (before, after) = (JOB.find("  - name: exact").unwrap(), JOB.find("  - name: no_sevens").unwrap());
    let upper = "  - { name: upper, sql: 'SELECT id, upper(text) AS text FROM input' }\n";
    survives(&format!("{}  - {{ name: exact, recipe: exact_dedup }}\n{upper}{}", &JOB[..before], &JOB[after..]));
}

fn survives(job: &str) {
    let place = Workplace::new(40_000);
    place.job(job);
    let started = Instant::now();
    place.run(&["--set", "out=whole"]);
    let whole = started.elapsed();
    let expected = files(&place.path("whole/clean"));
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    println!("seed {seed}");
    let mut killed = 0;
    for kill in 0..KILLS {
        let share = xxhash_rust::xxh3::xxh3_64_with_seed(&kill.to_le_bytes(), u64::from(seed)) as f64 / u64::MAX as f64;
        let set = format!("out=out{kill}");
        // Twice the same folder: the second kill hits a run that resumes.
        for again in [1.0, 0.5] {
            let mut run = place
                .command(&["run", "job.yaml", "--set", &set])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(whole.mul_f64(share * again).max(Duration::from_millis(1)));
            killed += u32::from(run.try_wait().unwrap().is_none());
            run.kill().unwrap();
            run.wait().unwrap();
            let sink = place.path(&format!("out{kill}/clean"));
            if sink.exists() {
                assert_eq!(files(&sink), expected, "seed {seed}, kill {kill}: the sink is partial");
            }
        }
        place.run(&["--set", &set]);
        assert_eq!(files(&place.path(&format!("out{kill}/clean"))), expected, "seed {seed}, kill {kill}");
        let left: Vec<_> =
            fs::read_dir(place.path(&format!("out{kill}"))).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "seed {seed}, kill {kill}: {left:?}");
    }
    assert!(killed > 0, "no run was still alive when it was to be killed");
}
