//! The numbers that a preset fixes.

/// What the shingles of a preset are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Words, joined by one space.
    Word,
    /// Characters (Unicode scalar values), white space included.
    Char,
}

/// What a tool does with a document that has no shingle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShortDocument {
    /// It has no signature and is always kept.
    Kept,
    /// It gets the signature of the empty set: all such documents are duplicates of each other.
    Collapsed,
}

/// The numbers of a preset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// Values in a signature.
    pub num_perm: usize,
    /// LSH bands; band `i` is `signature[i * rows..(i + 1) * rows]`. Values after the last band are not used.
    pub bands: usize,
    /// Signature values in a band.
    pub rows: usize,
    /// Units in a shingle.
    pub ngram: usize,
    /// What a shingle is made of.
    pub unit: Unit,
    /// The Jaccard similarity that the tool names as its threshold (FineWeb: `(1/bands)^(1/rows)`, in two decimals).
    pub threshold: f64,
    /// Seed of the permutations.
    pub seed: u32,
    /// The fate of a document without a shingle.
    pub short_document: ShortDocument,
}
