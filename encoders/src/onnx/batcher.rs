//! Passes rows from the threads of queries to those of a model. There is one batcher per model and device, whoever uses it.
//!
//! Rows of all callers wait in one queue, ordered by length. A thread of the model takes the longest row of the caller that
//! has waited longest. On a GPU, it fills the batch with the rows nearest below in length, from any caller, up to a budget of
//! tokens. Every caller is therefore served in turn, and little is padded. The queue is bounded: a caller that is ahead of
//! the model blocks until its next row fits.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads models may use; the default is the number of cores. Must be called before the first model is opened.
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

/// One input of a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The tokens of a text.
    Tokens(Vec<u32>),
    /// Channels of pixels, each `crop` x `crop`.
    Pixels(Vec<f32>),
}

impl Row {
    /// What the row counts against the budget of a batch: its number of tokens, or one for an image.
    pub fn length(&self) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.len().max(1),
            Self::Pixels(_) => 1,
        }
    }
}

/// For each row a vector, or the losses of its tokens.
pub type Numbers = Vec<Vec<f32>>;

/// Something that runs rows.
pub trait Run: Send {
    /// Runs `rows` together and returns the numbers of each.
    fn run(&mut self, rows: &[Row]) -> Result<Numbers, String>;
}

/// How rows are batched.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Whether the rows of a batch run together. Otherwise each runs alone, and a batch is what a thread takes at once.
    pub together: bool,
    /// Maximum number of tokens in a batch, with every row as wide as the longest. A longer row still runs alone.
    pub tokens: usize,
    /// Maximum number of rows in a batch.
    pub rows: usize,
    /// Maximum number of waiting tokens, not counting the last row that was accepted.
    pub waiting: usize,
}

/// The threads of a model. They end when the batcher is dropped.
#[derive(Debug)]
pub struct Batcher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    limits: Limits,
    /// Signals that a row is waiting or that the batcher ends.
    filled: Condvar,
    /// Signals that there is room.
    taken: Condvar,
}

/// Position of a row in the queue: its length, its caller, and its index among the caller's rows.
type Place = (usize, u64, usize);

#[derive(Debug, Default)]
struct State {
    by_length: BTreeMap<Place, Waiting>,
    /// The same rows, ordered by caller, length and index.
    by_caller: BTreeSet<(u64, usize, usize)>,
    tokens: usize,
    callers: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    row: Row,
    reply: Reply,
}

/// Index of a row among the caller's, and its numbers.
type Answer = (usize, Result<Vec<f32>, String>);

type Reply = Sender<Vec<Answer>>;

