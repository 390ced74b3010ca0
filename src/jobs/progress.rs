//! Progress on standard error: a bar on a terminal, otherwise occasional lines, as in the logs of a batch system.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// Time between two lines without a terminal. Shorter steps print nothing.
const LINES: Duration = Duration::from_secs(15);

/// How often a bar looks at what it shows.
const TICK: Duration = Duration::from_millis(200);

/// The bar of one step.
pub struct StepBar {
    bar: ProgressBar,
    total: Option<u64>,
    lines: Option<Mutex<Lines>>,
}

/// Replaces the bar by lines in a log.
struct Lines {
    step: String,
    /// The line that is due, if one is.
    counted: &'static str,
    started: Instant,
    told: Instant,
    read: u64,
}

impl Lines {
    /// The line that is due, where one is.
    fn due(&mut self, read: u64, total: Option<u64>, doing: &str) -> Option<String> {
        self.read = self.read.max(read);
        if self.told.elapsed() < LINES {
            return None;
        }
        self.told = Instant::now();
        let of = total.map_or_else(String::new, |total| format!(" of {}", HumanCount(total)));
        let seconds = self.started.elapsed().as_secs();
        Some(format!("{}: {}{of} {}, {doing}{seconds} s", self.step, HumanCount(self.read), self.counted))
    }
}

impl StepBar {
    /// Creates a bar for a step, or for several that run together, reading `total` rows if known.
    pub fn start(step: &str, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{prefix:>20} [{bar:30}] {human_pos}/{human_len} rows {speed}/s ETA {eta} {msg}",
            None => "{prefix:>20} {spinner} {human_pos} rows {speed}/s {elapsed} {msg}",
        };
        Self::with(template, step.to_owned(), format!("step {step}"), ("rows read", total))
    }

    /// Creates a bar for `work` with `total` units, such as `probes trained`.
    pub fn of(work: &str, counted: &'static str, total: u64) -> Self {
        let template = format!("{{prefix:>20}} [{{bar:30}}] {{human_pos}}/{{human_len}} {counted} {{elapsed}} {{msg}}");
        Self::with(&template, work.to_owned(), work.to_owned(), (counted, Some(total)))
    }

    fn with(template: &str, prefix: String, step: String, (counted, total): (&'static str, Option<u64>)) -> Self {
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> ").with_key("speed", speed));
        }
        bar.set_prefix(prefix);
        bar.enable_steady_tick(TICK);
        // With `--quiet` only errors are told.
        let quiet = !log::log_enabled!(log::Level::Warn);
        let now = Instant::now();
        let lines = (!std::io::stderr().is_terminal() && !quiet)
            .then(|| Mutex::new(Lines { step, counted, started: now, told: now, read: 0 }));
        Self { bar, total, lines }
    }

    /// Shows that `read` rows were read.
    pub fn read(&self, read: u64) {
        self.bar.set_position(self.total.map_or(read, |total| read.min(total)));
        let done = self.total.is_some_and(|total| read >= total);
        if done {
            self.bar.set_message("working");
        }
        self.tell(read, if done { "working, " } else { "" });
    }

    /// Writes a line if one is due.
    pub async fn during<T>(&self, read: impl Fn() -> u64, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = tick.tick() => self.read(read()),
            }
        }
    }

    /// Writes a line where one is due.
    fn tell(&self, read: u64, doing: &str) {
        let Some(lines) = &self.lines else { return };
        let due = lines.lock().ok().and_then(|mut lines| lines.due(read, self.total, doing));
        if let Some(line) = due {
            eprintln!("{line}");
        }
    }

    /// Shows what is being done after the rows were read.
    pub fn message(&self, message: &'static str) {
        self.bar.set_message(message);
        self.tell(0, &format!("{message}, "));
    }
}

/// Rows per second, without the decimals of the built-in key.
fn speed(state: &ProgressState, out: &mut dyn Write) {
    // A terminal that takes no more is none of the bar's business.
    let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
}

impl Drop for StepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_now_and_then() {
        let now = Instant::now();
        let mut lines =
            Lines { step: "step 2/3 near".to_owned(), counted: "rows read", started: now, told: now, read: 0 };
        assert_eq!(lines.due(1_000, Some(5_000), ""), None);
        lines.told = now.checked_sub(LINES).unwrap();
        assert_eq!(lines.due(2_000, Some(5_000), "").unwrap(), "step 2/3 near: 2,000 of 5,000 rows read, 0 s");
        assert_eq!(lines.due(3_000, None, ""), None);
        lines.told = now.checked_sub(LINES).unwrap();
        assert_eq!(
            lines.due(0, None, "choosing samples, ").unwrap(),
            "step 2/3 near: 3,000 rows read, choosing samples, 0 s"
        );
    }
}
