//! What the operators over vectors share: the rows they keep, and their int8 codes.

pub mod codes;
pub mod plan;
pub mod table;
