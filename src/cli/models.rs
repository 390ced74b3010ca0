//! `limpid models`: the encoders there are.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use limpid_encoders::folder::{Long, Modality, Pooling};
use limpid_encoders::given::Given;
use limpid_encoders::registry;

use super::engine::Engine;
use super::errors::{Failure, note};

/// List, add and verify encoders
///
/// A model is a folder with `model.onnx`, `tokenizer.json` (for texts) and `model.toml`, or what sentence-transformers writes in
/// its place. SQL names it: embed_text(text, model => 'NAME').
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    List(ListArgs),
    Add(Box<AddArgs>),
    Verify(VerifyArgs),
}

/// List the models that SQL can name
#[derive(Debug, Args)]
struct ListArgs {}

/// Copy a model, or download one of the hub, to where models are kept, once it has been tried
///
/// hf://ORGANISATION/NAME@REVISION is a model of the hub (huggingface.co, or what HF_ENDPOINT names); its hash and its exact revision go
/// to `model.toml`. Flags go before `model.toml` in the folder, and that before the files of sentence-transformers (modules.json,
/// 1_Pooling/config.json, sentence_bert_config.json, config_sentence_transformers.json). Pooling and length must be said by one of
/// these. Models are kept in $LIMPID_MODELS, else in limpid/models among the user's data.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid models add all-MiniLM-L6-v2/ --license Apache-2.0
  limpid models add exported/ --name e5 --pooling mean --max-length 512 --prefix 'query: '
  limpid models add gpt2/ --modality causal --max-length 1024
  limpid models add hf://sentence-transformers/all-MiniLM-L6-v2@main --license Apache-2.0")]
struct AddArgs {
    /// The folder with the model, or hf://ORGANISATION/NAME@REVISION
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Its name in SQL; that of the folder or on the hub by default
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The model's file in the folder or repository; by default model.onnx, else onnx/model.onnx, else the only one
    #[arg(long, value_name = "FILE")]
    model: Option<String>,
    /// What it is for: text or causal; a model for images needs a `model.toml` with a section [image]
    #[arg(long, value_name = "KIND", value_parser = ["text", "causal"])]
    modality: Option<String>,
    /// How the vectors of tokens become one; `none` where the model does that itself
    #[arg(long, value_name = "HOW", value_parser = ["mean", "cls", "last", "max", "mean_sqrt_len", "weighted_mean", "none"])]
    pooling: Option<String>,
    /// Leave vectors at their length
    #[arg(long)]
    no_normalize: bool,
    /// Tokens of one run at most
    #[arg(long, value_name = "TOKENS")]
    max_length: Option<usize>,
    /// What is done with longer texts
    #[arg(long, value_name = "HOW", value_parser = ["truncate", "average"])]
    long: Option<String>,
    /// Put before every text
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// The output that is read
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// The license of the weights
    #[arg(long, value_name = "NAME", alias = "licence")]
    license: Option<String>,
}

/// Check the hashes of models and try each
#[derive(Debug, Args)]
struct VerifyArgs {
    /// Names of models or folders; all that are listed by default
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Runs the command.
pub fn run(args: &ModelsArgs, _: &Engine) -> Result<(), Failure> {
    match &args.command {
        ModelsCommand::List(_) => list(),
        ModelsCommand::Add(args) => add(args),
        ModelsCommand::Verify(args) => verify(args),
    }
}

fn list() -> Result<(), Failure> {
    let mut lines = vec![];
    for entry in registry::list()? {
        let place =
            entry.folder.map_or_else(|| "part of the program".to_owned(), |folder| folder.display().to_string());
        let what = match entry.settings {
            Ok(Some(settings)) => {
                let license = settings.license.map(|license| format!(", {license}")).unwrap_or_default();
                format!("{}, {} tokens{license}", settings.modality.what(), settings.max_length)
            }
            Ok(None) => format!("{}, Apache-2.0", Modality::Text.what()),
            Err(error) => format!("cannot be used: {error}"),
        };
        lines.push((entry.name, what, place));
    }
    let width =
        |of: fn(&(String, String, String)) -> &String| lines.iter().map(|line| of(line).len()).max().unwrap_or(0);
    let (names, whats) = (width(|line| &line.0), width(|line| &line.1));
    let mut out = std::io::stdout().lock();
    for (name, what, place) in &lines {
        writeln!(out, "{name:names$}  {what:whats$}  {place}")?;
    }
    Ok(out.flush()?)
}

fn add(args: &AddArgs) -> Result<(), Failure> {
    if args.source.starts_with("hf://") {
        return download(args);
    }
    let source = Path::new(&args.source);
    let own = || source.canonicalize().ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(own).unwrap_or_default();
    let folder = registry::add(source, &name, flags(args), &|told| note(told))?;
    note(&format!("{name} is in {}", folder.display()));
    Ok(())
}

#[cfg(feature = "hub")]
fn download(args: &AddArgs) -> Result<(), Failure> {
    let source: limpid_encoders::hub::Source = args.source.parse()?;
    let name = args.name.as_ref().unwrap_or(&source.name);
    let folder = registry::add_from_hub(&source, name, flags(args), &|told| note(told))?;
    note(&format!("{name} is in {}", folder.display()));
    Ok(())
}

#[cfg(not(feature = "hub"))]
fn download(_: &AddArgs) -> Result<(), Failure> {
    let message = "this limpid was built without the feature `hub`: download the model's files and give their folder";
    Err(Failure::error(message))
}

/// What the flags say.
fn flags(args: &AddArgs) -> Given {
    Given {
        modality: args.modality.as_deref().map(|kind| if kind == "causal" { Modality::Causal } else { Modality::Text }),
        model: args.model.clone(),
        pooling: args.pooling.as_deref().map(|how| match how {
            "mean" => Pooling::Mean,
            "cls" => Pooling::Cls,
            "last" => Pooling::Last,
            "max" => Pooling::Max,
            "mean_sqrt_len" => Pooling::MeanSqrtLen,
            "weighted_mean" => Pooling::WeightedMean,
            _ => Pooling::None,
        }),
        normalize: args.no_normalize.then_some(false),
        max_length: args.max_length,
        long: args.long.as_deref().map(|how| if how == "average" { Long::Average } else { Long::Truncate }),
        prefix: args.prefix.clone(),
        output: args.output.clone(),
        license: args.license.clone(),
        ..Given::default()
    }
}

fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let names = match args.names.as_slice() {
        [] => registry::list()?.into_iter().map(|entry| entry.name).collect(),
        names => names.to_vec(),
    };
    let mut failed = false;
    let mut out = std::io::stdout().lock();
    for name in names {
        match registry::verify(&name) {
            Ok(model) => {
                let info = model.info();
                let numbers =
                    if info.dimension > 0 { format!(", {} dimensions", info.dimension) } else { String::new() };
                writeln!(out, "{name}: good, {}{numbers}", info.modality.what())?;
            }
            Err(error) => {
                failed = true;
                writeln!(out, "{name}: {error}")?;
            }
        }
    }
    out.flush()?;
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
