//! Arguments of the functions over lakes.

use std::ops::RangeInclusive;

use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::{self, TableFunctionArgs};
use limpid_udfs::operators::frame::args::{Written, integer, literal, number, word, written};

use crate::options::{Layout, Names, Options, ROWS, Stage, Types};
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
        let default = Prices::default();
        let any = 0.0..=1e12;
        Ok(Prices {
            storage: self.number("storage", default.storage, any.clone())?,
            maintenance: self.number("maintenance", default.maintenance, any.clone())?,
            read: self.number("read", default.read, any.clone())?,
            write: self.number("write", default.write, any.clone())?,
            accesses: self.number("accesses", default.accesses, any.clone())?,
            throughput: self.number("throughput", default.throughput, 1e-6..=1e12)?,
            latency: self.number("latency", default.latency, any)?,
            uses: default.uses,
        })
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
            threshold: self.number("threshold", default.threshold, 0.01..=1.0)?,
            sample_rows: self.integer("sample_rows", default.sample_rows, 1..=1_000_000)?,
            confidence: self.number("confidence", default.confidence, 0.5..=0.999_999)?,
            seed: self.integer("seed", default.seed, 0..=i64::MAX as u64)?,
        };
        if options.threshold < 1.0 && matches!(options.stage, Stage::Sketch | Stage::Bytes) {
            return plan_err!(
                "{}: stages 'sketch' and 'bytes' know whole containments only; leave `threshold` at 1",
                self.op
            );
        }
        if options.names == Names::Any && !matches!(options.stage, Stage::Exact | Stage::Bytes) {
            return plan_err!("{}: names => 'any' needs `stage` 'exact' or 'bytes': all rows decide", self.op);
        }
        Ok(options)
    }
}
