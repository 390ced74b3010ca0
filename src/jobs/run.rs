//! Runs a job: the unfinished steps, then the checks, the sink and the report.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Instant;

use chrono::{SecondsFormat, Utc};
use datafusion::prelude::SessionContext;
use limpid_connectors::sources::parquet::PARQUET;
use limpid_connectors::sources::text::TEXT;

use super::error::{JobError, Result, words};
use super::hash::digest;
use super::job::{Job, Keep};
use super::lock::Lock;
use super::manifest::{LAYOUT, Manifest};
use super::origins::Origins;
use super::plan::{self, Plan};
use super::progress::StepBar;
use super::recipes::{literal, quote};
use super::step::{self, Entering, StepRun};
use super::tables::{pairs, register_folder};
use super::{check, rejects, sink, summary};
use crate::report;
use crate::report::data::{CheckReport, JobReport};
use crate::session::errors::is_full;
use crate::session::{EngineOptions, spill_folder};

/// Options of a run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Values of variables, which override those of the environment and the file.
    pub set: BTreeMap<String, String>,
    /// Computes every step again.
    pub force: bool,
    /// Computes this step and all after it again.
    pub from: Option<String>,
}

/// A step in a plan that is shown but not run.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Its name.
    pub step: String,
    /// What it calls `input`.
    pub input: String,
    /// `sql`, `rules` or the recipe's name.
    pub kind: String,
    /// Whether a finished result would be used.
    pub finished: bool,
}

/// A job in the middle of a run.
struct Run<'a> {
    job: &'a Job,
    plan: &'a Plan,
    options: &'a RunOptions,
    /// Finished steps, and whether an earlier run finished them.
    done: Vec<(Manifest, bool)>,
    /// Steps from this one on are computed again.
    from: usize,
    /// Whether rows of finished steps are needed, rather than only their counts.
    needs_rows: bool,
}

/// Runs the job in `file`.
pub async fn run(file: &Path, options: &RunOptions, engine: &EngineOptions) -> Result<JobReport> {
    let (started, clock) = (Utc::now(), Instant::now());
    let job = Job::read(file, &options.set)?;
    let plan = plan::plan(&job, engine).await?;
    let mut run = Run::new(&job, &plan, options)?;
    let idle = run.is_done();
    run.done.clear();
    if let Some(target) = job.sink.as_ref().filter(|_| !idle) {
        sink::only_ours(target).map_err(|message| JobError::Other(format!("job `{}`, sink: {message}", job.name)))?;
    }
    // Only a valid job creates anything.
    let lock = Lock::take(&job.name, &job.work)?;
    run.remove_foreign_folders();
    let rejected = rejects::write(&plan.ctx, &job, &plan.sources).await?;
    let origins;
    let checks = if idle && job.sink.is_some() {
        run.is_done();
        origins = Origins::read(&job, &run.origins_fingerprint());
        run.passed_checks()
    } else {
        while run.done.len() < job.steps.len() {
            run.chain(plan.chain(run.done.len())).await?;
        }
        register_results(&plan.ctx, &job).await?;
        let fingerprint = run.origins_fingerprint();
        let counted = Origins::read(&job, &fingerprint);
        origins = match counted {
            Some(counted) => Some(counted),
            None => Some(Origins::count(&plan.ctx, &job, &plan, &run.done, &fingerprint).await?),
        };
        run.finish().await?
    };
    run.clean()?;
    let threads = plan.ctx.state().config().target_partitions();
    let mut report = summary::summarise(&job.name, &run.done);
    report.warnings.splice(0..0, plan.warnings.iter().cloned().chain(rejected));
    if let Some(origins) = origins {
        report.warnings.extend(origins.warnings.iter().cloned());
        summary::add_sources(&mut report, origins.sources);
    }
    report.checks = checks;
    report.versions = summary::versions(engine, threads);
    report.started = started.to_rfc3339_opts(SecondsFormat::Secs, true);
    report.peak_memory_bytes = summary::peak_memory();
    report.elapsed_seconds = clock.elapsed().as_secs_f64();
    // The report of a run that did something is kept until another run does something.
    if let Some(path) = job.report.as_ref().filter(|path| !idle || !path.exists()) {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(JobError::io("create", folder))?;
        }
        report::write_html(&report, path).map_err(|e| JobError::Other(e.to_string()))?;
    }
    drop(lock);
    Ok(report)
}

