//! Tests of aggregates: merging serialized states equals direct accumulation, for single and grouped accumulators.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Field, FieldRef, Float64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

use super::forgetting_events::ForgettingEvents;
use super::histogram_entropy::HistogramEntropy;
use super::topsis_stats::TopsisStats;
use super::vec_spread::VecSpread;

/// A call of an aggregate: columns, then literals.
struct Call {
    udaf: AggregateUDF,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<FieldRef>,
    schema: Schema,
    return_field: FieldRef,
}

impl Call {
    fn new<F: AggregateUDFImpl + Default + 'static>(columns: &[ArrayRef], literals: &[ScalarValue]) -> Self {
        let udaf = AggregateUDF::new_from_impl(F::default());
        let mut exprs: Vec<Arc<dyn PhysicalExpr>> = vec![];
        let mut fields: Vec<FieldRef> = vec![];
        for (at, column) in columns.iter().enumerate() {
            exprs.push(Arc::new(Column::new(&format!("c{at}"), at)));
            fields.push(Field::new(format!("c{at}"), column.data_type().clone(), true).into());
        }
        for literal in literals {
            exprs.push(Arc::new(Literal::new(literal.clone())));
            fields.push(Field::new("literal", literal.data_type(), true).into());
        }
        let return_field = udaf.return_field(&fields).unwrap();
        Self { udaf, schema: Schema::new(fields.clone()), exprs, fields, return_field }
    }

    fn args(&self) -> AccumulatorArgs<'_> {
        AccumulatorArgs {
            return_field: Arc::clone(&self.return_field),
            schema: &self.schema,
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: "call",
            is_distinct: false,
            exprs: &self.exprs,
            expr_fields: &self.fields,
        }
    }

    fn accumulator(&self) -> Box<dyn Accumulator> {
        self.udaf.accumulator(self.args()).unwrap()
    }

    fn groups(&self) -> Box<dyn GroupsAccumulator> {
        self.udaf.create_groups_accumulator(self.args()).unwrap()
    }
}

fn evaluate(call: &Call, columns: &[ArrayRef]) -> ScalarValue {
    let mut whole = call.accumulator();
    whole.update_batch(columns).unwrap();
    whole.evaluate().unwrap()
}

/// Checks that accumulating rows `a..b` and `b..` in two states and merging them into a third equals accumulating all rows in
/// one.
fn travels(call: &Call, columns: &[ArrayRef], close: impl Fn(&ScalarValue, &ScalarValue) -> bool) {
    let expected = evaluate(call, columns);
    let rows = columns[0].len();
    for cut in 0..=rows {
        let mut merged = call.accumulator();
        for (start, end) in [(cut, rows), (0, cut)] {
            let mut part = call.accumulator();
            let part_columns: Vec<ArrayRef> = columns.iter().map(|c| c.slice(start, end - start)).collect();
            part.update_batch(&part_columns).unwrap();
            let states: Vec<ArrayRef> = part.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
            merged.merge_batch(&states).unwrap();
            assert!(part.size() > 0);
        }
        let found = merged.evaluate().unwrap();
        assert!(close(&found, &expected), "cut {cut}: {found} {expected}");
        // Evaluating twice returns the same.
        assert!(close(&merged.evaluate().unwrap(), &expected));
    }
}

fn vectors() -> ArrayRef {
    let rows = [Some([1.0, 5.0]), None, Some([2.0, 5.0]), Some([6.0, 5.5]), Some([-3.0, 5.0])];
    let rows = rows.map(|row| row.map(|row| row.map(Some)));
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows))
}

fn numbers(value: &ScalarValue) -> Vec<f64> {
    match value {
        ScalarValue::List(list) => list.value(0).as_primitive::<Float64Type>().values().to_vec(),
        ScalarValue::Struct(columns) => columns
            .columns()
            .iter()
            .flat_map(|c| c.as_list::<i32>().value(0).as_primitive::<Float64Type>().values().to_vec())
            .collect(),
        other => panic!("{other}"),
    }
}

fn near(a: &ScalarValue, b: &ScalarValue) -> bool {
    numbers(a).iter().zip(numbers(b)).all(|(a, b)| (a - b).abs() < 1e-12)
}

