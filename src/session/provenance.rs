//! Provenance columns `_file`, `_row` and `_row_id`: a statement that names one of them receives them from every path that it
//! reads. `filename`, DuckDB's name for `_file`, is added separately.
//!
//! Nothing else controls them for a path in a FROM clause. Without such a name, `SELECT *` returns the columns of the files
//! only.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, ObjectName, Query, Select, SelectItem, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use limpid_connectors::sources::PROVENANCE;
use limpid_connectors::sources::functions::{self, FILENAME, Wanted};

/// What a statement says about provenance.
#[derive(Debug, Default)]
pub struct Provenance {
    /// The columns that it names.
    pub wanted: Wanted,
    /// Names in its WITH clauses, which are no files.
    names: HashSet<String>,
}

impl Provenance {
    /// Reads a statement.
    pub fn of(statement: &Statement) -> Self {
        let sql = statement.to_string();
        let filename = sql.contains(FILENAME) && Filename::of(statement);
        let mut found = Self { wanted: Wanted { provenance: mentions(&sql), filename }, names: HashSet::new() };
        if found.is_wanted() {
            walk(statement, &mut found);
        }
        found
    }

    fn is_wanted(&self) -> bool {
        self.wanted.provenance || self.wanted.filename
    }

    /// Adds the columns to `factor` if it is a path.
    ///
    /// # Errors
    /// None that a user can cause.
    pub fn apply(&self, state: &SessionState, factor: &mut TableFactor) -> Result<(), DataFusionError> {
        let TableFactor::Table { name, args: None, .. } = &*factor else { return Ok(()) };
        let Some(ident) = name.0.first().and_then(|part| part.as_ident()) else { return Ok(()) };
        let table = TableReference::bare(ident.value.as_str());
        let is_table = || state.schema_for_ref(table).is_ok_and(|schema| schema.table_exist(&ident.value));
        if !self.is_wanted() || self.names.contains(&ident.value) || is_table() {
            return Ok(());
        }
        functions::with_columns(factor, self.wanted)
    }

    /// Excludes columns from `*` that are listed beside it, so that `SELECT _row_id, * FROM 'x.csv'` has each once.
    pub fn name_once(&self, select: &mut Select) {
        if !self.is_wanted() {
            return;
        }
        let beside: Vec<ObjectName> = select.projection.iter().filter_map(provenance_column).collect();
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) = item
                && options.opt_exclude.is_none()
                && options.opt_except.is_none()
                && !beside.is_empty()
            {
                options.opt_exclude = Some(ExcludeSelectItem::Multiple(beside.clone()));
            }
        }
    }
}

/// The name of an item that is one of the columns, as it is.
fn provenance_column(item: &SelectItem) -> Option<ObjectName> {
    let SelectItem::UnnamedExpr(expr) = item else { return None };
    let name = match expr {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(names) => names.last()?,
        _ => return None,
    };
    let is_column = PROVENANCE.contains(&name.value.as_str()) || name.value == FILENAME;
    is_column.then(|| ObjectName::from(vec![name.clone()]))
}

impl Visitor for Provenance {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.names.extend(tables.map(|table| table.alias.name.value.clone()));
        ControlFlow::Continue(())
    }
}

fn walk<V: Visitor<Break = ()>>(statement: &Statement, visitor: &mut V) {
    let _ = match statement {
        Statement::Statement(statement) => statement.visit(visitor),
        Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => query.visit(visitor),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::Explain(explain) => {
            walk(&explain.statement, visitor);
            ControlFlow::Continue(())
        }
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    };
}

/// Whether a statement reads a column `filename` and calls none so itself.
#[derive(Default)]
struct Filename {
    is_read: bool,
    is_alias: bool,
}

impl Filename {
    fn of(statement: &Statement) -> bool {
        let mut found = Self::default();
        walk(statement, &mut found);
        found.is_read && !found.is_alias
    }
}

impl Visitor for Filename {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        self.is_read |= name.is_some_and(|name| name.value == FILENAME);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.is_alias |= select
            .projection
            .iter()
            .any(|item| matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == FILENAME));
        ControlFlow::Continue(())
    }
}

/// Whether `sql` names one of the columns, be it in a text such as that of `order_by`.
pub fn mentions(sql: &str) -> bool {
    if !PROVENANCE.iter().any(|name| sql.contains(name)) {
        return false;
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return false };
    let is_name = |word: &str| PROVENANCE.contains(&word);
    tokens.iter().any(|token| match token {
        Token::Word(word) => is_name(&word.value),
        Token::SingleQuotedString(text) => {
            text.split(|c: char| !c.is_alphanumeric() && c != '_').any(is_name) && !text.contains(['/', '.'])
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_are_seen_where_they_stand() {
        for sql in [
            "SELECT _file FROM 'x.csv'",
            "SELECT * FROM exact_dedup('x.csv', text => text, id => _row_id)",
            "SELECT * FROM exact_dedup('x.csv', text => text, order_by => 'score DESC, _row')",
            "SELECT t.\"_row\" FROM 'x.csv' t",
        ] {
            assert!(mentions(sql), "{sql}");
        }
        for sql in ["SELECT id_row FROM 'x.csv'", "SELECT 1 FROM 'a_file.csv'", "SELECT 1 FROM 'd/_file.csv' -- _row"] {
            assert!(!mentions(sql), "{sql}");
        }
    }
}
