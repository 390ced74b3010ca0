//! File patterns: `~`, braces, the fixed folder before the first wildcard, and the glob after it.

use std::path::{Path, PathBuf};

use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::execution::object_store::ObjectStoreUrl;
use glob::MatchOptions;
use object_store::path::Path as ObjectPath;

/// One of the alternatives that a pattern expands to.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) base: Base,
    /// What comes below the base; `None` for a path without wildcards.
    pub(super) glob: Option<Glob>,
}

/// The part of a pattern before its first wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// An absolute path, without `.` and `..`.
    Local(PathBuf),
    Remote {
        store: ObjectStoreUrl,
        prefix: ObjectPath,
    },
}

/// A glob over paths relative to the base.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    matcher: glob::Pattern,
    /// Number of levels below the base that can match; `None` with `**`.
    pub(super) depth: Option<usize>,
    /// Whether names that start with a dot can match.
    pub(super) hidden: bool,
}

impl Glob {
    fn new(glob: &str) -> Result<Self> {
        let depth = (!glob.contains("**")).then(|| glob.split('/').count());
        let hidden = glob.split('/').any(|part| part.starts_with('.'));
        Ok(Self { matcher: compile(glob)?, depth, hidden })
    }

    /// Whether `relative`, a path below the base, matches.
    pub(super) fn matches(&self, relative: &str) -> bool {
        self.matcher.matches_with(relative, OPTIONS)
            && (self.hidden || !relative.split('/').any(|part| part.starts_with('.')))
    }
}

/// `*` and `?` stay within a name.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

fn compile(glob: &str) -> Result<glob::Pattern> {
    glob::Pattern::new(glob).map_err(|e| plan_datafusion_err!("'{glob}' is not a valid glob: {}", e.msg))
}

impl Pattern {
    /// All alternatives of `pattern`; relative paths start at `folder`.
    pub(super) fn parse(pattern: &str, folder: &Path) -> Result<Vec<Self>> {
        if pattern.trim().is_empty() {
            return plan_err!("an empty path names no files");
        }
        let literal = local_path(pattern, folder)?;
        if let Some(path) = literal.filter(|path| path.exists()) {
            return Ok(vec![Self { base: Base::Local(clean(&path)?), glob: None }]);
        }
        expand_braces(pattern)?.iter().map(|alternative| Self::parse_one(alternative, folder)).collect()
    }

    fn parse_one(pattern: &str, folder: &Path) -> Result<Self> {
        let (fixed, glob) = split_glob(pattern);
        let glob = glob.map(Glob::new).transpose()?;
        let base = match local_path(fixed, folder)? {
            Some(path) => Base::Local(clean(&path)?),
            None => remote_base(fixed)?,
        };
        Ok(Self { base, glob })
    }
}

/// The local path that `text` denotes; `None` if it denotes another store.
fn local_path(text: &str, folder: &Path) -> Result<Option<PathBuf>> {
    if let Some(path) = text.strip_prefix("file://") {
        let path =
            ObjectPath::from_url_path(path).map_err(|e| plan_datafusion_err!("'{text}' is not a file URL: {e}"))?;
        return Ok(Some(PathBuf::from(format!("/{path}"))));
    }
    if scheme(text).is_some() {
        return Ok(None);
    }
    if text == "~" || text.starts_with("~/") {
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| plan_datafusion_err!("'{text}': there is no home folder (HOME is not set)"))?;
        return Ok(Some(home.join(text.trim_start_matches('~').trim_start_matches('/'))));
    }
    Ok(Some(folder.join(text)))
}

/// The scheme of a URL: `s3` of `s3://bucket/key`.
pub(super) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let mut chars = scheme.chars();
    let valid = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    valid.then_some(scheme)
}

fn remote_base(fixed: &str) -> Result<Base> {
    let after_scheme = fixed.find("://").map_or(0, |i| i + 3);
    let host_end = fixed.get(after_scheme..).and_then(|rest| rest.find('/')).map_or(fixed.len(), |i| after_scheme + i);
    let (host, key) = fixed.split_at(host_end);
    let store = ObjectStoreUrl::parse(host).map_err(|e| plan_datafusion_err!("'{fixed}' is not a URL: {e}"))?;
    let prefix = ObjectPath::parse(key).map_err(|e| plan_datafusion_err!("'{fixed}' is not a path: {e}"))?;
    Ok(Base::Remote { store, prefix })
}

/// Removes `.` components. A path with `..` is resolved by the file system, because a link may precede it.
fn clean(path: &Path) -> Result<PathBuf> {
    if path.components().any(|part| matches!(part, std::path::Component::ParentDir)) {
        return path.canonicalize().map_err(|e| plan_datafusion_err!("cannot resolve {}: {e}", path.display()));
    }
    Ok(path.components().collect())
}

/// Splits the pattern before the first path component with a wildcard.
fn split_glob(pattern: &str) -> (&str, Option<&str>) {
    let Some(wildcard) = pattern.find(['*', '?', '[']) else { return (pattern, None) };
    let start = pattern.get(..wildcard).and_then(|fixed| fixed.rfind('/')).map_or(0, |slash| slash + 1);
    let (fixed, glob) = pattern.split_at(start);
    (fixed, Some(glob))
}

