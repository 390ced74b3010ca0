//! The page of an evaluation: how well a probe does on what each method keeps, beside random rows and all rows.

use std::path::Path;

use minijinja::value::Serde;
use serde::Serialize;

use super::error::ReportError;
use super::plots::{Curve, Point, curves};
use super::{templates, write_page};

/// What `limpid evaluate` tells.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Evaluation {
    /// Where the rows are from.
    pub source: String,
    /// Rows to choose from, and rows the probe is tested on.
    pub rows: u64,
    /// Rows it is tested on.
    pub test_rows: u64,
    /// The probe, in words.
    pub probe: String,
    /// On all rows.
    pub everything: Measured,
    /// Methods in the order asked for; the first is random.
    pub methods: Vec<Method>,
}

/// A method at several budgets.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Method {
    /// The recipe.
    pub name: String,
    /// From the smallest budget on.
    pub budgets: Vec<Measured>,
}

/// Accuracies of probes with different seeds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// Share of the rows.
    pub fraction: f64,
    /// Rows kept.
    pub kept: u64,
    /// Test accuracy in percent, one a seed.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// Mean less that of random rows, where there are such.
    pub gain: Option<f64>,
    /// better, worse or open, by Welch's t-test at 5 %; nothing where either side has a single seed.
    pub verdict: Option<&'static str>,
}

impl Measured {
    /// From the accuracies of the seeds.
    pub fn new(fraction: f64, kept: u64, accuracies: Vec<f64>) -> Self {
        let count = accuracies.len().max(1) as f64;
        let mean = accuracies.iter().sum::<f64>() / count;
        let squares: f64 = accuracies.iter().map(|a| (a - mean) * (a - mean)).sum();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        Self { fraction, kept, accuracies, mean, deviation, gain: None, verdict: None }
    }

    /// Compares with random rows of the same budget by Welch's t-test (Biometrika 34, 1947), two-sided at 5 %.
    pub fn against(&mut self, random: &Self) {
        let gain = self.mean - random.mean;
        self.gain = Some(gain);
        let seeds = |m: &Self| m.accuracies.len() as f64;
        if seeds(self) < 2.0 || seeds(random) < 2.0 {
            return;
        }
        // The squared standard error of each mean, and what it adds to the degrees of freedom (Welch-Satterthwaite).
        let error = |m: &Self| m.deviation * m.deviation / seeds(m);
        let (own, other) = (error(self), error(random));
        let freedom =
            (own + other).powi(2) / (own.powi(2) / (seeds(self) - 1.0) + other.powi(2) / (seeds(random) - 1.0));
        let least = critical(freedom) * (own + other).sqrt();
        self.verdict = Some(if gain > least {
            "better"
        } else if gain < -least {
            "worse"
        } else {
            "open"
        });
    }
}

/// Student's t that 5 % of the values exceed in size, for the degrees of freedom rounded down: a difference is never found
/// significant by rounding.
fn critical(freedom: f64) -> f64 {
    const T: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    // Without any deviation there are no degrees of freedom, and every difference counts.
    let place = if freedom.is_finite() { (freedom.floor() as usize).clamp(1, T.len()) } else { T.len() };
    T[place - 1]
}

#[derive(Serialize)]
struct View<'a> {
    evaluation: &'a Evaluation,
    style: &'static str,
    title: String,
    plot: Option<String>,
}

/// Writes the page to `path`; the file appears whole or not at all.
pub fn write(evaluation: &Evaluation, path: &Path) -> Result<(), ReportError> {
    write_page(render(evaluation)?, path)
}

/// The page.
pub fn render(evaluation: &Evaluation) -> Result<String, ReportError> {
    let lines: Vec<Curve> = evaluation
        .methods
        .iter()
        .map(|method| Curve {
            name: method.name.clone(),
            points: method
                .budgets
                .iter()
                .map(|m| Point { x: 100.0 * m.fraction, y: m.mean, error: m.deviation })
                .collect(),
        })
        .collect();
    let names = ("rows kept, percent", "test accuracy, percent");
    let view = View {
        evaluation,
        style: include_str!("templates/report.css"),
        title: format!("methods on {}", evaluation.source),
        plot: curves("Accuracy by budget", &lines, Some(evaluation.everything.mean), names)?,
    };
    Ok(templates()?.get_template("evaluation.html")?.render(Serde(view))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_counts_where_welch_says_so() {
        let random = Measured::new(0.1, 10, vec![80.0, 82.0, 81.0]);
        assert_eq!((random.mean, random.deviation), (81.0, 1.0));
        let judged = |accuracies: &[f64]| {
            let mut measured = Measured::new(0.1, 10, accuracies.to_vec());
            measured.against(&random);
            measured.verdict
        };
        assert_eq!(judged(&[85.0, 86.0, 87.0]), Some("better"));
        assert_eq!(judged(&[70.0, 71.0, 72.0]), Some("worse"));
        assert_eq!(judged(&[81.0, 82.0, 83.0]), Some("open"));
        // Beyond twice its standard error (2.3 of 0.82), but with four degrees of freedom that takes 2.776 of them.
        assert_eq!(judged(&[82.0, 83.0, 84.9]), Some("open"));
        assert_eq!(judged(&[95.0]), None);
    }

    #[test]
    fn the_page_has_the_curves_and_the_verdicts() {
        let mut ccs = Measured::new(0.1, 10, vec![90.0, 91.0]);
        let random = Measured::new(0.1, 10, vec![80.0, 81.0]);
        ccs.against(&random);
        let evaluation = Evaluation {
            source: "digits.parquet".to_owned(),
            everything: Measured::new(1.0, 100, vec![98.0, 98.2]),
            methods: vec![
                Method { name: "random".to_owned(), budgets: vec![random] },
                Method { name: "ccs".to_owned(), budgets: vec![ccs] },
            ],
            ..Evaluation::default()
        };
        let page = render(&evaluation).unwrap();
        for part in ["<svg", "digits.parquet", "90.50", "better", "+10.00"] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
