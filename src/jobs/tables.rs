//! Folders of Parquet files as tables, and small results as Rust values.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::common::exec_datafusion_err;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};

use crate::session::statement;

/// Makes the Parquet files in `folder` the table `name`, in place of any table of this name.
pub async fn register_folder(ctx: &SessionContext, name: &str, folder: &Path) -> Result<()> {
    let absolute =
        folder.canonicalize().map_err(|error| exec_datafusion_err!("cannot read {}: {error}", folder.display()))?;
    ctx.deregister_table(name)?;
    let path = format!("{}/", absolute.display());
    ctx.register_parquet(name, path, ParquetReadOptions::default()).await
}

/// A context on the same engine in which filters are pushed into Parquet files, so that looking up a few rows decodes few.
/// Its tables are not visible in `ctx`.
pub fn lookup_context(ctx: &SessionContext) -> SessionContext {
    let state = ctx.state();
    let config = state
        .config()
        .clone()
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        // A state that was built from another no longer asks for the catalogue that it has.
        .with_create_default_catalog_and_schema(true);
    let lookup = SessionContext::new_with_config_rt(config, ctx.runtime_env());
    for udf in state.scalar_functions().values() {
        lookup.register_udf(udf.as_ref().clone());
    }
    lookup
}

/// Plans one query; anything that would change something is an error.
pub async fn query(ctx: &SessionContext, sql: &str) -> Result<DataFrame> {
    let state = ctx.state();
    let dialect = state.config().options().sql_parser.dialect;
    let plan = statement::plan(&state, state.sql_to_statement(sql, &dialect)?).await?;
    let only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only.verify_plan(&plan)?;
    ctx.execute_logical_plan(plan).await
}

/// A small result as text, one vector per row; NULL is `None`.
pub async fn rows(ctx: &SessionContext, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    for batch in ctx.sql(sql).await?.collect().await? {
        let columns =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8)).collect::<Result<Vec<ArrayRef>, _>>()?;
        for row in 0..batch.num_rows() {
            let value =
                |column: &ArrayRef| column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned());
            rows.push(columns.iter().map(value).collect());
        }
    }
    Ok(rows)
}

/// A small result with two integers per row; NULL is 0.
pub async fn pairs(ctx: &SessionContext, sql: &str) -> Result<Vec<(u64, u64)>> {
    let mut pairs = Vec::new();
    for batch in ctx.sql(sql).await?.collect().await? {
        let number = |at: usize| cast(batch.column(at), &DataType::Int64);
        let (left, right) = (number(0)?, number(1)?);
        let value =
            |array: &ArrayRef, row: usize| u64::try_from(array.as_primitive::<Int64Type>().value(row)).unwrap_or(0);
        pairs.extend((0..batch.num_rows()).map(|row| (value(&left, row), value(&right, row))));
    }
    Ok(pairs)
}

/// The number in `text`.
pub fn number(text: Option<&str>) -> Option<f64> {
    text.and_then(|text| text.parse().ok())
}

/// The values of a similarity column.
pub fn floats(array: &ArrayRef) -> impl Iterator<Item = Option<f64>> {
    array.as_primitive::<Float64Type>().iter()
}
