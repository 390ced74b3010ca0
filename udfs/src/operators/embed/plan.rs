//! From `embed(relation, text => column, ...)` to its node.

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::Embed;
use crate::functions::embedding::arguments::{open, vector_type};
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "embed";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["text", "image", "model", "device", "prompt", "cache", "output"];

/// The name of the added column by default.
const EMBEDDING: &str = "embedding";

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let images = args.has("image");
    if images && args.has("text") {
        return plan_err!("{NAME}: give `text => column` or `image => column`, not both");
    }
    let column = if images { args.column("image", None)? } else { args.column("text", Some("text"))? };
    let input = args.input().clone();
    let given = input.schema().data_type(&column)?;
    let (fits, needed) = if images { (is_binary(given), "binary") } else { (given.is_string(), "text") };
    if !fits {
        return plan_err!("{NAME}: `{}` must be {needed}, not {given}", column.name);
    }
    let model = match args.text("model")? {
        Some(model) => model,
        None if images => return plan_err!("{NAME}: name a model for images, as in model => 'NAME'"),
        None => limpid_encoders::static_model::NAME.to_owned(),
    };
    let device = args.text("device")?.unwrap_or_else(|| "cpu".to_owned());
    let prompt = args.text("prompt")?;
    if prompt.is_some() && images {
        return plan_err!("{NAME}: `prompt` is for texts");
    }
    let cache = match args.text("cache")? {
        Some(folder) => Some(folder).filter(|folder| !folder.is_empty()),
        None => args.settings().cache().map(str::to_owned),
    };
    let output = args.text("output")?.unwrap_or_else(|| EMBEDDING.to_owned());
    let mut call = Embed { images, model, device, prompt, cache, output, dimension: 0 };
    let opened = open(NAME, &call.model, &call.device, call.prompt.as_deref(), call.modality())?;
    if let DataType::FixedSizeList(_, width) = vector_type(&opened)? {
        call.dimension = u32::try_from(width).unwrap_or(0);
    }
    plan::call(Call::Embed(call), vec![input], vec![vec![column]], vec![])
}

fn is_binary(given: &DataType) -> bool {
    matches!(given, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}
