//! The errors of clauses that are not carried out.

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::Ident;

/// The error of a clause that is not carried out. `advice` says what to write instead, or why nothing can be.
pub fn refuse<T>(clause: &str, advice: &str) -> Result<T> {
    plan_err!("{clause} is not supported; {advice}")
}

/// Refuses a clause that is there.
pub fn refuse_if(there: bool, clause: &str, advice: &str) -> Result<()> {
    if there { refuse(clause, advice) } else { Ok(()) }
}

/// The name that an identifier stands for.
pub fn meant(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}