/// Validates the job in `file` without running it.
pub async fn dry_run(
    file: &Path,
    options: &RunOptions,
    engine: &EngineOptions,
) -> Result<(Job, Vec<Forecast>, Vec<String>)> {
    let job = Job::read(file, &options.set)?;
    let plan = plan::plan(&job, engine).await?;
    let mut run = Run::new(&job, &plan, options)?;
    let idle = run.is_done();
    if let Some(target) = job.sink.as_ref().filter(|_| !idle) {
        sink::only_ours(target).map_err(|message| JobError::Other(format!("job `{}`, sink: {message}", job.name)))?;
    }
    run.done.clear();
    while run.done.len() < job.steps.len() && run.resume_chain(plan.chain(run.done.len())) {}
    let mut forecasts = Vec::new();
    for (number, step) in job.steps.iter().enumerate() {
        // Whether every step is finished and the sink, if there is one, holds the result.
        let finished = number < run.done.len();
        let (step, input, kind) = (step.name.clone(), step.input.clone(), step.kind.clone());
        forecasts.push(Forecast { step, input, kind, finished });
    }
    Ok((job, forecasts, plan.warnings))
}

impl<'a> Run<'a> {
    fn new(job: &'a Job, plan: &'a Plan, options: &'a RunOptions) -> Result<Self> {
        let from = match &options.from {
            _ if options.force => 0,
            None => job.steps.len(),
            Some(name) => job.steps.iter().position(|step| step.name == *name).ok_or_else(|| {
                let known = job.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ");
                JobError::Other(format!("--from {name}: job `{}` has no such step; it has {known}", job.name))
            })?,
        };
        Ok(Self { job, plan, options, done: Vec::new(), from, needs_rows: false })
    }

    /// Whether every step is finished and the sink, where there is one, holds the result.
    fn is_done(&mut self) -> bool {
        let finished = (0..self.job.steps.len()).all(|number| self.resume(number));
        let done = finished
            && self.job.sink.as_ref().is_none_or(|target| sink::is_current(target, &self.result_fingerprint()));
        if !done {
            self.done.clear();
            self.needs_rows = true;
        }
        done
    }

    /// Deletes the rows that the job does not keep.
    fn clean(&mut self) -> Result<()> {
        let kept = match self.job.keep {
            Keep::All => return Ok(()),
            Keep::Last => self.job.steps.len().checked_sub(1),
            Keep::None => None,
        };
        for (number, (manifest, _)) in self.done.iter_mut().enumerate().filter(|(number, _)| Some(*number) != kept) {
            manifest.clean(&self.job.step_folder(number))?;
        }
        Ok(())
    }

    /// The checks of a result that is at the sink.
    fn passed_checks(&self) -> Vec<CheckReport> {
        self.job.checks.iter().map(|check| CheckReport { name: check.name.clone(), rows: 0 }).collect()
    }

    /// Reuses the finished result of step `number`, if it was computed from the same inputs and query.
    fn resume(&mut self, number: usize) -> bool {
        let manifest = Manifest::read(&self.job.step_folder(number));
        let fingerprint = self.fingerprint(number);
        let has_rows =
            |manifest: &Manifest| !manifest.cleaned && (!manifest.passed_on || self.plan.steps[number].passes);
        let usable = |manifest: &Manifest| {
            number < self.from && manifest.fingerprint == fingerprint && (!self.needs_rows || has_rows(manifest))
        };
        match manifest.filter(usable) {
            Some(manifest) => self.done.push((manifest, true)),
            None => return false,
        }
        true
    }

