//! Progress bars on stderr; hidden where that is no terminal.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// The bar of one step.
pub struct StepBar {
    bar: ProgressBar,
    total: Option<u64>,
}

impl StepBar {
    /// A bar for step `number` of `steps`, which reads `total` rows where that is known.
    pub fn start(number: usize, steps: usize, name: &str, total: Option<u64>) -> Self {
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template = match total {
            Some(_) => "{prefix:>20} [{bar:30}] {human_pos}/{human_len} rows {speed}/s ETA {eta} {msg}",
            None => "{prefix:>20} {spinner} {human_pos} rows {speed}/s {elapsed} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> ").with_key("speed", speed));
        }
        bar.set_prefix(format!("{}/{steps} {name}", number + 1));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, total }
    }

    /// Shows that `read` rows were read.
    pub fn read(&self, read: u64) {
        self.bar.set_position(self.total.map_or(read, |total| read.min(total)));
        if self.total.is_some_and(|total| read >= total) {
            self.bar.set_message("working");
        }
    }

    /// Shows what is being done after the rows were read.
    pub fn message(&self, message: &'static str) {
        self.bar.set_message(message);
    }
}

/// Rows a second, without the decimals of the built-in key.
fn speed(state: &ProgressState, out: &mut dyn Write) {
    // A terminal that takes no more is none of the bar's business.
    let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
}

impl Drop for StepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