impl Batcher {
    /// Starts a thread for each of `runs`.
    pub fn start<R: Run + 'static>(runs: Vec<R>, limits: Limits) -> std::io::Result<Self> {
        let (state, filled, taken) = (Mutex::default(), Condvar::new(), Condvar::new());
        // Created first, so that if a thread cannot be started, the others end with it.
        let batcher = Self { shared: Arc::new(Shared { state, limits, filled, taken }) };
        for run in runs {
            let shared = Arc::clone(&batcher.shared);
            std::thread::Builder::new().name("limpid-encoder".to_owned()).spawn(move || work(&shared, run))?;
        }
        Ok(batcher)
    }

    /// Runs `rows` and returns their numbers in the same order. Blocks the calling thread. The first error ends the call.
    pub fn run(&self, rows: Vec<Row>) -> Result<Numbers, String> {
        let (reply, results) = channel();
        let mut finished: Vec<Option<Vec<f32>>> = vec![None; rows.len()];
        let mut order: Vec<(usize, Row)> = rows.into_iter().enumerate().collect();
        // Long rows first, so that no thread is left with one at the end.
        order.sort_by_key(|(_, row)| std::cmp::Reverse(row.length()));
        let caller = {
            let mut state = self.shared.lock();
            state.callers += 1;
            state.callers
        };
        let mut rows =
            order.into_iter().map(|(number, row)| (number, Waiting { row, reply: reply.clone() })).peekable();
        let mut finish = |answers: Vec<Answer>| {
            answers.into_iter().try_for_each(|(number, result)| {
                finished[number] = Some(result.inspect_err(|_| self.shared.forget(caller))?);
                Ok::<_, String>(())
            })
        };
        while rows.peek().is_some() {
            self.shared.push(caller, &mut rows);
            results.try_iter().try_for_each(&mut finish)?;
        }
        drop(rows);
        drop(reply);
        results.into_iter().try_for_each(&mut finish)?;
        finished.into_iter().collect::<Option<_>>().ok_or_else(|| "its threads have ended".to_owned())
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues as many of `rows` as there is room for, blocking until there is room for at least one.
    fn push(&self, caller: u64, rows: &mut impl Iterator<Item = (usize, Waiting)>) {
        let full = |state: &mut State| state.tokens >= self.limits.waiting;
        let state = self.taken.wait_while(self.lock(), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        while !full(&mut state) {
            let Some((number, waiting)) = rows.next() else { break };
            let length = waiting.row.length();
            state.tokens += length;
            state.by_caller.insert((caller, length, number));
            state.by_length.insert((length, caller, number), waiting);
        }
        drop(state);
        self.filled.notify_all();
    }

    /// Removes the waiting rows of a caller that failed.
    fn forget(&self, caller: u64) {
        let mut state = self.lock();
        let of_caller = (caller, 0, 0)..=(caller, usize::MAX, usize::MAX);
        let places: Vec<_> = state.by_caller.range(of_caller).copied().collect();
        for (caller, length, number) in places {
            state.take((length, caller, number));
        }
        drop(state);
        self.taken.notify_all();
    }

    /// Takes the next batch; `None` if there will be no more.
    fn next(&self) -> Option<Vec<(Place, Waiting)>> {
        let idle = |state: &mut State| state.by_length.is_empty() && !state.closed;
        let state = self.filled.wait_while(self.lock(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let batch = state.batch(self.limits);
        // Callers are woken when half of the room is free, not for every row.
        let room = state.tokens < self.limits.waiting.div_ceil(2);
        drop(state);
        if room {
            self.taken.notify_all();
        }
        (!batch.is_empty()).then_some(batch)
    }
}

impl State {
    fn take(&mut self, (length, caller, number): Place) -> Option<(Place, Waiting)> {
        let place = (length, caller, number);
        let waiting = self.by_length.remove(&place)?;
        self.by_caller.remove(&(caller, length, number));
        self.tokens -= length;
        Some((place, waiting))
    }

    /// The longest row of the caller that has waited longest.
    fn first(&self) -> Option<Place> {
        let (caller, ..) = *self.by_caller.first()?;
        let longest = self.by_caller.range((caller, 0, 0)..=(caller, usize::MAX, usize::MAX)).next_back();
        longest.map(|&(caller, length, number)| (length, caller, number))
    }

    fn batch(&mut self, limits: Limits) -> Vec<(Place, Waiting)> {
        let (mut batch, mut next, mut tokens, mut width) = (vec![], self.first(), 0, 0);
        while let Some((length, caller, number)) = next {
            width = length.max(width);
            tokens = if limits.together { (batch.len() + 1) * width } else { tokens + length };
            if !batch.is_empty() && (tokens > limits.tokens || batch.len() >= limits.rows) {
                break;
            }
            batch.extend(self.take((length, caller, number)));
            next = if limits.together {
                self.by_length.range(..=(width, u64::MAX, usize::MAX)).next_back().map(|(place, _)| *place)
            } else {
                self.first()
            };
        }
        batch
    }
}

fn work(shared: &Shared, mut run: impl Run) {
    while let Some(batch) = shared.next() {
        let (places, waiting): (Vec<Place>, Vec<Waiting>) = batch.into_iter().unzip();
        let (rows, replies): (Vec<Row>, Vec<Reply>) = waiting.into_iter().map(|w| (w.row, w.reply)).unzip();
        let callers: Vec<u64> = places.iter().map(|(_, caller, _)| *caller).collect();
        let results = if shared.limits.together {
            together(&mut run, &rows, &callers)
        } else {
            rows.iter().map(|row| alone(&mut run, row)).collect()
        };
        // A caller is woken once per batch for all of its rows.
        let mut answers: BTreeMap<u64, (Reply, Vec<Answer>)> = BTreeMap::new();
        for (((_, caller, number), reply), result) in places.into_iter().zip(replies).zip(results) {
            answers.entry(caller).or_insert_with(|| (reply, vec![])).1.push((number, result));
        }
        for (reply, answers) in answers.into_values() {
            // The caller may have given up.
            let _ = reply.send(answers);
        }
    }
}

fn alone(run: &mut impl Run, row: &Row) -> Result<Vec<f32>, String> {
    run.run(std::slice::from_ref(row))?.pop().ok_or_else(|| "it gave nothing for a row".to_owned())
}

/// Runs the rows as one batch. If that fails and the rows are from several callers, runs the rows of each caller separately,
/// so that only the caller of a bad input receives an error.
fn together(run: &mut impl Run, rows: &[Row], callers: &[u64]) -> Vec<Result<Vec<f32>, String>> {
    let all = |run: &mut dyn Run, rows: &[Row]| match run.run(rows) {
        Ok(numbers) if numbers.len() == rows.len() => Ok(numbers),
        Ok(numbers) => Err(format!("it gave {} rows for {}", numbers.len(), rows.len())),
        Err(message) => Err(message),
    };
    let message = match all(run, rows) {
        Ok(numbers) => return numbers.into_iter().map(Ok).collect(),
        Err(message) => message,
    };
    let distinct: BTreeSet<u64> = callers.iter().copied().collect();
    let mut results: Vec<Result<Vec<f32>, String>> = vec![Err(message); rows.len()];
    for caller in distinct.iter().filter(|_| distinct.len() > 1) {
        let own: Vec<usize> = (0..rows.len()).filter(|&at| callers[at] == *caller).collect();
        let some: Vec<Row> = own.iter().map(|&at| rows[at].clone()).collect();
        match all(run, &some) {
            Ok(numbers) => own.into_iter().zip(numbers).for_each(|(at, numbers)| results[at] = Ok(numbers)),
            Err(message) => own.into_iter().for_each(|at| results[at] = Err(message.clone())),
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
    use std::time::Duration;

    use super::*;

    /// Returns the first token and the length of each row; fails on token 13. Reports each batch and waits for permission to
    /// run it.
    struct Fake {
        batches: SyncSender<Vec<Row>>,
        leave: Receiver<()>,
    }

    impl Run for Fake {
        fn run(&mut self, rows: &[Row]) -> Result<Numbers, String> {
            self.batches.send(rows.to_vec()).map_err(|e| e.to_string())?;
            self.leave.recv().map_err(|e| e.to_string())?;
            rows.iter().map(numbers).collect()
        }
    }

    fn numbers(row: &Row) -> Result<Vec<f32>, String> {
        let Row::Tokens(tokens) = row else { return Err("no text".to_owned()) };
        if tokens.contains(&13) { Err("13".to_owned()) } else { Ok(vec![tokens[0] as f32, tokens.len() as f32]) }
    }

    fn row(token: u32, length: usize) -> Row {
        Row::Tokens(vec![token; length])
    }

    fn start(limits: Limits) -> (Batcher, Receiver<Vec<Row>>, SyncSender<()>) {
        let ((batches, seen), (go, leave)) = (sync_channel(100), sync_channel(100));
        (Batcher::start(vec![Fake { batches, leave }], limits).unwrap(), seen, go)
    }

    fn waits(batcher: &Batcher, rows: usize) {
        while batcher.shared.lock().by_length.len() < rows {
            std::thread::yield_now();
        }
    }

    const DEVICE: Limits = Limits { together: true, tokens: 20, rows: 4, waiting: 1000 };

    #[test]
    fn rows_of_all_callers_run_together_by_length() {
        let (batcher, seen, go) = start(DEVICE);
        std::thread::scope(|scope| {
            let one = scope.spawn(|| batcher.run(vec![row(1, 9)]));
            // The thread is busy with this batch while the others arrive.
            let first = seen.recv().unwrap();
            assert_eq!(first, [row(1, 9)]);
            let two = scope.spawn(|| batcher.run(vec![row(2, 3), row(3, 8), row(4, 2), row(5, 5)]));
            waits(&batcher, 4);
            let three = scope.spawn(|| batcher.run(vec![row(6, 5), row(7, 10), row(8, 4)]));
            waits(&batcher, 7);
            (0..9).for_each(|_| go.send(()).unwrap());
            assert_eq!(one.join().unwrap().unwrap(), [[1.0, 9.0]]);
            // Results are in the order of the rows.
            assert_eq!(two.join().unwrap().unwrap(), [[2.0, 3.0], [3.0, 8.0], [4.0, 2.0], [5.0, 5.0]]);
            assert_eq!(three.join().unwrap().unwrap(), [[6.0, 5.0], [7.0, 10.0], [8.0, 4.0]]);
        });
        let batches: Vec<Vec<usize>> = seen.try_iter().map(|b| b.iter().map(Row::length).collect()).collect();
        // First the longest row of the previous caller with the nearest in length from both: 2 x 8 <= 20. Then its 5, with
        // theirs.
        assert_eq!(batches, [vec![8, 5], vec![5, 4, 3, 2], vec![10]]);
    }

    #[test]
    fn on_the_processor_every_row_runs_alone() {
        let (batcher, seen, go) = start(Limits { together: false, ..DEVICE });
        (0..5).for_each(|_| go.send(()).unwrap());
        let rows: Vec<Row> = (1..=5).map(|length| row(length as u32, length)).collect();
        let found = batcher.run(rows).unwrap();
        assert_eq!(found.iter().map(|n| n[1]).collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(seen.try_iter().all(|batch| batch.len() == 1));
        assert!(batcher.run(vec![]).unwrap().is_empty());
    }

    #[test]
    fn an_error_reaches_the_caller_who_brought_it() {
        let (batcher, seen, go) = start(DEVICE);
        std::thread::scope(|scope| {
            let block = scope.spawn(|| batcher.run(vec![row(1, 1)]));
            seen.recv().unwrap();
            let good = scope.spawn(|| batcher.run(vec![row(2, 4), row(3, 3)]));
            waits(&batcher, 2);
            // The longest of the caller's rows fails; its other rows are not run with it.
            let bad = scope.spawn(|| {
                let rows = (0..30).map(|_| row(5, 2)).chain([row(13, 4)]);
                batcher.run(rows.collect())
            });
            waits(&batcher, 33);
            (0..99).for_each(|_| go.send(()).unwrap());
            block.join().unwrap().unwrap();
            assert_eq!(good.join().unwrap().unwrap(), [[2.0, 4.0], [3.0, 3.0]]);
            assert_eq!(bad.join().unwrap().unwrap_err(), "13");
        });
        assert_eq!(batcher.shared.lock().tokens, 0);
        assert!(batcher.run(vec![row(1, 1)]).is_ok());
    }

    #[test]
    fn callers_that_run_ahead_wait() {
        let (batcher, seen, go) = start(Limits { waiting: 10, rows: 1, ..DEVICE });
        std::thread::scope(|scope| {
            let call = scope.spawn(|| batcher.run((0..100).map(|token| row(token % 13, 3)).collect()));
            for _ in 0..100 {
                seen.recv().unwrap();
                // At most three rows fit before the tenth token, and one more that crosses it.
                std::thread::sleep(Duration::from_micros(50));
                assert!(batcher.shared.lock().tokens < 13);
                go.send(()).unwrap();
            }
            assert_eq!(call.join().unwrap().unwrap().len(), 100);
        });
        drop(batcher);
        assert_eq!(seen.recv_timeout(Duration::from_secs(9)), Err(RecvTimeoutError::Disconnected));
    }
}
