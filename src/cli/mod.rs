//! The command line: one file per command.
//!
//! A new command is a file with its arguments and `pub fn run(args, engine) -> Result<(), Failure>`, one variant of
//! `Command` and one arm of `dispatch`.

mod allocator;
pub mod doctor;
pub mod engine;
pub mod errors;
pub mod evaluate;
pub mod explain;
pub mod functions;
pub mod init;
pub mod lake;
mod logging;
pub mod memory;
pub mod models;
pub mod output;
pub mod recipes;
pub mod run;
mod runner;
mod script;
pub mod select;
mod shell;
pub mod sql;
mod statements;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use engine::{Engine, EngineArgs};
use errors::Failure;

/// What `limpid --version` prints: the versions that decide what SQL is understood.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\nApache DataFusion {}", env!("CARGO_PKG_VERSION"), datafusion::DATAFUSION_VERSION));

#[derive(Debug, Parser)]
#[command(name = "limpid", version, long_version = VERSION.as_str(), about, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sql(sql::SqlArgs),
    Run(run::RunArgs),
    Explain(explain::ExplainArgs),
    Init(init::InitArgs),
    Recipes(recipes::RecipesArgs),
    Select(select::SelectArgs),
    Evaluate(evaluate::EvaluateArgs),
    Lake(lake::LakeArgs),
    Functions(functions::FunctionsArgs),
    Models(models::ModelsArgs),
    Doctor(doctor::DoctorArgs),
}

fn dispatch(command: &Command, engine: &Engine) -> Result<(), Failure> {
    match command {
        Command::Sql(args) => sql::run(args, engine),
        Command::Run(args) => run::run(args, engine),
        Command::Explain(args) => explain::run(args, engine),
        Command::Init(args) => init::run(args, engine),
        Command::Recipes(args) => recipes::run(args, engine),
        Command::Select(args) => select::run(args, engine),
        Command::Evaluate(args) => evaluate::run(args, engine),
        Command::Lake(args) => lake::run(args, engine),
        Command::Functions(args) => functions::run(args, engine),
        Command::Models(args) => models::run(args, engine),
        Command::Doctor(args) => doctor::run(args, engine),
    }
}

/// Reads the command line, runs the command and says how it ended: 0 done, 1 the query or its input was wrong, 2 the
/// command line was wrong, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version arrive here too; a closed pipe is no reason to fail.
            let _ = answer.print();
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
        }
    };
    allocator::set_up(cli.engine.memory_limit);
    logging::start(cli.engine.verbose, cli.engine.quiet);
    let result = Engine::start(&cli.engine).and_then(|engine| {
        let result = dispatch(&cli.command, &engine);
        engine.stop();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }
}