#[test]
fn vec_spread_merges() {
    let columns = [vectors()];
    let call = Call::new::<VecSpread>(&columns, &["var".into()]);
    travels(&call, &columns, near);
    let var = numbers(&evaluate(&call, &columns));
    assert!((var[0] - 10.25).abs() < 1e-12 && (var[1] - 0.046_875).abs() < 1e-12, "{var:?}");
    let std = numbers(&evaluate(&Call::new::<VecSpread>(&columns, &[]), &columns));
    assert!((std[0] * std[0] - var[0]).abs() < 1e-12);
    let nothing = [columns[0].slice(1, 1)];
    assert!(evaluate(&call, &nothing).is_null());
}

#[test]
fn topsis_stats_merge() {
    let columns = [vectors()];
    let call = Call::new::<TopsisStats>(&columns, &[]);
    travels(&call, &columns, near);
    assert_eq!(numbers(&evaluate(&call, &columns)), [50.0, 105.25, -3.0, 5.0, 6.0, 5.5]);
    assert!(evaluate(&call, &[columns[0].slice(1, 1)]).is_null());
}

#[test]
fn histogram_entropy_merges() {
    let columns: [ArrayRef; 1] =
        [Arc::new(Float64Array::from(vec![Some(0.1), None, Some(0.4), Some(0.6), Some(1.0), Some(7.0)]))];
    let call = Call::new::<HistogramEntropy>(&columns, &[4_i64.into(), 0_i64.into(), 1.0.into()]);
    travels(&call, &columns, |a, b| a == b);
    assert_eq!(evaluate(&call, &columns), ScalarValue::from(2.0));
}

/// Answers of several groups, not ordered by step.
struct Answers {
    groups: Vec<usize>,
    columns: [ArrayRef; 2],
}

fn answers(count: usize, rows: usize) -> Answers {
    let mut state = 9_u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let groups: Vec<usize> = (0..rows).map(|_| below(count as u64) as usize).collect();
    // A bijection of row numbers, so that no step occurs twice.
    let steps = (0..rows as i64).map(|row| if row % 11 == 3 { None } else { Some((row * 37) % 1009 - 500) });
    let correct = (0..rows).map(|row| if row % 13 == 5 { None } else { Some(below(3) > 0) }).collect::<BooleanArray>();
    Answers { groups, columns: [Arc::new(correct), Arc::new(steps.collect::<Int64Array>())] }
}

/// Reference implementation: sorts the answers of a group and counts falls from right to wrong.
fn twin(answers: &Answers, group: usize) -> Option<f64> {
    let (correct, steps) =
        (answers.columns[0].as_boolean(), answers.columns[1].as_primitive::<arrow::datatypes::Int64Type>());
    let mut own: Vec<(i64, bool)> = (0..steps.len())
        .filter(|&row| answers.groups[row] == group && correct.is_valid(row) && steps.is_valid(row))
        .map(|row| (steps.value(row), correct.value(row)))
        .collect();
    own.sort_unstable();
    if own.is_empty() {
        return None;
    }
    if own.iter().all(|(_, correct)| !correct) {
        return Some(f64::INFINITY);
    }
    Some(own.windows(2).filter(|pair| pair[0].1 && !pair[1].1).count() as f64)
}

#[test]
fn forgetting_events_merge_in_one_group() {
    let answers = answers(1, 60);
    let call = Call::new::<ForgettingEvents>(&answers.columns, &[]);
    travels(&call, &answers.columns, |a, b| a == b);
    assert_eq!(evaluate(&call, &answers.columns), ScalarValue::Float64(twin(&answers, 0)));
    let wrong: [ArrayRef; 2] =
        [Arc::new(BooleanArray::from(vec![false, false])), Arc::new(Int64Array::from(vec![2, 1]))];
    for (word, worth) in [("inf", f64::INFINITY), ("zero", 0.0), ("n_steps", 2.0)] {
        let call = Call::new::<ForgettingEvents>(&wrong, &[word.into()]);
        assert_eq!(evaluate(&call, &wrong), ScalarValue::from(worth));
    }
}

