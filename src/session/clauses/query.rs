//! Checks the clauses around a SELECT: WITH, ORDER BY, LIMIT, FETCH, and extensions of other databases.

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    Cte, CteAsMaterialized, Distinct, Expr, ExprWithAliasAndOrderBy, Fetch, LimitClause, OrderBy, OrderByExpr,
    OrderByKind, PipeOperator, Query, Select, SelectItem, SetExpr, TableAlias, Top, TopQuantity, Value, With,
};

use super::refuse::{refuse, refuse_if};

/// Checks a query, and rewrites `FETCH FIRST n ROWS` and `TOP n` as `LIMIT n`.
pub fn rewrite(query: &mut Query) -> Result<()> {
    let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
        query;
    if let Some(With { with_token: _, recursive: _, cte_tables }) = with {
        cte_tables.iter().try_for_each(cte)?;
    }
    set_expression(body, true)?;
    if let Some(order_by) = order_by {
        order_by_all(order_by, body);
        order_by_distinct(order_by, body);
        check_order(order_by, body)?;
    }
    limit(limit_clause.as_ref())?;
    if let Some(rows) = top(body)?.or(fetched(fetch.take())?) {
        set_limit(limit_clause, rows)?;
    }
    let one_reader = "limpid reads files that nobody else changes meanwhile";
    if let Some(lock) = locks.first() {
        return refuse(&format!("{lock}"), one_reader);
    }
    if let Some(clause) = for_clause {
        return refuse(&format!("{clause}"), "write the result with COPY ... TO 'file.jsonl', or with --format json");
    }
    refuse_if(settings.is_some(), "SETTINGS", "use SET name = value; before the query")?;
    if let Some(clause) = format_clause {
        return refuse(&format!("{clause}"), "choose the format with --format, or with COPY ... TO 'file.csv'");
    }
    pipe_operators.iter().try_for_each(pipe)
}

fn cte(table: &Cte) -> Result<()> {
    let Cte { alias, query: _, from, materialized, closing_paren_token: _ } = table;
    check_alias(Some(alias))?;
    refuse_if(from.is_some(), "FROM after the query of a WITH", "name the table in the query itself")?;
    match materialized {
        Some(CteAsMaterialized::Materialized) => refuse(
            "AS MATERIALIZED",
            "write AS (SELECT * FROM materialize((SELECT ...))), which computes the rows once",
        ),
        // Queries in WITH are computed where they are used.
        Some(CteAsMaterialized::NotMaterialized) | None => Ok(()),
    }
}

/// The parts of UNION, EXCEPT and INTERSECT; `outermost` is false inside them.
fn set_expression(body: &SetExpr, outermost: bool) -> Result<()> {
    match body {
        SetExpr::Select(select) => {
            refuse_if(!outermost && select.top.is_some(), "TOP within a UNION", "write (SELECT ... LIMIT n) there")
        }
        SetExpr::SetOperation { op: _, set_quantifier: _, left, right } => {
            set_expression(left, false)?;
            set_expression(right, false)
        }
        SetExpr::Query(_) | SetExpr::Values(_) => Ok(()),
        SetExpr::Table(table) => refuse(&format!("{table}"), "write SELECT * FROM the table"),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            refuse("A statement that changes a table within a query", "write it as a statement of its own")
        }
    }
}

/// One column, not a star.
fn is_single(item: &SelectItem) -> bool {
    matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
}

/// Rewrites `ORDER BY ALL`, which the parser reads as a column of that name, as the positions of all columns.
fn order_by_all(order_by: &mut OrderBy, body: &SetExpr) {
    let OrderByKind::Expressions(list) = &order_by.kind else { return };
    let [OrderByExpr { expr: Expr::Identifier(word), options, with_fill: None }] = list.as_slice() else { return };
    let SetExpr::Select(select) = body else { return };
    if word.quote_style.is_some() || !word.value.eq_ignore_ascii_case("all") {
        return;
    }
    let options = *options;
    // What a star stands for the planner knows.
    order_by.kind = OrderByKind::All(options);
    if !select.projection.is_empty() && select.projection.iter().all(is_single) {
        let position = |at: usize| OrderByExpr { expr: number(at as u64), options, with_fill: None };
        order_by.kind = OrderByKind::Expressions((1..=select.projection.len()).map(position).collect());
    }
}

