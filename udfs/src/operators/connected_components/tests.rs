//! Tests that components agree with a graph search, under any memory limit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::{prop, proptest};

use crate::operators::frame::planner::OperatorQueryPlanner;
use crate::register::register;

/// Runs `connected_components` under a memory limit and returns the component of each edge.
fn components(edges: &[(u32, u32)], limit: Option<usize>) -> Vec<String> {
    let mut env = RuntimeEnvBuilder::new();
    if let Some(limit) = limit {
        env = env.with_memory_limit(limit, 1.0);
    }
    let state = SessionStateBuilder::new().with_default_features().with_runtime_env(env.build_arc().unwrap());
    let state = state.with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(512));
    let mut state = state.with_query_planner(Arc::new(OperatorQueryPlanner)).build();
    register(&mut state).unwrap();
    let ctx = SessionContext::new_with_state(state);
    let ends = |of: fn(&(u32, u32)) -> u32| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(edges.iter().map(|edge| name(of(edge)))))
    };
    let columns = [("source", ends(|edge| edge.0)), ("target", ends(|edge| edge.1))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    ctx.register_table("edges", Arc::new(table)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        ctx.sql("SELECT component FROM connected_components((SELECT * FROM edges))")
            .await
            .unwrap()
            .collect()
            .await
            .unwrap()
    });
    let names = rows.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter());
    names.map(|name| name.unwrap().to_owned()).collect()
}

/// An id whose order differs from that of its number.
fn name(node: u32) -> String {
    format!("{:08x}-{}", node.wrapping_mul(2_654_435_761), "x".repeat(node as usize % 40))
}

/// Reference implementation: the smallest id reachable from each edge, found by iterating until nothing changes.
fn reachable(edges: &[(u32, u32)]) -> Vec<String> {
    let mut least: BTreeMap<u32, String> = edges.iter().flat_map(|(a, b)| [*a, *b]).map(|id| (id, name(id))).collect();
    loop {
        let mut changed = false;
        for (a, b) in edges {
            let smaller = least[a].clone().min(least[b].clone());
            for end in [a, b] {
                changed |= least.insert(*end, smaller.clone()) != Some(smaller.clone());
            }
        }
        if !changed {
            return edges.iter().map(|(a, _)| least[a].clone()).collect();
        }
    }
}

proptest! {
    #[test]
    fn components_are_what_can_be_reached(edges in prop::collection::vec((0_u32..60, 0_u32..60), 0..80)) {
        assert_eq!(components(&edges, None), reachable(&edges));
    }
}

#[test]
fn components_of_more_ids_than_memory_holds() {
    // 60,000 ids of about 30 bytes, in chains of 100: their names and edges take some 10 MB.
    let edges: Vec<(u32, u32)> = (0..60_000).map(|at| (at, if at % 100 == 99 { at } else { at + 1 })).collect();
    let free = components(&edges, None);
    assert_eq!(free, reachable(&edges));
    assert_eq!(components(&edges, Some(4 << 20)), free);
}
