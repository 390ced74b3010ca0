//! IVF lists in a file.
//!
//! A file is a header of fixed size followed by a payload; all numbers are little-endian. The header holds a magic word and
//! the version; what the lists were built from (metric, dimensions, rows, a hash of all vectors in order of their ids); how
//! (seed, number of lists); the length and checksum of the payload; and last its own checksum. The payload holds the
//! centroids, the number of vectors per list, and the vectors of all lists. Nothing is used before the whole file has been
//! checked.

use std::fs::File;
use std::io::{Read, Write};

use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::memory_pool::MemoryReservation;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::cells::Cells;
use super::parameters::NAME;
use super::parameters::NearestNeighbors;
use crate::kernels::vector::bytes::little_endian;
use crate::kernels::vector::search::Metric;
use crate::operators::vectors::table::Table;
use crate::storage::vectors::CHUNK;

const MAGIC: [u8; 8] = *b"LIMPIDNN";
const VERSION: u32 = 1;
/// Bytes of the header: magic, version, metric, dimensions, padding, rows, lists, seed, requested lists, content hash,
/// length, checksums.
const HEADER: usize = 8 + 4 * 4 + 8 * 4 + 16 + 8 * 3;

/// What the lists were built from. A file is valid only for the same origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    metric: Metric,
    dimensions: u64,
    rows: u64,
    /// Hash of all vectors in order of their ids.
    content: u128,
    seed: u64,
    /// The argument `cells`, as given.
    asked: u64,
}

impl Origin {
    /// Computes the origin by reading all vectors of a table.
    pub fn of(call: &NearestNeighbors, table: &Table) -> Result<Self> {
        let (mut hash, mut buffer, mut bytes) = (Xxh3::new(), vec![], vec![]);
        for first in (0..table.vectors.len()).step_by(CHUNK) {
            let end = (first + CHUNK).min(table.vectors.len());
            little_endian(table.vectors.block(first, end, &mut buffer)?, &mut bytes);
            hash.update(&bytes);
        }
        Ok(Self {
            metric: call.metric,
            dimensions: table.vectors.dimensions() as u64,
            rows: table.vectors.len() as u64,
            content: hash.digest128(),
            seed: call.seed,
            asked: call.cells,
        })
    }
}

/// Reads the lists from the file `path`; `None` if the file does not exist.
pub fn read(path: &str, origin: &Origin, reservation: &MemoryReservation) -> Result<Option<Cells>> {
    let failed = |error: std::io::Error| exec_datafusion_err!("{NAME}: the index `{path}` cannot be read: {error}");
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    let mut header = [0; HEADER];
    if length < HEADER as u64 {
        file.read_exact(&mut header[..(length as usize).min(8)]).map_err(failed)?;
        return match header.starts_with(&MAGIC) {
            true => {
                exec_err!("{NAME}: the index `{path}` is cut off: it has {length} bytes, its header alone {HEADER}")
            }
            false => exec_err!("{NAME}: `{path}` is no index of {NAME}"),
        };
    }
    file.read_exact(&mut header).map_err(failed)?;
    let (cells, payload, checksum) = check_header(path, &header, origin)?;
    if length != HEADER as u64 + payload {
        return exec_err!(
            "{NAME}: the index `{path}` is cut off or has something behind it: it has {length} bytes and should have {}",
            HEADER as u64 + payload
        );
    }
    let payload =
        usize::try_from(payload).map_err(|_| exec_datafusion_err!("{NAME}: the index `{path}` is too large"))?;
    reservation.try_grow(payload * 3)?;
    let mut bytes = vec![0; payload];
    file.read_exact(&mut bytes).map_err(failed)?;
    if xxh3_64(&bytes) != checksum {
        return exec_err!(
            "{NAME}: the index `{path}` is damaged: its checksum does not fit; delete it and it is made anew"
        );
    }
    let cells = decode(&bytes, cells, origin);
    cells.map(Some).ok_or_else(|| exec_datafusion_err!("{NAME}: the index `{path}` contradicts itself; delete it"))
}

