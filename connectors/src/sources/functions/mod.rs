//! Table functions such as `FROM read_csv('x/*.csv', delimiter => ';')`: files as a table, with named options.
//!
//! Files are found and their columns inferred when a statement's tables are looked up, which happens before planning. A call
//! is therefore rewritten as the name of a table that encodes all arguments ([`inline`]), and the session's catalog creates
//! the table from that name.

mod arguments;
mod call;
mod glob;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Documentation, Expr, LogicalPlanBuilder, ident};
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, TableAlias, TableFactor};

use super::files::place::looks_like_path;
use super::files::{PROVENANCE, SourceSpec};
use super::formats::{FORMATS, table};
use super::function::{Gives, TableFunction};
use super::records::functions::READ_REJECTS;
use super::table::FilesTable;
use glob::GLOB;

/// The functions, in the order of the reference.
pub fn all() -> Vec<TableFunction> {
    let mut found: Vec<TableFunction> = FORMATS.0.iter().filter_map(|format| format.function()).collect();
    found.sort_by_key(|function| function.name);
    found.extend([READ_REJECTS, GLOB]);
    found
}

/// The function of that SQL name, in lower case.
pub fn of_name(name: &str) -> Option<TableFunction> {
    all().into_iter().find(|function| function.name == name)
}

/// The reference: the functions by name, with their documentation.
pub fn documentation() -> Vec<(&'static str, Documentation)> {
    all().into_iter().map(|function| (function.name, (function.documentation)().build())).collect()
}

/// Columns to add to the files that a statement names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// `_file`, `_row` and `_row_id`.
    pub provenance: bool,
    /// [`FILENAME`].
    pub filename: bool,
}

/// DuckDB's name for `_file`. If the files have a column with this name, that column is meant.
pub const FILENAME: &str = "filename";

/// Rewrites the call of a table function as the name of its table, with the columns `wanted` unless the call says otherwise.
/// Returns `false` if `factor` is not such a call.
///
/// # Errors
/// The function does not accept an argument.
pub fn inline(factor: &mut TableFactor, wanted: Wanted) -> Result<bool> {
    let TableFactor::Table { name, args, alias, .. } = factor else { return Ok(false) };
    let (Some(function), true) = (of_name(&name.to_string().to_lowercase()), args.is_some()) else {
        return Ok(false);
    };
    let spec = arguments::spec(function, args.take().map(|args| args.args).unwrap_or_default(), wanted.provenance)?;
    rename(name, alias, function.name, &call::encode(Some(function), &spec, wanted.filename)?);
    Ok(true)
}

/// Rewrites a path in a FROM clause as a table with the columns `wanted`; other names are left unchanged.
///
/// # Errors
/// None that a user can cause.
pub fn with_columns(factor: &mut TableFactor, wanted: Wanted) -> Result<()> {
    let TableFactor::Table { name, args: None, alias, .. } = factor else { return Ok(()) };
    let path = match name.0.as_slice() {
        [part] => part.as_ident().map(|ident| ident.value.clone()),
        _ => None,
    };
    let Some(path) = path.filter(|path| looks_like_path(path)) else { return Ok(()) };
    let spec = SourceSpec { provenance: wanted.provenance, ..SourceSpec::new(path.as_str()) };
    rename(name, alias, &path, &call::encode(None, &spec, wanted.filename)?);
    Ok(())
}

/// Gives the table the name `encoded` and, if it has no alias, the alias `called`.
fn rename(name: &mut ObjectName, alias: &mut Option<TableAlias>, called: &str, encoded: &str) {
    *name = ObjectName::from(vec![Ident::with_quote('"', encoded)]);
    alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::with_quote('"', called),
        columns: Vec::new(),
        at: None,
    });
}

/// Creates the table for a name written by [`inline`]; `None` for other names.
pub(crate) async fn resolve(state: &dyn Session, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let Some(call::Call { function, spec, filename }) = call::decode(name) else { return Ok(None) };
    Ok(Some(match function {
        Some(function) if function.gives == Gives::Files => glob::files(state, &spec).await?,
        _ if filename => with_filename(state, spec).await?,
        _ => table(state, &spec).await.map(|table: Arc<FilesTable>| table as _)?,
    }))
}

/// Adds `_file` a second time under the name [`FILENAME`], unless the files have a column of that name.
async fn with_filename(state: &dyn Session, spec: SourceSpec) -> Result<Arc<dyn TableProvider>> {
    let has_provenance = spec.provenance;
    let full: Arc<FilesTable> = table(state, &SourceSpec { provenance: true, ..spec.clone() }).await?;
    let schema = full.schema();
    let [file, ..] = PROVENANCE;
    if schema.index_of(FILENAME).is_ok() || schema.index_of(file).is_err() {
        return Ok(if has_provenance { full } else { table(state, &spec).await? });
    }
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let shown = names.filter(|name| has_provenance || !PROVENANCE.contains(name));
    let columns: Vec<Expr> = shown.map(ident).chain([ident(file).alias(FILENAME)]).collect();
    let plan = LogicalPlanBuilder::scan("files", provider_as_source(full), None)?.project(columns)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}
