//! What the operators of a plan counted.

use std::collections::BTreeMap;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

/// Counters of DataFusion's own operators that say nothing to the reader of a report.
const ROUTINE: [&str; 8] = [
    "build_input_batches",
    "build_input_rows",
    "input_batches",
    "input_rows",
    "output_batches",
    "skipped_aggregation_rows",
    "peak_mem_used",
    "build_mem_used",
];

/// Sums of the named counters over the whole plan, spills included, zeros left out; ascending by name.
pub fn collect(plan: &dyn ExecutionPlan) -> Vec<(String, u64)> {
    let mut sums = BTreeMap::new();
    visit(plan, &mut |node| {
        let scan = node.children().is_empty();
        for metric in node.metrics().iter().flat_map(|set| set.iter().cloned().collect::<Vec<_>>()) {
            let (name, value) = match metric.value() {
                MetricValue::Count { name, count } => (name.to_string(), count.value()),
                MetricValue::Gauge { name, gauge } => (name.to_string(), gauge.value()),
                MetricValue::SpillCount(count) => ("spill_count".to_owned(), count.value()),
                MetricValue::SpilledBytes(count) => ("spilled_bytes".to_owned(), count.value()),
                MetricValue::SpilledRows(count) => ("spilled_rows".to_owned(), count.value()),
                _ => continue,
            };
            // A scan counts much about its files; what it left out is what matters here.
            let wanted = if scan { name.contains("skipped") } else { !ROUTINE.contains(&name.as_str()) };
            if value > 0 && wanted {
                *sums.entry(name).or_insert(0) += value as u64;
            }
        }
    });
    sums.into_iter().collect()
}

/// Rows that the scans of the plan have produced so far.
pub fn rows_read(plan: &dyn ExecutionPlan) -> u64 {
    let mut rows = 0;
    visit(plan, &mut |node| {
        if node.children().is_empty() {
            rows += node.metrics().and_then(|set| set.output_rows()).unwrap_or(0) as u64;
        }
    });
    rows
}

fn visit(plan: &dyn ExecutionPlan, f: &mut impl FnMut(&dyn ExecutionPlan)) {
    f(plan);
    for child in plan.children() {
        visit(child.as_ref(), f);
    }
}

/// Counters that a user should hear about, as sentences.
pub fn warnings(step: &str, metrics: &[(String, u64)]) -> Vec<String> {
    let telling = |name: &str| ["skipped", "capped", "oversized"].iter().any(|word| name.contains(word));
    let told = metrics.iter().filter(|(name, _)| telling(name));
    told.map(|(name, value)| format!("step `{step}`: {value} {}", name.replace('_', " "))).collect()
}
