//! Tests of the frame, with operators of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::common::{Column, Result, exec_err};
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::node::call;
use super::operator::{AnyOperator, only};
use super::planner::OperatorQueryPlanner;
use super::{Input, Output, RelationOperator, Stage, Work};

/// Counts the rows of each value. Each task sees all rows of a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CountByKey {}

impl RelationOperator for CountByKey {
    const NAME: &'static str = "count_by_key";

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let key = only(Self::NAME, inputs)?.field(0)?;
        Ok(Output::own([key.clone(), Field::new("rows", DataType::Int64, false)]))
    }

    fn stage(&self) -> Stage {
        Stage::ByKey(vec![0])
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        let column = work.column(0);
        let batches: Vec<RecordBatch> = work.input.try_collect().await?;
        let mut counts = BTreeMap::new();
        for batch in batches {
            for key in batch.column(column).as_primitive::<Int64Type>().values() {
                *counts.entry(*key).or_insert(0) += 1;
            }
        }
        let (keys, rows): (Vec<i64>, Vec<i64>) = counts.into_iter().unzip();
        let columns = [keys, rows].map(|values| Arc::new(Int64Array::from(values)) as _);
        let batch = RecordBatch::try_new(Arc::clone(&work.schema), columns.to_vec());
        Ok(Box::pin(RecordBatchStreamAdapter::new(work.schema, futures::stream::iter([batch.map_err(Into::into)]))))
    }
}

/// Fails in a way that the test chooses.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Faulty {
    Panic,
    PanicWhileRowsCome,
    Error,
}

impl RelationOperator for Faulty {
    const NAME: &'static str = "faulty";

    fn output(&self, _: &[Input<'_>]) -> Result<Output> {
        Ok(Output::own([Field::new("value", DataType::Int64, false)]))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        match self {
            Self::Panic => panic!("index out of bounds"),
            Self::PanicWhileRowsCome => {
                let rows = work.input.map_ok(|_| -> RecordBatch { panic!("a row of {} columns", 3) });
                Ok(Box::pin(RecordBatchStreamAdapter::new(work.schema, rows)))
            }
            Self::Error => exec_err!("no such thing"),
        }
    }
}

/// A table `t` of 1000 values from 0 to 9, in four partitions.
fn session() -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(4);
    let state = SessionStateBuilder::new().with_default_features().with_config(config);
    let ctx = SessionContext::new_with_state(state.with_query_planner(Arc::new(OperatorQueryPlanner)).build());
    let schema = Arc::new(Schema::new(vec![Field::new("key", DataType::Int64, false)]));
    let part = |first: i64| {
        let values = Int64Array::from_iter_values((first..first + 250).map(|at| at % 10));
        vec![RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(values)]).unwrap()]
    };
    let table = MemTable::try_new(Arc::clone(&schema), [0, 250, 500, 750].map(part).to_vec()).unwrap();
    ctx.register_table("t", Arc::new(table)).unwrap();
    ctx
}

async fn plan(ctx: &SessionContext, operator: impl RelationOperator) -> Arc<dyn ExecutionPlan> {
    let input = ctx.table("t").await.unwrap().into_unoptimized_plan();
    let plan = call(operator, input, vec![Column::from_qualified_name("t.key")]).unwrap();
    ctx.state().create_physical_plan(&plan).await.unwrap()
}

#[tokio::test]
async fn rows_of_a_key_meet_in_one_task() {
    let ctx = session();
    let plan = plan(&ctx, CountByKey {}).await;
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    assert!(shown.contains("Hash([key@0], 4)"), "{shown}");
    let counts = ctx.task_ctx();
    let (mut keys, mut tasks): (Vec<i64>, usize) = (vec![], 0);
    for partition in 0..plan.output_partitioning().partition_count() {
        let rows: Vec<RecordBatch> = plan.execute(partition, Arc::clone(&counts)).unwrap().try_collect().await.unwrap();
        for batch in &rows {
            keys.extend(batch.column(0).as_primitive::<Int64Type>().values());
            assert!(batch.column(1).as_primitive::<Int64Type>().values().iter().all(|rows| *rows == 100));
            tasks += usize::from(batch.num_rows() > 0);
        }
    }
    keys.sort_unstable();
    assert_eq!(keys, (0..10).collect::<Vec<i64>>());
    assert!(tasks > 1, "the keys are spread over {tasks} task");
}

#[tokio::test]
async fn a_panic_is_an_error_that_names_the_operator() {
    let ctx = session();
    for (faulty, said) in [
        (Faulty::Panic, "faulty failed: index out of bounds"),
        (Faulty::PanicWhileRowsCome, "faulty failed: a row of 3 columns"),
        (Faulty::Error, "no such thing"),
    ] {
        let plan = plan(&ctx, faulty).await;
        let rows = datafusion::physical_plan::collect(plan, ctx.task_ctx()).await;
        let error = rows.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn parameters_of_another_version_are_refused() {
    let error = AnyOperator::read::<CountByKey>(r#"{"newer":1}"#).unwrap_err();
    assert!(error.to_string().contains("count_by_key: `{\"newer\":1}` was written by another version"), "{error}");
    assert!(AnyOperator::read::<Faulty>(r#""Unknown""#).is_err());
    let operator = AnyOperator::new(Faulty::Error).unwrap();
    assert_eq!(AnyOperator::read::<Faulty>(operator.parameters()).unwrap(), operator);
}