/// Expands `a{b,c}d` to `abd` and `acd`. Braces nest; braces without a comma are simply removed.
fn expand_braces(pattern: &str) -> Result<Vec<String>> {
    let Some(open) = pattern.find('{') else {
        if pattern.contains('}') {
            return plan_err!("'{pattern}' has a }} without its {{");
        }
        return Ok(vec![pattern.to_owned()]);
    };
    let (before, rest) = pattern.split_at(open);
    let (mut depth, mut start, mut parts, mut close) = (0usize, 1, Vec::new(), None);
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => {
                parts.extend(rest.get(start..at));
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            parts.extend(rest.get(start..at));
            close = rest.get(at + 1..);
            break;
        }
    }
    let Some(after) = close else { return plan_err!("'{pattern}' has a {{ without its }}") };
    if before.contains('}') {
        return plan_err!("'{pattern}' has a }} without its {{");
    }
    let mut expanded = Vec::new();
    for part in parts {
        for alternative in expand_braces(&format!("{part}{after}"))? {
            expanded.push(format!("{before}{alternative}"));
        }
    }
    Ok(expanded)
}

/// Globs of files to exclude, matched against the result of [`super::display_path`].
#[derive(Debug, Clone)]
pub(super) struct Exclude(Vec<glob::Pattern>);

impl Exclude {
    pub(super) fn parse(globs: &[String]) -> Result<Self> {
        let mut patterns = Vec::new();
        for glob in globs.iter().map(|glob| expand_braces(glob)).collect::<Result<Vec<_>>>()?.into_iter().flatten() {
            let glob = glob.trim_end_matches('/');
            let anchored = if glob.starts_with('/') || scheme(glob).is_some() {
                glob.to_owned()
            } else if glob.starts_with("~/") {
                local_path(glob, Path::new("/"))?.unwrap_or_default().to_string_lossy().into_owned()
            } else {
                format!("**/{}", glob.trim_start_matches("./").trim_start_matches("**/"))
            };
            patterns.push(compile(&anchored)?);
            patterns.push(compile(&format!("{}/**", anchored.trim_end_matches("/**")))?);
        }
        Ok(Self(patterns))
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches_with(path, OPTIONS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces() {
        assert_eq!(expand_braces("a").unwrap(), ["a"]);
        assert_eq!(expand_braces("a{b,c}d{e,}").unwrap(), ["abde", "abd", "acde", "acd"]);
        assert_eq!(expand_braces("{a,{b,c}x}").unwrap(), ["a", "bx", "cx"]);
        assert_eq!(expand_braces("{a}").unwrap(), ["a"]);
        for wrong in ["{a", "a}", "{a}}", "a}{b}"] {
            assert!(expand_braces(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bases() {
        let base = |text: &str| Pattern::parse(text, Path::new("/here")).unwrap().remove(0).base;
        assert_eq!(base("lake/x*/y"), Base::Local("/here/lake".into()));
        assert_eq!(base("*.rs"), Base::Local("/here".into()));
        assert_eq!(base("/no/./such/a?b"), Base::Local("/no/such".into()));
        assert_eq!(base("file:///no%20such/*.rs"), Base::Local("/no such".into()));
        let home = std::env::home_dir().unwrap();
        assert_eq!(base("~/no-such-folder/*"), Base::Local(home.join("no-such-folder")));
        let Base::Remote { store, prefix } = base("s3://bucket/a b/c/*.parquet") else { panic!("local") };
        assert_eq!((store.as_str(), prefix.as_ref()), ("s3://bucket/", "a b/c"));
    }

    #[test]
    fn globs() {
        let matches = |glob: &str, path: &str| Glob::new(glob).unwrap().matches(path);
        assert!(matches("**/*.rs", "a.rs") && matches("**/*.rs", "x/y/a.rs"));
        assert!(!matches("*.rs", "x/a.rs") && matches("?.rs", "a.rs") && !matches("?.rs", "ab.rs"));
        assert!(!matches("**/*.rs", ".git/a.rs") && matches("**/.github/*.md", "x/.github/a.md"));
        assert_eq!((Glob::new("*/*.rs").unwrap().depth, Glob::new("**/*.rs").unwrap().depth), (Some(2), None));
        assert!(Glob::new("[a").is_err());
    }

    #[test]
    fn excludes() {
        let exclude = |glob: &str, path: &str| Exclude::parse(&[glob.to_owned()]).unwrap().matches(path);
        assert!(exclude("target", "/home/x/target") && exclude("target/", "/home/x/target/a/b.rs"));
        assert!(exclude("*.min.js", "/a/b/c.min.js") && !exclude("*.min.js", "/a/b/c.js"));
        assert!(exclude("/a/*.js", "/a/c.js") && !exclude("/a/*.js", "/b/a/c.js"));
        assert!(exclude("s3://b/x", "s3://b/x/y.parquet"));
    }
}
