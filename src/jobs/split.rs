//! Splits a step's result into kept rows, removed rows, and the reasons.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, filter_record_batch, is_not_null, not, prep_null_mask_filter};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{Result, exec_err};

/// Columns with which a step reports its decisions; they are dropped after the step.
pub const VERDICTS: [&str; 5] = ["keep", "reason", "duplicate_of", "similarity", "cluster_id"];

/// Positions of the columns in a step's result that have a meaning for the job.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The row key.
    pub id: usize,
    /// The text, where the job names one.
    pub text: Option<usize>,
    /// Whether a row is kept.
    pub keep: Option<usize>,
    /// Why a row is removed.
    pub reason: Option<usize>,
    /// Id of the kept row that a removed one repeats.
    pub duplicate_of: Option<usize>,
    /// How similar the two are.
    pub similarity: Option<usize>,
    /// Which group of similar rows it is in.
    pub cluster_id: Option<usize>,
    /// Whether rows without a key may be removed.
    pub without_key: bool,
    /// The columns that are passed on.
    rest: Vec<usize>,
    /// Columns of the rows that stay.
    pub kept: SchemaRef,
    /// Columns of the rows that go: id, text, reason, duplicate_of, similarity, cluster_id.
    pub removed: SchemaRef,
}

/// A batch taken apart.
pub struct Split {
    /// Rows that stay, without the verdicts.
    pub kept: RecordBatch,
    /// Rows that go.
    pub removed: RecordBatch,
}

impl Columns {
    /// Finds the columns in a step's `schema`; the error is a sentence about the step's result.
    pub fn find(schema: &Schema, id: &str, text: Option<&str>) -> Result<Self, String> {
        let fields = schema.fields();
        for (at, field) in fields.iter().enumerate() {
            if fields.iter().take(at).any(|earlier| earlier.name() == field.name()) {
                return Err(format!(
                    "the result has two columns called `{}`; give one of them another name",
                    field.name()
                ));
            }
        }
        let position = |name: &str| fields.iter().position(|field| field.name() == name);
        let required = |name: &str, what: &str| {
            position(name).ok_or_else(|| {
                format!("the result has no column `{name}`, the job's `{what}`; it has {}", names(schema))
            })
        };
        let typed = |name: &str, allowed: &dyn Fn(&DataType) -> bool, what: &str| match position(name) {
            Some(at) if !allowed(fields[at].data_type()) => {
                Err(format!("column `{name}` of the result must be {what}, not {}", fields[at].data_type()))
            }
            found => Ok(found),
        };
        let any = |_: &DataType| true;
        let id = required(id, "id")?;
        let text = text
            .map(|name| required(name, "text").and_then(|_| typed(name, &DataType::is_string, "text")))
            .transpose()?;
        let keep = typed("keep", &|kind| *kind == DataType::Boolean, "BOOLEAN")?;
        let reason = typed("reason", &DataType::is_string, "text")?;
        let similarity = typed("similarity", &|kind| kind.is_numeric(), "a number")?;
        let (duplicate_of, cluster_id) = (typed("duplicate_of", &any, "")?, typed("cluster_id", &any, "")?);
        let verdict = |at: &usize| [keep, reason, duplicate_of, similarity, cluster_id].contains(&Some(*at));
        let rest: Vec<_> = (0..fields.len()).filter(|at| !verdict(at)).collect();
        let text = text.flatten();
        if !rest.contains(&id) || text.is_some_and(|text| !rest.contains(&text)) {
            return Err(format!("`id` and `text` cannot be one of {}", VERDICTS.join(", ")));
        }
        let kept = Arc::new(schema.project(&rest).map_err(|error| error.to_string())?);
        let duplicate_type = fields[duplicate_of.unwrap_or(id)].data_type();
        let mut gone: Vec<FieldRef> = vec![Arc::clone(&fields[id])];
        gone.extend(text.map(|at| Arc::clone(&fields[at])));
        gone.push(Arc::new(Field::new("reason", DataType::Utf8, false)));
        gone.push(Arc::new(Field::new("duplicate_of", duplicate_type.clone(), true)));
        gone.push(Arc::new(Field::new("similarity", DataType::Float64, true)));
        gone.push(Arc::new(Field::new("cluster_id", DataType::Utf8, true)));
        let removed = Arc::new(Schema::new(gone));
        Ok(Self {
            id,
            text,
            keep,
            reason,
            duplicate_of,
            similarity,
            cluster_id,
            without_key: false,
            rest,
            kept,
            removed,
        })
    }

