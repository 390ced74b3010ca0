//! Cache of embeddings: a vector that was computed once is read back instead of computed again.
//!
//! A cache is a folder of Parquet files. Each model has a subfolder, named after the hash of everything that its vectors
//! depend on ([`Identity`](limpid_encoders::folder::Identity)), so a changed model, tokenizer or setting starts with an empty
//! one. A file holds hashes of contents and their vectors. It appears by rename and never changes, so processes share a
//! folder without a lock; at worst, two of them compute the same vector at the same time. Memory holds the hashes with the
//! locations of their vectors, about 40 bytes per content, and the vectors not yet written.

mod parts;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use limpid_encoders::folder::digest;
use limpid_encoders::{Model, Vectors};
use parts::{Key, Part, Rows};

/// The file that records to which model a folder belongs.
const IDENTITY: &str = "model.json";
/// Maximum number of vectors in memory before they are written: in rows, and in numbers.
const ROWS: usize = 16_384;
const NUMBERS: usize = 8 << 20;
/// How long a vector may stay in memory only. A process that is killed loses at most this much work.
const DELAY: Duration = Duration::from_secs(10);

/// The cached vectors of one model in one folder.
#[derive(Debug)]
pub struct Cache {
    part: Part,
    state: Mutex<State>,
    /// Signalled when awaited vectors have arrived, or when their computation failed.
    landed: Condvar,
}

#[derive(Debug)]
struct State {
    places: HashMap<Key, (u32, u32)>,
    files: Vec<PathBuf>,
    names: HashSet<OsString>,
    fresh: Fresh,
    /// Vectors being written to files.
    writing: Vec<Arc<Fresh>>,
    /// Contents whose vectors a thread of this process is computing.
    flying: HashSet<Key>,
    written: Instant,
}

/// Vectors that are not in any file yet.
#[derive(Debug, Default)]
struct Fresh {
    places: HashMap<Key, usize>,
    rows: Rows,
}

impl Fresh {
    fn get(&self, key: &Key, dimension: usize) -> Option<(bool, &[f32])> {
        let row = *self.places.get(key)?;
        Some((self.rows.present[row], &self.rows.values[row * dimension..(row + 1) * dimension]))
    }
}

/// Contents that this thread has undertaken to compute. If the work fails, dropping the claim releases them.
struct Claim<'a> {
    cache: &'a Cache,
    keys: Vec<Key>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            let mut state = self.cache.lock();
            self.keys.iter().for_each(|key| {
                state.flying.remove(key);
            });
            drop(state);
            self.cache.landed.notify_all();
        }
    }
}

impl Cache {
    /// Opens the cache of `model` in `folder`, creating the folder if needed. The cache stays open for the process: a later
    /// call reads files that appeared since, and reads all again if some disappeared.
    pub fn open(folder: &Path, model: &Model) -> Result<Arc<Self>> {
        static OPEN: Mutex<Option<HashMap<PathBuf, Arc<Cache>>>> = Mutex::new(None);
        let identity = model.identity().map_err(|error| exec_datafusion_err!("embedding cache: {error}"))?;
        let (hash, text) = (identity.hash(), identity.text());
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let own = absolute.join(&hash[..32]);
        let cache = {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            let open = open.get_or_insert_default();
            let cache = open.entry(own.clone()).or_insert_with(|| {
                let part = Part { folder: own.clone(), identity: hash, dimension: model.info().dimension };
                Arc::new(Self { part, state: Mutex::new(State::new()), landed: Condvar::new() })
            });
            Arc::clone(cache)
        };
        cache.part.prepare(IDENTITY, &text)?;
        cache.refresh()?;
        Ok(cache)
    }

    /// Approximate number of bytes in memory.
    pub fn memory(&self) -> usize {
        let state = self.lock();
        let fresh = state.writing.iter().map(|fresh| fresh.rows.values.len()).sum::<usize>();
        state.places.capacity() * (size_of::<(Key, (u32, u32))>() + 1) + 4 * (fresh + state.fresh.rows.values.len())
    }

