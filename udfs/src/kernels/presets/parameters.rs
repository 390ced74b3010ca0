//! Parameters of the presets.

/// The unit of which shingles consist.
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
    /// It receives the signature of the empty set, so all such documents are duplicates of each other.
    Collapsed,
}

/// The parameters of a preset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// Values in a signature.
    pub num_perm: usize,
    /// LSH bands; band `i` is `signature[i * rows..(i + 1) * rows]`. Values after the last band are not used.
    pub bands: usize,
    /// Signature values in a band.
    pub rows: usize,
    /// Units per shingle.
    pub ngram: usize,
    /// The unit of which shingles consist.
    pub unit: Unit,
    /// The Jaccard similarity that the tool names as its threshold (FineWeb: `(1/bands)^(1/rows)`, in two decimals).
    pub threshold: f64,
    /// Seed of the permutations.
    pub seed: u32,
    /// What happens to a document without a shingle.
    pub short_document: ShortDocument,
}
