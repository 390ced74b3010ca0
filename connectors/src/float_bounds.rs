//! Restricts the conditions on floats that may skip parts of a Parquet file.
//!
//! Writers leave NaN out of the bounds of float columns. A row group with bounds 1 and 1 may contain NaN, which differs from
//! 1 and sorts above every number. Skipping it for `x <> 1` or `x > 5` would lose rows, and so would a bound that `ORDER BY x
//! DESC LIMIT n` learns at run time. Footers do not count NaN, so a scan keeps only conditions that NaN never satisfies:
//! equality with a number, and ranges bounded on both sides. All other conditions still filter the rows that are read.
//!
//! The two zeros are equal, but a Bloom filter only knows the bytes of one. Equality with zero is therefore rewritten as the
//! range from -0.0 to 0.0, which bounds can answer and Bloom filters do not.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterTracking, InListExpr, IsNotNullExpr, IsNullExpr, Literal, lit,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

type Expr = Arc<dyn PhysicalExpr>;
type Plan = Arc<dyn ExecutionPlan>;

/// Removes conditions from Parquet scans that would skip rows with NaN. Must run after filter pushdown.
#[derive(Debug)]
pub struct FloatBounds;

impl PhysicalOptimizerRule for FloatBounds {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(|node| {
            Ok(match sound_scan(&node) {
                Some(scan) => Transformed::yes(scan),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "float_bounds"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// If `node` is a scan that might lose NaN, returns one that does not.
fn sound_scan(node: &Plan) -> Option<Plan> {
    let (config, source) = node.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    let predicate = source.filter()?;
    let schema = source.table_schema().table_schema();
    let Transformed { data: predicate, transformed: zeros, .. } = both_zeros(predicate, schema).ok()?;
    let conjuncts: Vec<&Expr> = split_conjunction(&predicate);
    let mut kept = sound(&conjuncts, schema);
    if kept.len() == conjuncts.len() && !zeros {
        return None;
    }
    let all_sound = kept.len() == conjuncts.len();
    let mut options = source.table_parquet_options().clone();
    let mut source = source.clone();
    if options.global.pushdown_filters && !all_sound {
        // These conditions also filter rows and must stay, so nothing may be skipped by them. Dynamic filters only skip.
        kept = conjuncts
            .into_iter()
            .filter(|expr| !DynamicFilterTracking::classify(expr).contains_dynamic_filter())
            .collect();
        options.global.pruning = false;
        options.global.bloom_filter_on_read = false;
        source = source.with_table_parquet_options(options).with_enable_page_index(false);
    }
    let source =
        source.with_predicate(if kept.is_empty() { lit(true) } else { conjunction(kept.into_iter().cloned()) });
    let config = FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source)).build();
    Some(DataSourceExec::from_data_source(config))
}

/// Rewrites equality of a float with zero as a range that contains both zeros.
fn both_zeros(predicate: Expr, schema: &Schema) -> Result<Transformed<Expr>> {
    predicate.transform_up(|expr| {
        let Some((value, data_type)) = compared_with_zero(&expr, schema) else { return Ok(Transformed::no(expr)) };
        let zero = |sign: f64| ScalarValue::Float64(Some(0.0 * sign)).cast_to(&data_type).map(lit);
        let from: Expr = Arc::new(BinaryExpr::new(Arc::clone(&value), Operator::GtEq, zero(-1.0)?));
        let to: Expr = Arc::new(BinaryExpr::new(value, Operator::LtEq, zero(1.0)?));
        Ok(Transformed::yes(Arc::new(BinaryExpr::new(from, Operator::And, to)) as Expr))
    })
}

/// The expression that `expr` compares with zero, and the type of both.
fn compared_with_zero(expr: &Expr, schema: &Schema) -> Option<(Expr, DataType)> {
    let binary = expr.downcast_ref::<BinaryExpr>().filter(|binary| *binary.op() == Operator::Eq)?;
    let sides = [(binary.left(), binary.right()), (binary.right(), binary.left())];
    sides.into_iter().find_map(|(value, number)| {
        let data_type = value.data_type(schema).ok().filter(DataType::is_floating)?;
        (column(value).is_some() && is_zero(number)).then(|| (Arc::clone(value), data_type))
    })
}

/// Among the conjuncts, those that NaN never satisfies or that do not involve floats.
fn sound<'a>(conjuncts: &[&'a Expr], schema: &Schema) -> Vec<&'a Expr> {
    let bounds: Vec<Option<(usize, bool)>> = conjuncts.iter().map(|expr| bound(expr, schema)).collect();
    let other_side = |(column, upper): (usize, bool)| bounds.contains(&Some((column, !upper)));
    let keep = |(expr, bound): (&&'a Expr, &Option<(usize, bool)>)| {
        let keep = bound.map_or_else(|| is_sound(expr, schema), other_side);
        keep.then_some(*expr)
    };
    conjuncts.iter().zip(&bounds).filter_map(keep).collect()
}

