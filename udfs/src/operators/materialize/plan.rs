//! Parses `materialize(relation)` into a plan node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::reference;
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::materialize::node::{MaterializeNode, NAME};

/// Computes its input once and keeps the rows.
#[derive(Debug)]
pub struct Materialize;

impl SqlOperator for Materialize {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(args: Args) -> Result<LogicalPlan> {
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(MaterializeNode { input: args.into_input() }) }))
    }
}
