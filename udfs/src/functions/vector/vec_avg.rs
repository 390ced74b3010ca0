//! `vec_avg(vec)`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility};
use datafusion_macros::user_doc;

use super::embeddings;
use super::moments::Moments;

const NAME: &str = "vec_avg";

/// The mean of vectors.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "Mean of the vectors of a group, value by value, as 32-bit floats in a list of the same kind. NULL vectors do not \
count; a group without vectors gives NULL. Sums are exact to 2^-58 a row and do not depend on the order of the rows, so the result is \
the same over any partitions. NaN, infinite and NULL values, values beyond 2^32 and vectors of different lengths are errors. O(d) \
time a row and memory a group.",
    syntax_example = "vec_avg(vec)",
    sql_example = r#"```sql
> SELECT vec_avg(v) AS mean FROM (VALUES ([1.0, 2.0]), ([3.0, 6.0])) AS t(v);
+------------+
| mean       |
+------------+
| [2.0, 4.0] |
+------------+
```"#,
    argument(name = "vec", description = "A vector."),
    related_udf(name = "gaussian_moments")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct VecAvg {
    signature: Signature,
}

impl Default for VecAvg {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for VecAvg {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [vec] => Ok(embeddings::as_f32(vec)),
            _ => plan_err!("{NAME} takes one vector"),
        }
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [vec] => Ok(vec![embeddings::coerce(NAME, vec)?]),
            _ => plan_err!("{NAME} takes one vector, not {} arguments", given.len()),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{NAME} does not take DISTINCT");
        }
        let output = args.return_field.data_type().clone();
        Ok(Box::new(Average { moments: Moments::new(NAME, false), output }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(Moments::state_fields(args.name))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[derive(Debug)]
struct Average {
    moments: Moments,
    output: DataType,
}

impl Accumulator for Average {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.moments.add(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.moments.count() == 0 {
            return ScalarValue::try_from(&self.output);
        }
        let mean: Vec<f32> = self.moments.mean().into_iter().map(|x| x as f32).collect();
        let length = mean.len();
        let row = embeddings::build(&self.output, mean, &[length], None)?;
        ScalarValue::try_from_array(&row, 0)
    }

    fn size(&self) -> usize {
        self.moments.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.moments.state())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.moments.merge(states)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, Float32Array, ListArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Float32Type, Float64Type};

    use super::*;

    #[test]
    fn partial_states_in_any_order_give_the_same_bits() {
        let rows: Vec<Option<Vec<Option<f64>>>> = (0..60_i32)
            .map(|i| {
                (i % 7 != 3).then(|| vec![Some(f64::from(i * i) * 0.37), Some(1.0 / f64::from(i + 1)), Some(1e-7)])
            })
            .collect();
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows));
        let average = |parts: &[(usize, usize)]| -> ScalarValue {
            let output = embeddings::as_f32(list.data_type());
            let new = || Average { moments: Moments::new(NAME, false), output: output.clone() };
            let mut whole = new();
            for &(start, length) in parts {
                let mut part = new();
                part.update_batch(&[list.slice(start, length)]).unwrap();
                let state: Vec<ArrayRef> = part.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
                whole.merge_batch(&state).unwrap();
            }
            whole.evaluate().unwrap()
        };
        let whole = average(&[(0, 60)]);
        assert_eq!(whole, average(&[(40, 20), (0, 13), (3, 0), (13, 27)]));
        let ScalarValue::List(found) = whole else { panic!("a list") };
        let found = found.value(0).as_primitive::<Float32Type>().values().to_vec();
        assert!((found[2] - 1e-7).abs() < 1e-13);
        let empty = average(&[]);
        assert!(empty.is_null());
        let of_floats: ArrayRef = Arc::new(ListArray::new(
            embeddings::float_item(DataType::Float32),
            OffsetBuffer::from_lengths([1, 2]),
            Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0])),
            None,
        ));
        let mut mixed = Average { moments: Moments::new(NAME, false), output: of_floats.data_type().clone() };
        assert!(mixed.update_batch(&[of_floats]).unwrap_err().to_string().contains("vectors of 1 and 2 dimensions"));
    }
}
