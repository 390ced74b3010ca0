//! Tables and edges as rows.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Float64Builder, Int64Builder, ListBuilder, RecordBatch, StringArray, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;

use crate::lake::{Lake, logical_type};
use crate::pipeline::Outcome;
use crate::retention::{Advice, RetentionPlan};
use crate::verify::{Evidence, Found};

fn column_fields() -> Fields {
    vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("type", DataType::Utf8, false),
        Field::new("nulls", DataType::Int64, true),
    ]
    .into()
}

static TABLES: LazyLock<SchemaRef> = LazyLock::new(|| {
    let item = Field::new_list_field(DataType::Struct(column_fields()), true);
    Arc::new(Schema::new(vec![
        Field::new("table", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("files", DataType::UInt64, false),
        Field::new("rows", DataType::Int64, true),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("columns", DataType::List(Arc::new(item)), true),
        Field::new("modified", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("problem", DataType::Utf8, true),
    ]))
});

static EDGES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("child", DataType::Utf8, false),
        Field::new("parent", DataType::Utf8, false),
        Field::new("state", DataType::Utf8, false),
        Field::new("similarity", DataType::Float64, true),
        Field::new("similarity_low", DataType::Float64, true),
        Field::new("similarity_high", DataType::Float64, true),
        Field::new("child_rows", DataType::Int64, false),
        Field::new("matched_rows", DataType::Int64, true),
        Field::new("parent_rows", DataType::Int64, false),
        Field::new("child_bytes", DataType::Int64, false),
        Field::new("parent_bytes", DataType::Int64, false),
        Field::new("shared_columns", DataType::Int64, false),
        Field::new("parent_columns", DataType::Int64, false),
        Field::new("evidence", DataType::Utf8, false),
        Field::new("mapping", DataType::Utf8, true),
    ]))
});

static PLAN: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("table", DataType::Utf8, false),
        Field::new("decision", DataType::Utf8, false),
        Field::new("rebuild_from", DataType::Utf8, true),
        Field::new("bytes", DataType::Int64, false),
        Field::new("cost_of_keeping", DataType::Float64, false),
        Field::new("cost", DataType::Float64, false),
        Field::new("rebuild_seconds", DataType::Float64, true),
        Field::new("evidence", DataType::Utf8, true),
        Field::new("why", DataType::Utf8, false),
    ]))
});

/// Columns of `retention_plan`.
pub fn plan_schema() -> SchemaRef {
    Arc::clone(&PLAN)
}

/// One row per table that has rows.
///
/// # Errors
/// None that a lake could cause.
pub fn plan(outcome: &Outcome, plan: &RetentionPlan) -> Result<RecordBatch> {
    let name = |table: u32| outcome.lake.tables[table as usize].name.as_str();
    let advice = &plan.advice;
    let texts =
        |of: &dyn Fn(&Advice) -> Option<String>| Arc::new(StringArray::from_iter(advice.iter().map(of))) as ArrayRef;
    let numbers = |of: &dyn Fn(&Advice) -> Option<f64>| {
        let mut numbers = Float64Builder::new();
        advice.iter().for_each(|advice| numbers.append_option(of(advice)));
        Arc::new(numbers.finish()) as ArrayRef
    };
    let mut bytes = Int64Builder::new();
    advice.iter().for_each(|advice| bytes.append_value(outcome.lake.tables[advice.table as usize].bytes as i64));
    let arrays: Vec<ArrayRef> = vec![
        texts(&|advice| Some(name(advice.table).to_owned())),
        texts(&|advice| Some(if advice.from.is_some() { "rebuild" } else { "keep" }.to_owned())),
        texts(&|advice| advice.from.map(|from| name(from).to_owned())),
        Arc::new(bytes.finish()),
        numbers(&|advice| Some(advice.keeping)),
        numbers(&|advice| Some(advice.planned)),
        numbers(&|advice| advice.seconds),
        texts(&|advice| advice.state.map(|state| state.name().to_owned())),
        texts(&|advice| Some(advice.why.clone())),
    ];
    Ok(RecordBatch::try_new(plan_schema(), arrays)?)
}

/// Columns of `lake_tables`.
pub fn tables_schema() -> SchemaRef {
    Arc::clone(&TABLES)
}

/// Columns of `table_containment('url')`.
pub fn edges_schema() -> SchemaRef {
    Arc::clone(&EDGES)
}

