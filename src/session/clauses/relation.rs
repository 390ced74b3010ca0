//! What stands in FROM.

use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, TableFactor, TableFunctionArgs, TableWithJoins,
};

use super::query::check_alias;
use super::refuse::{refuse, refuse_if};

/// Rejects every sample: DataFusion has none, and block sampling would depend on files and threads.
pub fn sampled() -> Result<()> {
    refuse(
        "TABLESAMPLE",
        "write WHERE hash_uniform(42, id) < 0.1 for a tenth of the rows, the same in every run, or ORDER BY sample_key(42, id, 1) LIMIT n for n rows",
    )
}

/// Rewrites `LATERAL unnest(a)` as `unnest(a)`.
pub fn plain_unnest(factor: &mut TableFactor) {
    if let TableFactor::Function { lateral: _, name, args, with_ordinality, alias } = factor
        && name.to_string().eq_ignore_ascii_case("unnest")
    {
        let lists = args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        });
        let Some(array_exprs) = lists.collect() else { return };
        let (alias, with_ordinality) = (alias.take(), *with_ordinality);
        *factor =
            TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality };
    }
}

/// Checks one relation of FROM.
pub fn check(factor: &TableFactor) -> Result<()> {
    match factor {
        TableFactor::Table {
            name: _,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            check_alias(alias.as_ref())?;
            if let Some(TableFunctionArgs { args: _, settings }) = args {
                refuse_if(settings.is_some(), "SETTINGS among the arguments of a table function", "leave it out")?;
            }
            refuse_if(
                !with_hints.is_empty(),
                "A WITH (...) hint after a table",
                "leave it out: limpid takes no locks",
            )?;
            if let Some(version) = version {
                return refuse(&format!("{version}"), "name the files of that version");
            }
            refuse_if(*with_ordinality, "WITH ORDINALITY", "number rows with row_number() OVER ()")?;
            refuse_if(
                !partitions.is_empty(),
                "PARTITION (...) after a table",
                "write WHERE on the partition's column",
            )?;
            refuse_if(json_path.is_some(), "A JSON path after a table", "write column['field'] in the SELECT")?;
            refuse_if(!index_hints.is_empty(), "An index hint", "leave it out: files have no indexes")?;
            if sample.is_some() { sampled() } else { Ok(()) }
        }
        TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
            check_alias(alias.as_ref())?;
            if sample.is_some() { sampled() } else { Ok(()) }
        }
        TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
            check_alias(alias.as_ref())?;
            refuse_if(*with_ordinality, "WITH ORDINALITY", "number rows with row_number() OVER ()")?;
            refuse_if(
                args.iter().any(|arg| !matches!(arg, FunctionArg::Unnamed(_))),
                &format!("A named argument of LATERAL {name}"),
                "leave out LATERAL",
            )
        }
        TableFactor::UNNEST { alias, array_exprs: _, with_offset, with_offset_alias, with_ordinality } => {
            check_alias(alias.as_ref())?;
            refuse_if(*with_offset || with_offset_alias.is_some(), "UNNEST ... WITH OFFSET", NUMBERED)?;
            refuse_if(*with_ordinality, "UNNEST ... WITH ORDINALITY", NUMBERED)
        }
        TableFactor::NestedJoin { table_with_joins, alias } => {
            check_alias(alias.as_ref())?;
            check_joins(std::slice::from_ref(table_with_joins))
        }
        TableFactor::TableFunction { expr, alias: _ } => {
            refuse(&format!("TABLE({expr})"), "write the function alone in FROM")
        }
        TableFactor::JsonTable { .. } => refuse("JSON_TABLE", JSON),
        TableFactor::OpenJsonTable { .. } => refuse("OPENJSON", JSON),
        TableFactor::XmlTable { .. } => refuse("XMLTABLE", "limpid reads no XML"),
        TableFactor::Pivot { .. } => {
            refuse("PIVOT", "write sum(x) FILTER (WHERE key = ...) AS name, a column for each key")
        }
        TableFactor::Unpivot { .. } => refuse("UNPIVOT", "write a UNION ALL of one SELECT per column"),
        TableFactor::MatchRecognize { .. } => refuse("MATCH_RECOGNIZE", "write window functions such as lag and lead"),
        TableFactor::SemanticView { .. } => refuse("SEMANTIC_VIEW", "write the query itself"),
    }
}

const NUMBERED: &str = "number the list's items by generate_series(1, cardinality(list))";
const JSON: &str = "store the text as a .jsonl file and read that";

/// Checks the joins of FROM.
pub fn check_joins(tables: &[TableWithJoins]) -> Result<()> {
    tables.iter().flat_map(|TableWithJoins { relation: _, joins }| joins).try_for_each(check_join)
}

/// Checks one join.
pub fn check_join(Join { relation: _, global, join_operator }: &Join) -> Result<()> {
    use JoinOperator as J;
    refuse_if(*global, "GLOBAL JOIN", "leave out GLOBAL")?;
    match join_operator {
        J::Join(constraint)
        | J::Inner(constraint)
        | J::Left(constraint)
        | J::LeftOuter(constraint)
        | J::Right(constraint)
        | J::RightOuter(constraint)
        | J::FullOuter(constraint)
        | J::LeftSemi(constraint)
        | J::RightSemi(constraint)
        | J::LeftAnti(constraint)
        | J::RightAnti(constraint) => refuse_if(
            matches!(constraint, JoinConstraint::None),
            "JOIN without ON or USING",
            "add the condition, or write CROSS JOIN for all pairs",
        ),
        J::CrossJoin(JoinConstraint::None) => Ok(()),
        J::CrossJoin(_) => refuse("CROSS JOIN with a condition", "write JOIN ... ON"),
        J::Semi(_) => refuse("SEMI JOIN", "write LEFT SEMI JOIN"),
        J::Anti(_) => refuse("ANTI JOIN", "write LEFT ANTI JOIN"),
        J::CrossApply => refuse("CROSS APPLY", "write CROSS JOIN LATERAL (SELECT ...)"),
        J::OuterApply => refuse("OUTER APPLY", "write LEFT JOIN LATERAL (SELECT ...) ON true"),
        J::AsOf { match_condition: _, constraint: _ } => refuse(
            "ASOF JOIN",
            "write a JOIN on the condition, then QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) = 1",
        ),
        J::StraightJoin(_) => refuse("STRAIGHT_JOIN", "write JOIN"),
        J::ArrayJoin | J::LeftArrayJoin | J::InnerArrayJoin => refuse("ARRAY JOIN", "write unnest(list) in the SELECT"),
    }
}