/// Checks the header and returns the number of lists, and the length and checksum of the payload.
fn check_header(path: &str, header: &[u8; HEADER], origin: &Origin) -> Result<(u64, u64, u64)> {
    let word = |at: usize| header.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    let half = |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    if !header.starts_with(&MAGIC) {
        return exec_err!("{NAME}: `{path}` is no index of {NAME}");
    }
    if half(8) != VERSION {
        let found = half(8);
        return exec_err!(
            "{NAME}: the index `{path}` has version {found}, this program reads version {VERSION}; delete it"
        );
    }
    if xxh3_64(&header[..HEADER - 8]) != word(HEADER - 8) {
        return exec_err!("{NAME}: the index `{path}` is damaged: the checksum of its header does not fit; delete it");
    }
    let expected = [
        ("metric", u64::from(half(12)), metric(origin.metric).into()),
        ("dimensions", u64::from(half(16)), origin.dimensions),
        ("rows", word(24), origin.rows),
        ("seed", word(40), origin.seed),
        ("cells", word(48), origin.asked),
        ("content", word(56), origin.content as u64),
        ("content", word(64), (origin.content >> 64) as u64),
    ];
    if let Some((what, found, wanted)) = expected.iter().find(|(_, found, wanted)| found != wanted) {
        let difference = match *what {
            "content" => "the vectors are others".to_owned(),
            "metric" => "the metric is another".to_owned(),
            what => format!("{what}: {found} in the index and {wanted} here"),
        };
        return exec_err!(
            "{NAME}: the index `{path}` was made of something else: {difference}; delete it or name another file"
        );
    }
    let cells = word(32);
    let centroids = if cells > 1 { cells.saturating_mul(origin.dimensions).saturating_mul(4) } else { 0 };
    let payload = centroids.saturating_add(cells.saturating_mul(8)).saturating_add(origin.rows.saturating_mul(4));
    if cells == 0 || cells > origin.rows.max(1) || payload != word(72) {
        return exec_err!("{NAME}: the index `{path}` contradicts itself; delete it");
    }
    Ok((cells, payload, word(80)))
}

fn metric(metric: Metric) -> u32 {
    match metric {
        Metric::Cosine => 0,
        Metric::L2 => 1,
    }
}

/// Decodes the lists. Returns `None` unless they partition all rows and all centroids are finite.
fn decode(bytes: &[u8], cells: u64, origin: &Origin) -> Option<Cells> {
    let (cells, rows, dimensions) = (cells as usize, origin.rows as usize, origin.dimensions as usize);
    let values = if cells > 1 { cells * dimensions } else { 0 };
    let (centroids, rest) = bytes.split_at_checked(values * 4)?;
    let (sizes, members) = rest.split_at_checked(cells * 8)?;
    let centroids: Vec<f32> = centroids.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let members: Vec<u32> = members.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
    let mut starts = vec![0];
    for size in sizes.as_chunks().0 {
        let end = starts.last()? + usize::try_from(u64::from_le_bytes(*size)).ok()?.min(rows + 1);
        starts.push(end);
    }
    let mut seen = vec![false; rows];
    let each_once =
        members.iter().all(|&row| seen.get_mut(row as usize).is_some_and(|seen| !std::mem::replace(seen, true)));
    let whole = members.len() == rows && *starts.last()? == rows;
    let finite = centroids.iter().all(|value| value.is_finite());
    (each_once && whole && finite).then(|| Cells::new(dimensions, centroids, members, starts))
}

