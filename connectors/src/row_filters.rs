//! Filters that run before the other columns of a Parquet file are decoded.
//!
//! DataFusion's own setting moves every filter into the scan, where an error of a filter (`5 / n < 2` with n = 0) loses its
//! type. Here only conditions that cannot fail are evaluated in the scan: comparisons of columns with values, and the dynamic
//! filters of `ORDER BY ... LIMIT`. They are used only if they read fewer columns than the query. The filter above the scan
//! stays.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

type Expr = Arc<dyn PhysicalExpr>;
type Plan = Arc<dyn ExecutionPlan>;

/// Enables row filters in Parquet scans. Must run after filter pushdown.
#[derive(Debug)]
pub struct RowFilters;

impl PhysicalOptimizerRule for RowFilters {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(|node| {
            Ok(match filtering_scan(&node) {
                Some(scan) => Transformed::yes(scan),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "row_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// If `node` is a scan that could filter rows but does not, returns one that does.
fn filtering_scan(node: &Plan) -> Option<Plan> {
    let (config, source) = node.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    let predicate = source.filter()?;
    let mut options = source.table_parquet_options().clone();
    if options.global.pushdown_filters || !cannot_fail(&predicate) {
        return None;
    }
    let read = collect_columns(&predicate);
    // Location columns are not in the file.
    let in_file = source.table_schema().file_schema().fields().len();
    let columns = source.projection()?.column_indices();
    if read.is_empty() || read.len() >= columns.iter().filter(|&&column| column < in_file).count() {
        return None;
    }
    options.global.pushdown_filters = true;
    let source = source.clone().with_table_parquet_options(options);
    let config = FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source)).build();
    Some(DataSourceExec::from_data_source(config))
}

/// Whether a condition cannot fail for any row.
fn cannot_fail(expr: &Expr) -> bool {
    if expr.is::<Column>() || expr.is::<Literal>() {
        return true;
    }
    let is_simple = match expr.downcast_ref::<BinaryExpr>() {
        Some(binary) => matches!(
            binary.op(),
            Operator::And
                | Operator::Or
                | Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
        ),
        // A dynamic filter compares the expressions that are its children.
        None => {
            expr.is::<DynamicFilterPhysicalExpr>()
                || expr.is::<IsNullExpr>()
                || expr.is::<IsNotNullExpr>()
                || expr.is::<InListExpr>()
        }
    };
    is_simple && expr.children().into_iter().all(cannot_fail)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;

    async fn session(path: &str, ours: bool) -> SessionContext {
        let mut state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(50))
            .with_default_features();
        if ours {
            state = state.with_physical_optimizer_rule(Arc::new(RowFilters));
        }
        let ctx = SessionContext::new_with_state(state.build());
        ctx.register_parquet("t", path, ParquetReadOptions::default()).await.unwrap();
        ctx
    }

    #[tokio::test]
    async fn only_what_cannot_fail_filters_in_the_scan_and_no_row_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let n: ArrayRef = Arc::new((0..2000).map(|i| (i % 7 != 3).then_some(i * 37 % 1000)).collect::<Int64Array>());
        let text: ArrayRef = Arc::new((0..2000).map(|i| Some(format!("text {i}"))).collect::<StringArray>());
        let batch = RecordBatch::try_from_iter([("n", n), ("text", text)]).unwrap();
        let groups = WriterProperties::builder().set_max_row_group_row_count(Some(300)).build();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(groups)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let path = path.to_str().unwrap();
        let (plain, ours) = (session(path, false).await, session(path, true).await);
        for (sql, filters) in [
            ("SELECT text FROM t WHERE n > 990 ORDER BY text", true),
            ("SELECT n, text FROM t WHERE n IN (1, 2, 3, 4) OR n IS NULL AND text > 'text 19' ORDER BY text", false),
            ("SELECT text FROM t WHERE n IN (1, 2, 3, 4) OR n IS NULL ORDER BY text", true),
            ("SELECT n, text FROM t ORDER BY n DESC, text LIMIT 5", false),
            ("SELECT text FROM (SELECT n, text FROM t ORDER BY n DESC NULLS LAST LIMIT 5) ORDER BY text", true),
            ("SELECT text FROM t WHERE 5 / (n + 1) > 1 ORDER BY text", false),
            ("SELECT n FROM t WHERE n > 990 ORDER BY n", false),
        ] {
            let rows = async |ctx: &SessionContext| {
                let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
                pretty_format_batches(&batches).unwrap().to_string()
            };
            let plan = ours.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
            let mut found = false;
            plan.apply(|node| {
                if let Some((_, source)) = node
                    .downcast_ref::<DataSourceExec>()
                    .and_then(|scan| scan.downcast_to_file_source::<ParquetSource>())
                {
                    found |= source.table_parquet_options().global.pushdown_filters;
                }
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            })
            .unwrap();
            assert_eq!(found, filters, "{sql}\n{}", displayable(plan.as_ref()).indent(true));
            assert_eq!(rows(&ours).await, rows(&plain).await, "{sql}");
        }
    }
}