    /// Splits `batch`. The reason of a removed row without one is `step`.
    pub fn split(&self, batch: &RecordBatch, step: &str) -> Result<Split> {
        let ids = batch.column(self.id);
        if !self.without_key && ids.logical_null_count() > 0 {
            return exec_err!(
                "column `{}` is NULL in {} rows; every row needs a key",
                batch.schema().field(self.id).name(),
                ids.logical_null_count()
            );
        }
        let none = || RecordBatch::new_empty(Arc::clone(&self.removed));
        let Some(keep) = self.keep else {
            return Ok(Split { kept: self.rest(batch)?, removed: none() });
        };
        let keep = batch.column(keep).as_boolean();
        let keep = if keep.null_count() > 0 { prep_null_mask_filter(keep) } else { keep.clone() };
        let kept = keep.true_count();
        if kept == batch.num_rows() {
            return Ok(Split { kept: self.rest(batch)?, removed: none() });
        }
        let keep = BooleanArray::new(keep.values().clone(), None);
        let gone = filter_record_batch(batch, &not(&keep)?)?;
        Ok(Split { kept: self.rest(&filter_record_batch(batch, &keep)?)?, removed: self.removed(&gone, step)? })
    }

    /// The columns that go on.
    fn rest(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.rest.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.kept), columns)?)
    }

    /// Removed rows in the layout of `Self::removed`.
    fn removed(&self, batch: &RecordBatch, step: &str) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |at: Option<usize>, kind: &DataType| match at {
            Some(at) if batch.column(at).data_type() == kind => Ok(Arc::clone(batch.column(at))),
            Some(at) => cast(batch.column(at), kind),
            None => Ok(new_null_array(kind, rows)),
        };
        let mut columns = vec![Arc::clone(batch.column(self.id))];
        columns.extend(self.text.map(|at| Arc::clone(batch.column(at))));
        columns.push(reasons(&column(self.reason, &DataType::Utf8)?, step));
        let duplicate_type = self.removed.field_with_name("duplicate_of")?.data_type();
        columns.push(column(self.duplicate_of, duplicate_type)?);
        columns.push(column(self.similarity, &DataType::Float64)?);
        columns.push(column(self.cluster_id, &DataType::Utf8)?);
        Ok(RecordBatch::try_new(Arc::clone(&self.removed), columns)?)
    }

    /// Input rows that the step's result lacks, in the layout of `Self::removed`.
    pub fn missing(&self, batch: &RecordBatch, step: &str) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let reason: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|_| step)));
        let columns = self.removed.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            _ if field.name() == "reason" => Ok(Arc::clone(&reason)),
            Some(column) if !VERDICTS.contains(&field.name().as_str()) => cast(column, field.data_type()),
            _ => Ok(new_null_array(field.data_type(), rows)),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.removed), columns)?)
    }
}

fn reasons(given: &ArrayRef, step: &str) -> ArrayRef {
    match is_not_null(given) {
        Ok(valid) if valid.true_count() == given.len() => Arc::clone(given),
        _ => Arc::new(StringArray::from_iter_values(
            given.as_string::<i32>().iter().map(|reason| reason.unwrap_or(step)),
        )),
    }
}

/// The columns of `schema`, for messages.
pub fn names(schema: &Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, Int64Array};

    fn result() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("keep", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])) as ArrayRef),
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("text", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
            ("reason", Arc::new(StringArray::from(vec![None, Some("why"), None]))),
            ("similarity", Arc::new(Float32Array::from(vec![None, Some(0.5), None]))),
            ("score", Arc::new(Int64Array::from(vec![7, 8, 9]))),
        ])
        .unwrap()
    }

    #[test]
    fn null_goes_and_verdicts_end_here() {
        let batch = result();
        let columns = Columns::find(&batch.schema(), "id", Some("text")).unwrap();
        let split = columns.split(&batch, "step").unwrap();
        assert_eq!(names(&split.kept.schema()), "id, text, score");
        assert_eq!(split.kept.num_rows(), 1);
        assert_eq!(names(&split.removed.schema()), "id, text, reason, duplicate_of, similarity, cluster_id");
        let reasons: Vec<_> = split.removed.column(2).as_string::<i32>().iter().flatten().collect();
        assert_eq!(reasons, ["why", "step"]);
        assert_eq!(split.removed.column(4).as_primitive::<arrow::datatypes::Float64Type>().value(0), 0.5);
    }

    #[test]
    fn mistakes_name_the_column() {
        let schema = result().schema();
        assert!(Columns::find(&schema, "path", None).unwrap_err().contains("no column `path`"));
        assert!(Columns::find(&schema, "id", Some("score")).unwrap_err().contains("`score`"));
        assert!(Columns::find(&schema, "reason", None).unwrap_err().contains("cannot be one of"));
        let twice = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("id", DataType::Int64, true)]);
        assert!(Columns::find(&twice, "id", None).unwrap_err().contains("two columns"));
        let keep =
            Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("keep", DataType::Int64, true)]);
        assert!(Columns::find(&keep, "id", None).unwrap_err().contains("BOOLEAN"));
    }

    #[test]
    fn null_keys_are_errors() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let columns = Columns::find(&batch.schema(), "id", None).unwrap();
        assert!(columns.split(&batch, "step").err().unwrap().to_string().contains("NULL"));
    }
}
