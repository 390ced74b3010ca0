//! Substitutes `${name}` and `${name:-default}` in the scalars of a job file.
//!
//! A value comes from `--set`, else from the environment, else from the file's `vars`, else from the default after `:-`.
//! `$${` writes a literal `${`. A name without a value is an error: an empty path or number is never intended.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use super::error::Problems;
use super::model::JobFile;

/// Maximum nesting of values that refer to other variables; deeper nesting is a cycle.
const MAX_DEPTH: usize = 16;

/// Where values come from, and which names were asked for.
pub struct Variables<'a> {
    set: &'a BTreeMap<String, String>,
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: BTreeMap<String, String>,
    asked: BTreeSet<String>,
}

/// Replaces all variables in `file`. Reports those without a value, and values of `--set` that are not used.
pub fn resolve(file: &mut JobFile, set: &BTreeMap<String, String>, problems: &mut Problems) {
    resolve_with(file, set, &|name| env::var(name).ok(), problems);
}

fn resolve_with(
    file: &mut JobFile,
    set: &BTreeMap<String, String>,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) {
    let own = file.vars.iter().map(|(name, text)| (name.clone(), text.value.clone())).collect();
    let mut variables = Variables { set, environment, file: own, asked: BTreeSet::new() };
    for (name, text) in file.vars.iter() {
        if !is_name(name) {
            problems.add(text.line, format!("vars: `{name}` is not a name; allowed are letters, digits and _"));
        }
    }
    for (key, text) in file.texts_mut() {
        match variables.expand(&text.value, 0) {
            Ok(value) => text.value = value,
            Err(message) => problems.add(text.line, format!("{key}: {message}")),
        }
    }
    for name in set.keys().filter(|name| !variables.asked.contains(*name) && !variables.file.contains_key(*name)) {
        let known: Vec<_> =
            variables.file.keys().chain(&variables.asked).collect::<BTreeSet<_>>().into_iter().collect();
        let known = known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "it has no variables".to_owned() } else { format!("it has {known}") };
        problems.add(0, format!("--set {name}: the job has no variable of this name; {known}"));
    }
}

impl Variables<'_> {
    /// `text` with its variables replaced.
    fn expand(&mut self, text: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err(format!("the variables in `{text}` name each other in a circle"));
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                out.push_str(&rest[..at - 1]);
                out.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let end = closing_brace(inner).ok_or_else(|| format!("`${{` without its `}}` in `{text}`"))?;
            out.push_str(&self.value(&inner[..end], depth)?);
            rest = &inner[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The value of `name` or `name:-default`.
    fn value(&mut self, reference: &str, depth: usize) -> Result<String, String> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            return Err(format!(
                "`${{{reference}}}`: a variable is `${{name}}` or `${{name:-default}}`, the name of letters, digits and _"
            ));
        }
        self.asked.insert(name.to_owned());
        if let Some(value) = self.set.get(name).cloned().or_else(|| (self.environment)(name)) {
            if !(value.is_empty() && default.is_some()) {
                return Ok(value);
            }
        } else if let Some(value) = self.file.get(name).cloned() {
            return self.expand(&value, depth + 1);
        }
        match default {
            Some(default) => self.expand(default, depth + 1),
            None => Err(format!(
                "variable `{name}` has no value: set it in `vars`, in the environment, or with --set {name}=..."
            )),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Where the brace that was opened before `text` closes.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(
        text: &str,
        set: &[(&str, &str)],
        environment: &[(&str, &str)],
        file: &[(&str, &str)],
    ) -> Result<String, String> {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let (set, environment) = (map(set), map(environment));
        let lookup = |name: &str| environment.get(name).cloned();
        let mut variables = Variables { set: &set, environment: &lookup, file: map(file), asked: BTreeSet::new() };
        variables.expand(text, 0)
    }

    #[test]
    fn set_goes_before_environment_before_file_before_default() {
        let (s, e, f) = (&[("a", "set")], &[("a", "env")], &[("a", "file")]);
        assert_eq!(expand("x${a:-d}y", s, e, f).unwrap(), "xsety");
        assert_eq!(expand("x${a:-d}y", &[], e, f).unwrap(), "xenvy");
        assert_eq!(expand("x${a:-d}y", &[], &[], f).unwrap(), "xfiley");
        assert_eq!(expand("x${a:-d}y", &[], &[], &[]).unwrap(), "xdy");
    }

    #[test]
    fn braces_nest_and_escape() {
        assert_eq!(expand("${a:-~/x}/**/*.{rs,md}", &[], &[], &[]).unwrap(), "~/x/**/*.{rs,md}");
        assert_eq!(expand("${a:-*.{rs,md}}", &[], &[], &[]).unwrap(), "*.{rs,md}");
        assert_eq!(expand("${a:-${b:-c}}!", &[], &[("b", "B")], &[]).unwrap(), "B!");
        assert_eq!(expand("$${a} $5 $ {", &[], &[], &[]).unwrap(), "${a} $5 $ {");
        assert_eq!(expand("${a}", &[], &[], &[("a", "${b}/c"), ("b", "q")]).unwrap(), "q/c");
        assert_eq!(expand("${a:-d}", &[], &[("a", "")], &[]).unwrap(), "d");
        assert_eq!(expand("[${a}]", &[], &[("a", "")], &[]).unwrap(), "[]");
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        assert!(expand("${a}", &[], &[], &[]).unwrap_err().contains("--set a="));
        assert!(expand("${a", &[], &[], &[]).unwrap_err().contains("without its"));
        assert!(expand("${a b}", &[], &[], &[]).unwrap_err().contains("letters, digits"));
        assert!(expand("${a}", &[], &[], &[("a", "${a}")]).unwrap_err().contains("circle"));
    }
}
