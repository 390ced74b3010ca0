//! Splits a step that filters by WHERE into two queries: one says for each row whether it is kept, and the other processes
//! the kept rows. The removed rows are then known without searching for what the result lacks.

use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, SetExpr, Statement as Sql, TableAlias, TableFactor,
};

/// The two queries of `SELECT ... FROM input WHERE ...`; `None` if `sql` has another form. `input` is an alias of the input.
pub fn split(state: &SessionState, sql: &str, input: &str) -> Option<[String; 2]> {
    let dialect = state.config().options().sql_parser.dialect;
    let Statement::Statement(statement) = state.sql_to_statement(sql, &dialect).ok()? else { return None };
    let Sql::Query(mut query) = *statement else { return None };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let condition = select.selection.take()?;
    let [from] = select.from.as_mut_slice() else { return None };
    let TableFactor::Table { name, alias, args: None, .. } = &mut from.relation else { return None };
    let [ObjectNamePart::Identifier(table)] = name.0.as_slice() else { return None };
    if table.value != "input" {
        let as_before = TableAlias { explicit: true, name: table.clone(), columns: vec![], at: None };
        if table.value != input {
            return None;
        }
        alias.get_or_insert(as_before);
        *name = ObjectName::from(vec![Ident::new("input")]);
    }
    if !from.joins.is_empty() || query.with.is_some() {
        return None;
    }
    let decided = format!("SELECT *, ({condition}) AS keep FROM {from}");
    Some([decided, query.to_string()])
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::split;

    #[test]
    fn conditions_are_split_off() {
        let state = SessionContext::new().state();
        let of = |sql: &str| split(&state, sql, "docs").map(|parts| parts.join(" | "));
        let expected = "SELECT *, (a > 1 OR b) AS keep FROM input | SELECT a, b FROM input";
        assert_eq!(of("SELECT a, b FROM input WHERE a > 1 OR b").unwrap(), expected);
        let expected = "SELECT *, (docs.a > 1) AS keep FROM input AS docs | SELECT docs.a FROM input AS docs";
        assert_eq!(of("SELECT docs.a FROM docs WHERE docs.a > 1").unwrap(), expected);
        for other in [
            "SELECT a FROM input",
            "SELECT a FROM other WHERE a > 1",
            "SELECT a FROM input, other WHERE a > 1",
            "SELECT a FROM input JOIN other USING (a) WHERE a > 1",
            "WITH input AS (SELECT 1 AS a) SELECT a FROM input WHERE a > 1",
            "SELECT a FROM (SELECT * FROM input) WHERE a > 1",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
