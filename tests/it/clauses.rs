//! Every clause of SQL that parses gives the right rows or an error that names it.

use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use limpid::session::errors::plain;
use limpid::session::{EngineOptions, context, statement};

/// The rows as text, one line each; or the error.
async fn answer(ctx: &SessionContext, sql: &str) -> Result<String, String> {
    let batches = match statement::sql(ctx, sql).await {
        Ok(frame) => frame.collect().await,
        Err(error) => Err(error),
    };
    let mut rows = vec![];
    for batch in batches.map_err(|error| plain(&error).text)? {
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| array_value_to_string(column, row).unwrap();
            rows.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join(","));
        }
    }
    Ok(rows.join(" "))
}

async fn engine() -> SessionContext {
    let ctx = context(&EngineOptions { threads: Some(2), ..EngineOptions::default() }).unwrap();
    for sql in [
        "CREATE TABLE t AS SELECT value AS id, value % 2 AS g, CASE WHEN value = 3 THEN NULL ELSE value * 10 END AS x FROM generate_series(1, 4)",
        "CREATE TABLE lists AS SELECT 1 AS id, [1, 2] AS list",
    ] {
        statement::sql(&ctx, sql).await.unwrap().collect().await.unwrap();
    }
    ctx
}

/// What is carried out, with its rows.
const CARRIED_OUT: &[(&str, &str)] = &[
    ("FROM t ORDER BY id", "1,1,10 2,0,20 3,1, 4,0,40"),
    ("SELECT count(*) FROM (FROM t)", "4"),
    ("WITH a AS (FROM t) SELECT count(*) FROM a", "4"),
    ("FROM t SELECT id WHERE id > 2 ORDER BY id", "3 4"),
    ("SELECT TOP 2 id FROM t ORDER BY id DESC", "4 3"),
    ("SELECT TOP (1 + 1) id FROM t ORDER BY id", "1 2"),
    ("SELECT DISTINCT TOP 1 g FROM t ORDER BY g", "0"),
    ("SELECT id FROM t ORDER BY id FETCH FIRST 2 ROWS ONLY", "1 2"),
    ("SELECT id FROM t ORDER BY id FETCH FIRST ROW ONLY", "1"),
    ("SELECT id FROM t ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", "2 3"),
    ("SELECT id FROM t UNION ALL SELECT 9 ORDER BY id DESC FETCH FIRST 1 ROW ONLY", "9"),
    ("SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 1", "2 3"),
    ("SELECT id FROM t ORDER BY id LIMIT 1, 2", "2 3"),
    ("SELECT id FROM t PREWHERE id < 3 ORDER BY id", "1 2"),
    ("SELECT id FROM t PREWHERE id < 3 OR id = 4 WHERE g = 0 ORDER BY id", "2 4"),
    ("SELECT g, count(*) FROM t GROUP BY g WITH ROLLUP ORDER BY g NULLS LAST", "0,2 1,2 ,4"),
    ("SELECT g, count(*) FROM t GROUP BY ROLLUP (g) ORDER BY g NULLS LAST", "0,2 1,2 ,4"),
    (
        "SELECT g, id > 2 AS late, count(*) FROM t GROUP BY g, id > 2 WITH CUBE ORDER BY g NULLS LAST, late NULLS LAST",
        "0,false,1 0,true,1 0,,2 1,false,1 1,true,1 1,,2 ,false,2 ,true,2 ,,4",
    ),
    ("SELECT g, count(*) FROM t GROUP BY GROUPING SETS ((g), ()) ORDER BY g NULLS LAST", "0,2 1,2 ,4"),
    ("SELECT g, count(*) FROM t GROUP BY ALL ORDER BY g", "0,2 1,2"),
    ("SELECT DISTINCT ON (g) g, id FROM t ORDER BY g, id DESC", "0,4 1,3"),
    ("SELECT id FROM t QUALIFY row_number() OVER (PARTITION BY g ORDER BY id) = 1 ORDER BY id", "1 2"),
    ("SELECT id FROM t WINDOW w AS (PARTITION BY g ORDER BY id) QUALIFY row_number() OVER w = 1 ORDER BY id", "1 2"),
    ("SELECT id FROM t QUALIFY row_number() OVER w = 1 WINDOW w AS (PARTITION BY g ORDER BY id) ORDER BY id", "1 2"),
    ("SELECT id, sum(id) OVER w AS s FROM t WINDOW w AS (PARTITION BY g ORDER BY id) ORDER BY id", "1,1 2,2 3,4 4,6"),
    ("SELECT id FROM t WINDOW w AS (PARTITION BY g ORDER BY id) ORDER BY row_number() OVER w, id", "1 2 3 4"),
    (
        "SELECT id, sum(id) OVER V AS s FROM t WINDOW w AS (PARTITION BY g ORDER BY id), v AS w ORDER BY id",
        "1,1 2,2 3,4 4,6",
    ),
    ("SELECT (SELECT max(s) FROM (SELECT sum(id) OVER w AS s FROM t WINDOW w AS (ORDER BY id))) AS m", "10"),
    ("SELECT sum(id) FILTER (WHERE g = 0), count(DISTINCT g) FROM t", "6,2"),
    ("SELECT id, lag(x) IGNORE NULLS OVER (ORDER BY id) AS l FROM t ORDER BY id", "1, 2,10 3,20 4,20"),
    (
        "SELECT first_value(x) IGNORE NULLS OVER (ORDER BY id DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS f FROM t ORDER BY id",
        "20 20 40 40",
    ),
    (
        "SELECT count(DISTINCT g) OVER () AS n, sum(DISTINCT g) OVER () AS s, avg(DISTINCT g) OVER () AS a FROM t LIMIT 1",
        "2,1,0.5",
    ),
    ("SELECT var_pop(DISTINCT g), median(DISTINCT g), bit_xor(DISTINCT g) FROM t", "0.25,0.5,1"),
    ("SELECT string_agg(CAST(id AS TEXT), '-' ORDER BY id DESC) FROM t", "4-3-2-1"),
    ("SELECT * EXCLUDE (x) FROM t WHERE id = 1", "1,1"),
    ("SELECT * REPLACE (id + 1 AS id) FROM t WHERE id = 1", "2,1,10"),
    ("SELECT a.id FROM t a LEFT SEMI JOIN (SELECT 2 AS id) b ON a.id = b.id", "2"),
    ("SELECT count(*) FROM t AS final", "4"),
    ("SELECT count(*) FROM t a CROSS JOIN t b", "16"),
    ("SELECT count(*) FROM t a NATURAL JOIN t b", "3"),
    (
        "SELECT t.id, u.y FROM t CROSS JOIN LATERAL (SELECT max(b.x) AS y FROM t b WHERE b.id = t.id) u WHERE t.id = 1",
        "1,10",
    ),
    ("SELECT 1 AS a, 2 AS b UNION BY NAME SELECT 3 AS b, 4 AS a ORDER BY a", "1,2 4,3"),
    (
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r ORDER BY n",
        "1 2 3",
    ),
    ("SELECT unnest(list) AS n FROM lists ORDER BY n", "1 2"),
    ("FROM t |> WHERE id > 2 |> SELECT id |> ORDER BY id", "3 4"),
    ("FROM t |> AGGREGATE count(*) AS n GROUP BY g |> ORDER BY g", "0,2 1,2"),
    ("SELECT id FROM t WHERE id IN (SELECT TOP 1 id FROM t ORDER BY id)", "1"),
];

