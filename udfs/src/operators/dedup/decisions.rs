//! Collects the decisions of threads about contents.

use std::sync::{Mutex, PoisonError};

use datafusion::common::Result;

use super::resolution::Content;
use crate::storage::numbers::Numbers;

/// The contents, shared by the threads that decide about them.
pub struct Decisions<'a>(Mutex<&'a mut Numbers<Content>>);

impl<'a> Decisions<'a> {
    /// Collects decisions about `contents`.
    pub fn new(contents: &'a mut Numbers<Content>) -> Self {
        Self(Mutex::new(contents))
    }

    /// Applies `change` to each listed content with its accompanying value, and clears the list.
    pub fn change<T>(&self, decided: &mut Vec<(u32, T)>, change: impl Fn(&mut Content, T)) -> Result<()> {
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, decision) in decided.drain(..) {
            let mut content = contents.get(at as usize)?;
            change(&mut content, decision);
            contents.set(at as usize, content)?;
        }
        Ok(())
    }
}
