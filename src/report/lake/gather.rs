//! Gathers what the page about a lake shows.

use std::collections::{BTreeMap, HashSet};

use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use limpid_lakes::lake::{Column, Table};
use limpid_lakes::pipeline::Outcome;
use limpid_lakes::retention::{Advice, RetentionPlan};
use limpid_lakes::retire::predicate::know;

use super::data::{Candidate, Group, LakeReport, Member, Side};
use crate::recipes::quote;

/// Tables shown side by side.
const BEST: usize = 10;
/// Rows of each.
const ROWS: usize = 4;
/// Columns of each.
const COLUMNS: usize = 8;

/// Gathers the page about `outcome`, the lake `name`, by `plan`.
pub async fn gather(name: &str, outcome: &Outcome, plan: &RetentionPlan, ctx: &SessionContext) -> LakeReport {
    let table = |at: u32| &outcome.lake.tables[at as usize];
    let pairs: HashSet<(u32, u32)> = outcome.found.iter().map(|found| (found.child, found.parent)).collect();
    let equal = |a: u32, b: u32| pairs.contains(&(a, b)) && pairs.contains(&(b, a));
    let mut going: Vec<(&Advice, u32)> = plan.advice.iter().filter_map(|advice| Some((advice, advice.from?))).collect();
    going.sort_by(|(a, _), (b, _)| {
        (b.keeping - b.planned).total_cmp(&(a.keeping - a.planned)).then(a.table.cmp(&b.table))
    });
    let mut groups: BTreeMap<u32, Vec<Member>> = BTreeMap::new();
    for (advice, from) in &going {
        let one = table(advice.table);
        let member = Member { table: one.name.clone(), bytes: one.bytes, equal: equal(advice.table, *from) };
        groups.entry(*from).or_default().push(member);
    }
    let group = |(from, members)| Group { source: table(from).name.clone(), bytes: table(from).bytes, members };
    let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.iter().map(|member| member.bytes).sum::<u64>()));
    let mut candidates = vec![];
    for (advice, from) in going.iter().take(BEST) {
        let (ours, theirs) = (table(advice.table), table(*from));
        // The page is worth showing without rows too.
        let (mine, source) = samples(ctx, ours, theirs).await.unwrap_or_default();
        candidates.push(Candidate {
            table: side(ours, mine),
            source: side(theirs, source),
            saves: advice.keeping - advice.planned,
            seconds: advice.seconds.unwrap_or_default(),
            state: advice.state.map_or("", |state| state.name()),
        });
    }
    LakeReport {
        lake: name.to_owned(),
        tables: plan.advice.len() as u64,
        bytes: plan.advice.iter().map(|advice| table(advice.table).bytes).sum(),
        pairs: pairs.len() as u64,
        equal_groups: equal_groups(&pairs),
        going: going.len() as u64,
        saved_bytes: plan.bytes,
        keeping: plan.keeping,
        cost: plan.cost,
        gap: plan.gap(),
        groups,
        candidates,
        problems: outcome.problems.iter().map(|problem| (problem.table.clone(), problem.reason.clone())).collect(),
    }
}

/// Groups of tables that hold each other, counted by the first of each.
fn equal_groups(pairs: &HashSet<(u32, u32)>) -> u64 {
    let mut first: BTreeMap<u32, u32> = BTreeMap::new();
    for &(child, parent) in pairs.iter().filter(|(child, parent)| pairs.contains(&(*parent, *child))) {
        let least = first.entry(child).or_insert(child);
        *least = (*least).min(parent);
    }
    first.iter().filter(|(table, least)| table <= least).count() as u64
}

type Sample = (Vec<String>, Vec<Vec<String>>);

fn side(table: &Table, (columns, sample): Sample) -> Side {
    let all = || table.columns.iter().map(|column| column.shown.to_string()).take(COLUMNS).collect();
    let columns = if columns.is_empty() { all() } else { columns };
    Side { name: table.name.clone(), rows: table.rows, bytes: table.bytes, columns, sample }
}

/// The first rows of a table, and the same rows in its source.
async fn samples(ctx: &SessionContext, ours: &Table, theirs: &Table) -> Option<(Sample, Sample)> {
    if !know(ctx, ours).await.ok()? || !know(ctx, theirs).await.ok()? {
        return None;
    }
    // Fields of structs are columns to a comparison and none to a query: they are left out here.
    let plain = |column: &&Column| !column.shown.contains('.');
    let pairs = ours.columns.iter().filter(plain).filter_map(|column| {
        let other = theirs.columns.iter().find(|other| other.name == column.name)?;
        plain(&other).then(|| (quote(&column.shown), quote(&other.shown)))
    });
    let pairs: Vec<(String, String)> = pairs.collect();
    if pairs.is_empty() {
        return None;
    }
    let (child, parent) = (quote(&ours.name), quote(&theirs.name));
    let first = pairs.iter().map(|(ours, _)| ours.as_str()).collect::<Vec<_>>().join(", ");
    let on: Vec<String> =
        pairs.iter().map(|(ours, theirs)| format!("(c.{ours} IS NOT DISTINCT FROM p.{theirs})")).collect();
    let rows = format!("SELECT {first} FROM {child} ORDER BY {first} LIMIT {ROWS}");
    // The columns that both have come first, so that rows stand beside rows.
    let shared = pairs.iter().map(|(_, theirs)| format!("p.{theirs}")).collect::<Vec<_>>();
    let more = theirs
        .columns
        .iter()
        .filter(plain)
        .map(|column| quote(&column.shown))
        .filter(|name| pairs.iter().all(|(_, p)| p != name));
    let all: Vec<String> = shared.iter().cloned().chain(more.map(|name| format!("p.{name}"))).collect();
    let source = format!(
        "SELECT {} FROM {parent} p LEFT SEMI JOIN ({rows}) c ON {} ORDER BY {} LIMIT {ROWS}",
        all.join(", "),
        on.join(" AND "),
        shared.join(", ")
    );
    let found = (text(ctx, &rows).await, text(ctx, &source).await);
    for table in [ours, theirs] {
        ctx.deregister_table(TableReference::bare(table.name.as_str())).ok()?;
    }
    Some((found.0?, found.1.unwrap_or_default()))
}

async fn text(ctx: &SessionContext, sql: &str) -> Option<Sample> {
    let batches: Vec<RecordBatch> = ctx.sql(sql).await.ok()?.collect().await.ok()?;
    let schema = batches.first()?.schema();
    let columns: Vec<String> = schema.fields().iter().take(COLUMNS).map(|field| field.name().clone()).collect();
    let mut rows = vec![];
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().take(COLUMNS).map(|column| array_value_to_string(column, row));
            rows.push(values.collect::<Result<_, _>>().ok()?);
        }
    }
    Some((columns, rows))
}
