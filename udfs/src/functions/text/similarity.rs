//! Shared by `jaccard` and `containment`: they map two texts to sets of shingles, and these to a number.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Signature, TypeSignature, Volatility};

use crate::functions::literals::{Literals, literal};
use crate::functions::strings::{Strings, text};
use crate::kernels::shingler::{Shingler, Unit};

/// Default number of units per shingle.
pub(crate) const DEFAULT_N: usize = 5;
/// Maximum number of units per shingle.
pub(crate) const MAX_N: u16 = 1000;

/// `(a, b [, n [, unit]])`.
pub(super) fn signature() -> Signature {
    let arguments = vec![
        TypeSignature::Coercible(vec![text(), text()]),
        TypeSignature::Coercible(vec![text(), text(), literal()]),
        TypeSignature::Coercible(vec![text(), text(), literal(), literal()]),
    ];
    Signature::one_of(arguments, Volatility::Immutable)
}

/// The unit and width that a call specifies.
pub(super) fn shape(literals: &Literals<'_>) -> Result<(Unit, usize)> {
    let n = literals.count(2, "n", 1..=MAX_N)?.unwrap_or(DEFAULT_N);
    Ok((unit(literals, 3)?, n))
}

/// The unit at `index`; words by default.
pub(crate) fn unit(literals: &Literals<'_>, index: usize) -> Result<Unit> {
    let name = literals.choice(index, "unit", &Unit::ALL.map(Unit::name))?;
    Ok(Unit::parse(name).unwrap_or_default())
}

/// Measures two columns of texts row by row. If neither text has a shingle, equal texts score 1 and others 0.
pub(super) fn measure(
    function: &'static str,
    args: &[ColumnarValue],
    measure: fn(&[u64], &[u64]) -> f64,
) -> Result<ColumnarValue> {
    let (unit, n) = shape(&Literals::running(function, args))?;
    let rows = move |args: &[ArrayRef]| -> Result<ArrayRef> {
        let (a, b) = (Strings::try_new(&args[0], "a")?, Strings::try_new(&args[1], "b")?);
        let mut shingler = Shingler::new(unit, n);
        let (mut left, mut right) = (LastSet::default(), LastSet::default());
        let similarities = a.iter().zip(b.iter()).map(|(a, b)| {
            let (a, b) = (a?, b?);
            let (x, y) = (left.of(a, &mut shingler), right.of(b, &mut shingler));
            Some(if x.is_empty() && y.is_empty() { f64::from(a == b) } else { measure(x, y) })
        });
        Ok(Arc::new(similarities.collect::<Float64Array>()))
    };
    make_scalar_function(rows, vec![])(&args[..2])
}

/// Caches the set of the last text, for columns that repeat one, above all literals.
#[derive(Default)]
struct LastSet<'a> {
    text: Option<&'a str>,
    set: Vec<u64>,
}

impl<'a> LastSet<'a> {
    fn of(&mut self, text: &'a str, shingler: &mut Shingler) -> &[u64] {
        if self.text != Some(text) {
            shingler.set(text, &mut self.set);
            self.text = Some(text);
        }
        &self.set
    }
}
