//! `recipe_input(relation, 'what the recipe needs')`: the relation `input` of a recipe, which expanding a recipe writes around what
//! the user gave.
//!
//! It has the columns of the relation but those that the recipe's answer adds: **a column of the answer replaces the input's column of that
//! name**. Columns that begin with `__` are the recipes' own. A column that an argument names must be there, and be of its kind.

use datafusion::common::{DFSchemaRef, Result, plan_err};
use serde::{Deserialize, Serialize};

/// The SQL name.
pub const NAME: &str = "recipe_input";

/// What begins the names that recipes use inside.
const RESERVED: &str = "__";

/// What a recipe needs of its input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// The recipe.
    pub recipe: String,
    /// The arguments that name columns: parameter, column, and the word for what the column must be.
    pub columns: Vec<(String, String, String)>,
    /// The columns that its answer adds.
    pub adds: Vec<String>,
    /// Which recipe of the statement it is, from 1 on; 0 where it is the only one.
    #[serde(default, skip_serializing_if = "is_only")]
    pub number: usize,
}

fn is_only(number: &usize) -> bool {
    *number == 0
}

impl Needs {
    /// What EXPLAIN calls the input.
    pub fn label(&self) -> String {
        match self.number {
            0 => format!("input of {}", self.recipe),
            number => format!("input of recipe {number}, {}", self.recipe),
        }
    }

    /// Checks the columns of the input.
    ///
    /// # Errors
    /// An argument names none of them, or one of another kind.
    pub fn check(&self, schema: &DFSchemaRef) -> Result<()> {
        let recipe = &self.recipe;
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        if let Some(own) = names.iter().find(|name| name.starts_with(RESERVED)) {
            return plan_err!(
                "recipe `{recipe}`: the input has the column `{own}`; names that begin with `{RESERVED}` are kept for recipes"
            );
        }
        for (parameter, column, kind) in &self.columns {
            let Some(field) = schema.fields().iter().find(|field| field.name() == column) else {
                // `vector` was the default before `embedding`.
                let is_meant =
                    |name: &str| name.eq_ignore_ascii_case(column) || (column == "embedding" && name == "vector");
                let meant = names.iter().find(|name| is_meant(name));
                let meant = meant.map_or_else(String::new, |meant| format!(" Did you mean `{meant}`?"));
                return plan_err!(
                    "recipe `{recipe}`: argument `{parameter}`: the input has no column `{column}`.{meant} It has {}",
                    names.join(", ")
                );
            };
            if self.adds.contains(column) {
                return plan_err!(
                    "recipe `{recipe}`: argument `{parameter}` is the column `{column}`, and the answer has a column of that name; give the input's column another name"
                );
            }
            let (found, wanted) = (field.data_type(), kind.as_str());
            let fits = match wanted {
                "numbers" => found.is_numeric() || found.is_null(),
                "flags" => *found == arrow::datatypes::DataType::Boolean || found.is_null(),
                "unique" | "classes" => !found.is_nested(),
                _ => true,
            };
            if !fits {
                let wanted = match wanted {
                    "numbers" => "numbers",
                    "flags" => "true or false",
                    _ => "plain values, not lists or structs",
                };
                return plan_err!(
                    "recipe `{recipe}`: argument `{parameter}`: column `{column}` must hold {wanted}; it is {found}"
                );
            }
        }
        Ok(())
    }
}
