//! Options of a table comparison, for SQL and the command line: their words, their ranges, and which combinations are
//! allowed.

use std::ops::RangeInclusive;

use crate::kernels::canonical::Form;
pub use crate::kernels::sorted::Rows;

/// How far the comparison goes. Each stage only removes edges of the previous one; the last two also prove the remaining
/// ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stage {
    /// Column names alone.
    Schema,
    /// Types, bounds and counts from footers; no data is read.
    Minmax,
    /// Samples of rows of both tables, anchored at columns; the parent is not searched.
    Sketch,
    /// Uniformly sampled rows of the child, searched in the parent, as in the R2D2 paper. May accept false edges.
    Sampled,
    /// 128-bit hashes of all rows.
    #[default]
    Exact,
    /// The rows themselves, byte for byte in canonical form, after their hashes.
    Bytes,
}

/// When values of two columns can be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Types {
    /// Types of one kind are widened: integers, decimals and floats; dates and timestamps.
    #[default]
    Widen,
    /// The columns must have the same type, up to encoding.
    Strict,
    /// Values are compared as text.
    Text,
    /// Values are compared as text, and texts that spell numbers, times or Booleans count as those values.
    Parsed,
}

impl Stage {
    /// The words for them.
    pub const WORDS: &[(&str, Self)] = &[
        ("schema", Self::Schema),
        ("minmax", Self::Minmax),
        ("sketch", Self::Sketch),
        ("sampled", Self::Sampled),
        Self::ALL_ROWS[0],
        Self::ALL_ROWS[1],
    ];
    /// The words for those in which all rows decide.
    pub const ALL_ROWS: &[(&str, Self)] = &[("exact", Self::Exact), ("bytes", Self::Bytes)];

    /// Whether all rows decide.
    pub fn reads_all_rows(self) -> bool {
        matches!(self, Self::Exact | Self::Bytes)
    }
}

/// The words for [`Rows`].
pub const ROWS: &[(&str, Rows)] = &[("multiset", Rows::Multiset), ("set", Rows::Set)];

impl Types {
    /// The words for them.
    pub const WORDS: &[(&str, Self)] =
        &[("widen", Self::Widen), ("strict", Self::Strict), ("text", Self::Text), ("parsed", Self::Parsed)];

    /// Whether values of different kinds can be equal.
    pub fn meet(self) -> bool {
        matches!(self, Self::Text | Self::Parsed)
    }

    /// The canonical form that compares so.
    pub fn form(self) -> Form {
        match self {
            Self::Widen | Self::Strict => Form::Value,
            Self::Text => Form::Text,
            Self::Parsed => Form::Parsed,
        }
    }
}

/// When names of two columns are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Names {
    /// Without case.
    #[default]
    Fold,
    /// As written.
    Exact,
    /// Case-insensitive; columns with other names are also tried if their values fit.
    Any,
}

impl Names {
    /// The words for those that compare names.
    pub const COMPARING: &[(&str, Self)] = &[("fold", Self::Fold), ("exact", Self::Exact)];
    /// The words for them.
    pub const WORDS: &[(&str, Self)] = &[Self::COMPARING[0], Self::COMPARING[1], ("any", Self::Any)];
}

impl Layout {
    /// The words for them.
    pub const WORDS: &[(&str, Self)] = &[("auto", Self::Auto), ("file", Self::File), ("folder", Self::Folder)];
}

/// What one table is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// A folder is a table if it has `key=value` folders, a writer's marker such as `_SUCCESS`, or only files named as
    /// writers name the parts of a table. Other files are tables of their own.
    #[default]
    Auto,
    /// Every file is a table.
    File,
    /// Every folder is a table.
    Folder,
}

/// What [`Options::threshold`] may be.
pub const THRESHOLD: RangeInclusive<f64> = 0.01..=1.0;
/// What [`Options::sample_rows`] may be.
pub const SAMPLE_ROWS: RangeInclusive<u64> = 1..=1_000_000;
/// What [`Options::confidence`] may be.
pub const CONFIDENCE: RangeInclusive<f64> = 0.5..=0.999_999;

/// Everything that defines the result of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How far to go.
    pub stage: Stage,
    /// Whether repeated rows count.
    pub rows: Rows,
    /// When values are equal.
    pub types: Types,
    /// When names are equal.
    pub names: Names,
    /// What a table is.
    pub layout: Layout,
    /// Minimum fraction of the child's rows that the parent must have. Below 1, near-containments are found too.
    pub threshold: f64,
    /// Rows drawn from each child at stage [`Stage::Sampled`].
    pub sample_rows: u64,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stage: Stage::default(),
            rows: Rows::default(),
            types: Types::default(),
            names: Names::default(),
            layout: Layout::default(),
            threshold: 1.0,
            sample_rows: 10,
            confidence: 0.95,
            seed: 42,
        }
    }
}

impl Options {
    /// Checks what each option allows of the others.
    ///
    /// # Errors
    /// The first that contradicts another.
    pub fn check(&self) -> Result<(), Conflict> {
        if self.threshold < 1.0 && matches!(self.stage, Stage::Sketch | Stage::Bytes) {
            return Err(Conflict::Threshold);
        }
        if self.names == Names::Any && !self.stage.reads_all_rows() {
            return Err(Conflict::Names);
        }
        Ok(())
    }
}

/// Options that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// A threshold below 1 with a stage that only handles full containment.
    Threshold,
    /// Columns of other names with a stage that does not read all rows.
    Names,
}

/// What an interface calls the options, for its errors.
#[derive(Debug, Clone, Copy)]
pub struct OptionNames {
    /// [`Options::threshold`].
    pub threshold: &'static str,
    /// [`Options::stage`].
    pub stage: &'static str,
    /// [`Names::Any`].
    pub any_names: &'static str,
}

impl OptionNames {
    /// In SQL.
    pub const SQL: Self = Self { threshold: "`threshold`", stage: "`stage`", any_names: "names => 'any'" };
    /// On the command line.
    pub const COMMAND_LINE: Self = Self { threshold: "--threshold", stage: "--stage", any_names: "--renamed" };
}

impl Conflict {
    /// The conflict in a sentence.
    pub fn told(self, names: &OptionNames) -> String {
        let OptionNames { threshold, stage, any_names } = *names;
        match self {
            Self::Threshold => {
                format!("stages 'sketch' and 'bytes' know whole containments only; leave {threshold} at 1")
            }
            Self::Names => format!("{any_names} needs {stage} 'exact' or 'bytes': all rows decide"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_name_the_options_as_the_interface_does() {
        let near = Options { threshold: 0.9, stage: Stage::Bytes, ..Options::default() };
        let told = near.check().unwrap_err().told(&OptionNames::COMMAND_LINE);
        assert!(told.ends_with("leave --threshold at 1"), "{told}");
        let renamed = Options { names: Names::Any, stage: Stage::Minmax, ..Options::default() };
        let told = renamed.check().unwrap_err().told(&OptionNames::SQL);
        assert!(told.starts_with("names => 'any' needs `stage`"), "{told}");
        assert_eq!(Options { names: Names::Any, threshold: 0.9, ..Options::default() }.check(), Ok(()));
    }
}