    /// The same for steps that run together: all of them or none.
    fn resume_chain(&mut self, chain: RangeInclusive<usize>) -> bool {
        let first = *chain.start();
        let resumed = chain.into_iter().all(|number| self.resume(number));
        if !resumed {
            self.done.truncate(first);
        }
        resumed
    }

    /// Makes steps that run as one finished, and the result of the last a table.
    async fn chain(&mut self, chain: RangeInclusive<usize>) -> Result<()> {
        let last = *chain.end();
        if !self.resume_chain(chain.clone()) {
            self.compute(chain).await?;
        }
        let (name, folder) = (&self.job.steps[last].name, self.job.step_folder(last));
        Ok(register_folder(&self.plan.ctx, name, &folder.join("kept")).await?)
    }

    async fn compute(&mut self, chain: RangeInclusive<usize>) -> Result<()> {
        let ((first, last), ctx) = (chain.clone().into_inner(), &self.plan.ctx);
        let folders: Vec<_> = chain.clone().map(|number| self.job.step_folder(number)).collect();
        for folder in &folders {
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(JobError::io("remove", folder))?;
            }
            fs::create_dir_all(folder).map_err(JobError::io("create", folder))?;
        }
        let step = &self.job.steps[first];
        let input = ctx.table_provider(step.input.as_str()).await?;
        ctx.deregister_table("input")?;
        ctx.register_table("input", input)?;
        let counted = self.position(&step.input).map(|at| (self.done[at].0.kept.rows, self.done[at].0.kept.bytes));
        let in_files = self.source_rows(&step.input).await?;
        let mut total = Some(0);
        for name in &self.plan.steps[first].reads {
            let known = self.position(name).and_then(|at| self.done.get(at)).map(|(manifest, _)| manifest.kept.rows);
            let known = known.or(self.source_rows(name).await?).or_else(|| self.text_files(name));
            total = total.zip(known).map(|(total, rows)| total + rows);
        }
        let bar = StepBar::start(&self.label(&chain), total);
        let steps = chain.clone().zip(&folders).map(|(number, folder)| StepRun {
            ctx,
            name: &self.job.steps[number].name,
            sql: &self.job.steps[number].sql,
            queries: &self.plan.steps[number].queries,
            id: &self.job.id,
            text: self.job.text.as_deref(),
            whole: self.plan.steps[number].flow.whole,
            folder,
        });
        let steps: Vec<_> = steps.collect();
        let computed = step::compute(&steps, Entering { counted, in_files }, &bar).await;
        drop(steps);
        ctx.deregister_table("input")?;
        // A file that changed during the run explains most errors, so check that first.
        for number in first..=last {
            self.sources_unchanged(number).await?;
        }
        let manifests = computed.map_err(|(at, error)| self.of_step(first + at, error))?;
        for ((number, folder), mut manifest) in chain.zip(&folders).zip(manifests) {
            manifest.job.clone_from(&self.job.name);
            manifest.fingerprint = self.fingerprint(number);
            manifest.inputs = self.inputs(number);
            manifest.versions = summary::result_versions();
            manifest.finished = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
            // Sync the rows first: a manifest must not outlive them.
            limpid_io::sync_tree(folder).map_err(JobError::io("write", folder))?;
            manifest.write(folder)?;
            self.done.push((manifest, false));
        }
        Ok(())
    }

    /// What the progress calls steps that run as one.
    fn label(&self, chain: &RangeInclusive<usize>) -> String {
        let ((first, last), steps) = (chain.clone().into_inner(), &self.job.steps);
        match first == last {
            true => format!("{}/{} {}", first + 1, steps.len(), steps[first].name),
            false => {
                format!("{}-{}/{} {} to {}", first + 1, last + 1, steps.len(), steps[first].name, steps[last].name)
            }
        }
    }

    /// The error with the step and its statement.
    fn of_step(&self, number: usize, error: JobError) -> JobError {
        let step = &self.job.steps[number];
        let (job, place, sql) = (self.job.name.clone(), format!("step `{}`", step.name), step.sql.clone());
        match error {
            JobError::Engine(source) if is_full(&words(&source)) => {
                let spill = spill_folder(&self.plan.ctx.runtime_env());
                let source = source.context(format!("the spill folder {} is full", spill.display()));
                JobError::Statement { job, place, sql, source }
            }
            JobError::Engine(source) => JobError::Statement { job, place, sql, source },
            JobError::Io { .. } | JobError::Other(_) => JobError::Other(format!("job `{job}`, {place}: {error}")),
            other => other,
        }
    }

    fn position(&self, step: &str) -> Option<usize> {
        self.job.steps.iter().position(|known| known.name == step)
    }

    /// The number of rows of a source, if its files state it.
    async fn source_rows(&self, name: &str) -> Result<Option<u64>> {
        let source = self.job.sources.iter().position(|source| source.name == name);
        if source.is_none_or(|at| self.plan.sources[at].format() != PARQUET) {
            return Ok(None);
        }
        let counted = pairs(&self.plan.ctx, &format!("SELECT count(*), 0 FROM {}", quote(name))).await?;
        Ok(counted.first().map(|(rows, _)| *rows))
    }

    /// The number of files of a text source, which is an upper bound on its rows.
    fn text_files(&self, name: &str) -> Option<u64> {
        let source = self.job.sources.iter().position(|source| source.name == name)?;
        let opened = &self.plan.sources[source];
        (opened.format() == TEXT).then(|| opened.files())
    }

    /// Each table that step `number` reads, with the hash of its content.
    fn inputs(&self, number: usize) -> Vec<(String, String)> {
        let content = |name: &String| {
            let source = self.job.sources.iter().position(|source| source.name == *name);
            let source = source.map(|at| self.plan.sources[at].fingerprint.clone());
            let step = || {
                self.position(name).and_then(|at| self.done.get(at)).map(|(manifest, _)| manifest.kept.content.clone())
            };
            (name.clone(), source.or_else(step).unwrap_or_default())
        };
        let plan = &self.plan.steps[number];
        let files = plan.files.iter().map(|file| (file.paths(), file.fingerprint.clone()));
        plan.reads.iter().map(content).chain(files).collect()
    }

    /// Hash of everything that determines the result of step `number`.
    fn fingerprint(&self, number: usize) -> String {
        let (job, step) = (self.job, &self.job.steps[number]);
        let mut parts = vec![LAYOUT.to_string(), step.name.clone(), step.sql.clone(), step.input.clone()];
        parts.extend([job.id.clone(), job.text.clone().unwrap_or_default()]);
        let pairs = self.inputs(number).into_iter().chain(summary::result_versions());
        parts.extend(pairs.flat_map(|(name, value)| [name, value]));
        digest(parts.iter().map(String::as_str))
    }

    /// An error if a source that step `number` read has changed since it was listed.
    async fn sources_unchanged(&self, number: usize) -> Result<()> {
        let (step, ctx) = (&self.plan.steps[number], &self.plan.ctx);
        let sources = self.job.sources.iter().zip(&self.plan.sources);
        let sources = sources.filter(|(source, _)| step.reads.contains(&source.name));
        let sources = sources.map(|(source, opened)| (format!("source `{}`", source.name), opened));
        for (name, opened) in sources.chain(step.files.iter().map(|opened| (opened.paths(), opened))) {
            if let Some(change) = opened.change(ctx).await {
                let (job, step) = (&self.job.name, &self.job.steps[number].name);
                let message = format!(
                    "job `{job}`, step `{step}`: {name} changed while it was read: {change}; run the job again"
                );
                return Err(JobError::Other(message));
            }
        }
        Ok(())
    }

    /// Removes folders of steps that the job no longer has, or has at another position.
    fn remove_foreign_folders(&self) {
        let own: Vec<_> = (0..self.job.steps.len()).map(|number| self.job.step_folder(number)).collect();
        for entry in fs::read_dir(&self.job.work).into_iter().flatten().flatten() {
            let folder = entry.path();
            if !own.contains(&folder) && is_step_folder(&folder) {
                // A folder that cannot be removed does no harm.
                let _ = fs::remove_dir_all(&folder);
            }
        }
    }

    /// Runs the checks, then writes the sink. Skips both if the sink already holds this result.
    async fn finish(&self) -> Result<Vec<CheckReport>> {
        let ctx = &self.plan.ctx;
        let fingerprint = self.result_fingerprint();
        let recomputed = self.options.force || self.done.iter().any(|(_, resumed)| !resumed);
        match &self.job.sink {
            Some(target) if !recomputed && sink::is_current(target, &fingerprint) => Ok(self.passed_checks()),
            Some(target) => {
                let checks = check::run(ctx, self.job).await?;
                sink::write(ctx, self.job, target, &fingerprint).await?;
                Ok(checks)
            }
            None => check::run(ctx, self.job).await,
        }
    }

    /// Hash of what the rows of each source are counted from.
    fn origins_fingerprint(&self) -> String {
        let sources = self.plan.sources.iter().map(|source| source.fingerprint.clone());
        let origin = self.job.origin.clone().unwrap_or_default();
        let parts: Vec<_> = sources.chain([origin, self.result_fingerprint()]).collect();
        digest(parts.iter().map(String::as_str))
    }

    /// Hash of the result and of the checks it passed.
    fn result_fingerprint(&self) -> String {
        let format = self.job.sink.as_ref().map(|sink| sink.format.to_string());
        let mut parts: Vec<_> = format.into_iter().collect();
        parts.extend(
            self.done
                .iter()
                .flat_map(|(manifest, _)| [manifest.kept.content.clone(), manifest.removed.content.clone()]),
        );
        parts.extend(self.job.checks.iter().map(|check| check.sql.clone()));
        parts.extend(self.plan.check_files.iter().map(|file| file.fingerprint.clone()));
        parts.extend(summary::result_versions().into_iter().map(|(_, version)| version));
        digest(parts.iter().map(String::as_str))
    }
}

