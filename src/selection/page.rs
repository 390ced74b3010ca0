//! The decided rows, and what the page about a selection shows of them.

use std::path::Path;

use datafusion::prelude::SessionContext;

use super::error::Result;
use super::rows::{self, columns, count, numbers, texts};
use super::select::SelectOptions;
use crate::jobs::progress::StepBar;
use crate::recipes::{literal, quote};
use crate::report::data::Histogram;
use crate::report::selection::{Budget, Example, Selection};

/// Bins of the histogram, which are the strata of the report.
const BINS: usize = 50;

/// Rows shown at either end.
const EXAMPLES: usize = 8;

/// The decided rows.
pub(super) struct Decided<'a> {
    pub ctx: &'a SessionContext,
    pub id: String,
    pub folder: &'a Path,
}

impl Decided<'_> {
    /// Computes `sql` once, into a file that is the relation `name`; its columns.
    pub async fn save(&self, name: &str, sql: &str, bar: &StepBar) -> Result<Vec<String>> {
        let file = self.folder.join(format!("{name}.parquet"));
        let file = file.to_string_lossy();
        rows::run_shown(self.ctx, &format!("COPY ({sql}) TO {} STORED AS PARQUET", literal(&file)), bar).await?;
        rows::run(self.ctx, &format!("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}", quote(name), literal(&file)))
            .await?;
        columns(self.ctx, name).await
    }

    /// Writes the rows of a query in the order of their keys.
    pub async fn write(&self, file: Option<&Path>, query: &str) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let file = literal(&file.to_string_lossy());
        rows::run(self.ctx, &format!("COPY ({query} ORDER BY {}) TO {file}", self.id)).await?;
        Ok(())
    }

    /// Fills in what the page shows beside the counts.
    pub async fn fill(&self, to: &mut Selection, options: &SelectOptions, known: &[String]) -> Result<()> {
        let ctx = self.ctx;
        let label = options.label.as_deref().filter(|label| known.iter().any(|column| column == label)).map(quote);
        if let Some(label) = &label {
            let sql = format!(
                "SELECT {label}, count(*), count(*) FILTER (WHERE keep) FROM decided GROUP BY {label} ORDER BY {label} LIMIT 200"
            );
            let found = rows::run(ctx, &sql).await?;
            let (rows, kept) = (numbers(&found, 1), numbers(&found, 2));
            let rows = rows.into_iter().zip(kept).map(|(rows, kept)| (rows as u64, kept as u64));
            to.classes =
                texts(&found, 0)?.into_iter().zip(rows).map(|(label, (rows, kept))| (label, rows, kept)).collect();
        }
        let score = to.score.as_deref().map(|score| format!("CAST({} AS DOUBLE)", quote(score)));
        if let Some(score) = &score {
            let finite = format!("{score} BETWEEN -1e300 AND 1e300");
            self.histogram(to, score, &finite).await?;
            let shown = if options.show.is_empty() { self.plain().await? } else { options.show.clone() };
            let high = self.high_is_good(score, &finite).await?;
            to.most = self.examples(score, &finite, &shown, high).await?;
            to.least = self.examples(score, &finite, &shown, !high).await?;
        }
        self.sweep(to, options, score.as_deref(), label.as_deref()).await
    }

    /// What other budgets keep. One query answers for all of them, so that what they share, such as scores that are learnt, is
    /// computed once.
    async fn sweep(
        &self,
        to: &mut Selection,
        options: &SelectOptions,
        score: Option<&str>,
        label: Option<&str>,
    ) -> Result<()> {
        if options.sweep.is_empty() {
            return Ok(());
        }
        let (ctx, id) = (self.ctx, &self.id);
        let (value, class) = (score.unwrap_or("CAST(NULL AS DOUBLE)"), label.unwrap_or("CAST(NULL AS BIGINT)"));
        let mut budgets = vec![];
        for (at, fraction) in options.sweep.iter().enumerate() {
            let sql = options.method.sql(*fraction, to.rows, false, &[])?;
            budgets.push(format!(
                "SELECT {at} AS budget, {id} AS row_id, {value} AS v, {class} AS class, keep FROM ({sql})"
            ));
        }
        let bar = StepBar::of("other budgets", "rows read", to.rows * options.sweep.len() as u64);
        self.save("others", &budgets.join(" UNION ALL "), &bar).await?;
        drop(bar);
        for (at, fraction) in options.sweep.iter().enumerate() {
            let other = format!("(SELECT * FROM others WHERE budget = {at})");
            let sql = format!("SELECT count(*), min(v), avg(v), max(v) FROM {other} WHERE keep");
            let found = rows::run(ctx, &sql).await?;
            let cell = |column: usize| numbers(&found, column).first().copied().unwrap_or(f64::NAN);
            let shared = format!(
                "SELECT count(*) FROM (SELECT row_id FROM {other} WHERE keep) JOIN (SELECT {id} AS b FROM decided WHERE keep) ON row_id = b"
            );
            let sql = format!(
                "SELECT count(*) FILTER (WHERE share = 0), min(share) FROM (SELECT avg(CASE WHEN keep THEN 1.0 ELSE 0.0 END) AS share \
                 FROM {other} WHERE class IS NOT NULL GROUP BY class)"
            );
            let classes = match label {
                Some(_) => {
                    let found = rows::run(ctx, &sql).await?;
                    let (lost, least) = (numbers(&found, 0), numbers(&found, 1));
                    lost.first().zip(least.first()).map(|(lost, least)| (*lost as u64, *least))
                }
                None => None,
            };
            to.sweep.push(Budget {
                fraction: *fraction,
                kept: cell(0) as u64,
                scores: (score.is_some() && cell(0) > 0.0).then(|| [cell(1), cell(2), cell(3)]),
                shared: count(ctx, &shared).await?,
                classes,
            });
        }
        Ok(())
    }

    async fn histogram(&self, to: &mut Selection, score: &str, finite: &str) -> Result<()> {
        let sql = format!("SELECT min({score}), max({score}), count(*) FROM decided WHERE {finite}");
        let found = rows::run(self.ctx, &sql).await?;
        let at = |column: usize| numbers(&found, column).first().copied().unwrap_or(f64::NAN);
        let (low, high, scored) = (at(0), at(1), at(2));
        to.unscored = to.rows.saturating_sub(scored as u64);
        if scored == 0.0 || low >= high {
            return Ok(());
        }
        let sql = format!(
            "SELECT CAST(width_bucket(v, low, high, {BINS}) AS BIGINT) AS bin, count(*), count(*) FILTER (WHERE keep) FROM (SELECT \
             {score} AS v, keep FROM decided WHERE {finite}) CROSS JOIN (SELECT min({score}) AS low, max({score}) AS high FROM decided \
             WHERE {finite}) GROUP BY 1 ORDER BY 1"
        );
        let found = rows::run(self.ctx, &sql).await?;
        let edges: Vec<f64> = (0..=BINS).map(|bin| low + (high - low) * bin as f64 / BINS as f64).collect();
        let (mut all, mut kept) = (vec![0; BINS], vec![0; BINS]);
        for ((bin, rows), stay) in numbers(&found, 0).into_iter().zip(numbers(&found, 1)).zip(numbers(&found, 2)) {
            if let (Some(all), Some(kept)) = (all.get_mut(bin as usize - 1), kept.get_mut(bin as usize - 1)) {
                (*all, *kept) = (rows as u64, stay as u64);
            }
        }
        to.all = Histogram { edges: edges.clone(), counts: all };
        to.kept_scores = Histogram { edges, counts: kept };
        Ok(())
    }

    /// Whether the kept rows have the higher scores.
    async fn high_is_good(&self, score: &str, finite: &str) -> Result<bool> {
        let sql = format!(
            "SELECT avg({score}) FILTER (WHERE keep) >= avg({score}) FILTER (WHERE NOT keep) FROM decided WHERE {finite}"
        );
        Ok(texts(&rows::run(self.ctx, &sql).await?, 0)?.first().is_none_or(|word| word != "false"))
    }

    /// Columns that can be read: no lists and no bytes.
    async fn plain(&self) -> Result<Vec<String>> {
        let frame = crate::session::statement::sql(self.ctx, "SELECT * FROM decided").await?;
        let fields = frame
            .schema()
            .fields()
            .iter()
            .filter(|field| !field.data_type().is_nested() && !field.data_type().is_binary());
        Ok(fields.map(|field| field.name().clone()).filter(|name| name != "keep" && quote(name) != self.id).collect())
    }

    async fn examples(&self, score: &str, finite: &str, shown: &[String], high: bool) -> Result<Vec<Example>> {
        let (id, order) = (&self.id, if high { "DESC" } else { "ASC" });
        let columns = shown.iter().enumerate().map(|(at, column)| format!(", {} AS shown_{at}", quote(column)));
        let columns: String = columns.collect();
        let sql = format!(
            "SELECT {id} AS shown_id, {score} AS shown_score, keep AS shown_keep{columns} FROM decided WHERE {finite} \
             ORDER BY shown_score {order}, shown_id LIMIT {EXAMPLES}"
        );
        let found = rows::run(self.ctx, &sql).await?;
        let (ids, scores, keeps) = (texts(&found, 0)?, numbers(&found, 1), texts(&found, 2)?);
        let values = (0..shown.len()).map(|at| texts(&found, 3 + at)).collect::<Result<Vec<_>, _>>()?;
        let rows = ids.into_iter().zip(scores).zip(keeps).enumerate();
        let rows = rows.map(|(row, ((id, score), keep))| Example {
            id,
            score,
            keep: keep == "true",
            values: shown.iter().zip(&values).map(|(name, values)| (name.clone(), values[row].clone())).collect(),
        });
        Ok(rows.collect())
    }
}
