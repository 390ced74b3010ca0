//! `limpid lake scan`: the tables of a lake, and which of them others are rebuilt from.

use std::path::Path;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use clap::Args;
use limpid_lakes::discover;
use limpid_lakes::lake::Lake;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::retire::pin::root;
use limpid_lakes::retire::recipe::Recipe;
use limpid_lakes::retire::{Aside, dependents};
use limpid_lakes::sql::output;

use super::{PlaceArgs, show};
use crate::cli::engine::Engine;
use crate::cli::errors::{Failure, note};
use crate::cli::output::{OutputArgs, Printer};

/// List the Parquet tables below a prefix: columns, rows, bytes, files
///
/// Only footers are read. What looks like a table and cannot be read is listed with the reason. The column `needed_by` names
/// the tables that are set aside and are rebuilt from a table; those whose source changed are named on standard error.
#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &ScanArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, url) = (engine.session()?, args.place.url.clone());
    let (layout, names) = (args.place.layout, args.place.names);
    let (lake, root) = engine.run(async move {
        let listed = list_files(&ctx.state(), &url).await?;
        let root = root(&listed).ok();
        Ok((discover(listed, layout, names).await?, root))
    })?;
    let asides = root.as_deref().map(dependents::all).unwrap_or_default();
    for aside in &asides {
        if let Some(what) = aside.changed(root.as_deref().unwrap_or_else(|| Path::new("")))? {
            note(&changed_source(aside, &what));
        }
    }
    let printer = Printer::new(&args.output)?;
    let mut batch = needed_by(&output::tables(&lake)?, &lake, &asides)?;
    if printer.is_for_people() {
        // The list of columns is too long for a line.
        batch = batch.project(&[0, 1, 2, 3, 4, 6, 7, 8])?;
    }
    show(engine, printer, batch.schema(), vec![Ok(batch)])
}

fn changed_source(aside: &Aside, what: &str) -> String {
    let Recipe { table, from, .. } = &aside.recipe;
    let then = match aside.original {
        true => "its original is still there: `limpid lake restore` brings it back",
        false => {
            "its original was deleted, and its rows are looked for in the whole lake when it is restored: restore it before \
             more changes"
        }
    };
    format!("warning: {table} is set aside and rebuilt from {from}, which changed ({what}); {then}")
}

/// Adds a column with the tables that are set aside and are rebuilt from each table.
fn needed_by(batch: &RecordBatch, lake: &Lake, asides: &[Aside]) -> Result<RecordBatch, Failure> {
    let names = lake.tables.iter().map(|table| table.name.as_str());
    let names = names.chain(lake.problems.iter().map(|problem| problem.table.as_str()));
    let of = |name: &str| {
        let children = asides.iter().filter(|aside| aside.recipe.from == name);
        let children: Vec<&str> = children.map(|aside| aside.recipe.table.as_str()).collect();
        (!children.is_empty()).then(|| children.join(", "))
    };
    let column = Arc::new(StringArray::from_iter(names.map(of)));
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("needed_by", DataType::Utf8, true)));
    let mut columns = batch.columns().to_vec();
    columns.push(column);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
