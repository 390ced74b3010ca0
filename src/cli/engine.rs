//! The flags every command shares, and what they start: the runtime and the session.

use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{ArgAction, Args};
use datafusion::common::runtime::SpawnedTask;
use datafusion::prelude::SessionContext;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::errors::Failure;
use super::memory;
use crate::session::errors::bug;
use crate::session::{self, EngineOptions};

/// How long an interrupted query may take to give back its spill files before the program ends without it.
const GRACE: Duration = Duration::from_secs(2);

/// Stack of a thread. Plans are walked by functions that call themselves, and the usual 2 MB end below the depth that
/// statements may have. Only what is touched becomes memory.
const STACK_BYTES: usize = 32 << 20;

/// Flags that every command accepts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Memory that queries may use before they spill: 256MB, 4GiB, or a share of this machine such as 50%
    #[arg(long, global = true, value_name = "SIZE", env = "LIMPID_MEMORY_LIMIT", value_parser = parse_memory, hide_env_values = true)]
    pub memory_limit: Option<usize>,
    /// Threads at work; all cores by default
    #[arg(long, global = true, value_name = "N", env = "LIMPID_THREADS", hide_env_values = true)]
    pub threads: Option<NonZeroUsize>,
    /// Rows in a batch; 2048 by default
    #[arg(long, global = true, value_name = "ROWS", env = "LIMPID_BATCH_SIZE", hide_env_values = true)]
    pub batch_size: Option<NonZeroUsize>,
    /// Folder for spill files; the system's temporary folder by default
    #[arg(long, global = true, value_name = "FOLDER", env = "LIMPID_SPILL_DIR", hide_env_values = true)]
    pub spill_dir: Option<PathBuf>,
    /// Say more on standard error (-v progress, -vv details, -vvv everything)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl EngineArgs {
    /// The same choices as the session understands them.
    pub fn options(&self) -> EngineOptions {
        EngineOptions {
            memory_limit: self.memory_limit,
            threads: self.threads.map(NonZeroUsize::get),
            batch_size: self.batch_size.map(NonZeroUsize::get),
            spill_dir: self.spill_dir.clone(),
        }
    }
}

/// The runtime that queries run on, and the options of the sessions they run in.
#[derive(Debug)]
pub struct Engine {
    /// What the user chose.
    pub options: EngineOptions,
    /// Whether only errors go to standard error.
    pub quiet: bool,
    runtime: Mutex<Option<Runtime>>,
}

impl Engine {
    /// Starts the runtime.
    ///
    /// # Errors
    /// The spill folder is missing or no folder, or the system refuses threads.
    pub fn start(args: &EngineArgs) -> Result<Self, Failure> {
        if let Some(dir) = &args.spill_dir
            && !dir.is_dir()
        {
            return Err(Failure::error(format!("the spill folder {} is not a folder", dir.display())));
        }
        let runtime = Mutex::new(Some(runtime(args.threads)?));
        Ok(Self { options: args.options(), quiet: args.quiet, runtime })
    }

    /// A new session. Errors of its statements carry their position.
    ///
    /// # Errors
    /// The options do not make a session.
    pub fn session(&self) -> Result<SessionContext, Failure> {
        let ctx = session::context(&self.options)?;
        ctx.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
        Ok(ctx)
    }

    /// Runs `work` on the runtime until it ends or the user interrupts it; its tasks end with it.
    ///
    /// # Errors
    /// Those of `work`, and [`Failure::Interrupted`] on Ctrl-C or a request to terminate.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut running = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match running.take() {
            Some(runtime) => runtime,
            None => runtime(self.options.threads.and_then(NonZeroUsize::new))?,
        };
        // Held until the end; dropped, it ends the thread that waits for signals.
        let (_until_done, done) = oneshot::channel();
        let interrupted = listen(done)?;
        let result = runtime.block_on(async {
            let task = SpawnedTask::spawn(work);
            tokio::select! {
                biased;
                Ok(code) = interrupted => Err(Failure::Interrupted(code)),
                done = task.join() => done.map_err(|e| Failure::error(bug(&e.to_string())))?,
            }
        });
        if matches!(result, Err(Failure::Interrupted(_))) {
            // An operator in a long computation hears of its end only later, and must not stand in the way of what comes next.
            runtime.shutdown_timeout(GRACE);
            limpid_io::remove_uncommitted();
        } else {
            *running = Some(runtime);
        }
        result
    }

    /// Lets go of what still runs, shortly.
    pub fn stop(self) {
        if let Some(runtime) = self.runtime.into_inner().unwrap_or_else(PoisonError::into_inner) {
            runtime.shutdown_timeout(GRACE);
        }
    }
}

