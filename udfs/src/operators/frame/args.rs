//! The arguments of a relation operator: `op(relation, name => value, ...)`.

use std::fmt::Display;
use std::ops::RangeInclusive;

use datafusion::common::utils::{datafusion_strsim as strsim, quote_identifier};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, internal_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr};
use datafusion::sql::sqlparser::ast::{self, TableFunctionArgs};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::argument::{Argument, Default, Kind};
use super::values::{integer, literal, number, word};
use super::written::{Written, relation, taken, written};
use crate::config::LimpidOptions;

/// Parsed arguments: the planned input relation and the named arguments, which are not interpreted yet.
pub struct Args<'a> {
    op: &'static str,
    arguments: &'static [Argument],
    context: &'a mut dyn RelationPlannerContext,
    input: LogicalPlan,
    named: Vec<(String, ast::Expr)>,
}

impl<'a> Args<'a> {
    /// Splits the arguments of `op` and plans its input.
    ///
    /// # Errors
    /// A name is not among `arguments` or occurs twice; there is no input relation, or more than one.
    pub fn parse(
        op: &'static str,
        arguments: &'static [Argument],
        args: TableFunctionArgs,
        context: &'a mut dyn RelationPlannerContext,
    ) -> Result<Self> {
        let known: Vec<&str> = arguments.iter().map(|argument| argument.name).collect();
        let earlier: Vec<_> = arguments.iter().filter_map(|a| a.earlier.map(|earlier| (earlier, a.name))).collect();
        let Written { unnamed, named } = written(op, &known, &earlier, args, context)?;
        let mut unnamed = unnamed.into_iter();
        let input = unnamed.next().map(|expr| relation(op, expr)).transpose()?;
        if let Some(expr) = unnamed.next() {
            return plan_err!(
                "{op}: arguments after the relation are given by name; write name => {expr}; it takes {}",
                taken(&known)
            );
        }
        let Some(input) = input else {
            return plan_err!("{op} needs a relation first: {op}((SELECT ...), ...) or {op}(table, ...)");
        };
        let input = context.plan(input)?;
        Ok(Self { op, arguments, context, input, named })
    }

    /// Settings of the session.
    pub fn settings(&self) -> LimpidOptions {
        LimpidOptions::of(self.context.context_provider().options())
    }

    /// The planned input.
    pub fn input(&self) -> &LogicalPlan {
        &self.input
    }

    /// The planned input, for an operator without other arguments.
    pub fn into_input(self) -> LogicalPlan {
        self.input
    }

    fn take(&mut self, name: &str) -> Option<ast::Expr> {
        let at = self.named.iter().position(|(n, _)| n == name)?;
        Some(self.named.swap_remove(at).1)
    }

