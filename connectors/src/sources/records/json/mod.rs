//! JSON lines and JSON documents.

mod cursor;
mod decode;
mod layout;
mod observe;

pub(crate) use cursor::{Cursor, line_end};
pub(crate) use decode::JsonDecoder;
pub(crate) use layout::{Documents, Element, find as find_layout};
pub(crate) use observe::observe;