/// One row per table; skipped ones come last.
///
/// # Errors
/// None that a lake could cause.
pub fn tables(lake: &Lake) -> Result<RecordBatch> {
    let (tables, problems) = (&lake.tables, &lake.problems);
    let names = tables.iter().map(|table| table.name.as_str()).chain(problems.iter().map(|p| p.table.as_str()));
    let kinds = tables.iter().map(|table| table.kind).chain(problems.iter().map(|p| p.kind)).map(|kind| kind.name());
    let files = tables.iter().map(|table| table.files.len()).chain(problems.iter().map(|p| p.files));
    let bytes = tables.iter().map(|table| table.bytes).chain(problems.iter().map(|p| p.bytes));
    let builders: Vec<Box<dyn arrow::array::ArrayBuilder>> =
        vec![Box::new(StringBuilder::new()), Box::new(StringBuilder::new()), Box::new(Int64Builder::new())];
    let mut columns = ListBuilder::new(StructBuilder::new(column_fields(), builders));
    let (mut rows, mut modified) = (Int64Builder::new(), TimestampMicrosecondBuilder::new().with_timezone("UTC"));
    for table in tables {
        rows.append_value(table.rows as i64);
        modified.append_option(table.files.iter().map(|file| file.meta.last_modified.timestamp_micros()).max());
        for column in table.columns.iter() {
            let fields = columns.values();
            if let Some(names) = fields.field_builder::<StringBuilder>(0) {
                names.append_value(&column.shown);
            }
            if let Some(types) = fields.field_builder::<StringBuilder>(1) {
                types.append_value(logical_type(&column.data_type));
            }
            if let Some(nulls) = fields.field_builder::<Int64Builder>(2) {
                nulls.append_option(column.stats.nulls.map(|nulls| nulls as i64));
            }
            fields.append(true);
        }
        columns.append(true);
    }
    for _ in problems {
        rows.append_null();
        modified.append_null();
        columns.append(false);
    }
    let reasons = problems.iter().map(|problem| Some(problem.reason.as_str()));
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(names)),
        Arc::new(StringArray::from_iter_values(kinds)),
        Arc::new(UInt64Array::from_iter_values(files.map(|files| files as u64))),
        Arc::new(rows.finish()),
        Arc::new(UInt64Array::from_iter_values(bytes)),
        Arc::new(columns.finish()),
        Arc::new(modified.finish()),
        Arc::new(StringArray::from_iter(tables.iter().map(|_| None).chain(reasons))),
    ];
    Ok(RecordBatch::try_new(tables_schema(), arrays)?)
}

/// The edges, `rows` of them at a time.
pub fn edges(outcome: Outcome, rows: usize) -> impl Iterator<Item = Result<RecordBatch>> + Send {
    let rows = rows.max(1);
    let starts = (0..outcome.found.len()).step_by(rows);
    starts.map(move |start| {
        let end = outcome.found.len().min(start + rows);
        batch(&outcome.lake, &outcome.found[start..end])
    })
}

/// Columns of other names: `theirs` in the parent for `ours` in the child.
fn mapping(lake: &Lake, edge: &Found) -> Option<String> {
    let (child, parent) = (&lake.tables[edge.child as usize], &lake.tables[edge.parent as usize]);
    let pairs =
        child.columns.iter().zip(edge.mapping.as_ref()?).map(|(ours, &place)| (ours, &parent.columns[place as usize]));
    let renamed = pairs.filter(|(ours, theirs)| ours.name != theirs.name);
    Some(renamed.map(|(ours, theirs)| format!("{} = {}", ours.shown, theirs.shown)).collect::<Vec<_>>().join(", "))
}

fn batch(lake: &Lake, found: &[Found]) -> Result<RecordBatch> {
    let name = |table: u32| lake.tables[table as usize].name.as_str();
    let text =
        |of: &dyn Fn(&Found) -> String| Arc::new(StringArray::from_iter_values(found.iter().map(of))) as ArrayRef;
    let number = |of: &dyn Fn(&Found) -> Option<f64>| {
        let mut numbers = Float64Builder::new();
        found.iter().for_each(|edge| numbers.append_option(of(edge)));
        Arc::new(numbers.finish()) as ArrayRef
    };
    let count = |of: &dyn Fn(&Found) -> Option<u64>| {
        let mut counts = Int64Builder::new();
        found.iter().for_each(|edge| counts.append_option(of(edge).map(|count| count as i64)));
        Arc::new(counts.finish()) as ArrayRef
    };
    let child = |edge: &Found| &lake.tables[edge.child as usize];
    let parent = |edge: &Found| &lake.tables[edge.parent as usize];
    let arrays = vec![
        text(&|edge| name(edge.child).to_owned()),
        text(&|edge| name(edge.parent).to_owned()),
        text(&|edge| edge.state.name().to_owned()),
        number(&|edge| edge.similarity),
        number(&|edge| edge.interval.map_or(edge.similarity, |(low, _)| Some(low))),
        number(&|edge| edge.interval.map_or(edge.similarity, |(_, high)| Some(high))),
        count(&|edge| Some(edge.rows.map_or_else(|| child(edge).rows, |(rows, _)| rows))),
        count(&|edge| edge.rows.map(|(_, matched)| matched)),
        count(&|edge| Some(parent(edge).rows)),
        count(&|edge| Some(child(edge).bytes)),
        count(&|edge| Some(parent(edge).bytes)),
        count(&|edge| Some(child(edge).columns.len() as u64)),
        count(&|edge| Some(parent(edge).columns.len() as u64)),
        text(&|edge| match edge.evidence {
            Evidence::Metadata => "names and footers".to_owned(),
            Evidence::Anchors(values) => format!("samples: {values} anchor values"),
            Evidence::Drawn(rows) => format!("{rows} rows drawn"),
            Evidence::Rows => "all rows".to_owned(),
            Evidence::Through(table) => format!("through {}", name(table)),
        }),
        Arc::new(StringArray::from_iter(found.iter().map(|edge| mapping(lake, edge)))),
    ];
    Ok(RecordBatch::try_new(edges_schema(), arrays)?)
}
