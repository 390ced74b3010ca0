//! Candidates decided: by single columns, by samples, by row hashes, by bytes.

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

/// What a pair's state rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Names and footers.
    Metadata,
    /// So many values of the best anchor, with all their rows.
    Anchors(u64),
    /// So many rows drawn.
    Drawn(u64),
    /// All rows were compared.
    Rows,
    /// The child is in this table, which is in the parent.
    Through(u32),
}

/// A pair that a stage let pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The table contained.
    pub child: u32,
    /// The table that contains it.
    pub parent: u32,
    /// How sure that is.
    pub state: State,
    /// What it rests on.
    pub evidence: Evidence,
    /// Share of the child's rows in the parent, measured or estimated.
    pub similarity: Option<f64>,
    /// Confidence interval of an estimate; of anchor values for samples of columns.
    pub interval: Option<(f64, f64)>,
    /// Rows of the child that count, and those of them that the parent has.
    pub rows: Option<(u64, u64)>,
    /// For each column of the child the parent's, where names do not say it.
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