/// Whether `folder` is one that a step wrote, by its name and by all that is in it.
fn is_step_folder(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let numbered = name.split_once('-').is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let known = ["kept", "removed", "clusters", "missing", "manifest.json", "manifest.tmp"];
    let own = |name: &OsStr| known.iter().any(|known| name == *known) || limpid_io::is_unfinished(name);
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    numbered && folder.is_dir() && entries.all(|entry| own(&entry.file_name()))
}

/// Registers `output`, the rows of the last step, and `removed`, the removed rows of all.
async fn register_results(ctx: &SessionContext, job: &Job) -> Result<()> {
    ctx.deregister_table("input")?;
    let mut removed = Vec::new();
    for (number, step) in job.steps.iter().enumerate() {
        let table = format!("__removed_{}", number + 1);
        register_folder(ctx, &table, &job.step_folder(number).join("removed")).await?;
        removed.push(format!(
            "SELECT {} AS step, CAST({} AS VARCHAR) AS id, reason, CAST(duplicate_of AS VARCHAR) AS duplicate_of, similarity, cluster_id FROM {table}",
            literal(&step.name),
            quote(&job.id)
        ));
    }
    let removed = ctx.sql(&removed.join(" UNION ALL ")).await?.into_view();
    ctx.register_table("removed", removed)?;
    if let Some(last) = job.steps.last() {
        ctx.register_table("output", ctx.table_provider(last.name.as_str()).await?)?;
    }
    Ok(())
}