    /// Returns the vectors of `contents`, and how many of them were cached. The others are computed by `make`, which receives
    /// their positions, and are then cached. Equal contents are computed once, even if several threads ask at the same time.
    pub fn embed(&self, contents: &[&[u8]], make: impl Fn(&[usize]) -> Result<Vectors>) -> Result<(Vectors, usize)> {
        let dimension = self.part.dimension;
        let mut distinct: HashMap<Key, usize> = HashMap::with_capacity(contents.len());
        let (mut keys, mut firsts): (Vec<Key>, Vec<usize>) = (vec![], vec![]);
        let places: Vec<usize> = contents
            .iter()
            .enumerate()
            .map(|(number, content)| {
                let key = key(content);
                *distinct.entry(key).or_insert_with(|| {
                    keys.push(key);
                    firsts.push(number);
                    keys.len() - 1
                })
            })
            .collect();
        let mut found = Found { keys, values: vec![], present: vec![], dimension };
        found.values.resize(found.keys.len() * dimension, 0.0);
        found.present.resize(found.keys.len(), false);
        let mut was_there = vec![true; found.keys.len()];
        let mut tokens = 0;
        let mut wanted: Vec<usize> = (0..found.keys.len()).collect();
        while !wanted.is_empty() {
            let mut claim = Claim { cache: self, keys: vec![] };
            let (stored, mine, theirs) = self.look_up(&wanted, &mut found, &mut claim);
            for (file, rows) in stored {
                self.part.read(&file, rows, &mut found)?;
            }
            if !mine.is_empty() {
                let numbers: Vec<usize> = mine.iter().map(|&at| firsts[at]).collect();
                let made = make(&numbers)?;
                if made.dimension != dimension || made.present.len() != mine.len() {
                    return exec_err!("embedding cache: the model gave {} vectors", made.present.len());
                }
                tokens += made.tokens;
                for ((&at, vector), &present) in mine.iter().zip(made.values.chunks_exact(dimension)).zip(&made.present)
                {
                    found.set(at, present.then_some(vector));
                    was_there[at] = false;
                }
                self.keep(&claim.keys, &made);
            }
            // The own work is done. Release it before waiting, so that no two threads wait for each other.
            drop(claim);
            self.wait_for(&theirs, &found.keys);
            wanted = theirs;
        }
        let mut vectors = Vectors { dimension, values: vec![], present: vec![], tokens };
        vectors.values.reserve(contents.len() * dimension);
        for &place in &places {
            vectors.values.extend_from_slice(&found.values[place * dimension..(place + 1) * dimension]);
            vectors.present.push(found.present[place]);
        }
        let cached = places.iter().filter(|&&place| was_there[place]).count();
        Ok((vectors, cached))
    }

    /// Looks up the `wanted` contents. Vectors in memory are copied, and those in files are listed for reading. Contents that
    /// are in neither are claimed, or awaited if another thread is computing them.
    fn look_up(&self, wanted: &[usize], found: &mut Found, claim: &mut Claim<'_>) -> LookedUp {
        let (mut stored, mut mine, mut theirs) = (HashMap::new(), vec![], vec![]);
        let mut guard = self.lock();
        let state = &mut *guard;
        for &at in wanted {
            let (key, dimension) = (found.keys[at], found.dimension);
            let fresh = std::iter::once(&state.fresh).chain(state.writing.iter().map(AsRef::as_ref));
            if let Some((present, vector)) = fresh.filter_map(|fresh| fresh.get(&key, dimension)).next() {
                found.set(at, present.then_some(vector));
            } else if let Some(&(file, row)) = state.places.get(&key) {
                stored.entry(file).or_insert_with(Vec::new).push((row, at));
            } else if state.flying.insert(key) {
                claim.keys.push(key);
                mine.push(at);
            } else {
                theirs.push(at);
            }
        }
        let mut stored: Vec<(u32, Vec<(u32, usize)>)> = stored.into_iter().collect();
        stored.sort_unstable_by_key(|(file, _)| *file);
        let path = |file: u32| state.files.get(file as usize).cloned().unwrap_or_default();
        (stored.into_iter().map(|(file, rows)| (path(file), rows)).collect(), mine, theirs)
    }

