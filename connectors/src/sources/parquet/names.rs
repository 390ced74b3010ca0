//! Detects names that a query could not distinguish.

use std::collections::HashSet;

use parquet::schema::types::{SchemaDescriptor, Type};

/// Returns an error if two columns of a file, or two fields of a struct, have the same name. It names them and says what to
/// do.
///
/// # Errors
/// There are two such columns or fields.
pub fn distinct(schema: &SchemaDescriptor) -> Result<(), String> {
    let repeated = |group: &Type, path: &str| {
        let mut seen = HashSet::new();
        let name = group.get_fields().iter().map(|field| field.name()).find(|name| !seen.insert(*name))?;
        Some(match path {
            "" => format!(
                "two of its columns are named `{name}`, of which a query could only read one; give one of them another \
                 name and write the file again"
            ),
            path => format!(
                "two fields of `{path}` are named `{name}`, of which a query could only read one; give one of them \
                 another name and write the file again"
            ),
        })
    };
    match find(schema.root_schema(), "", &repeated) {
        Some(what) => Err(what),
        None => Ok(()),
    }
}

/// What `check` finds first in a group and the groups below it; `path` leads to the group.
fn find(group: &Type, path: &str, check: &dyn Fn(&Type, &str) -> Option<String>) -> Option<String> {
    if !group.is_group() {
        return None;
    }
    check(group, path).or_else(|| {
        group.get_fields().iter().find_map(|field| {
            let below = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
            find(field, &below, check)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn check(message: &str) -> Result<(), String> {
        distinct(&SchemaDescriptor::new(Arc::new(parse_message_type(message).unwrap())))
    }

    #[test]
    fn columns_and_fields_of_one_name_are_named() {
        assert_eq!(check("message m { required int32 a; required int32 A; }"), Ok(()));
        let two = check("message m { required int32 a; required int64 b; optional int32 a; }").unwrap_err();
        assert!(two.contains("two of its columns are named `a`"), "{two}");
        let inner = check("message m { required group s { required int32 x; required int32 x; } }").unwrap_err();
        assert!(inner.contains("two fields of `s` are named `x`"), "{inner}");
        // The same name in two structs is no clash.
        let fine = "message m { required int32 x; required group s { required int32 x; } }";
        assert_eq!(check(fine), Ok(()));
    }
}