#[test]
fn forgetting_events_in_many_groups_equal_their_twin() {
    let groups = 40;
    let answers = answers(groups, 900);
    let call = Call::new::<ForgettingEvents>(&answers.columns, &[]);
    let expected: Vec<Option<f64>> = (0..groups).map(|group| twin(&answers, group)).collect();
    let read = |array: ArrayRef| -> Vec<Option<f64>> { array.as_primitive::<Float64Type>().iter().collect() };

    let mut whole = call.groups();
    whole.update_batch(&answers.columns, &answers.groups, None, groups).unwrap();
    let first = read(whole.evaluate(EmitTo::First(13)).unwrap());
    let rest = read(whole.evaluate(EmitTo::All).unwrap());
    assert_eq!([first, rest].concat(), expected);
    assert!(whole.size() > 0);

    // Half of the rows pass through states of a prefix and the rest; the other half is accumulated row by row.
    let half = 450;
    let part = |start: usize, end: usize| -> Vec<ArrayRef> {
        answers.columns.iter().map(|c| c.slice(start, end - start)).collect()
    };
    let mut early = call.groups();
    early.update_batch(&part(0, half), &answers.groups[..half], None, groups).unwrap();
    let states = [early.state(EmitTo::First(7)).unwrap(), early.state(EmitTo::All).unwrap()];
    let single = early.convert_to_state(&part(half, 900), None).unwrap();
    let mut merged = call.groups();
    merged.merge_batch(&states[1], &(7..groups).collect::<Vec<_>>(), groups).unwrap();
    merged.merge_batch(&single, &answers.groups[half..], groups).unwrap();
    merged.merge_batch(&states[0], &(0..7).collect::<Vec<_>>(), groups).unwrap();
    assert_eq!(read(merged.evaluate(EmitTo::All).unwrap()), expected);

    // A filter drops the rows it does not mark.
    let filter = BooleanArray::from_iter((0..900).map(|row| if row % 4 == 0 { None } else { Some(row % 2 == 0) }));
    let marked: Vec<u32> = (0..900).filter(|row| row % 4 != 0 && row % 2 == 0).collect();
    let indices = UInt32Array::from(marked.clone());
    let kept = Answers {
        groups: marked.iter().map(|row| answers.groups[*row as usize]).collect(),
        columns: [0, 1].map(|at: usize| take(&answers.columns[at], &indices, None).unwrap()),
    };
    let mut filtered = call.groups();
    filtered.update_batch(&answers.columns, &answers.groups, Some(&filter), groups).unwrap();
    let expected: Vec<Option<f64>> = (0..groups).map(|group| twin(&kept, group)).collect();
    assert_eq!(read(filtered.evaluate(EmitTo::All).unwrap()), expected);
}

#[test]
fn a_step_that_comes_twice_is_named() {
    let columns: [ArrayRef; 2] =
        [Arc::new(BooleanArray::from(vec![true, false])), Arc::new(Int64Array::from(vec![-4, -4]))];
    let call = Call::new::<ForgettingEvents>(&columns, &[]);
    let mut log = call.accumulator();
    log.update_batch(&columns).unwrap();
    assert!(log.evaluate().unwrap_err().to_string().contains("step -4 comes twice"));
    let columns: [ArrayRef; 2] = [Arc::new(BooleanArray::from(vec![true])), Arc::new(Int64Array::from(vec![i64::MAX]))];
    assert!(call.accumulator().update_batch(&columns).unwrap_err().to_string().contains("out of range"));
}

#[test]
fn literals_are_checked() {
    let columns = [vectors()];
    let error = |literals: &[ScalarValue]| {
        let call = Call::new::<VecSpread>(&columns, literals);
        call.udaf.accumulator(call.args()).unwrap_err().to_string()
    };
    assert!(error(&["sd".into()]).contains("measure must be 'std' or 'var', not 'sd'"));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let udaf = AggregateUDF::new_from_impl(VecSpread::default());
    let refused = udaf.coerce_types(&[texts.data_type().clone()]).unwrap_err();
    assert!(refused.to_string().contains("vector must be a list of numbers, not Utf8"));
}
