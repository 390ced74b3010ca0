//! The `limpid` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    limpid::cli::main()
}
