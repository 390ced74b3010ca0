//! Arguments of the functions over lakes.

use std::ops::RangeInclusive;

use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::{self, TableFunctionArgs};
use limpid_udfs::operators::frame::values::{integer, literal, number, word};
use limpid_udfs::operators::frame::written::{Written, written};

use crate::options::{CONFIDENCE, Layout, Names, OptionNames, Options, ROWS, SAMPLE_ROWS, Stage, THRESHOLD, Types};
use crate::retention::Prices;

/// Unnamed arguments, and named ones not yet interpreted.
pub struct Args {
    op: &'static str,
    /// Those without a name, in their order.
    pub unnamed: Vec<ast::Expr>,
    named: Vec<(String, ScalarValue)>,
}

impl Args {
    /// Splits the arguments of `op`; `known` are the names it takes.
    ///
    /// # Errors
    /// Unknown and repeated names, values that are no literals.
    pub fn parse(
        op: &'static str,
        known: &[&str],
        args: TableFunctionArgs,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Self> {
        let Written { unnamed, named } = written(op, known, &[], args, context)?;
        let schema = DFSchema::empty();
        let value = |(name, expr)| Ok((String::clone(&name), literal(op, &name, expr, &schema, context)?));
        Ok(Self { op, unnamed, named: named.into_iter().map(value).collect::<Result<_>>()? })
    }

    fn take(&mut self, name: &str) -> Option<ScalarValue> {
        let at = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.swap_remove(at).1)
    }

    fn choice<T: Copy>(&mut self, name: &str, default: T, allowed: &[(&str, T)]) -> Result<T> {
        let Some(value) = self.take(name) else { return Ok(default) };
        let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
        let chosen = word(self.op, name, &value, &words)?;
        Ok(allowed.iter().find(|(word, _)| *word == chosen).map_or(default, |(_, value)| *value))
    }

    fn number(&mut self, name: &str, default: f64, allowed: RangeInclusive<f64>) -> Result<f64> {
        self.take(name).map_or(Ok(default), |value| number(self.op, name, &value, &allowed))
    }

    fn integer(&mut self, name: &str, default: u64, allowed: RangeInclusive<u64>) -> Result<u64> {
        self.take(name).map_or(Ok(default), |value| integer(self.op, name, &value, &allowed))
    }

    /// The prices that were given, the rest by default.
    ///
    /// # Errors
    /// Values that are not allowed.
    pub fn prices(&mut self) -> Result<Prices> {
        let mut prices = Prices::default();
        for (name, price, allowed) in prices.fields() {
            *price = self.number(name, *price, allowed)?;
        }
        Ok(prices)
    }

    /// Everything that was given, the rest by default.
    ///
    /// # Errors
    /// Values that are not allowed, or do not go together.
    pub fn options(&mut self) -> Result<Options> {
        let default = Options::default();
        let options = Options {
            stage: self.choice("stage", default.stage, Stage::WORDS)?,
            rows: self.choice("rows", default.rows, ROWS)?,
            types: self.choice("types", default.types, Types::WORDS)?,
            names: self.choice("names", default.names, Names::WORDS)?,
            layout: self.choice("layout", default.layout, Layout::WORDS)?,
            threshold: self.number("threshold", default.threshold, THRESHOLD)?,
            sample_rows: self.integer("sample_rows", default.sample_rows, SAMPLE_ROWS)?,
            confidence: self.number("confidence", default.confidence, CONFIDENCE)?,
            seed: self.integer("seed", default.seed, 0..=i64::MAX as u64)?,
        };
        if let Err(conflict) = options.check() {
            return plan_err!("{}: {}", self.op, conflict.told(&OptionNames::SQL));
        }
        Ok(options)
    }
}
