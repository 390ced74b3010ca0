//! `forgetting_events(correct, step [, never_learned])`.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature};
use datafusion_macros::user_doc;

use super::answers::{AnswerLog, GroupedAnswerLog, NeverLearned};
use super::parameters::{Kind, Parameter, coerce, list_of, optional, required, signature};
use crate::functions::literals::Literals;

pub(super) const NAME: &str = "forgetting_events";

const PARAMETERS: [Parameter; 3] =
    [required("correct", Kind::Flag), required("step", Kind::Integer), optional("never_learned", Kind::Any)];

/// How often a row was forgotten during training.
#[user_doc(
    doc_section(label = "Score Aggregates"),
    description = "Forgetting events: how often a correct answer is followed by a wrong one in the order of the steps (Toneva et al., \
An empirical study of example forgetting during deep neural network learning, 2019). The order in which rows arrive does not matter. \
`never_learned` says what a row is worth that no step answers right: `'inf'` puts it above all others, `'zero'` below, `'n_steps'` \
counts its steps. Group by the run as well as by the row, then average. Answers or steps that are NULL do not count; without any the \
result is NULL. A step that comes twice in a group is an error. The state is 8 bytes an answer.",
    syntax_example = "forgetting_events(correct, step [, never_learned])",
    sql_example = r#"```sql
> SELECT id, forgetting_events(correct, step) AS events, forgetting_events(correct, step, 'n_steps') AS counted
    FROM (VALUES ('a', 1, true), ('a', 3, true), ('a', 2, false), ('b', 1, false), ('b', 2, false)) AS t(id, step, correct)
    GROUP BY id ORDER BY id;
+----+--------+---------+
| id | events | counted |
+----+--------+---------+
| a  | 1.0    | 1.0     |
| b  | inf    | 2.0     |
+----+--------+---------+
```"#,
    argument(name = "correct", description = "Whether the model answers right at the step."),
    argument(name = "step", description = "Integer that orders the answers."),
    argument(name = "never_learned", description = "Literal `'inf'` (the default), `'zero'` or `'n_steps'`."),
    related_udf(name = "margin")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ForgettingEvents {
    signature: Signature,
}

impl Default for ForgettingEvents {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

fn never_learned(args: &AccumulatorArgs) -> Result<NeverLearned> {
    let word = Literals::aggregated(NAME, args.exprs).choice(2, "never_learned", &["inf", "zero", "n_steps"])?;
    Ok(match word {
        "inf" => NeverLearned::Infinite,
        "zero" => NeverLearned::Zero,
        _ => NeverLearned::Steps,
    })
}

impl AggregateUDFImpl for ForgettingEvents {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(AnswerLog::new(never_learned(&args)?)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Field::new(format_state_name(args.name, "answers"), list_of(DataType::Int64), true).into()])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupedAnswerLog::new(never_learned(&args)?)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
