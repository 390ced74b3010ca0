//! `limpid recipes`: the methods of the literature as queries.

use std::io::Write;

use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use super::engine::Engine;
use super::errors::Failure;
use super::output::{OutputArgs, Printer};
use super::run::assignment;
use crate::recipes;
use crate::selection::rows;
use crate::session::statement;

/// List, show and run recipes: methods that deduplicate and select, as short queries with parameters
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct RecipesArgs {
    #[command(subcommand)]
    command: RecipesCommand,
}

#[derive(Debug, Subcommand)]
enum RecipesCommand {
    List(ListArgs),
    Show(ShowArgs),
    Run(RunArgs),
}

/// List the recipes that come with limpid
#[derive(Debug, Args)]
struct ListArgs {
    /// Write them as JSON, with their parameters
    #[arg(long)]
    json: bool,
}

/// Print a recipe: what it is, its parameters (-- param), the columns of its answer (-- adds, -- gives), its query
#[derive(Debug, Args)]
struct ShowArgs {
    /// The recipe's name, or the path of a .sql file
    #[arg(value_name = "NAME")]
    name: String,
}

/// Run a recipe over files or a query
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid recipes run ccs --input train.parquet --arg fraction=0.1 --arg vector=emb -o kept.parquet
  limpid recipes run semdedup --input \"SELECT * FROM 'docs/*.parquet' WHERE length(text) > 100\"
In SQL: SELECT * FROM recipe('ccs', docs, fraction => 0.1)")]
struct RunArgs {
    /// The recipe's name, or the path of a .sql file
    #[arg(value_name = "NAME")]
    name: String,
    /// The rows: a path, a glob, a URL, or a query
    #[arg(long, short, value_name = "SOURCE")]
    input: String,
    /// A parameter of the recipe; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    arg: Vec<(String, String)>,
    /// Column of the row key, where the recipe has one
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    id: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
///
/// # Errors
/// There is no such recipe, its arguments or its query are wrong.
pub fn run(args: &RecipesArgs, engine: &Engine) -> Result<(), Failure> {
    match &args.command {
        RecipesCommand::List(args) => list(args),
        RecipesCommand::Show(args) => {
            let text = recipes::load(&args.name).map_err(Failure::error)?;
            writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
            Ok(())
        }
        RecipesCommand::Run(args) => perform(args, engine),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if args.json {
        let mut all = vec![];
        for name in recipes::names() {
            let text = recipes::load(name).map_err(Failure::error)?;
            let parameters = recipes::parameters(&text).map_err(Failure::error)?;
            let parameters: Vec<_> = parameters
                .iter()
                .map(
                    |p| serde_json::json!({ "name": p.name, "kind": p.kind(), "default": p.default, "about": p.about }),
                )
                .collect();
            let outputs: Vec<_> = recipes::outputs(&text)
                .iter()
                .map(|o| serde_json::json!({ "name": o.name, "about": o.about, "added": o.added }))
                .collect();
            let about = recipes::description(&text);
            all.push(serde_json::json!({ "name": name, "about": about, "parameters": parameters, "outputs": outputs }));
        }
        writeln!(out, "{:#}", serde_json::Value::from(all))?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["recipe", "what it is"]);
    table.set_width(terminal_size::terminal_size().map_or(120, |(width, _)| width.0));
    for name in recipes::names() {
        let about = recipes::description(&recipes::load(name).map_err(Failure::error)?);
        table.add_row([name, first_sentence(&about)]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices(". ").map(|(at, _)| at);
    // The point of `et al.` ends nothing.
    let mut ends = ends.filter(|at| !text[..*at].ends_with("al"));
    ends.next().map_or(text, |at| &text[..=at])
}

fn perform(args: &RunArgs, engine: &Engine) -> Result<(), Failure> {
    let values: Vec<(&str, &str)> = args.arg.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sql = recipes::expand(&args.name, &values, &args.id, Some("text")).map_err(Failure::error)?;
    let (ctx, input) = (engine.session()?, args.input.clone());
    let mut printer = Printer::new(&args.output)?;
    engine.run(async move {
        rows::register(&ctx, "input", &input, &[]).await?;
        let stream = statement::sql(&ctx, &sql).await?.execute_stream().await?;
        printer.print(stream).await?;
        printer.commit()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_at_its_point() {
        assert_eq!(first_sentence("One thing (Zheng et al. 2023). Another."), "One thing (Zheng et al. 2023).");
        assert_eq!(first_sentence("One thing"), "One thing");
    }
}
