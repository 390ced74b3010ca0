//! Finds equal texts by a 128-bit hash, and verifies them byte by byte.

use std::cell::RefCell;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use xxhash_rust::xxh3::xxh3_128;

use crate::functions::strings::Strings;
use crate::operators::dedup::contents::{Contents, Same};
use crate::operators::dedup::matcher::Matcher;
use crate::operators::dedup::ranks::Ranks;
use crate::operators::dedup::resolution::Resolution;
use crate::operators::frame::OperatorContext;
use crate::operators::workers::Workers;
use crate::storage::blobs::BlobWriter;
use crate::storage::numbers::Numbers;

/// Finds rows of equal text in O(bytes) time. Hashes and numbers are kept in memory while there is room, the texts on disk.
pub struct ExactMatcher {
    context: OperatorContext,
    contents: Contents,
    texts: Texts,
}

/// The distinct texts, to compare with.
struct Texts {
    blobs: BlobWriter,
    spans: Numbers<(u64, u64)>,
    read: RefCell<[Vec<u8>; 2]>,
}

impl ExactMatcher {
    /// Starts without rows.
    pub fn new(context: &OperatorContext) -> Self {
        let blobs = BlobWriter::new("texts of exact_dedup", &context.task.runtime_env());
        let texts = Texts { blobs, spans: context.numbers("places of texts"), read: RefCell::default() };
        Self { context: context.clone(), contents: Contents::new(context), texts }
    }
}

impl Texts {
    fn push(&mut self, text: &[u8]) -> Result<()> {
        self.spans.push((self.blobs.append(text)?, text.len() as u64))
    }

    fn equals(&self, number: u32, text: &[u8]) -> Result<Same> {
        let (offset, length) = self.spans.get(number as usize)?;
        if length != text.len() as u64 {
            return Ok(Same::No);
        }
        let mut read = self.read.borrow_mut();
        read[0].resize(text.len(), 0);
        self.blobs.read(offset, &mut read[0])?;
        Ok(if read[0] == text { Same::Yes } else { Same::No })
    }

    fn same(&self, a: u32, b: u32) -> Result<Same> {
        let (offset, length) = self.spans.get(a as usize)?;
        let mut text = std::mem::take(&mut self.read.borrow_mut()[1]);
        text.resize(length as usize, 0);
        self.blobs.read(offset, &mut text)?;
        let same = self.equals(b, &text);
        self.read.borrow_mut()[1] = text;
        same
    }
}

impl Matcher for ExactMatcher {
    fn add(&mut self, sketches: &ArrayRef, _: &ArrayRef) -> Result<()> {
        for text in Strings::try_new(sketches, "text of exact_dedup")?.iter() {
            let Some(text) = text.map(str::as_bytes) else {
                self.contents.add_null()?;
                continue;
            };
            let texts = &self.texts;
            if self.contents.add(xxh3_128(text), |number| texts.equals(number, text))? {
                self.texts.push(text)?;
            }
        }
        Ok(())
    }

    fn resolve(self: Box<Self>, ranks: &Ranks, _: &Workers) -> Result<Resolution> {
        let count = self.contents.count();
        let texts = self.texts;
        let of_row = self.contents.finish(|a, b| texts.same(a, b))?;
        Ok(Resolution::by_survivor_order(of_row, count, ranks, &self.context)?.0)
    }
}
