//! Arguments of the functions over lakes.

use std::fmt::Display;
use std::ops::RangeInclusive;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::{self, FunctionArg, FunctionArgExpr, TableFunctionArgs};

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
        let mut all = Self { op, unnamed: vec![], named: vec![] };
        for arg in args.args {
            let (name, arg) = match arg {
                FunctionArg::Unnamed(arg) => (None, arg),
                FunctionArg::Named { name, arg, .. } => (Some(context.normalize_ident(name)), arg),
                FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg, .. } => {
                    (Some(context.normalize_ident(name)), arg)
                }
                FunctionArg::ExprNamed { name, .. } => {
                    return plan_err!("{op}: an argument's name must be a plain word, not `{name}`");
                }
            };
            let FunctionArgExpr::Expr(expr) = arg else { return plan_err!("{op}: `*` is not an argument") };
            let Some(name) = name else {
                all.unnamed.push(expr);
                continue;
            };
            if !known.contains(&name.as_str()) {
                return plan_err!("{op} has no argument `{name}`; it takes {}", known.join(", "));
            }
            if all.named.iter().any(|(other, _)| *other == name) {
                return plan_err!("{op}: argument `{name}` is given twice");
            }
            let shown = expr.to_string();
            match context.sql_to_expr(expr, &DFSchema::empty())? {
                Expr::Literal(value, _) if !value.is_null() => all.named.push((name, value)),
                _ => return plan_err!("{op}: `{name}` must be a literal, not `{shown}`"),
            }
        }
        Ok(all)
    }

    fn take(&mut self, name: &str) -> Option<ScalarValue> {
        let at = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.swap_remove(at).1)
    }

    fn choice<T: Copy>(&mut self, name: &str, default: T, allowed: &[(&str, T)]) -> Result<T> {
        let Some(value) = self.take(name) else { return Ok(default) };
        let word = value.try_as_str().flatten();
        match allowed.iter().find(|(allowed, _)| word == Some(allowed)) {
            Some((_, chosen)) => Ok(*chosen),
            None => {
                let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
                plan_err!("{}: `{name}` must be one of '{}', not {value}", self.op, words.join("', '"))
            }
        }
    }

    fn number(&mut self, name: &str, default: f64, allowed: RangeInclusive<f64>) -> Result<f64> {
        let Some(value) = self.take(name) else { return Ok(default) };
        let number = match &value {
            ScalarValue::Utf8(_) | ScalarValue::Boolean(_) => None,
            value => match value.cast_to(&DataType::Float64) {
                Ok(ScalarValue::Float64(number)) => number,
                _ => None,
            },
        };
        self.within(name, number, &value, "a number", &allowed)
    }

    fn integer(&mut self, name: &str, default: u64, allowed: RangeInclusive<u64>) -> Result<u64> {
        let Some(value) = self.take(name) else { return Ok(default) };
        let number = match value {
            ScalarValue::Int64(Some(number)) => u64::try_from(number).ok(),
            ScalarValue::UInt64(Some(number)) => Some(number),
            _ => None,
        };
        self.within(name, number, &value, "a whole number", &allowed)
    }

    fn within<T: Display + PartialOrd>(
        &self,
        name: &str,
        found: Option<T>,
        given: &ScalarValue,
        kind: &str,
        allowed: &RangeInclusive<T>,
    ) -> Result<T> {
        found.filter(|number| allowed.contains(number)).ok_or_else(|| {
            plan_datafusion_err!(
                "{}: `{name}` must be {kind} from {} to {}, not {given}",
                self.op,
                allowed.start(),
                allowed.end()
            )
        })
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
        if options.names == Names::Any
            && (options.threshold < 1.0 || !matches!(options.stage, Stage::Exact | Stage::Bytes))
        {
            return plan_err!(
                "{}: names => 'any' needs `stage` 'exact' or 'bytes' and `threshold` 1: all rows decide",
                self.op
            );
        }
        Ok(options)
    }
}