    /// Whether the argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.named.iter().any(|(n, _)| n == name)
    }

    /// Whether the argument was given as a column rather than as a literal.
    pub fn names_column(&self, name: &str) -> bool {
        let given = self.named.iter().find(|(n, _)| n == name);
        matches!(given, Some((_, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_))))
    }

    /// The declaration of an argument.
    fn argument(&self, name: &str) -> Result<&'static Argument> {
        match self.arguments.iter().find(|argument| argument.name == name) {
            Some(argument) => Ok(argument),
            None => internal_err!("{} does not declare its argument `{name}`", self.op),
        }
    }

    /// Takes a column argument: the named column of the input, or the default one.
    ///
    /// # Errors
    /// The input has no such column.
    pub fn column(&mut self, name: &str) -> Result<Column> {
        let op = self.op;
        let argument = self.argument(name)?;
        if let Some(expr) = self.take(name) {
            return self.named_column(name, expr);
        }
        let schema = self.input.schema();
        let Default::Column(default) = argument.default else {
            return plan_err!("{op} needs `{name} => column`; columns are {}", columns(schema));
        };
        if let Ok(found) = schema.qualified_field_with_unqualified_name(default) {
            return Ok(Column::from(found));
        }
        let earlier = argument.earlier_default.and_then(|earlier| {
            let found = schema.qualified_field_with_unqualified_name(earlier).ok()?;
            Some((earlier, Column::from(found)))
        });
        if let Some((earlier, found)) = earlier {
            log::warn!(
                "{op}: the input has no column `{default}`, so `{earlier}` is taken for `{name}`; write {name} => {earlier}, \
                 which the next release needs"
            );
            return Ok(found);
        }
        let meant = schema.fields().iter().map(|f| f.name()).find(|f| f.eq_ignore_ascii_case(default));
        let meant = meant.map_or_else(|| "column".to_owned(), |meant| quote_identifier(meant).into_owned());
        plan_err!(
            "{op}: the input has no column `{default}`; name one with `{name} => {meant}`; columns are {}",
            columns(schema)
        )
    }

    /// Takes an optional column argument.
    ///
    /// # Errors
    /// The input has no column of the given name.
    pub fn optional_column(&mut self, name: &str) -> Result<Option<Column>> {
        self.take(name).map(|expr| self.named_column(name, expr)).transpose()
    }

    fn named_column(&mut self, name: &str, expr: ast::Expr) -> Result<Column> {
        let op = self.op;
        let shown = expr.to_string();
        if !matches!(expr, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)) {
            return plan_err!(
                "{op}: `{name}` must be a column of the input, not `{shown}`; columns are {}",
                columns(self.input.schema())
            );
        }
        match self.context.sql_to_expr(expr, self.input.schema()) {
            Ok(Expr::Column(column)) if self.input.schema().has_column(&column) => Ok(column),
            _ => plan_err!("{op}: `{name} => {shown}`: {}", no_column(self.input.schema(), &shown)),
        }
    }

    fn literal(&mut self, name: &str) -> Result<Option<ScalarValue>> {
        let Some(expr) = self.take(name) else { return Ok(None) };
        literal(self.op, name, expr, self.input.schema(), self.context).map(Some)
    }

    /// Takes an optional relation argument: a subquery or the name of a table.
    ///
    /// # Errors
    /// The argument is not a relation, or it is required and missing.
    pub fn relation(&mut self, name: &str) -> Result<Option<LogicalPlan>> {
        let op = self.op;
        let must = self.argument(name)?.default == Default::Required;
        match self.take(name) {
            None if must => plan_err!("{op} needs `{name} => (SELECT ...)` or `{name} => table`"),
            None => Ok(None),
            Some(expr @ (ast::Expr::Subquery(_) | ast::Expr::Nested(_))) => {
                self.context.plan(relation(op, expr)?).map(Some)
            }
            Some(other) => plan_err!("{op}: `{name}` must be a relation, (SELECT ...) or a table, not `{other}`"),
        }
    }

    /// Takes an integer argument, or its declared default.
    ///
    /// # Errors
    /// The argument is not an integer in the declared range, or it is required and missing.
    pub fn integer(&mut self, name: &str) -> Result<u64> {
        match self.argument(name)?.default {
            Default::Integer(default) => self.integer_or(name, default),
            _ if !self.has(name) => plan_err!("{} needs `{name} => a whole number`", self.op),
            _ => self.integer_or(name, 0),
        }
    }

    /// Takes an integer argument, or a default that depends on other arguments.
    ///
    /// # Errors
    /// The argument is not an integer in the declared range.
    pub fn integer_or(&mut self, name: &str, default: u64) -> Result<u64> {
        let allowed = match self.argument(name)?.kind {
            Kind::Integer(least, most) => least..=most,
            _ => 0..=i64::MAX as u64,
        };
        self.literal(name)?.map_or(Ok(default), |value| integer(self.op, name, &value, &allowed))
    }

    /// Takes a number argument, or its declared default.
    ///
    /// # Errors
    /// The argument is not a number in the declared range.
    pub fn number(&mut self, name: &str) -> Result<f64> {
        match self.argument(name)?.default {
            Default::Number(default) => self.number_or(name, default),
            _ if !self.has(name) => plan_err!("{} needs `{name} => a number`", self.op),
            _ => self.number_or(name, 0.0),
        }
    }

    /// Takes a number argument, or a default that depends on other arguments.
    ///
    /// # Errors
    /// The argument is not a number in the declared range.
    pub fn number_or(&mut self, name: &str, default: f64) -> Result<f64> {
        let Kind::Number(least, most) = self.argument(name)?.kind else {
            return internal_err!("{}: `{name}` is declared as no number", self.op);
        };
        self.literal(name)?.map_or(Ok(default), |value| number(self.op, name, &value, &(least..=most)))
    }

    /// Takes a number argument whose range depends on other arguments.
    ///
    /// # Errors
    /// The argument is missing, or is not a number in the range.
    pub fn number_within(&mut self, name: &str, allowed: RangeInclusive<f64>) -> Result<f64> {
        match self.literal(name)? {
            Some(value) => number(self.op, name, &value, &allowed),
            None => plan_err!("{} needs `{name} => a number`", self.op),
        }
    }

    /// Takes a Boolean argument.
    ///
    /// # Errors
    /// The argument is not TRUE or FALSE.
    pub fn flag(&mut self, name: &str) -> Result<bool> {
        let default = self.argument(name)?.default == Default::Flag(true);
        match self.literal(name)? {
            None => Ok(default),
            Some(ScalarValue::Boolean(Some(value))) => Ok(value),
            Some(other) => plan_err!("{}: `{name}` must be true or false, not {other}", self.op),
        }
    }

    /// Takes a text argument, or its declared default.
    ///
    /// # Errors
    /// The argument is not a text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let default = self.argument(name)?.default;
        match (self.literal(name)?, default) {
            (None, Default::Word(word)) => Ok(Some(word.to_owned())),
            (None, _) => Ok(None),
            (Some(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text))), _) => Ok(Some(text)),
            (Some(other), _) => plan_err!("{}: `{name}` must be text, not {other}", self.op),
        }
    }

    /// Takes an optional argument that must be one of the declared words, or its declared default.
    ///
    /// # Errors
    /// The argument is not one of the words.
    pub fn optional_word(&mut self, name: &str) -> Result<Option<&'static str>> {
        let argument = self.argument(name)?;
        let Kind::Word(words) = argument.kind else {
            return internal_err!("{}: `{name}` is declared as no word", self.op);
        };
        match (self.literal(name)?, argument.default) {
            (Some(value), _) => word(self.op, name, &value, words).map(Some),
            (None, Default::Word(word)) => Ok(Some(word)),
            (None, _) => Ok(None),
        }
    }

    /// Takes an argument that must be one of the declared words.
    ///
    /// # Errors
    /// The argument is not one of the words, or it is missing and has no default.
    pub fn word(&mut self, name: &str) -> Result<&'static str> {
        match self.optional_word(name)? {
            Some(word) => Ok(word),
            None => plan_err!("{} needs `{name} => 'word'`", self.op),
        }
    }

    /// Takes a word argument and maps it to its value. `values` must list every declared word.
    ///
    /// # Errors
    /// Those of [`Args::word`].
    pub fn choice<T: Copy>(&mut self, name: &str, values: &[(&str, T)]) -> Result<T> {
        let word = self.word(name)?;
        match values.iter().find(|(known, _)| *known == word) {
            Some((_, value)) => Ok(*value),
            None => internal_err!("{}: `{name} => '{word}'` is declared and has no meaning", self.op),
        }
    }

    /// Parses `order_by => 'quality DESC, id'`, the survivor order: the first row survives. It may refer to columns of the
    /// input only; an empty text refers to none.
    pub fn order_by(&mut self) -> Result<Vec<SortExpr>> {
        let op = self.op;
        let text = match self.literal("order_by")? {
            None => return Ok(vec![]),
            Some(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text))) => text,
            Some(other) => return plan_err!("{op}: `order_by` must be text such as 'quality DESC, id', not {other}"),
        };
        if text.trim().is_empty() {
            return Ok(vec![]);
        }
        let bad = |e: &dyn Display| plan_datafusion_err!("{op}: `order_by => '{text}'` is no list of columns: {e}");
        let mut parser = Parser::new(&GenericDialect {}).try_with_sql(&text).map_err(|e| bad(&e))?;
        let list = parser.parse_comma_separated(Parser::parse_order_by_expr).map_err(|e| bad(&e))?;
        if parser.peek_token().token != Token::EOF {
            return Err(bad(&format!("unexpected `{}`", parser.peek_token())));
        }
        list.into_iter()
            .map(|item| {
                if let Some(fill) = &item.with_fill {
                    return Err(bad(&format!("{fill} has no meaning here")));
                }
                let asc = item.options.asc.unwrap_or(true);
                // Unlike ORDER BY, put NULLs last: a row must not win by a missing value.
                let nulls_first = item.options.nulls_first.unwrap_or(false);
                let shown = item.expr.to_string();
                // The planner's message would report a position in this text as a position in the statement.
                let expr = self
                    .context
                    .sql_to_expr(item.expr, self.input.schema())
                    .map_err(|_| bad(&no_column(self.input.schema(), &shown)))?;
                if !matches!(expr, Expr::Column(_)) {
                    return Err(bad(&format!("`{expr}` is not a column; compute it in the inner SELECT")));
                }
                Ok(expr.sort(asc, nulls_first))
            })
            .collect()
    }
}

/// Lists the names of `schema` for an error message, quoted as SQL requires.
fn columns(schema: &DFSchema) -> String {
    schema.fields().iter().map(|f| quote_identifier(f.name())).collect::<Vec<_>>().join(", ")
}

/// Minimum similarity, from 0 to 1, at which one name is suggested for another.
const ALIKE: f64 = 0.7;

/// The error that no column is called `written`, with a suggestion. A column that differs only in case needs double quotes,
/// since SQL reads bare names in lower case.
fn no_column(schema: &DFSchema, written: &str) -> String {
    let bare = written.trim_matches('"');
    let known = schema.fields().iter().map(|f| f.name());
    let cased = known.clone().find(|name| name.to_lowercase() == bare.to_lowercase());
    let meant = match cased {
        Some(name) => format!("write {}: a name without double quotes is read in lower case", quote_identifier(name)),
        None => known
            .map(|name| (strsim::normalized_levenshtein(name, bare), name))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .map_or_else(String::new, |(_, name)| format!("did you mean {}?", quote_identifier(name))),
    };
    let meant = if meant.is_empty() { meant } else { format!("; {meant}") };
    format!("the input has no column `{written}`{meant}; columns are {}", columns(schema))
}
