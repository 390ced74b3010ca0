//! From band hashes to the components that are compared within themselves.

use datafusion::common::Result;

use super::component::Component;
use crate::kernels::union_find::UnionFind;
use crate::operators::dedup::matcher::Surroundings;
use crate::storage::blobs::BlobWriter;
use crate::storage::records::{RecordSorter, SortedRecords};

/// Groups contents by equal cells, then the groups by what they connect. All of it spills.
pub struct Buckets {
    around: Surroundings,
    cells: RecordSorter<2>,
}

impl Buckets {
    /// No cells yet.
    pub fn new(around: &Surroundings) -> Self {
        let cells = RecordSorter::new("LSH cells", &around.context.runtime_env(), around.spills.clone());
        Self { around: around.clone(), cells }
    }

    /// Says that `content` lies in `cell`.
    pub fn add(&mut self, cell: u64, content: u32) -> Result<()> {
        self.cells.push([cell, u64::from(content)])
    }

    /// The components of the graph that joins the contents of a cell, of `contents` contents in all.
    pub fn components(self, contents: usize) -> Result<Components> {
        let env = self.around.context.runtime_env();
        let mut joined = UnionFind::new(contents);
        let mut log = BlobWriter::new("LSH buckets", &env);
        let mut logged = 0_u64;
        let mut bucket: Vec<u32> = vec![];
        let mut cell = None;
        let mut close = |bucket: &mut Vec<u32>| -> Result<()> {
            if bucket.len() > 1 {
                for &content in &bucket[1..] {
                    joined.union(bucket[0], content);
                }
                let size = bucket.len() as u32;
                let bytes: Vec<u8> = [size].iter().chain(bucket.iter()).flat_map(|v| v.to_le_bytes()).collect();
                log.append(&bytes)?;
                logged += bytes.len() as u64;
            }
            bucket.clear();
            Ok(())
        };
        for record in self.cells.finish()? {
            let [found, content] = record?;
            if cell != Some(found) {
                close(&mut bucket)?;
                cell = Some(found);
            }
            bucket.push(content as u32);
        }
        close(&mut bucket)?;

        let log = log.finish()?;
        let mut members = RecordSorter::new("LSH components", &env, self.around.spills.clone());
        let (mut at, mut number) = (0, 0_u32);
        while at < logged {
            let mut size = [0; 4];
            log.read(at, &mut size)?;
            let mut bytes = vec![0; u32::from_le_bytes(size) as usize * 4];
            log.read(at + 4, &mut bytes)?;
            let (contents, _) = bytes.as_chunks::<4>();
            for content in contents.iter().map(|c| u32::from_le_bytes(*c)) {
                members.push([u64::from(joined.find(content)) << 32 | u64::from(number), u64::from(content)])?;
            }
            at += 4 + bytes.len() as u64;
            number = number.wrapping_add(1);
        }
        Ok(Components { members: members.finish()?, next: None })
    }
}

/// Yields one component after another.
pub struct Components {
    members: SortedRecords<2>,
    next: Option<[u64; 2]>,
}

impl Iterator for Components {
    type Item = Result<Component>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut component = Component::default();
        let (mut root, mut bucket) = (None, None);
        loop {
            let [key, content] = match self.next.take().map(Ok).or_else(|| self.members.next()) {
                Some(Ok(record)) => record,
                Some(Err(e)) => return Some(Err(e)),
                None => break,
            };
            if *root.get_or_insert(key >> 32) != key >> 32 {
                self.next = Some([key, content]);
                break;
            }
            if bucket != Some(key) {
                bucket = Some(key);
                component.buckets.push(vec![]);
            }
            if let Some(members) = component.buckets.last_mut() {
                members.push(content as u32);
            }
        }
        root.map(|_| Ok(component))
    }
}