    fn keep(&self, keys: &[Key], made: &Vectors) {
        let mut state = self.lock();
        let fresh = &mut state.fresh;
        for key in keys {
            fresh.places.insert(*key, fresh.rows.keys.len());
            fresh.rows.keys.push(*key);
        }
        fresh.rows.values.extend_from_slice(&made.values);
        fresh.rows.present.extend_from_slice(&made.present);
    }

    fn wait_for(&self, theirs: &[usize], keys: &[Key]) {
        if !theirs.is_empty() {
            let flying = |state: &mut State| theirs.iter().any(|&at| state.flying.contains(&keys[at]));
            drop(self.landed.wait_while(self.lock(), flying));
        }
    }

    /// Writes new vectors if there are many, or if they have waited for long.
    pub fn flush_if_due(&self) -> Result<()> {
        let state = self.lock();
        let rows = &state.fresh.rows;
        let due = rows.keys.len() >= ROWS || rows.values.len() >= NUMBERS || state.written.elapsed() >= DELAY;
        drop(state);
        if due { self.flush() } else { Ok(()) }
    }

    /// Writes new vectors, except those that another thread is writing.
    pub fn flush(&self) -> Result<()> {
        let fresh = {
            let mut state = self.lock();
            state.written = Instant::now();
            if state.fresh.rows.keys.is_empty() {
                return Ok(());
            }
            let fresh = Arc::new(std::mem::take(&mut state.fresh));
            state.writing.push(Arc::clone(&fresh));
            fresh
        };
        let written = self.part.write(&fresh.rows);
        let mut state = self.lock();
        state.writing.retain(|other| !Arc::ptr_eq(other, &fresh));
        let path = written?;
        state.add(path, fresh.rows.keys.iter().copied());
        Ok(())
    }

