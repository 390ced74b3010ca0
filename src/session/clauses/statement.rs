//! Checks kinds of statements, and the parts of them that DataFusion ignores.

use datafusion::common::Result;
use datafusion::sql::parser::CreateExternalTable;
use datafusion::sql::sqlparser::ast::{
    ColumnDef, ColumnOption, ColumnOptionDef, CreateTable, CreateView, Statement, TableConstraint, Update,
};

use super::refuse::{refuse, refuse_if};
use super::relation::check_joins;

const TRANSACTIONS: &str =
    "limpid has no transactions: every COPY, sink and step of a job appears whole or not at all by itself";

/// Checks a statement.
pub fn check(statement: &Statement) -> Result<()> {
    match statement {
        Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. } => refuse(&first_words(statement), TRANSACTIONS),
        Statement::CreateTable(table) => create_table(table),
        Statement::CreateView(view) => create_view(view),
        Statement::Drop { object_type, if_exists: _, names, cascade, restrict, purge, temporary, table } => {
            refuse_if(*cascade, &format!("DROP {object_type} ... CASCADE"), "drop what depends on it by name")?;
            refuse_if(*restrict, &format!("DROP {object_type} ... RESTRICT"), "leave out RESTRICT")?;
            refuse_if(*purge, &format!("DROP {object_type} ... PURGE"), "leave out PURGE")?;
            refuse_if(*temporary, &format!("DROP TEMPORARY {object_type}"), "leave out TEMPORARY")?;
            refuse_if(names.len() > 1, "DROP of more than one name", "write a statement for each")?;
            refuse_if(table.is_some(), "DROP ... ON a table", "write the name alone")
        }
        Statement::Update(Update { table, .. }) => {
            refuse_if(!table.joins.is_empty(), "UPDATE of a join", "write WHERE id IN (SELECT ...)")?;
            check_joins(std::slice::from_ref(table))
        }
        Statement::CreateIndex(_) => refuse("CREATE INDEX", "files have no indexes"),
        Statement::CreateFunction(_) | Statement::DropFunction(_) => {
            refuse(&first_words(statement), "limpid's functions are built in; SHOW FUNCTIONS lists them")
        }
        _ => Ok(()),
    }
}

/// `START TRANSACTION` of a longer statement.
fn first_words(statement: &Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    words.join(" ").trim_end_matches(';').to_owned()
}

fn create_table(table: &CreateTable) -> Result<()> {
    // DataFusion refuses the other parts itself.
    table.constraints.iter().try_for_each(constraint)?;
    table.columns.iter().try_for_each(column)
}

const UNCHECKED: &str = "limpid does not check it when rows are added; leave it out";

/// Checks `CREATE EXTERNAL TABLE`.
pub fn create_external_table(table: &CreateExternalTable) -> Result<()> {
    let CreateExternalTable {
        name: _,
        columns,
        file_type: _,
        locations: _,
        table_partition_cols: _,
        order_exprs,
        if_not_exists: _,
        or_replace: _,
        temporary,
        unbounded,
        options: _,
        constraints,
    } = table;
    constraints.iter().try_for_each(constraint)?;
    columns.iter().try_for_each(column)?;
    refuse_if(
        !order_exprs.is_empty(),
        "WITH ORDER",
        "limpid does not check that files are sorted; write ORDER BY in the query",
    )?;
    refuse_if(*temporary, "CREATE TEMPORARY EXTERNAL TABLE", "leave out TEMPORARY: every table ends with the session")?;
    refuse_if(*unbounded, "UNBOUNDED", "files end")
}

fn constraint(constraint: &TableConstraint) -> Result<()> {
    refuse(&format!("{constraint}"), UNCHECKED)
}

fn column(ColumnDef { name, data_type: _, options }: &ColumnDef) -> Result<()> {
    options.iter().try_for_each(|ColumnOptionDef { name: _, option }| match option {
        ColumnOption::Null | ColumnOption::NotNull | ColumnOption::Default(_) => Ok(()),
        other => refuse(&format!("{other} of the column {name}"), UNCHECKED),
    })
}

fn create_view(view: &CreateView) -> Result<()> {
    let CreateView {
        or_alter,
        or_replace: _,
        materialized,
        secure,
        name: _,
        name_before_not_exists: _,
        columns,
        query: _,
        options: _,
        cluster_by: _,
        comment: _,
        with_no_schema_binding: _,
        if_not_exists: _,
        temporary,
        copy_grants: _,
        to: _,
        params,
    } = view;
    refuse_if(*or_alter, "CREATE OR ALTER VIEW", "write CREATE OR REPLACE VIEW")?;
    refuse_if(*materialized, "CREATE MATERIALIZED VIEW", "write CREATE TABLE name AS SELECT ...")?;
    refuse_if(*secure, "CREATE SECURE VIEW", "leave out SECURE")?;
    refuse_if(*temporary, "CREATE TEMPORARY VIEW", "leave out TEMPORARY: every view ends with the session")?;
    refuse_if(
        columns.iter().any(|column| column.data_type.is_some()),
        "A type in the column list of a view",
        "write the name alone and CAST the column",
    )?;
    refuse_if(params.is_some(), "ALGORITHM, DEFINER or SECURITY of a view", "leave it out")
}
