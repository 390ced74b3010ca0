//! Parses `spectral_clusters(rows, vector => emb, k => 10, ...)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::{NAME, SpectralClusters, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for SpectralClusters {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let columns = vec![args.column("id")?, args.column("vector")?];
        let seed = args.settings().seed;
        let parameters = SpectralClusters {
            k: args.integer("k")? as u32,
            landmarks: args.integer("landmarks")? as u32,
            sigma: args.number("sigma")?.into(),
            seed: args.integer_or("seed", seed)?,
        };
        call(parameters, args.input().clone(), columns)
    }
}
