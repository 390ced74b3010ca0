//! Round trips: every operator is decoded as it was encoded.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use datafusion_proto::bytes::{
    logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec,
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::logical_plan::{DefaultLogicalExtensionCodec, LogicalExtensionCodec};
use datafusion_proto::physical_plan::{
    DefaultPhysicalExtensionCodec, DefaultPhysicalProtoConverter, PhysicalExtensionCodec,
};
use proptest::prelude::{any, proptest};

use super::messages::ColumnMessage;
use super::{MATERIALIZE, OPERATOR, OTHERS, OperatorLogicalCodec, OperatorPhysicalCodec};
use crate::operators::OPERATORS;
use crate::operators::frame::planner::OperatorQueryPlanner;
use crate::register::register;

const INPUT: &str = "(SELECT column1 AS id, column2 AS quality, column3 AS text, column4 AS \"odd.\"\"Name\", \
                     column5 AS embedding, column6 AS valid, column7 AS words FROM (VALUES (1, 2, 'a b c', 3, [1.0, 2.0], true, ['x']), \
                     (2, 1, 'a b d', 4, [2.0, 1.0], false, ['y', 'z'])))";

/// Calls that together set every argument of the operators. Operators not listed are tested with the example of their
/// reference.
fn calls(operator: &str) -> Vec<String> {
    let arguments: &[&str] = match operator {
        "exact_dedup" => &[
            "text => text, id => id",
            "id => \"odd.\"\"Name\", order_by => 'quality DESC, text, \"odd.\"\"Name\" ASC NULLS FIRST'",
        ],
        "minhash_dedup" => &[
            "text => text",
            "order_by => 'quality DESC NULLS LAST', threshold => 0.83, recall => 0.9, ngram => 3, unit => 'char', \
             linkage => 'transitive', bucket_limit => 7, seed => 9",
            "unit => 'token'",
            "unit => 'python_word'",
            "preset => 'rpv2', threshold => 0.6",
        ],
        "connected_components" => &["source => id, target => quality", "source => quality, target => \"odd.\"\"Name\""],
        "semantic_dedup" => &[
            "vector => embedding",
            "order_by => 'quality DESC', threshold => 0.83, mode => 'prior', recall => 0.9, cells => 5, seed => 9",
        ],
        "kmeans" => {
            &["k => 1", "k => 2, metric => 'l2', iterations => 3, sample => 4, seed => 5, id => \"odd.\"\"Name\""]
        }
        "assign_nearest" => &[
            "centroids => (SELECT 1 AS centroid_id, [1.0, 2.0] AS centroid)",
            "centroids => (SELECT 'a' AS centroid_id, [1.0, 2.0] AS centroid), metric => 'l2'",
        ],
        "max_prior_similarity" => &[
            "vector => embedding",
            "partition_by => text, order_by => 'quality DESC', mode => 'greedy', threshold => 0.3",
        ],
        "embed" => &["output => 'v'", "text => text, output => 'a', model => 'static', device => 'cpu', cache => ''"],
        "farthest_first" => &[
            "k => 1, partition_by => quality, order_by => 'text DESC NULLS LAST', init => 'first'",
            "k => 2, metric => 'l2', init => 'random', seed => 3",
        ],
        "concept_clusters" => &[
            "k => 1",
            "vector => embedding, text => text, k => 2, metric => 'l2', iterations => 3, sample => 4, balanced => true, \
             words => 5, seed => 6",
        ],
        "nearest_neighbors" => &[
            "k => 1",
            "vector => embedding, k => 2, metric => 'l2', threshold => 3.5, recall => 0.75, cells => 4, index => 'a/b', seed => 5",
        ],
        "allocate_budget" => &[
            "budget => 1, \"group\" => text, size => quality, method => 'equal', floor => 1, floor_ratio => 0.5",
            "budget => 1, \"group\" => text, size => quality, weight => id, method => 'projection', rounding => 'floor'",
        ],
        "fit_softmax" => &[
            "vector => embedding, label => quality",
            "id => \"odd.\"\"Name\", vector => embedding, label => quality, train => valid, hidden => 3, epochs => 4, runs => 5, \
             batch => 6, learning_rate => 0.07, momentum => 0.8, l2 => 0.01, seed => 9, log => 'last'",
        ],
        "influence" | "inverse_hvp" => &[
            "vector => embedding, label => quality, target => valid",
            "id => \"odd.\"\"Name\", vector => embedding, label => quality, target => valid, l2 => 0.3, solver => 'lissa', \
             depth => 7, damp => 0.02, scale => 30, seed => 9",
        ],
        "multilinear_importance" => &[
            "query => id, rank => quality, source => text, utility => quality",
            "query => id, rank => quality, source => text, utility => quality, \"group\" => \"odd.\"\"Name\", k => 3, \
             learning_rate => 2.5, steps => 4",
        ],
        "graph_filter" => &["score => quality, concepts => words", "id => text, score => id, concepts => words"],
        "materialize" => &["", ""],
        "spectral_clusters" => &[
            "vector => embedding, k => 1",
            "id => text, vector => embedding, k => 2, landmarks => 9, sigma => 0.5, seed => 9",
        ],
        other => {
            let sql = OPERATORS.iter().filter_map(|entry| entry.sql).find(|sql| sql.name == other).unwrap();
            return vec![example(sql.reference.example)];
        }
    };
    let call = |arguments: &&str| match *arguments {
        "" => format!("SELECT * FROM {operator}({INPUT})"),
        arguments => format!("SELECT * FROM {operator}({INPUT}, {arguments})"),
    };
    arguments.iter().map(call).collect()
}

/// Extracts the query from an example.
fn example(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.starts_with('+'));
    let query: Vec<&str> = lines.map(|line| line.trim_start_matches("> ")).collect();
    query.join("\n").trim_end_matches(';').to_owned()
}

