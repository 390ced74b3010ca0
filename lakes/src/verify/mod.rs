//! Decides candidate pairs: by single columns, samples, row hashes and bytes.

pub mod bytes;
pub mod columns;
pub mod decide;
pub mod judge;
pub mod rename;
pub mod sketch;

/// What is known of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The names of the child's columns are all in the parent.
    SchemaContained,
    /// Types, bounds and counts allow containment.
    MinmaxConsistent,
    /// Samples of both tables allow containment.
    SketchConsistent,
    /// All rows drawn from the child are in the parent.
    SampleConsistent,
    /// The hashes of the child's rows are in the parent.
    HashExact,
    /// The child's rows are in the parent, byte for byte in canonical form.
    ByteExact,
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SchemaContained => "schema-contained",
            Self::MinmaxConsistent => "minmax-consistent",
            Self::SketchConsistent => "sketch-consistent",
            Self::SampleConsistent => "sample-consistent",
            Self::HashExact => "hash-exact",
            Self::ByteExact => "byte-exact",
        }
    }
}

/// The evidence for the state of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Names and footers.
    Metadata,
    /// This many values of the best anchor, with all their rows.
    Anchors(u64),
    /// This many drawn rows.
    Drawn(u64),
    /// All rows were compared.
    Rows,
    /// The child is contained in this table, which is contained in the parent.
    Through(u32),
}

/// A pair that a stage let pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The table contained.
    pub child: u32,
    /// The table that contains it.
    pub parent: u32,
    /// How certain that is.
    pub state: State,
    /// The evidence.
    pub evidence: Evidence,
    /// Fraction of the child's rows in the parent, measured or estimated.
    pub similarity: Option<f64>,
    /// Confidence interval of an estimate; of anchor values for samples of columns.
    pub interval: Option<(f64, f64)>,
    /// Number of rows of the child that count, and how many of them the parent has.
    pub rows: Option<(u64, u64)>,
    /// For each column of the child the parent's column, if names do not determine it.
    pub mapping: Option<Vec<u32>>,
}

impl Found {
    /// A pair that metadata let pass.
    pub fn metadata((child, parent): (u32, u32), state: State) -> Self {
        Self {
            child,
            parent,
            state,
            evidence: Evidence::Metadata,
            similarity: None,
            interval: None,
            rows: None,
            mapping: None,
        }
    }
}
