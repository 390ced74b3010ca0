//! Embed the engine: open a session, add a function of your own, and run SQL with what limpid adds.
//!
//! cargo run --release --example embed_engine

use std::error::Error;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use arrow::datatypes::DataType;
use arrow::util::pretty::pretty_format_batches;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use limpid::session::{EngineOptions, context, statement};

const QUERY: &str = "
    SELECT id, keep, duplicate_of, round(similarity, 2) AS similarity
    FROM minhash_dedup(
        (SELECT id, plain(text) AS text FROM docs),
        text => text, id => id, threshold => 0.5, ngram => 2)
    ORDER BY id";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A SessionContext of DataFusion: everything that DataFusion can do with one can be done with this one.
    let options = EngineOptions { memory_limit: Some(256 << 20), ..EngineOptions::default() };
    let ctx = context(&options)?;

    // A scalar function of one's own: texts without their first word.
    ctx.register_udf(create_udf(
        "plain",
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let texts = as_string_array(&arrays[0])?;
            let without = |text: &str| text.split_once(' ').map_or(String::new(), |(_, rest)| rest.to_owned());
            let rest: StringArray = texts.iter().map(|text| text.map(without)).collect();
            Ok(ColumnarValue::Array(Arc::new(rest)))
        }),
    ));

    // `statement::sql` and not `SessionContext::sql`: it knows relations as arguments.
    let docs = "CREATE TABLE docs AS SELECT * FROM (VALUES
        (1, '07:00 the cat sat on the mat'), (2, '07:01 The cat sat on the mat!'), (3, '07:02 a dog ran')) AS t(id, text)";
    statement::sql(&ctx, docs).await?.collect().await?;
    let rows = statement::sql(&ctx, QUERY).await?.collect().await?;
    println!("{}", pretty_format_batches(&rows)?);

    let keep: Vec<&BooleanArray> = rows.iter().map(|batch| batch.column(1).as_boolean()).collect();
    let removed: usize = keep.iter().map(|keep| keep.len() - keep.true_count()).sum();
    if removed == 1 { Ok(()) } else { Err(format!("{removed} rows removed where 1 is a near copy").into()) }
}
