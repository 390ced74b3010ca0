//! Groups texts into buckets by band hash, and buckets into connected components; only texts within a component are compared.

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use xxhash_rust::xxh3::xxh3_64;

use super::sets::to_bytes;
use crate::kernels::union_find::UnionFind;
use crate::operators::frame::OperatorContext;
use crate::storage::numbers::Numbers;
use crate::storage::records::RecordSorter;

/// Groups contents (distinct texts) by equal band hash, then joins groups that share contents. Memory: 4 bytes per content;
/// everything else spills.
pub struct Buckets {
    context: OperatorContext,
    cells: RecordSorter<2>,
}

/// The contents that share a bucket with others. Each has a place: places are grouped by component and follow survivor order
/// within it.
pub struct Components {
    /// The content at each place.
    pub contents: Numbers<u32>,
    /// The place at which each component ends.
    pub ends: Numbers<u32>,
    /// The members of all buckets as places: one bucket after the other, each ascending.
    pub members: Numbers<u32>,
    /// The buckets of each place. A pair holds where the bucket starts in `members` and how many of its members precede the
    /// place.
    pub buckets: Numbers<(u64, u32)>,
    /// Where the buckets of each place end.
    pub bucket_ends: Numbers<u64>,
    /// Number of members of the largest bucket.
    pub largest_bucket: usize,
}

impl Buckets {
    /// Starts without band hashes.
    pub fn new(context: &OperatorContext) -> Self {
        let cells = RecordSorter::new("LSH cells", &context.task.runtime_env(), context.spills.clone());
        Self { context: context.clone(), cells }
    }

    /// Records that `content` has the band hash `cell`.
    pub fn add(&mut self, cell: u64, content: u32) -> Result<()> {
        self.cells.push([cell, u64::from(content)])
    }

    /// Returns the connected components of the graph that joins contents with a common band hash. `contents` is the total
    /// number of contents.
    pub fn components(self, contents: usize) -> Result<Components> {
        let context = self.context;
        let env = context.task.runtime_env();
        let joined = MemoryConsumer::new("components of minhash_dedup").register(&env.memory_pool);
        joined.grow(contents * size_of::<u32>());
        let joined = (UnionFind::new(contents), joined);

        let mut found = Found {
            joined,
            members: context.numbers("members of LSH buckets"),
            ends: context.numbers("ends of LSH buckets"),
            hashes: RecordSorter::new("hashes of LSH buckets", &env, context.spills.clone()),
            bytes: vec![],
        };
        let (mut bucket, mut cell) = (vec![], None);
        for record in self.cells.finish()? {
            let [of, content] = record?;
            if cell != Some(of) {
                found.close(&mut bucket)?;
                cell = Some(of);
            }
            bucket.push(content);
        }
        found.close(&mut bucket)?;
        found.components(contents, &context)
    }
}

/// Buckets of at least two contents.
struct Found {
    joined: (UnionFind, MemoryReservation),
    members: Numbers<u32>,
    ends: Numbers<u64>,
    /// For each bucket the hash of its members and its number.
    hashes: RecordSorter<2>,
    bytes: Vec<u8>,
}

impl Found {
    fn close(&mut self, bucket: &mut Vec<u64>) -> Result<()> {
        if let [first, others @ ..] = bucket.as_slice()
            && !others.is_empty()
        {
            to_bytes(bucket, &mut self.bytes);
            self.hashes.push([xxh3_64(&self.bytes), self.ends.len() as u64])?;
            self.members.push(*first as u32)?;
            for &content in others {
                self.joined.0.union(*first as u32, content as u32);
                self.members.push(content as u32)?;
            }
            self.ends.push(self.members.len() as u64)?;
        }
        bucket.clear();
        Ok(())
    }

    fn components(mut self, contents: usize, context: &OperatorContext) -> Result<Components> {
        let env = context.task.runtime_env();
        let mut largest_bucket = 0;
        let mut listed = RecordSorter::<3>::new("LSH components", &env, context.spills.clone());
        let mut members = vec![];
        for number in Distinct::new(self.hashes, &self.members, &self.ends)? {
            let start = read_bucket(number?, &self.members, &self.ends, &mut members)?;
            largest_bucket = largest_bucket.max(members.len());
            for (place, &content) in members.iter().enumerate() {
                let root = self.joined.0.find(content);
                listed.push([u64::from(root) << 32 | u64::from(content), start, place as u64])?;
            }
        }
        drop((self.joined, self.ends));

        let mut found = Components {
            contents: context.numbers("contents of components"),
            ends: context.numbers("ends of components"),
            members: self.members,
            buckets: context.numbers("buckets of contents"),
            bucket_ends: context.numbers("ends of the buckets of contents"),
            largest_bucket,
        };
        let mut places = context.filled("places of contents", contents, 0)?;
        let mut last = None;
        for record in listed.finish()? {
            let [key, start, place] = record?;
            if last != Some(key) {
                if let Some(last) = last {
                    found.bucket_ends.push(found.buckets.len() as u64)?;
                    if last >> 32 != key >> 32 {
                        found.ends.push(found.contents.len() as u32)?;
                    }
                }
                places.set(key as u32 as usize, found.contents.len() as u32)?;
                found.contents.push(key as u32)?;
                last = Some(key);
            }
            found.buckets.push((start, place as u32))?;
        }
        if last.is_some() {
            found.bucket_ends.push(found.buckets.len() as u64)?;
            found.ends.push(found.contents.len() as u32)?;
        }
        found.members.update(|_, content| places.get(content as usize))?;
        Ok(found)
    }
}

/// Writes the members of a bucket to `out` and returns where they start.
fn read_bucket(number: u64, members: &Numbers<u32>, ends: &Numbers<u64>, out: &mut Vec<u32>) -> Result<u64> {
    let bucket = ends.piece(number as usize)?;
    let start = bucket.start as u64;
    members.read(bucket, out)?;
    Ok(start)
}

/// Iterates over bucket numbers, skipping buckets with the same members as an earlier one. Near copies share most band
/// hashes, so repeated buckets are common.
struct Distinct<'a> {
    hashes: crate::storage::records::SortedRecords<2>,
    members: &'a Numbers<u32>,
    ends: &'a Numbers<u64>,
    hash: u64,
    /// Buckets seen so far with the current hash.
    seen: Vec<u64>,
    buffers: [Vec<u32>; 2],
}

impl<'a> Distinct<'a> {
    fn new(hashes: RecordSorter<2>, members: &'a Numbers<u32>, ends: &'a Numbers<u64>) -> Result<Self> {
        Ok(Self { hashes: hashes.finish()?, members, ends, hash: 0, seen: vec![], buffers: Default::default() })
    }

    fn is_new(&mut self, hash: u64, number: u64) -> Result<bool> {
        if self.hash != hash {
            (self.hash, self.seen) = (hash, vec![]);
        }
        let [own, other] = &mut self.buffers;
        if !self.seen.is_empty() {
            read_bucket(number, self.members, self.ends, own)?;
        }
        for &earlier in &self.seen {
            read_bucket(earlier, self.members, self.ends, other)?;
            if own == other {
                return Ok(false);
            }
        }
        self.seen.push(number);
        Ok(true)
    }
}

impl Iterator for Distinct<'_> {
    type Item = Result<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let [hash, number] = match self.hashes.next()? {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            match self.is_new(hash, number) {
                Ok(true) => return Some(Ok(number)),
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
