//! The `limpid` program.

use std::process::ExitCode;

use limpid::session::{EngineOptions, context, statement};

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = EngineOptions::default();
    let mut args = std::env::args().skip(1);
    let mut sql = String::new();
    while let Some(arg) = args.next() {
        let value = args.next().unwrap_or_default();
        match arg.as_str() {
            "--threads" => options.threads = value.parse().ok(),
            "--batch-size" => options.batch_size = value.parse().ok(),
            "--memory-limit" => options.memory_limit = value.parse().ok(),
            _ => sql = value,
        }
    }
    let run = async {
        let ctx = context(&options)?.enable_url_table();
        statement::sql(&ctx, &sql).await?.show().await
    };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("error: {e}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
