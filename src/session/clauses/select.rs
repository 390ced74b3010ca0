//! The clauses of a SELECT.

use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, GroupByWithModifier, Select, SelectFlavor, SelectItem,
    WildcardAdditionalOptions,
};

use super::refuse::{refuse, refuse_if};
use super::relation::check_joins;

/// Checks a SELECT. Rewrites `FROM t` as `SELECT * FROM t`, moves PREWHERE into WHERE, and rewrites WITH ROLLUP and WITH CUBE
/// as ROLLUP and CUBE.
pub fn rewrite(select: &mut Select) -> Result<()> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        // Written as LIMIT before.
        top: _,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window: _,
        qualify: _,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    refuse_if(!optimizer_hints.is_empty(), "An optimizer hint", "leave it out")?;
    match distinct {
        None | Some(Distinct::All | Distinct::Distinct | Distinct::On(_)) => {}
    }
    if let Some(modifiers) = select_modifiers {
        refuse_if(modifiers.is_any_set(), &modifiers.to_string().trim().to_uppercase(), "leave it out")?;
    }
    refuse_if(
        exclude.is_some(),
        "EXCLUDE after the columns of a SELECT",
        "write it right after the star: * EXCLUDE (name)",
    )?;
    refuse_if(into.is_some(), "SELECT ... INTO", "write CREATE TABLE name AS SELECT ...")?;
    check_joins(from)?;
    refuse_if(!lateral_views.is_empty(), "LATERAL VIEW", "write unnest(list) in the SELECT")?;
    refuse_if(!connect_by.is_empty(), "CONNECT BY", "write WITH RECURSIVE")?;
    let order = "write ORDER BY for the order of rows; limpid divides work among threads by itself";
    refuse_if(!cluster_by.is_empty(), "CLUSTER BY", order)?;
    refuse_if(!distribute_by.is_empty(), "DISTRIBUTE BY", order)?;
    refuse_if(!sort_by.is_empty(), "SORT BY", order)?;
    if let Some(mode) = value_table_mode {
        return refuse(&format!("SELECT {mode}"), "write SELECT named_struct('name', value, ...)");
    }
    if let Some(condition) = prewhere.take() {
        *selection = Some(match selection.take() {
            None => condition,
            Some(other) => Expr::BinaryOp {
                left: Box::new(Expr::Nested(Box::new(condition))),
                op: BinaryOperator::And,
                right: Box::new(Expr::Nested(Box::new(other))),
            },
        });
    }
    match flavor {
        SelectFlavor::Standard | SelectFlavor::FromFirst => {}
        SelectFlavor::FromFirstNoSelect => {
            projection.push(SelectItem::Wildcard(WildcardAdditionalOptions {
                wildcard_token: AttachedToken::empty(),
                opt_ilike: None,
                opt_exclude: None,
                opt_except: None,
                opt_replace: None,
                opt_rename: None,
                opt_alias: None,
            }));
            *flavor = SelectFlavor::Standard;
        }
    }
    grouped(group_by)
}

fn grouped(group_by: &mut GroupByExpr) -> Result<()> {
    let totals = "write GROUP BY GROUPING SETS ((a), ()) for a row of totals";
    match group_by {
        GroupByExpr::All(modifiers) => {
            refuse_if(!modifiers.is_empty(), "GROUP BY ALL WITH ROLLUP, CUBE or TOTALS", "name the columns")
        }
        GroupByExpr::Expressions(columns, modifiers) => {
            let modifiers = std::mem::take(modifiers);
            let [modifier] = modifiers.as_slice() else {
                return refuse_if(!modifiers.is_empty(), "More than one WITH after GROUP BY", totals);
            };
            refuse_if(
                columns.iter().any(|column| matches!(column, Expr::Value(_))),
                &format!("GROUP BY a position {modifier}"),
                "name the columns",
            )?;
            let sets = || columns.iter().map(|column| vec![column.clone()]).collect();
            let sets = match modifier {
                GroupByWithModifier::Rollup => Expr::Rollup(sets()),
                GroupByWithModifier::Cube => Expr::Cube(sets()),
                GroupByWithModifier::Totals => return refuse("WITH TOTALS", totals),
                GroupByWithModifier::GroupingSets(_) => {
                    return refuse("GROUPING SETS after the columns of GROUP BY", "write GROUP BY GROUPING SETS alone");
                }
            };
            *columns = vec![sets];
            Ok(())
        }
    }
}
