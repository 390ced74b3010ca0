//! How fast the vector functions are beside the memory that their vectors come from: `cargo bench -p limpid-udfs`.
//!
//! Vectors are in memory and far larger than the caches. `read` adds up all bytes of two columns and `copy` copies one, on the same
//! threads, in rounds that take turns with those of the functions; a rate is that of the best round.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Schema};
use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use datafusion::physical_expr::expressions::col;
use limpid_udfs::register::{aggregate_functions, scalar_functions};

const ROWS: usize = 262_144;
const DIMENSIONS: usize = 384;
const BATCH: usize = 8192;
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let columns = [column(1), column(2)];
    let threads: usize = std::thread::available_parallelism()?.get();
    println!("{ROWS} rows of {DIMENSIONS} floats of 32 bits, batches of {BATCH}; GB/s of the best of {ROUNDS} rounds");
    for threads in [1, threads] {
        let mut best = vec![0.0_f64; FUNCTIONS.len() + 2];
        for _ in 0..ROUNDS {
            let rate = |bytes: usize, work: &(dyn Fn(usize) + Sync)| bytes as f64 / seconds(threads, work) / 1e9;
            let size = ROWS * DIMENSIONS * 4;
            let mut rates = vec![
                rate(2 * size, &|batch| {
                    black_box(columns.iter().map(|column| sum(&slice(column, batch))).fold(0, u64::wrapping_add));
                }),
                rate(2 * size, &|batch| {
                    black_box(values(&slice(&columns[0], batch)).to_vec());
                }),
            ];
            for (name, arguments) in FUNCTIONS {
                let own = scalar_functions().into_iter().find(|function| function.name() == *name);
                // An average gives next to nothing, a normalised column as much as it takes.
                let bytes = if *name == "vec_avg" { size } else { 2 * size };
                rates.push(rate(bytes, &|batch| {
                    let batch: Vec<ArrayRef> = columns[..*arguments].iter().map(|c| slice(c, batch)).collect();
                    black_box(match &own {
                        Some(function) => call(function, batch).map(|_| ()),
                        None => average(&batch[0]),
                    })
                    .unwrap_or_else(|error| println!("{error}"));
                }));
            }
            best.iter_mut().zip(rates).for_each(|(best, rate)| *best = best.max(rate));
        }
        println!("\n{threads} threads\n{:<20} {:>6.1}\n{:<20} {:>6.1}", "read", best[0], "copy", best[1]);
        for ((name, arguments), rate) in FUNCTIONS.iter().zip(&best[2..]) {
            let (what, limit) = if *name == "l2_normalize" { ("copy", best[1]) } else { ("read", best[0]) };
            println!("{name:<20} {rate:>6.1}  {:>4.0} % of {what} ({arguments} columns)", rate / limit * 100.0);
        }
    }
    Ok(())
}

/// Functions and the number of columns they take.
const FUNCTIONS: &[(&str, usize)] =
    &[("cosine_similarity", 2), ("l2_distance", 2), ("l2_normalize", 1), ("vec_avg", 1)];

fn column(seed: u32) -> ArrayRef {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..ROWS * DIMENSIONS).map(|_| next()).collect();
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    Arc::new(FixedSizeListArray::new(item, DIMENSIONS as i32, Arc::new(Float32Array::from(values)), None))
}

fn slice(column: &ArrayRef, batch: usize) -> ArrayRef {
    column.slice(batch * BATCH, BATCH)
}

fn values(column: &ArrayRef) -> &[f32] {
    column.as_fixed_size_list().values().as_primitive::<Float32Type>().values()
}

/// All bits, in more lanes than it takes to wait for memory alone.
fn sum(column: &ArrayRef) -> u64 {
    let mut lanes = [0_u32; 64];
    for chunk in values(column).as_chunks::<64>().0 {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane ^= value.to_bits());
    }
    lanes.into_iter().map(u64::from).sum()
}

/// Wall time of `work` on all batches.
fn seconds(threads: usize, work: &(dyn Fn(usize) + Sync)) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..ROWS / BATCH).step_by(threads).for_each(work));
        }
    });
    start.elapsed().as_secs_f64()
}

fn call(function: &ScalarUDF, columns: Vec<ArrayRef>) -> Result<ColumnarValue> {
    let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
    let field = |kind: &DataType| -> FieldRef { Arc::new(Field::new("x", kind.clone(), true)) };
    function.invoke_with_args(ScalarFunctionArgs {
        arg_fields: types.iter().map(field).collect(),
        args: columns.into_iter().map(ColumnarValue::Array).collect(),
        number_rows: BATCH,
        return_field: field(&function.return_type(&types)?),
        config_options: Arc::new(ConfigOptions::default()),
    })
}

fn average(column: &ArrayRef) -> Result<()> {
    let Some(function) = aggregate_functions().into_iter().find(|function| function.name() == "vec_avg") else {
        return Ok(());
    };
    let field = Arc::new(Field::new("x", column.data_type().clone(), true));
    let schema = Schema::new(vec![Arc::clone(&field)]);
    let mut accumulator = function.accumulator(AccumulatorArgs {
        return_field: Arc::new(Field::new("y", function.return_type(&[column.data_type().clone()])?, true)),
        schema: &schema,
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "y",
        is_distinct: false,
        exprs: &[col("x", &schema)?],
        expr_fields: &[field],
    })?;
    accumulator.update_batch(std::slice::from_ref(column))?;
    accumulator.state().map(drop)
}
