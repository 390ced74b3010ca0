use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::Int64Type;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::EmitTo;
use proptest::prelude::*;

use super::accumulators::{Distinct, Running};
use super::groups::Groups;
use super::*;

type Kind = Short<Int64Type>;

/// Numbers near both ends of the range, near zero, and NULL.
fn numbers() -> impl Strategy<Value = Vec<Option<i64>>> {
    let number = prop_oneof![
        Just(None),
        Just(Some(i64::MAX)),
        Just(Some(i64::MIN)),
        (-3_i64..4).prop_map(Some),
        any::<i64>().prop_map(Some),
    ];
    prop::collection::vec(number, 0..40)
}

fn array(numbers: &[Option<i64>]) -> ArrayRef {
    Arc::new(numbers.iter().copied().collect::<Int64Array>())
}

/// The total, or `None` if it does not fit.
fn reference(numbers: &[Option<i64>]) -> Option<Option<i64>> {
    let found: Vec<i64> = numbers.iter().copied().flatten().collect();
    let total: i128 = found.iter().map(|number| i128::from(*number)).sum();
    if found.is_empty() { Some(None) } else { i64::try_from(total).ok().map(Some) }
}

fn value(result: Result<ScalarValue>) -> Option<Option<i64>> {
    match result {
        Ok(ScalarValue::Int64(value)) => Some(value),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(error.to_string().contains("integer overflow: the result of sum"), "{error}");
            None
        }
    }
}

proptest! {
    #[test]
    fn a_total_is_exact_however_it_is_cut(rows in numbers(), cut in 0_usize..40) {
        let (first, second) = rows.split_at(cut.min(rows.len()));
        let mut all = Running::<Kind>::new(DataType::Int64);
        for part in [first, second] {
            let mut partial = Running::<Kind>::new(DataType::Int64);
            partial.update_batch(&[array(part)]).unwrap();
            let state = partial.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect::<Vec<_>>();
            all.merge_batch(&state).unwrap();
        }
        prop_assert_eq!(value(all.evaluate()), reference(&rows));
    }

    #[test]
    fn a_window_forgets_what_leaves_it(rows in numbers(), cut in 0_usize..40) {
        let (gone, left) = rows.split_at(cut.min(rows.len()));
        let mut running = Running::<Kind>::new(DataType::Int64);
        let mut distinct = Distinct::<Kind>::new(DataType::Int64);
        for accumulator in [&mut running as &mut dyn Accumulator, &mut distinct] {
            accumulator.update_batch(&[array(&rows)]).unwrap();
            accumulator.retract_batch(&[array(gone)]).unwrap();
        }
        prop_assert_eq!(value(running.evaluate()), reference(left));
        let mut once = left.to_vec();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(value(distinct.evaluate()), reference(&once));
    }

    #[test]
    fn groups_are_exact_through_every_state(rows in numbers(), keep in prop::collection::vec(any::<Option<bool>>(), 40)) {
        // DataFusion numbers a group at its first row, so none of the three groups may be empty.
        prop_assume!(rows.len() >= 3);
        let groups: Vec<usize> = (0..rows.len()).map(|row| row % 3).collect();
        let filter: BooleanArray = keep[..rows.len()].iter().copied().collect();
        let kept = |group: usize| -> Vec<Option<i64>> {
            let rows = rows.iter().zip(&keep).enumerate().filter(|(row, (_, keep))| row % 3 == group && **keep == Some(true));
            rows.map(|(_, (number, _))| *number).collect()
        };
        let mut direct = Groups::<Kind>::new(DataType::Int64);
        direct.update_batch(&[array(&rows)], &groups, Some(&filter), 3).unwrap();
        let mut merged = Groups::<Kind>::new(DataType::Int64);
        merged.merge_batch(&direct.convert_to_state(&[array(&rows)], Some(&filter)).unwrap(), &groups, 3).unwrap();
        let mut again = Groups::<Kind>::new(DataType::Int64);
        // As in DataFusion, a group is new in the batch that contains its first row.
        again.merge_batch(&direct.state(EmitTo::First(1)).unwrap(), &[0], 1).unwrap();
        again.merge_batch(&direct.state(EmitTo::All).unwrap(), &[1, 2], 3).unwrap();
        let expected: Option<Vec<Option<i64>>> = (0..3).map(|group| reference(&kept(group))).collect();
        for mut found in [merged, again] {
            let found = found.evaluate(EmitTo::All).ok().map(|array| array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>());
            prop_assert_eq!(&found, &expected);
        }
    }
}

#[test]
fn nulls_have_no_type_of_their_own() {
    let mut sum = Running::<Kind>::new(DataType::Int64);
    sum.update_batch(&[arrow::array::new_null_array(&DataType::Int64, 3)]).unwrap();
    assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(None));
    assert_eq!(sum.state().unwrap()[0].to_array().unwrap().null_count(), 1);
}
