//! Parses `embed(relation, text => column, ...)` into a plan node.

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{Embed, NAME, reference};
use crate::functions::embedding::arguments::{open, vector_type};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for Embed {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let images = args.has("image");
        if images && args.has("text") {
            return plan_err!("{NAME}: give `text => column` or `image => column`, not both");
        }
        let column = match args.optional_column("image")? {
            Some(column) => column,
            None => args.column("text")?,
        };
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
        let device = args.text("device")?.unwrap_or_default();
        let prompt = args.text("prompt")?;
        if prompt.is_some() && images {
            return plan_err!("{NAME}: `prompt` is for texts");
        }
        let cache = match args.text("cache")? {
            Some(folder) => Some(folder).filter(|folder| !folder.is_empty()),
            None => args.settings().cache().map(str::to_owned),
        };
        let output = args.text("output")?.unwrap_or_default();
        let mut operator = Embed { images, model, device, prompt, cache, output, dimension: 0 };
        let opened = open(NAME, &operator.model, &operator.device, operator.prompt.as_deref(), operator.modality())?;
        if let DataType::FixedSizeList(_, width) = vector_type(&opened)? {
            operator.dimension = u32::try_from(width).unwrap_or(0);
        }
        call(operator, input, vec![column])
    }
}

fn is_binary(given: &DataType) -> bool {
    matches!(given, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}
