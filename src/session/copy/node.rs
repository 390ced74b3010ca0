//! The logical node.

use std::fmt;

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use limpid_io::StagedPath;

/// Moves what the COPY below it wrote to its final place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub struct CommitNode {
    copy: LogicalPlan,
    /// Where that is.
    pub place: StagedPath,
}

impl CommitNode {
    /// `copy` writes to the path of `place`.
    pub fn new(copy: LogicalPlan, place: StagedPath) -> Self {
        Self { copy, place }
    }
}

impl UserDefinedLogicalNodeCore for CommitNode {
    fn name(&self) -> &str {
        "Commit"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.copy]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.copy.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Commit: {}", self.place.target().display())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty()) {
            (Some(copy), true) => Ok(Self { copy, place: self.place.clone() }),
            _ => internal_err!("Commit takes one input"),
        }
    }
}
