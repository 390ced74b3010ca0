//! The part of a text that is in memory. Whole records are removed from its front, and more text is read at its end.

use std::io::{self, Read};

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 20;
/// A longer record is read in parts of one in this many of its length.
const SHARE: usize = 4;
/// Processed bytes are released once there are this many.
const PASSED: usize = 4 << 20;
/// Longest record: offsets of Utf8 are 32 bits wide.
pub(crate) const MAX_RECORD: usize = i32::MAX as usize;

/// Text known to be UTF-8, or bytes that are not valid as a whole.
enum Region {
    Text(String),
    Bytes(Vec<u8>),
}

/// A moving view of a text.
pub(crate) struct Window {
    reader: Box<dyn Read + Send>,
    region: Region,
    /// The start of a character that is cut at the end of the data read.
    cut: Vec<u8>,
    /// Where the next record begins in the region.
    at: usize,
    /// Place of the region's first byte in the text.
    offset: u64,
    /// Place in the text where the window began.
    began: u64,
    /// Line of the region's first byte, from 0, in what was read.
    line: u64,
    newline: u8,
    /// Bytes that may still be read.
    left: u64,
    exhausted: bool,
    block: usize,
}

impl Window {
    /// A window at place `offset` of a text, over at most `limit` bytes.
    pub(crate) fn new(reader: Box<dyn Read + Send>, offset: u64, limit: u64) -> Self {
        Self {
            reader,
            region: Region::Text(String::new()),
            cut: Vec::new(),
            at: 0,
            offset,
            began: offset,
            line: 0,
            newline: b'\n',
            left: limit,
            exhausted: false,
            block: BLOCK,
        }
    }

    /// The same with blocks of another size.
    #[cfg(test)]
    pub(crate) fn with_block(mut self, block: usize) -> Self {
        self.block = block.max(1);
        self
    }

    /// Sets the line terminator and the number of lines before the window.
    pub(crate) fn set_newline(&mut self, newline: u8, before: u64) {
        self.newline = newline;
        self.line = before;
    }

    /// The line terminator.
    pub(crate) fn newline(&self) -> u8 {
        self.newline
    }

    /// Everything that is in memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.region {
            Region::Text(text) => text.as_bytes(),
            Region::Bytes(bytes) => bytes,
        }
    }

    /// Where the next record begins in [`Self::bytes`].
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes on to `next`.
    pub(crate) fn advance(&mut self, next: usize) {
        self.at = next;
    }

    /// Whether nothing follows what is in memory.
    pub(crate) fn is_last(&self) -> bool {
        self.exhausted
    }

    /// A part as text, unless it is not UTF-8: then the first bad byte.
    pub(crate) fn text(&self, start: usize, end: usize) -> Result<&str, usize> {
        match &self.region {
            Region::Text(text) => text.get(start..end).ok_or(start),
            Region::Bytes(bytes) => {
                let part = bytes.get(start..end).unwrap_or_default();
                std::str::from_utf8(part).map_err(|e| start + e.valid_up_to())
            }
        }
    }

    /// Place in the text of a place in memory.
    pub(crate) fn place(&self, at: usize) -> u64 {
        self.offset + at as u64
    }

    /// Line of a place in memory, from 0, counted from where the window began.
    pub(crate) fn line(&self, at: usize) -> u64 {
        let before = self.bytes().get(..at).unwrap_or_default();
        self.line + memchr::memchr_iter(self.newline, before).count() as u64
    }

    /// Place in the text where the window began.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// Releases what precedes the next record if that is much. Returns the number of bytes released.
    pub(crate) fn release(&mut self) -> usize {
        let passed = self.at;
        if passed < PASSED {
            return 0;
        }
        let mut bytes = self.take_rest();
        bytes.shrink_to(2 * self.block);
        self.put(bytes);
        passed
    }

    /// What comes from the next record on.
    fn take_rest(&mut self) -> Vec<u8> {
        self.line = self.line(self.at);
        self.offset += self.at as u64;
        let mut bytes = match std::mem::replace(&mut self.region, Region::Bytes(Vec::new())) {
            Region::Text(text) => text.into_bytes(),
            Region::Bytes(bytes) => bytes,
        };
        bytes.drain(..self.at);
        self.at = 0;
        bytes
    }

    fn put(&mut self, bytes: Vec<u8>) {
        self.region = match String::from_utf8(bytes) {
            Ok(text) => Region::Text(text),
            Err(e) => Region::Bytes(e.into_bytes()),
        };
    }

    /// Reads more. What comes before the next record is dropped.
    pub(crate) fn refill(&mut self) -> io::Result<()> {
        let mut bytes = self.take_rest();
        bytes.append(&mut self.cut);
        let held = bytes.len();
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.block.max(held / SHARE));
        bytes.reserve_exact(wanted);
        let read = (&mut self.reader).take(wanted as u64).read_to_end(&mut bytes)?;
        self.left -= read as u64;
        self.exhausted = read < wanted || self.left == 0;
        if !self.exhausted {
            let whole = bytes.len() - unfinished(&bytes);
            self.cut = bytes.split_off(whole);
        }
        self.put(bytes);
        Ok(())
    }
}

/// Bytes at the end that begin a character without ending it.
fn unfinished(bytes: &[u8]) -> usize {
    for (back, &byte) in bytes.iter().rev().take(3).enumerate() {
        let width = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 1,
        };
        return if back + 1 < width { back + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_cut() {
        let text = "aé😀\n".repeat(50);
        for block in 1..9 {
            let mut window =
                Window::new(Box::new(io::Cursor::new(text.clone().into_bytes())), 0, u64::MAX).with_block(block);
            let mut found = String::new();
            while !window.is_last() {
                window.refill().unwrap();
                let end = window.bytes().len();
                found.push_str(window.text(0, end).unwrap());
                window.advance(end);
            }
            assert_eq!(found, text);
            assert_eq!(window.line(window.at()), 50);
        }
    }

    #[test]
    fn what_was_passed_is_let_go() {
        let text = format!("{}\nshort\n", "é".repeat(PASSED));
        let mut window = Window::new(Box::new(io::Cursor::new(text.clone().into_bytes())), 0, u64::MAX);
        while !window.is_last() {
            window.refill().unwrap();
        }
        window.advance(3);
        assert_eq!(window.release(), 0);
        let long = 2 * PASSED + 1;
        window.advance(long);
        assert_eq!((window.release(), window.at(), window.place(0)), (long, 0, long as u64));
        assert_eq!((window.text(0, 6), window.line(0)), (Ok("short\n"), 1));
        assert!(matches!(&window.region, Region::Text(text) if text.capacity() <= 2 * BLOCK));
    }

    #[test]
    fn bad_bytes_are_found_and_limits_kept() {
        let mut window = Window::new(Box::new(io::Cursor::new(b"ab\xFFcdef".to_vec())), 7, 5);
        window.refill().unwrap();
        assert_eq!((window.bytes(), window.is_last()), (&b"ab\xFFcd"[..], true));
        assert_eq!((window.text(0, 2), window.text(0, 5), window.place(1)), (Ok("ab"), Err(2), 8));
    }
}