/// What is refused, with the words that its error begins with.
const REFUSED: &[(&str, &str)] = &[
    ("SELECT count(*) FROM t TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE"),
    ("SELECT count(*) FROM t TABLESAMPLE SYSTEM (1) REPEATABLE (3)", "TABLESAMPLE"),
    ("SELECT count(*) FROM t TABLESAMPLE (10 ROWS)", "TABLESAMPLE"),
    ("SELECT count(*) FROM (SELECT * FROM t) TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
    ("SELECT count(*) FROM t SAMPLE (10)", "TABLESAMPLE"),
    ("WITH a AS (SELECT * FROM t TABLESAMPLE (10)) SELECT * FROM a", "TABLESAMPLE"),
    ("SELECT * FROM exact_dedup((SELECT * FROM t TABLESAMPLE (10)), text => x)", "TABLESAMPLE"),
    ("SELECT * FROM t WHERE id IN (SELECT id FROM t TABLESAMPLE (10))", "TABLESAMPLE"),
    ("CREATE VIEW v AS SELECT * FROM t TABLESAMPLE (10)", "TABLESAMPLE"),
    ("EXPLAIN SELECT * FROM t TABLESAMPLE (10)", "TABLESAMPLE"),
    ("COPY (SELECT * FROM t TABLESAMPLE (10)) TO 'never.csv'", "TABLESAMPLE"),
    ("FROM t |> TABLESAMPLE BERNOULLI (10 PERCENT)", "TABLESAMPLE"),
    ("SELECT g, count(*) FROM t GROUP BY g WITH TOTALS", "WITH TOTALS"),
    ("SELECT g, count(*) FROM t GROUP BY ALL WITH ROLLUP", "GROUP BY ALL WITH"),
    ("SELECT g, count(*) FROM t GROUP BY 1 WITH ROLLUP", "GROUP BY a position WITH ROLLUP"),
    ("SELECT g, count(*) FROM t GROUP BY g WITH ROLLUP WITH TOTALS", "More than one WITH after GROUP BY"),
    ("SELECT count(*) FROM t FOR UPDATE", "FOR UPDATE"),
    ("SELECT count(*) FROM t FOR SHARE", "FOR SHARE"),
    ("SELECT id FROM t ORDER BY id LIMIT 2 BY g", "LIMIT n BY"),
    ("SELECT TOP 2 PERCENT id FROM t", "TOP n PERCENT"),
    ("SELECT TOP 2 WITH TIES id FROM t ORDER BY id", "TOP n WITH TIES"),
    ("SELECT TOP 2 id FROM t UNION ALL SELECT id FROM t", "TOP within a UNION"),
    ("SELECT TOP 2 id FROM t LIMIT 1", "a query has one of LIMIT, TOP"),
    ("SELECT id FROM t FETCH FIRST 10 PERCENT ROWS ONLY", "FETCH FIRST n PERCENT"),
    ("SELECT id FROM t ORDER BY id FETCH FIRST 2 ROWS WITH TIES", "FETCH FIRST n ROWS WITH TIES"),
    ("SELECT id FROM t ORDER BY id WITH FILL", "WITH FILL"),
    ("SELECT id FROM t ORDER BY id WITH FILL FROM 1 TO 9 INTERPOLATE (id)", "INTERPOLATE"),
    ("SELECT sum(id) OVER (ORDER BY id WITH FILL) FROM t", "WITH FILL"),
    ("SELECT count(*) FROM t FINAL", "FINAL after a table"),
    ("SELECT count(*) FROM t ANY JOIN t AS b ON t.id = b.id", "ANY after a table"),
    ("SELECT count(*) FROM t WITH (NOLOCK)", "A WITH (...) hint"),
    ("SELECT count(*) FROM t FOR SYSTEM_TIME AS OF '2020-01-01'", "FOR SYSTEM_TIME AS OF"),
    ("SELECT id FROM t SETTINGS max_threads = 1", "SETTINGS"),
    ("SELECT id FROM t FORMAT JSON", "FORMAT JSON"),
    ("SELECT id FROM t FOR JSON AUTO", "FOR JSON AUTO"),
    ("SELECT id INTO u FROM t", "SELECT ... INTO"),
    ("SELECT id FROM t CLUSTER BY id", "CLUSTER BY"),
    ("SELECT id FROM t DISTRIBUTE BY id", "DISTRIBUTE BY"),
    ("SELECT id FROM t SORT BY id", "SORT BY"),
    ("SELECT id FROM t LATERAL VIEW explode(x) y AS z", "LATERAL VIEW"),
    ("SELECT id FROM t START WITH id = 1 CONNECT BY id = PRIOR id", "CONNECT BY"),
    ("SELECT AS STRUCT id FROM t", "SELECT AS STRUCT"),
    ("SELECT AS VALUE id FROM t", "SELECT AS VALUE"),
    ("WITH a AS MATERIALIZED (SELECT 1 AS n) SELECT n FROM a", "AS MATERIALIZED"),
    ("SELECT * FROM t AS u (a INT, b INT, c INT)", "A type in the column list"),
    ("SELECT * FROM t a JOIN t b", "JOIN without ON"),
    ("SELECT * FROM t a LEFT JOIN t b", "JOIN without ON"),
    ("SELECT * FROM t a GLOBAL JOIN t b ON a.id = b.id", "GLOBAL JOIN"),
    ("SELECT * FROM t a SEMI JOIN t b ON a.id = b.id", "SEMI JOIN"),
    ("SELECT * FROM t a CROSS APPLY (SELECT 1) b", "CROSS APPLY"),
    ("SELECT * FROM t a ASOF JOIN t b MATCH_CONDITION (a.id >= b.id)", "ASOF JOIN"),
    ("SELECT * FROM t PIVOT (sum(x) FOR g IN (0, 1))", "PIVOT"),
    ("SELECT * FROM t UNPIVOT (v FOR n IN (g, x))", "UNPIVOT"),
    ("SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) AS j", "JSON_TABLE"),
    ("SELECT * FROM TABLE(generate_series(1, 2))", "TABLE(generate_series(1, 2))"),
    ("SELECT * FROM unnest([1]) WITH ORDINALITY", "UNNEST ... WITH ORDINALITY"),
    ("SELECT * FROM unnest([1]) WITH OFFSET AS n", "UNNEST ... WITH OFFSET"),
    ("SELECT * FROM generate_series(1, 2) WITH ORDINALITY", "WITH ORDINALITY"),
    ("TABLE t", "TABLE t"),
    ("SELECT abs(id) OVER () FROM t", "OVER after abs"),
    ("SELECT abs(id) FILTER (WHERE id > 1) FROM t", "FILTER after abs"),
    ("SELECT abs(DISTINCT id) FROM t", "DISTINCT in abs"),
    ("SELECT abs(id ORDER BY id) FROM t", "ORDER BY in abs"),
    ("SELECT abs(id) IGNORE NULLS FROM t", "IGNORE NULLS or RESPECT NULLS in abs"),
    ("SELECT sum(x) IGNORE NULLS OVER () FROM t", "IGNORE NULLS or RESPECT NULLS in sum"),
    ("SELECT row_number() FROM t", "row_number is a window function"),
    ("SELECT row_number() IGNORE NULLS OVER () FROM t", "IGNORE NULLS or RESPECT NULLS in row_number"),
    ("SELECT row_number() FILTER (WHERE id > 1) OVER () FROM t", "FILTER after row_number"),
    ("SELECT corr(DISTINCT id, g) FROM t", "DISTINCT in corr"),
    ("SELECT regr_count(DISTINCT id, g) FROM t", "DISTINCT in regr_count"),
    ("SELECT approx_percentile_cont(DISTINCT id, 0.5) FROM t", "DISTINCT in approx_percentile_cont"),
    ("SELECT histogram_entropy(DISTINCT id, 2, 0, 4) FROM t", "DISTINCT in histogram_entropy"),
    ("SELECT lag(DISTINCT id) OVER (ORDER BY id) FROM t", "DISTINCT in lag"),
    (
        "SELECT sum(id) OVER (w ORDER BY id) FROM t WINDOW w AS (PARTITION BY g)",
        "OVER with the name of a window and more",
    ),
    (
        "SELECT sum(id) OVER v FROM t WINDOW w AS (PARTITION BY g), v AS (w ORDER BY id)",
        "The window v, which builds on another",
    ),
    ("SELECT id FROM t QUALIFY sum(id) OVER nowhere > 1", "the window nowhere is not defined"),
    ("SELECT quantile(0.5)(x) FROM t", "A list of parameters before the arguments of quantile"),
    ("FROM t |> AGGREGATE count(*) AS n GROUP BY g DESC", "ASC or DESC within |> AGGREGATE"),
    ("FROM t |> DROP g", "|> DROP"),
    ("CREATE TABLE u (id INT PRIMARY KEY)", "PRIMARY KEY of the column id"),
    ("CREATE TABLE u (id INT, UNIQUE (id))", "UNIQUE (id)"),
    ("CREATE TABLE u (id INT CHECK (id > 0))", "CHECK (id > 0) of the column id"),
    ("CREATE TABLE u (id INT COMMENT 'x')", "COMMENT 'x' of the column id"),
    ("CREATE TABLE u (id INT GENERATED ALWAYS AS (1))", "GENERATED ALWAYS AS"),
    ("CREATE EXTERNAL TABLE e (id INT PRIMARY KEY) STORED AS CSV LOCATION 'e.csv'", "PRIMARY KEY of the column id"),
    ("CREATE EXTERNAL TABLE e (id INT) STORED AS CSV WITH ORDER (id) LOCATION 'e.csv'", "WITH ORDER"),
    ("CREATE UNBOUNDED EXTERNAL TABLE e (id INT) STORED AS CSV LOCATION 'e.csv'", "UNBOUNDED"),
    ("CREATE TEMPORARY VIEW v AS SELECT 1", "CREATE TEMPORARY VIEW"),
    ("DROP TABLE t CASCADE", "DROP TABLE ... CASCADE"),
    ("DROP TABLE t PURGE", "DROP TABLE ... PURGE"),
    ("BEGIN", "BEGIN"),
    ("START TRANSACTION", "START TRANSACTION"),
    ("COMMIT", "COMMIT"),
    ("ROLLBACK", "ROLLBACK"),
    ("SAVEPOINT a", "SAVEPOINT a"),
    ("CREATE INDEX i ON t (id)", "CREATE INDEX"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_carried_out_gives_its_rows() {
    let ctx = engine().await;
    let mut wrong = String::new();
    for (sql, rows) in CARRIED_OUT {
        let found = answer(&ctx, sql).await;
        if found.as_deref() != Ok(*rows) {
            wrong += &format!("{sql}\n   wanted {rows}\n   found  {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_named() {
    let ctx = engine().await;
    let mut wrong = String::new();
    for (sql, clause) in REFUSED {
        let found = answer(&ctx, sql).await;
        // Where the parser does not know a clause at all, its error shows the place.
        let named =
            |text: &String| text.to_lowercase().starts_with(&clause.to_lowercase()) || text.starts_with("expected ");
        if !found.as_ref().is_err_and(named) {
            wrong += &format!("{sql}\n   wanted {clause}\n   found  {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(answer(&ctx, "SELECT count(*) FROM t").await.unwrap(), "4");
}