#[tokio::test]
async fn examples_can_be_planned() {
    let ctx = context();
    for sql in OPERATORS.iter().filter_map(|entry| entry.sql) {
        let query = example(sql.reference.example);
        ctx.state().create_logical_plan(&query).await.unwrap_or_else(|error| panic!("{}: {error}\n{query}", sql.name));
    }
}

fn context() -> SessionContext {
    let mut state =
        SessionStateBuilder::new().with_default_features().with_query_planner(Arc::new(OperatorQueryPlanner)).build();
    register(&mut state).unwrap();
    SessionContext::new_with_state(state)
}

fn logical() -> OperatorLogicalCodec {
    OperatorLogicalCodec { operators: OPERATORS, others: Arc::new(DefaultLogicalExtensionCodec {}) }
}

fn physical() -> OperatorPhysicalCodec {
    OperatorPhysicalCodec { operators: OPERATORS, others: Arc::new(DefaultPhysicalExtensionCodec {}) }
}

/// Plans every call, once as the analyzer and once as the optimizer leaves it.
async fn plans(ctx: &SessionContext) -> Vec<LogicalPlan> {
    let mut plans = vec![];
    for operator in crate::register::operators() {
        for call in calls(operator.name) {
            let plan = ctx.state().create_logical_plan(&call).await.unwrap();
            plans.push(ctx.state().optimize(&plan).unwrap());
            plans.push(plan);
        }
    }
    plans
}

#[tokio::test]
async fn logical_nodes_survive_the_way() {
    let (ctx, codec) = (context(), logical());
    let mut ours = 0;
    for plan in plans(&ctx).await {
        let bytes = logical_plan_to_bytes_with_extension_codec(&plan, &codec).unwrap();
        let back = logical_plan_from_bytes_with_extension_codec(&bytes, &ctx.task_ctx(), &codec).unwrap();
        // DataFusion decodes literal lists as nullable, whether they were or not.
        let shown = |plan: &LogicalPlan| plan.display_indent_schema().to_string().replace(";N", "");
        assert_eq!(shown(&back), shown(&plan));
        plan.apply(|plan| {
            if let LogicalPlan::Extension(node) = plan {
                let mut bytes = vec![];
                codec.try_encode(node, &mut bytes).unwrap();
                assert_ne!(bytes[0], OTHERS, "{node:?} is not a node of ours");
                let inputs: Vec<LogicalPlan> = node.node.inputs().into_iter().cloned().collect();
                assert_eq!(&codec.try_decode(&bytes, &inputs, &ctx.task_ctx()).unwrap(), node);
                ours += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
    }
    assert!(ours >= 2 * 2 * crate::register::operators().len(), "{ours} nodes only");
}

#[tokio::test]
async fn physical_nodes_survive_the_way() {
    let (ctx, codec) = (context(), physical());
    let mut ours = 0;
    for plan in plans(&ctx).await {
        let plan = ctx.state().query_planner().create_physical_plan(&plan, &ctx.state()).await.unwrap();
        let shown = displayable(plan.as_ref()).indent(true).to_string();
        let bytes = physical_plan_to_bytes_with_extension_codec(Arc::clone(&plan), &codec).unwrap();
        let back = physical_plan_from_bytes_with_extension_codec(&bytes, &ctx.task_ctx(), &codec).unwrap();
        assert_eq!(displayable(back.as_ref()).indent(true).to_string(), shown);
        assert_eq!(back.schema(), plan.schema(), "{shown}");
        ours += compare(&plan, &codec, &ctx);
    }
    assert!(ours >= 2 * 2 * crate::register::operators().len(), "{ours} nodes only");
}

/// Encodes and decodes our nodes one by one. Their `Debug` output shows every field.
fn compare(plan: &Arc<dyn ExecutionPlan>, codec: &OperatorPhysicalCodec, ctx: &SessionContext) -> usize {
    let inputs: Vec<_> = plan.children().into_iter().map(Arc::clone).collect();
    let below: usize = inputs.iter().map(|input| compare(input, codec, ctx)).sum();
    let converter = DefaultPhysicalProtoConverter {};
    let mut bytes = vec![];
    if codec.try_encode(Arc::clone(plan), &mut bytes, &converter).is_err() || bytes[0] == OTHERS {
        return below;
    }
    let back = codec.try_decode(&bytes, &inputs, &ctx.task_ctx(), &converter).unwrap();
    assert_eq!(format!("{back:?}"), format!("{plan:?}"));
    assert_eq!(back.schema(), plan.schema());
    below + 1
}

#[test]
fn columns_of_any_name_survive_the_way() {
    let odd = ["a", "A", "a.b", "a\"b", "", " ", "\u{e9}t\u{e9}", "lake/**/*.parquet"];
    for name in odd {
        for relation in odd.into_iter().filter(|relation| !relation.is_empty()) {
            let relations = [
                None,
                Some(TableReference::bare(relation)),
                Some(TableReference::partial("Sch.ema", relation)),
                Some(TableReference::full("c\"at", "s", relation)),
            ];
            for relation in relations {
                let column = Column::new(relation, name);
                assert_eq!(Column::from(ColumnMessage::from(&column)), column);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_message_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let ctx = SessionContext::new().task_ctx();
        for first in [None, Some(OPERATOR), Some(MATERIALIZE), Some(OTHERS)] {
            let message: Vec<u8> = first.into_iter().chain(bytes.iter().copied()).collect();
            assert!(logical().try_decode(&message, &[], &ctx).is_err());
            assert!(physical().try_decode(&message, &[], &ctx, &DefaultPhysicalProtoConverter {}).is_err());
        }
    }
}
