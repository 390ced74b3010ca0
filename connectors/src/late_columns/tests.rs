use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use proptest::prelude::*;
use tempfile::tempdir;

use super::LateColumns;
use crate::row_filters::RowFilters;
use crate::sources::enable_paths;

fn session(threads: usize, ours: bool, filters: bool) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(threads).with_batch_size(40);
    config.options_mut().optimizer.repartition_file_min_size = 1000;
    let mut rules = PhysicalOptimizer::new().rules;
    if ours {
        LateColumns::default().join(&mut rules);
    }
    if filters {
        rules.push(Arc::new(RowFilters));
    }
    let state = SessionStateBuilder::new().with_config(config).with_default_features();
    let mut state = state.with_physical_optimizer_rules(rules).build();
    crate::register_formats(&mut state).unwrap();
    enable_paths(SessionContext::new_with_state(state))
}

/// Rows with many equal and missing values; `first` is the number of the first row.
fn rows(first: i64, count: i64) -> RecordBatch {
    let ids = first..first + count;
    let n: Int64Array = ids.clone().map(|i| (i % 7 != 3).then_some(i * 37 % 11)).collect();
    let f: Float64Array = ids.clone().map(|i| (i % 5 != 1).then_some((i * 13 % 9) as f64 / 2.0)).collect();
    let text: StringArray = ids
        .clone()
        .map(|i| (i % 6 != 5).then(|| format!("text {i} {}", "lorem ipsum ".repeat((i % 23) as usize))))
        .collect();
    let d: DictionaryArray<Int32Type> =
        ids.clone().map(|i| ["red", "green", "blue"].get((i % 4) as usize).copied()).collect();
    let mut tags = ListBuilder::new(StringBuilder::new());
    for i in ids.clone() {
        (0..i % 4).for_each(|tag| tags.values().append_value(format!("tag {tag} of {i}")));
        tags.append(i % 9 != 0);
    }
    let a: ArrayRef = Arc::new(ids.clone().map(|i| Some(i % 13)).collect::<Int64Array>());
    let b: ArrayRef = Arc::new(ids.clone().map(|i| (i % 3 > 0).then(|| format!("b{i}"))).collect::<StringArray>());
    let s = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int64, true)), a),
        (Arc::new(Field::new("b", DataType::Utf8, true)), b),
    ]);
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(ids.collect::<Int64Array>())),
        ("n", Arc::new(n)),
        ("f", Arc::new(f)),
        ("text", Arc::new(text)),
        ("d", Arc::new(d)),
        ("tags", Arc::new(tags.finish())),
        ("s", Arc::new(s)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn write(path: &Path, rows: &RecordBatch, group: usize, index: bool) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(17)
        .set_write_batch_size(16)
        .set_offset_index_disabled(!index);
    if !index {
        properties = properties.set_statistics_enabled(EnabledStatistics::Chunk);
    }
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties.build())).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

