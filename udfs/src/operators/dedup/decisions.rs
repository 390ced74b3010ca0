//! Where threads that decide contents put what they found.

use std::sync::{Mutex, PoisonError};

use datafusion::common::Result;

use super::resolution::Content;
use crate::storage::numbers::Numbers;

/// The contents, which several threads change.
pub struct Decisions<'a>(Mutex<&'a mut Numbers<Content>>);

impl<'a> Decisions<'a> {
    /// Decisions about these contents.
    pub fn new(contents: &'a mut Numbers<Content>) -> Self {
        Self(Mutex::new(contents))
    }

    /// Changes the contents of these numbers, each by what comes with it, and empties the list.
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
