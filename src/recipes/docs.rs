//! The reference of `recipe`.

use datafusion::logical_expr::{DocSection, Documentation};
use limpid_udfs::register::OperatorDoc;

const SECTION: DocSection = DocSection { include: true, label: "Recipes", description: None };

/// The one function.
pub fn functions() -> Vec<OperatorDoc> {
    vec![OperatorDoc {
        name: super::NAME,
        documentation: Documentation::builder(
            SECTION,
            "A recipe over a relation: a method of the literature as a query, by its name (`limpid recipes list`) or the path of a `.sql` \
             file. The query stands where the call stood; in it the relation is called `input`. The answer, cost and errors are those of \
             the query, which `limpid recipes show NAME` prints, with the columns that it adds. A column of the input that has the name of \
             one of these is replaced. Keys that come twice or are NULL are errors; scores that are NULL or NaN come last, and a warning \
             names the first of their rows.",
            "recipe('name', relation, argument => value, ...)",
        )
        .with_sql_example(
            r#"```sql
> SELECT id, keep FROM recipe('score_top', (SELECT * FROM (VALUES (1, 0.3), (2, 0.9), (3, 0.5)) AS t(id, worth)),
    score => worth, fraction => 0.34) ORDER BY id;
+----+-------+
| id | keep  |
+----+-------+
| 1  | false |
| 2  | true  |
| 3  | false |
+----+-------+
```"#,
        )
        .with_argument("name", "Text literal.")
        .with_argument("relation", "The rows: `(SELECT ...)` or a table's name.")
        .with_argument("argument", "A parameter of the recipe: a column, a number, text or a relation, as it declares. `id` and `text` name themselves by default.")
        .build(),
    }]
}
