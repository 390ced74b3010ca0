//! Collects the counters of a plan's operators.

use std::collections::BTreeMap;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

/// Counters of DataFusion's own operators that are not informative in a report.
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

/// Sums each counter over the whole plan, including spills. Omits zeros; ascending by name.
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
            let wanted = if scan {
                name.contains("skipped") || name.contains("rejected")
            } else {
                !ROUTINE.contains(&name.as_str())
            };
            if value > 0 && wanted {
                *sums.entry(name).or_insert(0) += value as u64;
            }
        }
    });
    sums.into_iter().collect()
}

/// Adds to a counter.
pub fn add(metrics: &mut Vec<(String, u64)>, name: &str, count: u64) {
    match metrics.iter_mut().find(|(known, _)| known == name) {
        Some((_, sum)) => *sum += count,
        None if count > 0 => {
            metrics.push((name.to_owned(), count));
            metrics.sort();
        }
        None => {}
    }
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

/// Prefix of the counters of files that a scan left out.
const LEFT_OUT: &str = "files_skipped_";

/// Files that are no rows although they were asked for, in a sentence.
pub fn files_left_out(metrics: &[(String, u64)]) -> Option<String> {
    let reasons: Vec<(String, u64)> = metrics
        .iter()
        .filter_map(|(name, files)| Some((name.strip_prefix(LEFT_OUT)?.replace('_', " "), *files)))
        .collect();
    let total: u64 = reasons.iter().map(|(_, files)| files).sum();
    let reasons: Vec<String> =
        reasons.iter().map(|(reason, files)| format!("{files} {}", reason.replace("utf8", "UTF-8"))).collect();
    let files = if total == 1 { "file was" } else { "files were" };
    (total > 0).then(|| format!("{total} {files} left out: {}", reasons.join(", ")))
}

/// Records that could not be read and were left out, and values that are NULL instead, in sentences.
pub fn rejected(metrics: &[(String, u64)]) -> Vec<String> {
    let count = |name: &str| metrics.iter().find(|(other, _)| other == name).map_or(0, |(_, count)| *count);
    let rows = match count("rows_rejected") {
        0 => None,
        1 => Some("1 record could not be read and was left out".to_owned()),
        rows => Some(format!("{rows} records could not be read and were left out")),
    };
    let values = match count("values_rejected") {
        0 => None,
        1 => Some("1 value did not fit its column and is NULL".to_owned()),
        values => Some(format!("{values} values did not fit their columns and are NULL")),
    };
    rows.into_iter().chain(values).collect()
}

/// Texts to which an encoder gave no vector.
pub const TEXTS_WITHOUT_VECTOR: &str = "texts_without_vector";
/// Rows that an operator compared with none because they have no vector.
const ROWS_WITHOUT_VECTOR: &str = "rows_without_vector";

/// Texts and rows without a vector, in sentences.
pub fn without_vector(metrics: &[(String, u64)]) -> Vec<String> {
    let count = |of: &str| metrics.iter().find(|(name, _)| name == of).map_or(0, |(_, count)| *count);
    let texts = match count(TEXTS_WITHOUT_VECTOR) {
        0 => None,
        1 => Some("1 text has no vector: the model knows fewer than half of its letters".to_owned()),
        count => Some(format!("{count} texts have no vector: the model knows fewer than half of their letters")),
    };
    let rows = match count(ROWS_WITHOUT_VECTOR) {
        0 => None,
        1 => Some("1 row without a vector was compared with no other".to_owned()),
        count => Some(format!("{count} rows without a vector were compared with no other")),
    };
    texts.into_iter().chain(rows).collect()
}

/// What else a user should hear about, in sentences.
pub fn warnings(metrics: &[(String, u64)]) -> Vec<String> {
    let telling = |name: &str| ["skipped", "capped", "oversized"].iter().any(|word| name.contains(word));
    let others = metrics.iter().filter(|(name, _)| telling(name) && !name.starts_with(LEFT_OUT));
    let others = others.map(|(name, value)| format!("{value} {}", name.replace('_', " ")));
    files_left_out(metrics).into_iter().chain(rejected(metrics)).chain(without_vector(metrics)).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told() {
        let metrics = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        assert_eq!(warnings(&metrics(&[("files_read", 7), ("spill_count", 2)])), Vec::<String>::new());
        let told =
            warnings(&metrics(&[("files_skipped_binary", 1), ("files_skipped_not_utf8", 2), ("skipped_pairs", 9)]));
        assert_eq!(told, ["3 files were left out: 1 binary, 2 not UTF-8", "9 skipped pairs"]);
        let told = warnings(&metrics(&[("rows_without_vector", 1), ("texts_without_vector", 2)]));
        assert_eq!(
            told,
            [
                "2 texts have no vector: the model knows fewer than half of their letters",
                "1 row without a vector was compared with no other"
            ]
        );
        assert_eq!(warnings(&metrics(&[("files_skipped_too_large", 1)])), ["1 file was left out: 1 too large"]);
        let told = warnings(&metrics(&[("rows_rejected", 1), ("values_rejected", 2)]));
        assert_eq!(
            told,
            ["1 record could not be read and was left out", "2 values did not fit their columns and are NULL"]
        );
    }
}