    /// Reads the hashes of unknown files. If a known file disappeared, reads all files again.
    fn refresh(&self) -> Result<()> {
        let found = self.part.files()?;
        let mut state = self.lock();
        let names: HashSet<OsString> = found.iter().filter_map(|path| Some(path.file_name()?.to_owned())).collect();
        if !state.names.is_subset(&names) {
            (state.places, state.files, state.names) = Default::default();
        }
        for path in found {
            if path.file_name().is_some_and(|name| !state.names.contains(name)) {
                let keys = self.part.keys(&path)?;
                state.add(path, keys.into_iter());
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new() -> Self {
        Self {
            places: HashMap::new(),
            files: vec![],
            names: HashSet::new(),
            fresh: Fresh::default(),
            writing: vec![],
            flying: HashSet::new(),
            written: Instant::now(),
        }
    }

    fn add(&mut self, path: PathBuf, keys: impl Iterator<Item = Key>) {
        let file = self.files.len() as u32;
        for (key, row) in keys.zip(0..) {
            self.places.entry(key).or_insert((file, row));
        }
        self.names.extend(path.file_name().map(ToOwned::to_owned));
        self.files.push(path);
    }
}

/// The rows to read from each file, with their positions in [`Found`]; the claimed contents; the contents that other threads
/// are computing.
type LookedUp = (Vec<(PathBuf, Vec<(u32, usize)>)>, Vec<usize>, Vec<usize>);

/// The vectors of distinct contents, as far as they were found.
struct Found {
    keys: Vec<Key>,
    values: Vec<f32>,
    present: Vec<bool>,
    dimension: usize,
}

impl Found {
    fn set(&mut self, at: usize, vector: Option<&[f32]>) {
        if let Some(vector) = vector {
            self.values[at * self.dimension..(at + 1) * self.dimension].copy_from_slice(vector);
        }
        self.present[at] = vector.is_some();
    }
}

/// The first half of the SHA-256 hash of a content.
fn key(content: &[u8]) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&digest(content)[..size_of::<Key>()]);
    key
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use limpid_encoders::device::Device;
    use limpid_encoders::registry;

    use super::*;

    fn open(folder: &Path) -> Arc<Cache> {
        Cache::open(folder, &registry::open("static", Device::Cpu).unwrap()).unwrap()
    }

    /// Opens a cache with two dimensions as another process would.
    fn apart(folder: &Path) -> Result<Cache> {
        let part = Part { folder: folder.to_owned(), identity: "test".to_owned(), dimension: 2 };
        let cache = Cache { part, state: Mutex::new(State::new()), landed: Condvar::new() };
        cache.part.prepare(IDENTITY, "test")?;
        cache.refresh()?;
        Ok(cache)
    }

    /// A vector of length and first byte; none for an empty content.
    fn vectors(contents: &[&[u8]]) -> Vectors {
        let values = contents.iter().flat_map(|c| [c.len() as f32, f32::from(c.first().copied().unwrap_or(0))]);
        let present = contents.iter().map(|c| !c.is_empty()).collect();
        Vectors { dimension: 2, values: values.collect(), present, tokens: contents.len() }
    }

    fn embed(cache: &Cache, contents: &[&[u8]]) -> (usize, usize) {
        let made = AtomicUsize::new(0);
        let (found, cached) = cache
            .embed(contents, |some| {
                made.fetch_add(some.len(), Ordering::Relaxed);
                Ok(vectors(&some.iter().map(|&at| contents[at]).collect::<Vec<_>>()))
            })
            .unwrap();
        let expected = vectors(contents);
        assert_eq!((found.values, found.present), (expected.values, expected.present));
        (made.into_inner(), cached)
    }

    const CONTENTS: [&[u8]; 6] = [b"a", b"bb", b"a", b"", b"ccc", b"bb"];

    #[test]
    fn what_was_made_is_found_in_memory_in_files_and_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let cache = apart(folder.path()).unwrap();
        assert_eq!(embed(&cache, &CONTENTS), (4, 0));
        assert_eq!(embed(&cache, &CONTENTS), (0, 6));
        assert_eq!(embed(&apart(folder.path()).unwrap(), &CONTENTS[..2]), (2, 0), "nothing is in a file yet");
        cache.flush().unwrap();
        cache.flush().unwrap();
        assert_eq!(embed(&cache, &CONTENTS), (0, 6));
        let other = apart(folder.path()).unwrap();
        assert_eq!(embed(&other, &[b"dd", b"bb", b"", b"e"]), (2, 2));
        other.flush().unwrap();
        cache.refresh().unwrap();
        assert_eq!(embed(&cache, &[b"e", b"dd", b"a"]), (0, 3));
        assert_eq!(cache.part.files().unwrap().len(), 2);
        // A cache whose files were deleted starts afresh.
        for file in cache.part.files().unwrap() {
            std::fs::remove_file(file).unwrap();
        }
        cache.refresh().unwrap();
        assert_eq!(embed(&cache, &CONTENTS), (4, 0));
    }

