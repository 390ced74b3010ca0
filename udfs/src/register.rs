//! The one list of what SQL gains.

use std::sync::Arc;

use datafusion::logical_expr::{ScalarUDF, ScalarUDFImpl};

use crate::functions::hash::xxh3_64::Xxh364;
use crate::operators::minhash_dedup::sketch::MinhashSketch;

pub use crate::operators::docs::{OperatorDoc, operators};

/// Every scalar function, in the order of the reference.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![udf::<Xxh364>(), udf::<MinhashSketch>()]
}

fn udf<F: ScalarUDFImpl + Default + 'static>() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(F::default()))
}
