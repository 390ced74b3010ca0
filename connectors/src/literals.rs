//! Adapts literals to the columns that they are compared with.
//!
//! DataFusion reads times written as text as nanoseconds, which do not cover the years before 1677 and after 2262.
//! `valid_to = '9999-12-31'` would be an error although the column holds that day in microseconds. Here the text takes the
//! unit of the column, provided that this loses no digits.
//!
//! A UUID in Parquet is 16 bytes, which DataFusion does not compare with text. Here a text that writes a UUID becomes its
//! bytes.
//!
//! DataFusion also compares the values of a list by their bits, under which -0.0 is not 0.0. Here a list of floats that
//! contains one zero is given the other one.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::Analyzer;
use datafusion::optimizer::analyzer::AnalyzerRule;

/// DataFusion's rules preceded by this one, since types are not yet resolved there.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(FitLiterals)];
    rules.extend(Analyzer::new().rules);
    rules
}

/// Casts texts to the type of the UUIDs, or the unit of the timestamps, that they are compared with, and adds the other zero
/// to lists.
#[derive(Debug)]
struct FitLiterals;

impl AnalyzerRule for FitLiterals {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
            }
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = expr.transform_up(|expr| Ok(rewrite(expr, &schema)))?;
                Ok(if rewritten.transformed { rewritten.update_data(|expr| name.restore(expr)) } else { rewritten })
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "fit_literals"
    }
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let of = |column: &Expr, texts: &[&Expr]| {
        let data_type = column.get_type(schema).ok()?;
        texts.iter().map(|text| in_unit(text, &data_type)).collect::<Option<Vec<Expr>>>()
    };
    let found = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            let right_text = of(left, &[right]).and_then(|mut text| text.pop());
            let left_text = of(right, &[left]).and_then(|mut text| text.pop());
            match (left_text, right_text) {
                (None, Some(text)) => Some(Expr::BinaryExpr(BinaryExpr::new(left.clone(), *op, Box::new(text)))),
                (Some(text), None) => Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(text), *op, right.clone()))),
                _ => None,
            }
        }
        Expr::Between(Between { expr, negated, low, high }) => match of(expr, &[low, high]).as_deref() {
            Some([low, high]) => {
                let (low, high) = (Box::new(low.clone()), Box::new(high.clone()));
                Some(Expr::Between(Between::new(expr.clone(), *negated, low, high)))
            }
            _ => None,
        },
        Expr::InList(InList { expr, list, negated }) => {
            let list = of(expr, &list.iter().collect::<Vec<_>>()).or_else(|| with_both_zeros(expr, list, schema));
            list.map(|list| Expr::InList(InList::new(expr.clone(), list, *negated)))
        }
        _ => None,
    };
    found.map_or_else(|| Transformed::no(expr), Transformed::yes)
}

/// If a list of floats contains a zero, returns the list with both zeros.
fn with_both_zeros(expr: &Expr, list: &[Expr], schema: &DFSchema) -> Option<Vec<Expr>> {
    if !expr.get_type(schema).is_ok_and(|data_type| data_type.is_floating()) {
        return None;
    }
    let zero = |expr: &Expr| match expr {
        Expr::Literal(value, _) if value.data_type().is_numeric() => match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(Some(number))) if number == 0.0 => Some(number.is_sign_negative()),
            _ => None,
        },
        _ => None,
    };
    let has = |negative: bool| list.iter().any(|expr| zero(expr) == Some(negative));
    let missing = match (has(false), has(true)) {
        (true, false) => -0.0,
        (false, true) => 0.0,
        _ => return None,
    };
    Some(list.iter().cloned().chain([Expr::Literal(ScalarValue::Float64(Some(missing)), None)]).collect())
}

fn is_comparison(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom)
}

/// Parses a text as a UUID or timestamp of this type; `None` if it is neither, or has digits that the type cannot hold.
fn in_unit(expr: &Expr, data_type: &DataType) -> Option<Expr> {
    if *data_type == DataType::FixedSizeBinary(16) {
        let Expr::Literal(value, _) = expr else { return None };
        let id = uuid::Uuid::try_parse(value.try_as_str().flatten()?).ok()?;
        return Some(Expr::Literal(ScalarValue::FixedSizeBinary(16, Some(id.as_bytes().to_vec())), None));
    }
    let DataType::Timestamp(unit, zone) = data_type else { return None };
    let factor = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => return None,
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![text(expr, zone.is_some())?]));
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let parsed = |unit: TimeUnit| {
        let value = cast_with_options(&text, &DataType::Timestamp(unit, zone.clone()), &options).ok()?;
        let count = cast_with_options(&value, &DataType::Int64, &options).ok()?;
        let ScalarValue::Int64(Some(count)) = ScalarValue::try_from_array(&count, 0).ok()? else { return None };
        Some((ScalarValue::try_from_array(&value, 0).ok()?, count))
    };
    let (value, count) = parsed(*unit)?;
    // If nanoseconds do not cover the year, digits that fine are not checked.
    let exact = parsed(TimeUnit::Nanosecond).is_none_or(|(_, fine)| i128::from(fine) == i128::from(count) * factor);
    exact.then(|| Expr::Literal(value, None))
}