/// Writes the lists to the file `path` atomically: the file appears whole or not at all.
pub fn write(path: &str, origin: &Origin, cells: &Cells, reservation: &MemoryReservation) -> Result<()> {
    let size = cells.centroids.len() * 4 + cells.len() * 8 + cells.members.len() * 4;
    reservation.try_grow(size)?;
    let mut payload = Vec::with_capacity(size);
    payload.extend(cells.centroids.iter().flat_map(|value| value.to_le_bytes()));
    payload.extend(cells.starts.windows(2).flat_map(|pair| ((pair[1] - pair[0]) as u64).to_le_bytes()));
    payload.extend(cells.members.iter().flat_map(|member| member.to_le_bytes()));
    let mut header = Vec::with_capacity(HEADER);
    header.extend(MAGIC);
    for half in [VERSION, metric(origin.metric), origin.dimensions as u32, 0] {
        header.extend(half.to_le_bytes());
    }
    for word in [origin.rows, cells.len() as u64, origin.seed, origin.asked] {
        header.extend(word.to_le_bytes());
    }
    header.extend(origin.content.to_le_bytes());
    header.extend((payload.len() as u64).to_le_bytes());
    header.extend(xxh3_64(&payload).to_le_bytes());
    header.extend(xxh3_64(&header).to_le_bytes());
    let written = limpid_io::write_with(path, |file| {
        file.write_all(&header)?;
        file.write_all(&payload)
    });
    reservation.shrink(size);
    written.map_err(|error: std::io::Error| {
        DataFusionError::from(error).context(format!("{NAME}: the index {path} cannot be written"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
    use proptest::prelude::*;

    use super::*;

    fn reservation() -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        MemoryConsumer::new("test").register(&pool)
    }

    fn example() -> (Origin, Cells) {
        let origin = Origin { metric: Metric::L2, dimensions: 2, rows: 5, content: 1 << 77, seed: 3, asked: 2 };
        (origin, Cells::new(2, vec![0.0, 1.0, 5.0, 5.0], vec![0, 2, 4, 1, 3], vec![0, 3, 5]))
    }

    #[test]
    fn cells_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.index").to_string_lossy().into_owned();
        let (origin, cells) = example();
        assert_eq!(read(&path, &origin, &reservation()).unwrap(), None);
        for cells in [cells, Cells::one(5, 2)] {
            write(&path, &origin, &cells, &reservation()).unwrap();
            assert_eq!(read(&path, &origin, &reservation()).unwrap(), Some(cells));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(write("/nowhere/at/all", &origin, &example().1, &reservation()).is_err());
    }

    #[test]
    fn other_origins_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.index").to_string_lossy().into_owned();
        let (origin, cells) = example();
        write(&path, &origin, &cells, &reservation()).unwrap();
        for (other, message) in [
            (Origin { metric: Metric::Cosine, ..origin }, "the metric is another"),
            (Origin { dimensions: 3, ..origin }, "dimensions: 2 in the index and 3 here"),
            (Origin { rows: 6, ..origin }, "rows: 5 in the index and 6 here"),
            (Origin { content: 1, ..origin }, "the vectors are others"),
            (Origin { content: 1 << 78, ..origin }, "the vectors are others"),
            (Origin { seed: 4, ..origin }, "seed: 3 in the index and 4 here"),
            (Origin { asked: 0, ..origin }, "cells: 2 in the index and 0 here"),
        ] {
            let error = read(&path, &other, &reservation()).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_broken_file_is_taken(cut in 0_usize..200, flip in 0_usize..4000, behind in 0_usize..3) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.index");
            let name = path.to_string_lossy().into_owned();
            let (origin, cells) = example();
            write(&name, &origin, &cells, &reservation()).unwrap();
            let whole = fs::read(&path).unwrap();
            let mut broken = whole.clone();
            broken[flip / 8 % whole.len()] ^= 1 << (flip % 8);
            let mut longer = whole.clone();
            longer.extend(vec![0; behind + 1]);
            for bytes in [&whole[..cut.min(whole.len() - 1)], &broken, &longer] {
                fs::write(&path, bytes).unwrap();
                let error = read(&name, &origin, &reservation()).unwrap_err().to_string();
                prop_assert!(error.contains("index"), "{}", error);
            }
        }
    }
}
