//! The target named by `LIMPID_FUZZ_TARGET`, for libFuzzer. One binary for all of them, since each would link the whole engine.
#![no_main]

use std::sync::LazyLock;

use limpid_fuzz::{Target, target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("LIMPID_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|error| {
        eprintln!("LIMPID_FUZZ_TARGET: {error}");
        std::process::abort()
    })
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
