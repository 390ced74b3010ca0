//! Connected components of the graph of similar pairs.

use std::ops::Range;

use datafusion::common::Result;

use crate::kernels::union_find::UnionFind;
use crate::operators::frame::OperatorContext;
use crate::storage::numbers::Numbers;
use crate::storage::records::RecordSorter;

/// The vectors of each component of at least two, ascending within the component.
pub(super) struct Components {
    members: Numbers<u32>,
    ends: Numbers<u32>,
}

impl Components {
    /// Extracts the components of `count` vectors.
    pub(super) fn of(mut joined: UnionFind, count: usize, context: &OperatorContext) -> Result<Self> {
        let env = context.task.runtime_env();
        let mut rooted = RecordSorter::<1>::new("components of semantic_dedup", &env, context.spills.clone());
        for at in 0..count as u32 {
            rooted.push([u64::from(joined.find(at)) << 32 | u64::from(at)])?;
        }
        drop(joined);
        let mut found =
            Self { members: context.numbers("members of components"), ends: context.numbers("ends of components") };
        let mut single = None;
        for record in rooted.finish()? {
            let [key] = record?;
            let (root, at) = ((key >> 32) as u32, key as u32);
            // A root is the smallest vector of its component and comes first.
            if root == at {
                found.close()?;
                single = Some(at);
            } else {
                if let Some(root) = single.take() {
                    found.members.push(root)?;
                }
                found.members.push(at)?;
            }
        }
        found.close()?;
        Ok(found)
    }

    fn close(&mut self) -> Result<()> {
        let end = self.members.len() as u32;
        let last = if self.ends.is_empty() { 0 } else { self.ends.get(self.ends.len() - 1)? };
        if end > last { self.ends.push(end) } else { Ok(()) }
    }

    /// Number of components.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The range of members of a component.
    pub(super) fn range(&self, component: usize) -> Result<Range<usize>> {
        self.ends.piece(component)
    }

    /// Writes members to `out`.
    pub(super) fn read(&self, range: Range<usize>, out: &mut Vec<u32>) -> Result<()> {
        self.members.read(range, out)
    }
}