/// Rewrites a column of a SELECT DISTINCT that ORDER BY repeats as its position, because the planner would look it up by its
/// heading.
fn order_by_distinct(order_by: &mut OrderBy, body: &SetExpr) {
    let OrderByKind::Expressions(list) = &mut order_by.kind else { return };
    let SetExpr::Select(select) = body else { return };
    if !matches!(select.distinct, Some(Distinct::Distinct)) {
        return;
    }
    let simple = |expr: &Expr| matches!(expr, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    // A star before the column moves its position.
    for (at, item) in select.projection.iter().take_while(|item| is_single(item)).enumerate() {
        let SelectItem::UnnamedExpr(column) = item else { continue };
        for key in list.iter_mut().filter(|key| key.expr == *column && !simple(column)) {
            key.expr = number(at as u64 + 1);
        }
    }
}

fn check_order(OrderBy { kind, interpolate }: &OrderBy, body: &SetExpr) -> Result<()> {
    refuse_if(interpolate.is_some(), "INTERPOLATE", "fill missing rows by a join with generate_series")?;
    match kind {
        OrderByKind::All(_) => refuse_if(
            !matches!(body, SetExpr::Select(_)),
            "ORDER BY ALL after UNION, EXCEPT, INTERSECT or VALUES",
            "name the columns",
        ),
        OrderByKind::Expressions(list) => list.iter().try_for_each(order),
    }
}

/// One expression of an ORDER BY.
pub fn order(OrderByExpr { expr: _, options: _, with_fill }: &OrderByExpr) -> Result<()> {
    refuse_if(with_fill.is_some(), "WITH FILL", "fill missing rows by a join with generate_series")
}

fn limit(clause: Option<&LimitClause>) -> Result<()> {
    match clause {
        Some(LimitClause::LimitOffset { limit: _, offset: _, limit_by }) => refuse_if(
            !limit_by.is_empty(),
            "LIMIT n BY",
            "write QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) <= n",
        ),
        Some(LimitClause::OffsetCommaLimit { offset: _, limit: _ }) | None => Ok(()),
    }
}

const TIES: &str = "write QUALIFY rank() OVER (ORDER BY ...) <= n, which keeps rows of equal rank";
const PERCENT: &str = "write QUALIFY percent_rank() OVER (ORDER BY ...) < n / 100.0";

fn top(body: &mut SetExpr) -> Result<Option<Expr>> {
    let SetExpr::Select(select) = body else { return Ok(None) };
    let Select { top, top_before_distinct: _, .. } = select.as_mut();
    let Some(Top { with_ties, percent, quantity }) = top.take() else { return Ok(None) };
    refuse_if(with_ties, "TOP n WITH TIES", TIES)?;
    refuse_if(percent, "TOP n PERCENT", PERCENT)?;
    match quantity {
        Some(TopQuantity::Expr(rows)) => Ok(Some(rows)),
        Some(TopQuantity::Constant(rows)) => Ok(Some(number(rows))),
        None => refuse("TOP without a number", "write LIMIT n at the end of the query"),
    }
}

fn fetched(fetch: Option<Fetch>) -> Result<Option<Expr>> {
    let Some(Fetch { with_ties, percent, quantity }) = fetch else { return Ok(None) };
    refuse_if(with_ties, "FETCH FIRST n ROWS WITH TIES", TIES)?;
    refuse_if(percent, "FETCH FIRST n PERCENT ROWS", PERCENT)?;
    Ok(Some(quantity.unwrap_or_else(|| number(1))))
}

fn number(value: u64) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

fn set_limit(clause: &mut Option<LimitClause>, rows: Expr) -> Result<()> {
    match clause {
        None => *clause = Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: vec![] }),
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(rows),
        Some(_) => return plan_err!("a query has one of LIMIT, TOP and FETCH FIRST, not two"),
    }
    Ok(())
}

/// Keywords of other databases after a table that this parser reads as aliases: `FROM t FINAL`, `a ANY JOIN b`.
const NOT_ALIASES: [&str; 8] = ["final", "nolock", "any", "positional", "paste", "hash", "loop", "strict"];

/// `AS t(a, b)`: names alone.
pub fn check_alias(alias: Option<&TableAlias>) -> Result<()> {
    let Some(TableAlias { explicit, name, columns, at }) = alias else { return Ok(()) };
    let word = name.value.to_lowercase();
    refuse_if(
        !explicit && name.quote_style.is_none() && NOT_ALIASES.contains(&word.as_str()),
        &format!("{} after a table", name.value.to_uppercase()),
        &format!("leave it out, or write AS {word} for a table of that name"),
    )?;
    refuse_if(
        columns.iter().any(|column| column.data_type.is_some()),
        "A type in the column list of an alias",
        "write the name alone and CAST the column",
    )?;
    refuse_if(at.is_some(), "AT after the alias of a table", "number rows with row_number() OVER ()")
}

fn pipe(operator: &PipeOperator) -> Result<()> {
    match operator {
        PipeOperator::OrderBy { exprs } => exprs.iter().try_for_each(order),
        PipeOperator::Aggregate { full_table_exprs, group_by_expr } => {
            let ordered = |e: &ExprWithAliasAndOrderBy| e.order_by.asc.is_some() || e.order_by.nulls_first.is_some();
            refuse_if(
                full_table_exprs.iter().chain(group_by_expr).any(ordered),
                "ASC or DESC within |> AGGREGATE",
                "write |> ORDER BY after it",
            )
        }
        PipeOperator::Join(join) => super::relation::check_join(join),
        PipeOperator::Limit { expr: _, offset: _ }
        | PipeOperator::Where { expr: _ }
        | PipeOperator::Select { exprs: _ }
        | PipeOperator::Extend { exprs: _ }
        | PipeOperator::As { alias: _ }
        | PipeOperator::Union { set_quantifier: _, queries: _ }
        | PipeOperator::Intersect { set_quantifier: _, queries: _ }
        | PipeOperator::Except { set_quantifier: _, queries: _ } => Ok(()),
        PipeOperator::TableSample { sample: _ } => super::relation::sampled(),
        PipeOperator::Set { assignments: _ } => refuse("|> SET", "write |> SELECT * REPLACE (value AS name)"),
        PipeOperator::Drop { columns: _ } => refuse("|> DROP", "write |> SELECT * EXCEPT (name)"),
        PipeOperator::Rename { mappings: _ } => refuse("|> RENAME", "write |> SELECT with AS"),
        PipeOperator::Call { function: _, alias: _ } => refuse("|> CALL", "write FROM function((SELECT ...))"),
        PipeOperator::Pivot { aggregate_functions: _, value_column: _, value_source: _, alias: _ } => {
            refuse("|> PIVOT", "write |> AGGREGATE sum(x) FILTER (WHERE ...) AS name")
        }
        PipeOperator::Unpivot { value_column: _, name_column: _, unpivot_columns: _, alias: _ } => {
            refuse("|> UNPIVOT", "write a UNION ALL of one SELECT per column")
        }
    }
}