/// The text of a literal: a text, `TIMESTAMP '...'` or `DATE '...'`. The last two have no time zone.
fn text(expr: &Expr, zoned: bool) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        Expr::Cast(Cast { expr, field }) if !zoned => {
            let is_time =
                matches!(field.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, None) | DataType::Date32);
            let Expr::Literal(value, _) = expr.as_ref() else { return None };
            let text = value.try_as_str().flatten().filter(|_| is_time)?;
            // A date has no time of day, whatever its text says.
            (*field.data_type() != DataType::Date32 || text.len() <= "9999-12-31".len()).then(|| text.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::testing::{batches, error, rows, session};

    #[tokio::test]
    async fn texts_take_the_unit_of_the_column() {
        let ctx = session(2);
        let of = |text: &str| format!("arrow_cast('{text}', 'Timestamp(Microsecond, None)')");
        let values = [of("9999-12-31 02:00:00"), of("2021-06-09 03:02:37.5"), of("0001-01-01")];
        let values: Vec<String> = values.iter().enumerate().map(|(id, value)| format!("({id}, {value})")).collect();
        batches(&ctx, &format!("CREATE TABLE t AS SELECT * FROM (VALUES {}) v(id, ts)", values.join(", "))).await;
        for (condition, ids) in [
            ("ts = '9999-12-31 02:00:00'", &["0"][..]),
            ("'9999-12-31 02:00:00' = ts", &["0"]),
            ("ts >= '9999-12-31'", &["0"]),
            ("ts >= TIMESTAMP '9999-12-31 00:00:00'", &["0"]),
            ("ts >= DATE '9999-12-31'", &["0"]),
            ("ts < '1000-01-01'", &["2"]),
            ("ts BETWEEN '0001-01-01' AND '2100-01-01'", &["1", "2"]),
            ("ts IN ('0001-01-01', '9999-12-31T02:00:00')", &["0", "2"]),
            ("ts NOT IN ('0001-01-01')", &["0", "1"]),
            ("ts = '2021-06-09 03:02:37.5'", &["1"]),
            ("ts <> '9999-12-31 02:00:00' AND ts > '2000-01-01'", &["1"]),
        ] {
            let found = rows(&ctx, Path::new("-"), &format!("SELECT id FROM t WHERE {condition}")).await;
            assert_eq!(found, ids, "{condition}");
        }
        let joined = "SELECT a.id FROM t a JOIN t b ON a.id = b.id AND a.ts > '9000-01-01'";
        assert_eq!(rows(&ctx, Path::new("-"), joined).await, ["0"]);
        assert_eq!(rows(&ctx, Path::new("-"), "SELECT count(*) FILTER (WHERE ts > '9000-01-01') FROM t").await, ["1"]);
        assert!(error(&ctx, Path::new("-"), "SELECT * FROM t WHERE ts = 'soon'").await.contains("soon"));
    }

    #[tokio::test]
    async fn texts_find_the_uuids_that_they_write() {
        let ctx = session(2);
        let of = |hex: &str| format!("arrow_cast(decode('{hex}', 'hex'), 'FixedSizeBinary(16)')");
        let (one, two) = ("550e8400e29b41d4a716446655440000", "00000000000000000000000000000001");
        batches(&ctx, &format!("CREATE TABLE u AS SELECT * FROM (VALUES (1, {}), (2, {})) v(n, id)", of(one), of(two)))
            .await;
        for (condition, found) in [
            ("id = '550e8400-e29b-41d4-a716-446655440000'", &["1"][..]),
            ("'550E8400-E29B-41D4-A716-446655440000' = id", &["1"]),
            ("id <> '550e8400-e29b-41d4-a716-446655440000'", &["2"]),
            ("id IN ('00000000-0000-0000-0000-000000000001', '550e8400e29b41d4a716446655440000')", &["1", "2"]),
        ] {
            let sql = format!("SELECT n FROM u WHERE {condition}");
            assert_eq!(rows(&ctx, Path::new("-"), &sql).await, found, "{condition}");
        }
        assert!(
            error(&ctx, Path::new("-"), "SELECT * FROM u WHERE id = 'no uuid'").await.contains("FixedSizeBinary(16)")
        );
    }

    #[tokio::test]
    async fn a_list_with_one_zero_finds_both() {
        let ctx = session(2);
        let sql = "CREATE TABLE f AS SELECT * FROM (VALUES (0, 0.0), (1, -0.0), (2, 1.5), (3, NULL)) v(id, x)";
        batches(&ctx, &sql.replace("0.0)", "0.0::double)").replace("1.5", "1.5::double")).await;
        for (condition, ids) in [
            ("x IN (0.0, 7, 8, 9, 10)", &["0", "1"][..]),
            ("x IN (-0.0, 7, 8, 9, 10)", &["0", "1"]),
            ("x IN (0, 1.5, 8, 9, 10)", &["0", "1", "2"]),
            ("x NOT IN (0.0, 7, 8, 9, 10)", &["2"]),
            ("x IN (1.5, 7, 8, 9, 10)", &["2"]),
        ] {
            let found = rows(&ctx, Path::new("-"), &format!("SELECT id FROM f WHERE {condition}")).await;
            assert_eq!(found, ids, "{condition}");
        }
    }
}
