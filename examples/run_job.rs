//! Run a job from code, and use the report that it returns.
//!
//! cargo run --release --example run_job

use std::error::Error;
use std::path::Path;

use limpid::jobs::run::{RunOptions, run};
use limpid::session::EngineOptions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Paths of a job are relative to the current folder: run this from the root of the repository.
    let job = Path::new("examples/tiny.yaml");
    let out = tempfile::tempdir()?;
    let options = RunOptions {
        // The values of `${out}` in the file.
        set: [("out".to_owned(), out.path().display().to_string())].into(),
        ..RunOptions::default()
    };
    let report = run(job, &options, &EngineOptions::default()).await?;
    for step in &report.steps {
        println!("{}: {} rows in, {} out", step.name, step.rows_in, step.rows_out);
    }
    println!("{} of {} rows are in {}", report.rows_out, report.rows_in, out.path().join("clean").display());
    if report.rows_out == 7 { Ok(()) } else { Err("the tiny job keeps seven rows".into()) }
}