async fn answer(ctx: &SessionContext, sql: &str) -> String {
    let frame = ctx.sql(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let batches = frame.collect().await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn plan(ctx: &SessionContext, sql: &str) -> String {
    let plan = ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(true).to_string()
}

#[tokio::test]
async fn wide_columns_are_read_of_the_first_rows_only() {
    let dir = tempdir().unwrap();
    for file in 0..3 {
        write(&dir.path().join(format!("{file}.parquet")), &rows(file * 300, 300), 120, file > 0);
    }
    let t = format!("'{}/*.parquet'", dir.path().display());
    let (plain, ours) = (session(1, false, false), session(1, true, true));
    for (sql, late) in [
        ("SELECT id, text FROM {t} ORDER BY n DESC, id LIMIT 5", true),
        ("SELECT * FROM {t} ORDER BY id LIMIT 5", true),
        ("SELECT upper(text), id + n FROM {t} ORDER BY n, id LIMIT 5 OFFSET 3", true),
        ("SELECT text FROM {t} WHERE d = 'red' AND f > 1 ORDER BY n NULLS FIRST, f, id LIMIT 7", true),
        ("SELECT id FROM (SELECT id, text FROM {t} ORDER BY n, id LIMIT 9) WHERE text LIKE '%1%' ORDER BY id", true),
        ("SELECT text FROM (SELECT text, n + id * 100 AS k FROM {t}) WHERE k > 40 ORDER BY k LIMIT 3", true),
        ("SELECT s['b'], tags, s FROM {t} ORDER BY s['a'] DESC, id LIMIT 20", true),
        ("SELECT text FROM {t} WHERE n > 100 ORDER BY n LIMIT 5", true),
        ("SELECT text, n FROM {t} ORDER BY length(text), id LIMIT 5", false),
        ("SELECT id, n FROM {t} ORDER BY n, id LIMIT 5", false),
        ("SELECT text FROM {t} ORDER BY n, id", false),
        ("SELECT text FROM {t} ORDER BY n, id LIMIT 500", false),
        ("SELECT count(*) FROM (SELECT text FROM {t} LIMIT 5)", false),
        ("SELECT a.text FROM {t} a JOIN {t} b ON a.id = b.id + 1 ORDER BY b.n, a.id LIMIT 5", false),
    ] {
        let sql = sql.replace("{t}", &t);
        let text = plan(&ours, &sql).await;
        assert_eq!(text.contains("LateColumnsExec"), late, "{sql}\n{text}");
        assert_eq!(answer(&ours, &sql).await, answer(&plain, &sql).await, "{sql}\n{text}");
    }
}

#[tokio::test]
async fn what_a_sort_learns_still_skips_row_groups() {
    let dir = tempdir().unwrap();
    write(&dir.path().join("t.parquet"), &rows(0, 1000), 100, false);
    let sql = format!("SELECT text FROM '{}/t.parquet' ORDER BY id DESC LIMIT 5", dir.path().display());
    let text = plan(&session(1, true, true), &sql).await;
    for part in [
        "LateColumnsExec: read=[text]",
        "DynamicFilter",
        "reverse_row_groups=true",
        "projection=[id, input_file_name()",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test]
async fn an_error_of_a_row_that_is_not_returned_is_not_made() {
    let dir = tempdir().unwrap();
    write(&dir.path().join("t.parquet"), &rows(0, 300), 100, false);
    let sql = format!(
        "SELECT CAST(substr(text, 6, 1) AS INT) AS x FROM '{}/t.parquet' ORDER BY id LIMIT 2",
        dir.path().display()
    );
    assert!(answer(&session(1, true, true), &sql).await.contains("| 1"));
}

#[tokio::test]
async fn rows_are_not_put_together_from_two_files() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write(&path, &rows(0, 300), 100, false);
    let ctx = session(1, true, true);
    let sql = format!("SELECT text FROM '{}' ORDER BY id LIMIT 2", path.display());
    let plan = ctx.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let error = collect(plan, ctx.task_ctx()).await.unwrap_err().to_string();
    assert!(error.contains("t.parquet changed while it was read; run the query again"), "{error}");
}

#[derive(Debug, Clone)]
struct Query {
    select: Vec<usize>,
    condition: usize,
    keys: Vec<(usize, usize)>,
    limit: usize,
    offset: usize,
}

const SELECT: &[&str] = &[
    "text",
    "id",
    "n",
    "upper(text)",
    "tags",
    "s",
    "s['b']",
    "d",
    "p",
    "n + id",
    "length(text)",
    "n + length(text)",
    "*",
    "concat(p, text, d)",
    "1 AS one",
];
const CONDITIONS: &[&str] = &[
    "",
    "n IS NOT NULL",
    "n > 3",
    "text LIKE '%1%'",
    "length(text) > 50",
    "id % 3 = 0",
    "p = '1'",
    "d = 'blue' OR n = 2",
    "cardinality(tags) > 1",
    "s['a'] = 4",
    "n > 1000",
];
const KEYS: &[&str] = &["n", "f", "d", "p", "length(text)", "id % 5", "s['a']", "n + f", "text", "1 - n"];
const ORDERS: &[&str] = &["", " DESC", " NULLS FIRST", " DESC NULLS LAST"];

impl Query {
    fn sql(&self, table: &str) -> String {
        let mut sql = String::from("SELECT ");
        let select: Vec<String> = self
            .select
            .iter()
            .enumerate()
            .map(|(at, &item)| match SELECT[item] {
                "*" if at == 0 => "*".to_owned(),
                "*" => format!("text AS t{at}"),
                item if item.contains(" AS ") => item.replace("one", &format!("one{at}")),
                item => format!("{item} AS c{at}"),
            })
            .collect();
        write!(sql, "{} FROM {table}", select.join(", ")).unwrap();
        if !CONDITIONS[self.condition].is_empty() {
            write!(sql, " WHERE {}", CONDITIONS[self.condition]).unwrap();
        }
        let mut keys: Vec<String> =
            self.keys.iter().map(|&(key, order)| format!("{}{}", KEYS[key], ORDERS[order])).collect();
        keys.push("id".to_owned());
        write!(sql, " ORDER BY {} LIMIT {} OFFSET {}", keys.join(", "), self.limit, self.offset).unwrap();
        sql
    }
}

fn query() -> impl Strategy<Value = Query> {
    (
        prop::collection::vec(0..SELECT.len(), 1..4),
        0..CONDITIONS.len(),
        prop::collection::vec((0..KEYS.len(), 0..ORDERS.len()), 1..3),
        1usize..60,
        0usize..5,
    )
        .prop_map(|(select, condition, keys, limit, offset)| Query { select, condition, keys, limit, offset })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn answers_are_those_of_one_pass(
        files in prop::collection::vec((1i64..400, 20usize..200, any::<bool>()), 1..4),
        queries in prop::collection::vec(query(), 8),
        threads in 1usize..4,
        filters in any::<bool>(),
    ) {
        let dir = tempdir().unwrap();
        let mut first = 0;
        for (at, &(count, group, index)) in files.iter().enumerate() {
            write(&dir.path().join(format!("p={at}/f.parquet")), &rows(first, count), group, index);
            first += count;
        }
        let table = format!("'{}/**/*.parquet'", dir.path().display());
        let (plain, ours) = (session(threads, false, false), session(threads, true, filters));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for query in queries {
            let sql = query.sql(&table);
            let (expected, found) = runtime.block_on(async { (answer(&plain, &sql).await, answer(&ours, &sql).await) });
            prop_assert_eq!(found, expected, "{}", sql);
        }
    }
}