/// Whether NaN never satisfies the condition, or the condition does not involve floats.
fn is_sound(expr: &Expr, schema: &Schema) -> bool {
    if !reads_floats(expr, schema) {
        return true;
    }
    if let Some(nulls) = expr.downcast_ref::<IsNullExpr>() {
        return column(nulls.arg()).is_some();
    }
    if let Some(nulls) = expr.downcast_ref::<IsNotNullExpr>() {
        return column(nulls.arg()).is_some();
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        let skips = |value: &Expr| is_number(value) && !is_zero(value);
        return !list.negated() && column(list.expr()).is_some() && list.list().iter().all(skips);
    }
    let Some(binary) = expr.downcast_ref::<BinaryExpr>() else { return false };
    match binary.op() {
        Operator::And => {
            let conjuncts = split_conjunction(expr);
            sound(&conjuncts, schema).len() == conjuncts.len()
        }
        Operator::Or => is_sound(binary.left(), schema) && is_sound(binary.right(), schema),
        Operator::Eq => {
            let is = |column: &Expr, number: &Expr| self::column(column).is_some() && is_number(number);
            is(binary.left(), binary.right()) || is(binary.right(), binary.left())
        }
        _ => false,
    }
}

/// The float column that a condition bounds by a number, and whether it bounds it from above.
fn bound(expr: &Expr, schema: &Schema) -> Option<(usize, bool)> {
    let binary = expr.downcast_ref::<BinaryExpr>().filter(|_| reads_floats(expr, schema))?;
    let upper = match binary.op() {
        Operator::Lt | Operator::LtEq => true,
        Operator::Gt | Operator::GtEq => false,
        _ => return None,
    };
    match (column(binary.left()), column(binary.right())) {
        (Some(at), None) if is_number(binary.right()) => Some((at, upper)),
        (None, Some(at)) if is_number(binary.left()) => Some((at, !upper)),
        _ => None,
    }
}

/// A column, possibly cast to a wider float.
fn column(expr: &Expr) -> Option<usize> {
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return column(cast.expr()).filter(|_| cast.cast_type().is_floating());
    }
    expr.downcast_ref::<Column>().map(Column::index)
}

/// Whether the literal is a number other than NULL and NaN.
fn is_number(expr: &Expr) -> bool {
    number(expr).is_some_and(|number| !number.is_nan())
}

fn is_zero(expr: &Expr) -> bool {
    number(expr) == Some(0.0)
}

fn number(expr: &Expr) -> Option<f64> {
    match expr.downcast_ref::<Literal>()?.value().cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(number)) => number,
        _ => None,
    }
}

fn reads_floats(expr: &Expr, schema: &Schema) -> bool {
    collect_columns(expr)
        .iter()
        .any(|column| schema.fields().get(column.index()).is_none_or(|field| has_floats(field.data_type())))
}