/// Threads for queries, and one more: partitions that compute for long without a pause must leave one to hear of the end.
fn runtime(threads: Option<NonZeroUsize>) -> Result<Runtime, Failure> {
    let threads =
        threads.map_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get), NonZeroUsize::get);
    let started =
        Builder::new_multi_thread().enable_all().worker_threads(threads + 1).thread_stack_size(STACK_BYTES).build();
    started.map_err(|e| Failure::error(format!("cannot start threads: {e}")))
}

/// Listens for a signal to stop, until `done`: from now on, however busy all other threads are.
fn listen(done: oneshot::Receiver<()>) -> Result<oneshot::Receiver<u8>, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::error(format!("cannot listen for signals: {e}")))?;
    // Registered here: a signal that came before the thread below runs would be lost.
    let signals = {
        let _entered = runtime.enter();
        Signals::new()?
    };
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                Some(code) = signals.first() => {
                    // Nobody waits for it any more where the work has just ended.
                    let _ = tell.send(code);
                }
                _ = done => {}
            }
        });
    });
    Ok(told)
}

/// The signals that stop the work.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    /// Registers for them; called inside a runtime.
    #[cfg(unix)]
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let register = |kind| signal(kind).map_err(|e| Failure::error(format!("cannot listen for signals: {e}")));
        Ok(Self { interrupt: register(SignalKind::interrupt())?, terminate: register(SignalKind::terminate())? })
    }

    /// Registers for them; called inside a runtime.
    #[cfg(windows)]
    fn new() -> Result<Self, Failure> {
        let interrupt = tokio::signal::windows::ctrl_c();
        Ok(Self { interrupt: interrupt.map_err(|e| Failure::error(format!("cannot listen for signals: {e}")))? })
    }

    /// The exit code that says which of them came first.
    #[cfg(unix)]
    async fn first(mut self) -> Option<u8> {
        tokio::select! {
            came = self.interrupt.recv() => came.map(|()| 130),
            came = self.terminate.recv() => came.map(|()| 143),
        }
    }

    /// The exit code that says which of them came first.
    #[cfg(windows)]
    async fn first(mut self) -> Option<u8> {
        self.interrupt.recv().await.map(|()| 130)
    }
}

/// `256MB`, `1.5GiB`, `1000000` or `50%`, in bytes.
fn parse_memory(given: &str) -> Result<usize, String> {
    let allowed = "write bytes, a number with KB, MB, GB, KiB, MiB or GiB, or a share of this machine such as 50%";
    let bytes = if let Some(share) = given.trim().strip_suffix('%') {
        match share.trim_end().parse::<f64>() {
            Ok(share) if share > 0.0 && share <= 100.0 => (share / 100.0 * memory::total() as f64) as u64,
            _ => return Err(format!("not a share of the memory between 0% and 100%; {allowed}")),
        }
    } else {
        given.trim().parse::<ByteSize>().map_err(|_| format!("not a size; {allowed}"))?.as_u64()
    };
    match usize::try_from(bytes) {
        Ok(0) => Err(format!("must be more than nothing; {allowed}")),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("more than this machine can address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_sizes() {
        assert_eq!(parse_memory("256MB"), Ok(256_000_000));
        assert_eq!(parse_memory("256 MiB"), Ok(256 << 20));
        assert_eq!(parse_memory("1.5gb"), Ok(1_500_000_000));
        assert_eq!(parse_memory("4096"), Ok(4096));
        let half = parse_memory("50%").unwrap() as u64;
        assert!(half.abs_diff(memory::total() / 2) <= 1);
    }

    #[test]
    fn memory_sizes_that_are_none() {
        for bad in ["", "MB", "12 apples", "-1GB", "0", "0%", "101%", "x%", "NaN%"] {
            let error = parse_memory(bad).unwrap_err();
            assert!(error.contains("MiB") && error.contains("50%"), "{bad}: {error}");
        }
    }
}
