//! Where the threads of a query meet those of a model: one bounded queue a model, whoever asks.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::session::{Rows, Session};

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads models may use, before the first is opened; the number of cores by default.
pub fn set_threads(threads: usize) {
    THREADS.store(threads, Ordering::Relaxed);
}

/// How many threads models may use.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    }
}

/// The threads of a model. They end when it is dropped.
#[derive(Debug)]
pub struct Pool {
    queue: SyncSender<Job>,
}

/// A vector, or the losses of its tokens, for each row.
type Numbers = Vec<Vec<f32>>;

/// Runs one after the other, and where their results go.
#[derive(Debug)]
struct Job {
    number: usize,
    runs: Vec<Rows>,
    reply: Sender<(usize, Result<Numbers, String>)>,
}

impl Pool {
    /// A thread a session.
    pub fn start(sessions: Vec<Session>) -> std::io::Result<Self> {
        // Twice as many as are worked on: threads never wait for the next, and callers that run ahead do.
        let (queue, jobs) = sync_channel::<Job>(2 * sessions.len());
        let jobs = Arc::new(Mutex::new(jobs));
        for session in sessions {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new().name("limpid-encoder".to_owned()).spawn(move || work(&jobs, session))?;
        }
        Ok(Self { queue })
    }

    /// The results of `jobs`, each several runs, in their order. The calling thread waits.
    pub fn run(&self, jobs: impl Iterator<Item = Vec<Rows>>) -> Result<Vec<Numbers>, String> {
        let (reply, results) = channel();
        let mut finished: Vec<Option<Numbers>> = vec![];
        let ended = || "its threads have ended".to_owned();
        for (number, runs) in jobs.enumerate() {
            finished.push(None);
            let job = Job { number, runs, reply: reply.clone() };
            self.queue.send(job).map_err(|_| ended())?;
            for (number, result) in results.try_iter() {
                finished[number] = Some(result?);
            }
        }
        drop(reply);
        for (number, result) in results {
            finished[number] = Some(result?);
        }
        finished.into_iter().collect::<Option<_>>().ok_or_else(ended)
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, mut session: Session) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, runs, reply }) = job else { return };
        let results: Result<Vec<_>, String> = runs.iter().map(|rows| session.run(rows)).collect();
        // Whoever asked may have given up.
        let _ = reply.send((number, results.map(|runs| runs.into_iter().flatten().collect())));
    }
}