fn has_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => has_floats(value),
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(field.data_type())),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_floats(item.data_type()),
        other => other.is_floating(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch};
    use datafusion::datasource::MemTable;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;
    use proptest::prelude::*;
    use tempfile::tempdir;

    use super::*;
    use crate::sources::enable_paths;
    use crate::testing::{batches, rows};

    fn session(pushdown: bool) -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(1)
            .set_bool("datafusion.execution.parquet.pushdown_filters", pushdown);
        let state = SessionStateBuilder::new().with_config(config).with_default_features();
        let mut state = state.with_physical_optimizer_rule(Arc::new(FloatBounds)).build();
        crate::register_formats(&mut state).unwrap();
        enable_paths(SessionContext::new_with_state(state))
    }

    /// Writes the same rows to a file, with three per row group, and to the table `plain`.
    fn write(folder: &Path, x: &[Option<f64>], ctx: &SessionContext) {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..x.len() as i64));
        let narrow: Float32Array = x.iter().map(|x| x.map(|x| x as f32)).collect();
        let columns: Vec<(&str, ArrayRef)> =
            vec![("id", ids), ("x", Arc::new(Float64Array::from(x.to_vec()))), ("y", Arc::new(narrow))];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, c)| (name, c, true))).unwrap();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
        let file = File::create(folder.join("t.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        ctx.deregister_table("plain").unwrap();
        ctx.register_table("plain", Arc::new(table)).unwrap();
    }

    const NAN: Option<f64> = Some(f64::NAN);

    #[tokio::test]
    async fn rows_that_are_nan_are_found() {
        let folder = tempdir().unwrap();
        for pushdown in [false, true] {
            let ctx = session(pushdown);
            write(folder.path(), &[Some(1.0), NAN, Some(1.0), Some(2.0), Some(3.0), NAN, Some(-f64::NAN)], &ctx);
            for (condition, found) in [
                ("x <> 1", 5),
                ("x > 5", 2),
                ("5 < y", 2),
                ("x >= 3.5 AND id > 3", 1),
                ("x = 'NaN'", 2),
                ("NOT (x <= 3)", 2),
                ("x NOT IN (1, 2)", 4),
                ("x > 5 OR id = 0", 3),
                ("(x > 5 AND id > 1) OR id = 0", 2),
                ("x IN (1, 'NaN')", 4),
            ] {
                let sql = format!("SELECT id FROM '{{}}/t.parquet' WHERE {condition}");
                let read = rows(&ctx, folder.path(), &sql).await;
                let plain = rows(&ctx, folder.path(), &format!("SELECT id FROM plain WHERE {condition}")).await;
                assert_eq!(read, plain, "{condition}, pushed down: {pushdown}");
                assert_eq!(read.len(), found, "{condition}");
            }
            for order in ["x DESC, id", "y DESC, id", "x, id", "id DESC, x"] {
                let sql = |from: &str| format!("SELECT id FROM {from} ORDER BY {order} LIMIT 2");
                let read = rows(&ctx, folder.path(), &sql("'{}/t.parquet'")).await;
                assert_eq!(read, rows(&ctx, folder.path(), &sql("plain")).await, "{order}");
            }
        }
    }

    #[tokio::test]
    async fn both_zeros_are_found_whichever_is_asked_for() {
        let folder = tempdir().unwrap();
        let x = Float64Array::from(vec![-0.0, 0.0, 1.0, -0.0, 2.0]);
        let narrow: Float32Array = x.iter().map(|x| x.map(|x| x as f32)).collect();
        let columns: [(&str, ArrayRef); 3] =
            [("id", Arc::new(Int64Array::from_iter_values(0..5))), ("x", Arc::new(x)), ("y", Arc::new(narrow))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        // A row group for each row, with a Bloom filter that knows one zero only.
        let properties =
            WriterProperties::builder().set_max_row_group_row_count(Some(1)).set_bloom_filter_enabled(true);
        let file = File::create(folder.path().join("t.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        for pushdown in [false, true] {
            let ctx = session(pushdown);
            for condition in ["x = 0.0", "x = -0.0", "0.0 = x", "y = 0.0", "y = -0.0", "x = 0", "x = 0.0 AND y = -0.0"]
            {
                let sql = format!("SELECT id FROM '{{}}/t.parquet' WHERE {condition}");
                assert_eq!(rows(&ctx, folder.path(), &sql).await, ["0", "1", "3"], "{condition}, {pushdown}");
            }
            let sql = "SELECT id FROM '{}/t.parquet' WHERE x = 0.0 OR x = 2.0";
            assert_eq!(rows(&ctx, folder.path(), sql).await, ["0", "1", "3", "4"]);
        }
    }

    #[tokio::test]
    async fn what_no_nan_meets_still_skips() {
        let folder = tempdir().unwrap();
        let ctx = session(false);
        write(folder.path(), &[Some(1.0), NAN, Some(1.0), Some(2.0)], &ctx);
        let plan = async |condition: &str| {
            let sql = format!("EXPLAIN SELECT id FROM '{}/t.parquet' WHERE {condition}", folder.path().display());
            let found = batches(&ctx, &sql).await;
            let text = arrow::util::pretty::pretty_format_batches(&found).unwrap().to_string();
            text.split_once("pruning_predicate=").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
        };
        for condition in [
            "x = 1.0",
            "x BETWEEN 0.5 AND 1.5",
            "y >= 0.5 AND y < 1.5",
            "x IN (1.0, 2.0)",
            "x > 1 AND x < 2 AND id > 1",
        ] {
            assert!(plan(condition).await.contains("_min@"), "{condition}");
        }
        let mixed = plan("x > 1 AND id > 1").await;
        assert!(mixed.contains("id_max@") && !mixed.contains("x_max@"), "{mixed}");
        assert_eq!(plan("x > 1").await, "");
    }

    fn number() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![
            Just(None),
            Just(NAN),
            Just(Some(-f64::NAN)),
            Just(Some(-0.0)),
            Just(Some(0.0)),
            Just(Some(f64::INFINITY)),
            (-3_i32..4).prop_map(|n| Some(f64::from(n) / 2.0)),
        ]
    }

    fn condition() -> impl Strategy<Value = String> {
        let column = prop_oneof![Just("x"), Just("y"), Just("id")];
        let operator = prop_oneof![Just("="), Just("<>"), Just("<"), Just("<="), Just(">"), Just(">=")];
        let value =
            prop_oneof![Just("0.0"), Just("1.0"), Just("-0.5"), Just("CAST('NaN' AS DOUBLE)"), Just("1"), Just("4")];
        let atom = prop_oneof![
            (column.clone(), operator, value.clone()).prop_map(|(c, o, v)| format!("{c} {o} {v}")),
            (column.clone(), value.clone(), value).prop_map(|(c, a, b)| format!("{c} BETWEEN {a} AND {b}")),
            column.prop_map(|c| format!("{c} IS NOT NULL")),
        ];
        atom.prop_recursive(3, 8, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
                inner.prop_map(|a| format!("NOT ({a})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_file_answers_as_its_rows_do(
            x in prop::collection::vec(number(), 1..12),
            conditions in prop::collection::vec(condition(), 6),
            pushdown in any::<bool>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let folder = tempdir().unwrap();
            let ctx = session(pushdown);
            write(folder.path(), &x, &ctx);
            for condition in conditions {
                let (read, plain) = runtime.block_on(async {
                    let sql = |from: &str| format!("SELECT id FROM {from} WHERE {condition}");
                    let read = rows(&ctx, folder.path(), &sql("'{}/t.parquet'")).await;
                    (read, rows(&ctx, folder.path(), &sql("plain")).await)
                });
                prop_assert_eq!(read, plain, "{}", condition);
            }
        }
    }
}
