//! Errors for unsupported clauses.

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::Ident;

/// Returns the error for an unsupported clause. `advice` says what to write instead, or why there is no alternative.
pub fn refuse<T>(clause: &str, advice: &str) -> Result<T> {
    plan_err!("{clause} is not supported; {advice}")
}

/// Rejects a clause if it is present.
pub fn refuse_if(there: bool, clause: &str, advice: &str) -> Result<()> {
    if there { refuse(clause, advice) } else { Ok(()) }
}

/// The name that an identifier denotes.
pub fn meant(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}
