//! Late materialisation: `ORDER BY ... LIMIT` over Parquet files reads wide columns only for the rows that it returns.
//!
//! The first rows are found using only the columns that decide: those of the sort, of filters, and of expressions that either
//! needs. The location of each row, its file and row number, is carried along. [`LateColumnsExec`] then reads the other
//! columns of the rows found and evaluates expressions over them. `upper(text)` is thus called for five rows only, and errors
//! that it would raise for other rows do not occur.
//!
//! Rows and their order are the same as without this rule. Both leave open which of several rows with equal keys comes first.

mod exec;
mod fetch;
mod narrow;
#[cfg(test)]
mod tests;
mod types;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlanProperties, StatisticsArgs, StatisticsContext};

pub use exec::LateColumnsExec;
pub use fetch::FILE;
use fetch::Fetch;
use narrow::Narrow;
use types::Plan;

/// Maximum number of rows in the second pass. More rows would touch most pages of a file, which would then be read twice.
const ROWS: usize = 2048;

/// The rows found may be at most one in this many of all rows.
const SHARE: usize = 8;

/// Minimum width, in bytes per row, of fixed-width columns for which a second pass is worthwhile.
const WIDE: usize = 64;

/// Defers columns that do not decide which rows come first to a second pass.
#[derive(Debug, Default)]
pub struct LateColumns {
    /// Maximum number of bytes that the rows found may take, if memory is limited.
    pub bytes: Option<usize>,
}

type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

impl LateColumns {
    /// Adds the rule at its position: limits must be merged into sorts and scans must know their columns, but the filters
    /// that a sort learns must not yet be in the scan.
    pub fn join(self, rules: &mut Rules) {
        let at = rules.iter().rposition(|rule| rule.name().starts_with("FilterPushdown")).unwrap_or(rules.len());
        rules.insert(at, Arc::new(self));
    }
}

impl PhysicalOptimizerRule for LateColumns {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_down(|node| {
            Ok(match self.late(&node)? {
                Some(late) => Transformed::new(late, true, TreeNodeRecursion::Jump),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "late_columns"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl LateColumns {
    fn late(&self, node: &Plan) -> Result<Option<Plan>> {
        let merge = node.downcast_ref::<SortPreservingMergeExec>().filter(|merge| merge.fetch().is_some());
        let below = merge.map_or(node, SortPreservingMergeExec::input);
        let Some(sort) = below.downcast_ref::<SortExec>() else { return Ok(None) };
        let Some(rows) = sort.fetch().filter(|&rows| rows > 0 && rows <= ROWS) else { return Ok(None) };
        if merge.is_none() && below.output_partitioning().partition_count() != 1 {
            return Ok(None);
        }
        // If rows are already ordered, even if only by the first key, the sort reads no more than it needs.
        if sort.input().equivalence_properties().ordering_satisfy([sort.expr().first().clone()])? {
            return Ok(None);
        }
        let Some((chain, scan)) = chain(sort.input()) else { return Ok(None) };
        let Some((config, source)) = local_files(scan) else { return Ok(None) };
        let keys = sort.expr().iter().flat_map(|key| collect_columns(&key.expr)).map(|column| column.index());
        let early = decisive(&chain, keys.collect());
        let columns = scan.schema();
        let late: Vec<usize> = (0..columns.fields().len()).filter(|column| !early.contains(column)).collect();
        if !is_wide(&columns, &late) || !self.are_few(rows, scan)? {
            return Ok(None);
        }
        let Some(fetch) = Fetch::try_new(config, source, &late)? else { return Ok(None) };
        let early: Vec<usize> = early.into_iter().collect();
        let Some(scan) = fetch::located(config, source, &early)? else { return Ok(None) };
        let mut narrow = Narrow::new(scan, &columns, &early, &late);
        for node in chain.into_iter().rev() {
            narrow.put(node)?;
        }
        let Some(top) = narrow.sort(sort, merge)? else { return Ok(None) };
        let outputs = narrow.outputs()?;
        Ok(Some(Arc::new(LateColumnsExec::new(top, fetch, outputs, Arc::clone(node.properties())))))
    }

    /// Whether the rows found are few compared with the scan, and within the limits.
    fn are_few(&self, rows: usize, scan: &Plan) -> Result<bool> {
        let statistics = StatisticsContext::new().compute(scan.as_ref(), &StatisticsArgs::new())?;
        let all = statistics.num_rows.get_value().copied();
        if all.is_some_and(|all| rows.saturating_mul(SHARE) > all) {
            return Ok(false);
        }
        let Some(limit) = self.bytes else { return Ok(true) };
        let columns = statistics.column_statistics.iter().map(|column| column.byte_size.get_value().copied());
        let bytes = statistics.total_byte_size.get_value().copied().or_else(|| columns.sum::<Option<usize>>());
        Ok(all.zip(bytes).is_some_and(|(all, bytes)| rows.saturating_mul(bytes / all.max(1)) <= limit))
    }
}

/// The nodes between a sort and the scan below it, from the top. Returns `None` if there are nodes other than filters,
/// projections and repartitioning.
fn chain(top: &Plan) -> Option<(Vec<&Plan>, &Plan)> {
    let (mut chain, mut node) = (Vec::new(), top);
    while !node.is::<DataSourceExec>() {
        let spreads = node
            .downcast_ref::<RepartitionExec>()
            .is_some_and(|spread| matches!(spread.partitioning(), Partitioning::RoundRobinBatch(_)));
        let passes = node.is::<FilterExec>()
            || node.is::<ProjectionExec>()
            || node.is::<CoalescePartitionsExec>()
            || node.is::<CooperativeExec>();
        let [child] = node.children()[..] else { return None };
        if !(passes || spreads) || node.fetch().is_some() {
            return None;
        }
        chain.push(node);
        node = child;
    }
    Some((chain, node))
}

type Scan<'a> = (&'a datafusion::datasource::physical_plan::FileScanConfig, &'a ParquetSource);

/// Matches a scan of all rows of local Parquet files.
fn local_files(scan: &Plan) -> Option<Scan<'_>> {
    let (config, source) = scan.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    let is_plain = config.limit.is_none()
        && config.output_partitioning.is_none()
        && config.object_store_url.as_str().starts_with("file:")
        && config.file_groups.iter().flat_map(|group| group.iter()).all(fetch::is_whole);
    is_plain.then_some((config, source))
}

/// The columns of the scan that decide which rows exist and which come first.
fn decisive(chain: &[&Plan], mut needed: BTreeSet<usize>) -> BTreeSet<usize> {
    for node in chain {
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            if let Some(projection) = filter.projection() {
                needed = needed.into_iter().filter_map(|column| projection.get(column).copied()).collect();
            }
            needed.extend(collect_columns(filter.predicate()).iter().map(|column| column.index()));
        } else if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let exprs = needed.iter().filter_map(|&column| projection.expr().get(column));
            needed = exprs.flat_map(|expr| collect_columns(&expr.expr)).map(|column| column.index()).collect();
        }
    }
    needed
}

/// Whether deferring the columns saves much.
fn is_wide(schema: &Schema, columns: &[usize]) -> bool {
    let widths = columns.iter().map(|&column| match schema.field(column).data_type() {
        DataType::Boolean | DataType::Null => Some(1),
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
        data_type => data_type.primitive_width(),
    });
    widths.sum::<Option<usize>>().is_none_or(|width| width >= WIDE)
}
