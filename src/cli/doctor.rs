//! `limpid doctor`: what limpid is and what it has to work with.

use std::io::Write;
use std::path::Path;

use clap::Args;
use datafusion::execution::memory_pool::MemoryLimit;
use limpid_encoders::onnx::provider;
use limpid_encoders::onnx::runtime::Runtime;
use limpid_encoders::registry;

use super::engine::Engine;
use super::errors::Failure;
use super::memory::{human, total};

/// Say which version this is and what memory, threads, disk, devices and models it works with
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// Runs the command.
pub fn run(_: &DoctorArgs, engine: &Engine) -> Result<(), Failure> {
    let ctx = engine.session()?;
    let runtime = ctx.runtime_env();
    let pool = match runtime.memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => format!("{} ({})", human(bytes as u64), runtime.memory_pool.name()),
        MemoryLimit::Infinite => format!("no limit ({}); set --memory-limit", runtime.memory_pool.name()),
        MemoryLimit::Unknown => format!("limit not known ({})", runtime.memory_pool.name()),
    };
    let spill = engine.options.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
    let config = ctx.copied_config();
    let facts = [
        ("limpid", env!("CARGO_PKG_VERSION").to_owned()),
        ("Apache DataFusion", datafusion::DATAFUSION_VERSION.to_owned()),
        ("Apache Arrow", arrow::ARROW_VERSION.to_owned()),
        ("cluster", if cfg!(feature = "cluster") { "built in" } else { "not built in (feature `cluster`)" }.to_owned()),
        ("processor", format!("{}, {}", std::env::consts::ARCH, std::env::consts::OS)),
        ("cores", std::thread::available_parallelism().map_or_else(|_| "not known".to_owned(), |n| n.to_string())),
        ("partitions", config.target_partitions().to_string()),
        ("batch", format!("{} rows", config.batch_size())),
        ("memory", human(total())),
        ("memory pool", pool),
        ("spill folder", format!("{}, {}", spill.display(), free_space(&spill))),
        ("model runtime", Runtime::get().map_or_else(|error| error.to_string(), ToString::to_string)),
        ("devices", devices()),
        ("models", models()),
    ];
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for (name, value) in facts {
        writeln!(out, "{name:width$}  {value}")?;
    }
    Ok(out.flush()?)
}

fn devices() -> String {
    let Ok(runtime) = Runtime::get() else { return "none for ONNX models".to_owned() };
    let told = provider::devices(runtime).into_iter().map(|(device, tried)| match tried {
        Ok(()) => device.to_string(),
        // The library's reason comes last, after its own places in its sources.
        Err(why) => format!("not {device} ({})", why.trim().rsplit("error: ").next().unwrap_or_default()),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn models() -> String {
    match registry::list() {
        Ok(entries) => {
            let names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
            format!("{} (in {})", names.join(", "), registry::folder().display())
        }
        Err(error) => error.to_string(),
    }
}

fn free_space(folder: &Path) -> String {
    match fs4::available_space(folder) {
        Ok(bytes) => format!("{} free", human(bytes)),
        Err(error) => format!("free space not known: {error}"),
    }
}
