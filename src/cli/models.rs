//! `limpid models`: the encoders there are.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use limpid_encoders::folder::{Long, Modality, Pooling, SETTINGS, Settings};
use limpid_encoders::{Error, registry};

use super::engine::Engine;
use super::errors::{Failure, note};

/// List, add and verify encoders
///
/// A model is a folder with `model.onnx`, `tokenizer.json` (for texts) and `model.toml`. SQL names it: embed_text(text, model => 'NAME').
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
/// to `model.toml`. Without `model.toml` in the folder the flags say how the model is used; with it they change what it says. Models are kept in
/// $LIMPID_MODELS, else in limpid/models among the user's data.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid models add all-MiniLM-L6-v2/ --max-length 256 --licence Apache-2.0
  limpid models add e5-small/ --name e5 --prefix 'query: '
  limpid models add gpt2/ --modality causal --max-length 1024
  limpid models add hf://sentence-transformers/all-MiniLM-L6-v2@main --licence Apache-2.0")]
struct AddArgs {
    /// The folder with the model, or hf://ORGANISATION/NAME@REVISION
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Its name in SQL; that of the folder or on the hub by default
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The model's file in the folder or repository
    #[arg(long, value_name = "FILE")]
    model: Option<String>,
    /// What it is for: text or causal; a model for images needs a `model.toml` with a section [image]
    #[arg(long, value_name = "KIND", value_parser = ["text", "causal"])]
    modality: Option<String>,
    /// How the vectors of tokens become one; `none` where the model does that itself
    #[arg(long, value_name = "HOW", value_parser = ["mean", "cls", "last", "none"])]
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
    /// The licence of the weights
    #[arg(long, value_name = "NAME")]
    licence: Option<String>,
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
                let licence = settings.licence.map(|licence| format!(", {licence}")).unwrap_or_default();
                format!("{}, {} tokens{licence}", settings.modality.what(), settings.max_length)
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
    let settings = settings(args, source)?;
    let own = || source.canonicalize().ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(own).unwrap_or_default();
    let folder = registry::add(source, &name, settings)?;
    note(&format!("{name} is in {}", folder.display()));
    Ok(())
}

#[cfg(feature = "hub")]
fn download(args: &AddArgs) -> Result<(), Failure> {
    let source: limpid_encoders::hub::Source = args.source.parse()?;
    let name = args.name.as_ref().unwrap_or(&source.name);
    let tell = |file: &str| note(&format!("downloading {file}"));
    let change = |settings: &mut Settings| change(args, settings);
    let folder = registry::add_from_hub(&source, args.model.as_deref(), name, change, &tell)?;
    note(&format!("{name} is in {}", folder.display()));
    Ok(())
}

#[cfg(not(feature = "hub"))]
fn download(_: &AddArgs) -> Result<(), Failure> {
    let message = "this limpid was built without the feature `hub`: download the model's files and give their folder";
    Err(Failure::error(message))
}

fn settings(args: &AddArgs, folder: &Path) -> Result<Settings, Failure> {
    let mut settings = match Settings::read(folder) {
        Ok(settings) => settings,
        Err(Error::File { .. }) if !folder.join(SETTINGS).exists() => fresh(folder)?,
        Err(error) => return Err(error.into()),
    };
    change(args, &mut settings);
    if let Some(model) = &args.model {
        settings.model.clone_from(model);
    }
    Ok(settings)
}

/// What the flags say, in place of what the settings do.
fn change(args: &AddArgs, settings: &mut Settings) {
    match args.modality.as_deref() {
        Some("causal") => settings.modality = Modality::Causal,
        Some(_) => settings.modality = Modality::Text,
        None => {}
    }
    match args.pooling.as_deref() {
        Some("mean") => settings.pooling = Pooling::Mean,
        Some("cls") => settings.pooling = Pooling::Cls,
        Some("last") => settings.pooling = Pooling::Last,
        Some(_) => settings.pooling = Pooling::None,
        None => {}
    }
    match args.long.as_deref() {
        Some("average") => settings.long = Long::Average,
        Some(_) => settings.long = Long::Truncate,
        None => {}
    }
    settings.normalize &= !args.no_normalize;
    settings.max_length = args.max_length.unwrap_or(settings.max_length);
    if let Some(prefix) = &args.prefix {
        settings.prefix.clone_from(prefix);
    }
    if args.output.is_some() {
        settings.output.clone_from(&args.output);
    }
    if args.licence.is_some() {
        settings.licence.clone_from(&args.licence);
    }
}

/// The settings of a folder without any: those of an encoder of texts, and the one model there is.
fn fresh(folder: &Path) -> Result<Settings, Failure> {
    let mut settings = Settings::text_encoder();
    let unreadable = |error: std::io::Error| Failure::error(format!("{}: {error}", folder.display()));
    let mut models = vec![];
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "onnx") {
            models.push(name);
        }
    }
    if let [only] = models.as_slice() {
        settings.model.clone_from(only);
    }
    Ok(settings)
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
