//! `multilinear_importance`: what each source of a retrieval corpus is worth.

pub mod plan;
pub mod run;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, plan_err};

use crate::operators::analysis::names::plain as plain_type;

/// The SQL name.
pub const NAME: &str = "multilinear_importance";

/// Name of the added column.
pub const IMPORTANCE: &str = "importance";

/// What a call asks for.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Parameters {
    /// Results of a query that count.
    #[prost(uint32, tag = "1")]
    pub k: u32,
    /// Bits of the learning rate.
    #[prost(fixed64, tag = "2")]
    pub rate_bits: u64,
    /// Steps of ascent.
    #[prost(uint32, tag = "3")]
    pub steps: u32,
}

/// Query, rank, source, utility and, where there is a fifth, group: checked; the source, its group and the importance.
pub fn output(columns: &[FieldRef]) -> Result<Fields> {
    let [query, rank, source, utility, group @ ..] = columns else {
        return plan_err!("{NAME} takes query, rank, source and utility");
    };
    for plain in [query, source].into_iter().chain(group) {
        if plain.data_type().is_nested() {
            return plan_err!("{NAME}: `{}` must be a plain value, not {}", plain.name(), plain.data_type());
        }
    }
    if !rank.data_type().is_integer() {
        return plan_err!("{NAME}: rank must be an integer, `{}` is {}", rank.name(), rank.data_type());
    }
    if !utility.data_type().is_numeric() {
        return plan_err!("{NAME}: utility must be a number, `{}` is {}", utility.name(), utility.data_type());
    }
    let kept = [source].into_iter().chain(group);
    let kept = kept.map(|field| Arc::new(Field::new(field.name(), plain_type(field.data_type()), false)));
    if kept.clone().any(|field| field.name() == IMPORTANCE) {
        return plan_err!("{NAME}: a column called `{IMPORTANCE}` is added; rename yours");
    }
    Ok(kept.chain([Arc::new(Field::new(IMPORTANCE, DataType::Float64, false))]).collect())
}