    #[test]
    fn many_rows_of_many_files_are_read_by_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let cache = apart(folder.path()).unwrap();
        let contents: Vec<Vec<u8>> = (0..3000u32).map(|i| i.to_le_bytes()[..].repeat(1 + i as usize % 3)).collect();
        let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        for part in contents.chunks(1100) {
            assert_eq!(embed(&cache, part), (part.len(), 0));
            cache.flush().unwrap();
        }
        let cache = apart(folder.path()).unwrap();
        let every_seventh: Vec<&[u8]> = contents.iter().copied().rev().step_by(7).collect();
        assert_eq!(embed(&cache, &every_seventh), (0, every_seventh.len()));
        assert_eq!(embed(&cache, &contents), (0, contents.len()));
        assert!(cache.memory() >= 3000 * 24);
    }

    #[test]
    fn of_equal_contents_one_is_made_whichever_threads_ask() {
        let folder = tempfile::tempdir().unwrap();
        let cache = apart(folder.path()).unwrap();
        let made = AtomicUsize::new(0);
        let contents: Vec<Vec<u8>> = (0..50u8).map(|i| vec![i + 1; 3]).collect();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (cache, contents, made) = (&cache, &contents, &made);
                scope.spawn(move || {
                    let mut own: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
                    own.rotate_left(thread * 6);
                    for portion in own.chunks(9) {
                        let work = |some: &[usize]| {
                            made.fetch_add(some.len(), Ordering::Relaxed);
                            std::thread::sleep(Duration::from_millis(1));
                            Ok(vectors(&some.iter().map(|&at| portion[at]).collect::<Vec<_>>()))
                        };
                        let (found, _) = cache.embed(portion, work).unwrap();
                        assert_eq!(found.values, vectors(portion).values);
                        cache.flush().unwrap();
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 50);
    }

    #[test]
    fn what_fails_is_made_by_the_next_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let cache = apart(folder.path()).unwrap();
        let error = cache.embed(&CONTENTS, |_| exec_err!("no")).unwrap_err();
        assert!(error.to_string().contains("no"));
        assert_eq!(embed(&cache, &CONTENTS), (4, 0));
    }

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let cache = apart(folder.path()).unwrap();
        embed(&cache, &CONTENTS);
        cache.flush().unwrap();
        let path = cache.part.files().unwrap().remove(0);
        let good = std::fs::read(&path).unwrap();
        let told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let error = match apart(folder.path()) {
                Err(error) => error.to_string(),
                Ok(cache) => {
                    // A vector that no longer appears in a file is computed again.
                    let make = |some: &[usize]| Ok(vectors(&some.iter().map(|&at| CONTENTS[at]).collect::<Vec<_>>()));
                    match cache.embed(&CONTENTS, make) {
                        Err(error) => error.to_string(),
                        Ok((found, _)) => {
                            assert_eq!(found.values, vectors(&CONTENTS).values);
                            return false;
                        }
                    }
                }
            };
            assert!(error.contains(path.to_str().unwrap()) && error.contains("remove"), "{error}");
            true
        };
        assert!(told(b"") && told(b"something else") && !told(&good));
        for part in 1..10 {
            assert!(told(&good[..part * good.len() / 10]), "{part}");
        }
        // A flipped bit is either detected or harmless: a wrong vector is never returned.
        let flipped = (0..good.len()).step_by(3).filter(|&at| {
            let mut bytes = good.clone();
            bytes[at] ^= 4;
            told(&bytes)
        });
        assert!(flipped.count() > 20);
        std::fs::write(&path, &good).unwrap();
        let other = Part { folder: folder.path().to_owned(), identity: "other".to_owned(), dimension: 2 };
        assert!(other.keys(&path).unwrap_err().to_string().contains("another model"));
        assert!(other.prepare(IDENTITY, "other").unwrap_err().to_string().contains(IDENTITY));
    }

    #[test]
    fn a_model_has_its_own_folder_and_opens_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
        assert!(Arc::ptr_eq(&cache, &open(folder.path())));
        assert!(cache.part.folder.join(IDENTITY).is_file());
        std::fs::write(folder.path().join("file"), "").unwrap();
        let model = registry::open("static", Device::Cpu).unwrap();
        let error = Cache::open(&folder.path().join("file"), &model).unwrap_err().to_string();
        assert!(error.contains("file"), "{error}");
    }
}
