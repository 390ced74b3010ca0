//! Files as a plan saw them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use object_store::ObjectMeta;
use object_store::local::LocalFileSystem;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::lake::discover::Listed;
use crate::lake::{Lake, Table};
use crate::options::{Layout, Names};
use crate::outcome::Outcome;
use crate::retention::RetentionPlan;
use crate::whole;

/// Version of the plan's form.
const VERSION: u32 = 1;
/// What ends a Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Path below the lake.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 of the last change.
    pub modified: i64,
    /// The store's own word for the version.
    pub tag: Option<String>,
    /// Hash of the footer.
    pub footer: String,
}

/// A table that may go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retire {
    /// The table.
    pub table: String,
    /// What it is rebuilt from.
    pub from: String,
    /// Monthly cost of keeping it.
    pub keeping: f64,
    /// Monthly cost of rebuilding it on demand.
    pub planned: f64,
}

/// A plan, pinned to the files that it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// Version of this form.
    pub version: u32,
    /// The lake's folder.
    pub lake: PathBuf,
    /// What a table is: a word of [`Layout::WORDS`].
    pub layout: String,
    /// How names are compared: a word of [`Names::WORDS`].
    pub names: String,
    /// The tables that may go.
    pub retire: Vec<Retire>,
    /// The files of every table in `retire`, as child or as parent.
    pub tables: BTreeMap<String, Vec<Pin>>,
    /// The versions of those of them that have a log.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, u64>,
}

fn word<T: Copy + PartialEq>(words: &[(&str, T)], value: T) -> String {
    words.iter().find(|(_, known)| *known == value).map_or_else(String::new, |(word, _)| (*word).to_owned())
}

impl PlanFile {
    /// Pins the tables of `plan` to the files of `outcome`, a lake in the folder `root`.
    ///
    /// # Errors
    /// A file changed since it was listed, or cannot be read.
    pub fn new(outcome: &Outcome, plan: &RetentionPlan, root: PathBuf, layout: Layout, names: Names) -> Result<Self> {
        let (mut retire, mut tables, mut versions) = (vec![], BTreeMap::new(), BTreeMap::new());
        let table = |at: u32| &outcome.lake.tables[at as usize];
        for advice in &plan.advice {
            let Some(from) = advice.from else { continue };
            for one in [table(advice.table), table(from)] {
                if !tables.contains_key(&one.name) {
                    tables.insert(one.name.clone(), pins(one, &root)?);
                    versions.extend(one.version.map(|version| (one.name.clone(), version)));
                }
            }
            retire.push(Retire {
                table: table(advice.table).name.clone(),
                from: table(from).name.clone(),
                keeping: advice.keeping,
                planned: advice.planned,
            });
        }
        let (layout, names) = (word(Layout::WORDS, layout), word(Names::WORDS, names));
        Ok(Self { version: VERSION, lake: root, layout, names, retire, tables, versions })
    }

    /// Whether the log of a table has a version after the plan's.
    pub fn moved_on(&self, table: &str, root: &Path) -> Option<String> {
        let next = format!("_delta_log/{:020}.json", self.versions.get(table)? + 1);
        // The lake itself may be the table.
        [root.join(table), root.to_owned()]
            .iter()
            .any(|folder| folder.join(&next).exists())
            .then(|| "its log has a new version".to_owned())
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| exec_datafusion_err!("cannot read {shown}: {e}"))?;
        let plan: Self =
            serde_json::from_str(&text).map_err(|e| exec_datafusion_err!("{shown} is no plan of a lake: {e}"))?;
        if plan.version != VERSION {
            return exec_err!("{shown} is a plan of form {}; this program knows form {VERSION}", plan.version);
        }
        Ok(plan)
    }

    /// Writes it; the file appears whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| exec_datafusion_err!("cannot write the plan: {e}"))?;
        whole::write(path, |file| Ok(file.write_all(&text)?))
    }
}

/// The folder that a listing lies in.
///
/// # Errors
/// It is not on this machine's file system.
pub fn root(listed: &Listed) -> Result<PathBuf> {
    if listed.url.as_str() != "file:///" {
        return exec_err!(
            "tables are set aside by renaming, which {} cannot do: only lakes on a file system",
            listed.url.as_str()
        );
    }
    let Some(first) = listed.files.first() else { return exec_err!("the lake is empty") };
    let folder = first.location.as_ref()[..listed.prefix].trim_end_matches('/');
    local(&object_store::path::Path::parse(folder).map_err(object_store::Error::from)?)
}

/// Where a file of the local store is.
///
/// # Errors
/// None that a listed file could cause.
pub fn local(location: &object_store::path::Path) -> Result<PathBuf> {
    Ok(LocalFileSystem::new().path_to_filesystem(location)?)
}

/// A file's path below the lake.
///
/// # Errors
/// It lies elsewhere, or its path is no text.
pub fn below(root: &Path, meta: &ObjectMeta) -> Result<String> {
    let path = local(&meta.location)?;
    let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
    inside.map(str::to_owned).ok_or_else(|| exec_datafusion_err!("{} is not in {}", path.display(), root.display()))
}

/// Pins the files of a table.
///
/// # Errors
/// One of them changed since it was listed, or cannot be read.
pub fn pins(table: &Table, root: &Path) -> Result<Vec<Pin>> {
    table
        .files
        .iter()
        .map(|file| {
            let path = below(root, &file.meta)?;
            let at = root.join(&path);
            let pin = Pin {
                path,
                size: file.meta.size,
                modified: file.meta.last_modified.timestamp_nanos_opt().unwrap_or_default(),
                tag: file.meta.e_tag.clone(),
                footer: footer(&at)?,
            };
            match is_at(&pin, &at)? {
                true => Ok(pin),
                false => exec_err!("{} was changed while it was read", pin.path),
            }
        })
        .collect()
}

/// Hash of a Parquet file's footer.
///
/// # Errors
/// It cannot be read, or is no Parquet file.
pub fn footer(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| exec_datafusion_err!("cannot read {}: {e}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut end = [0; 8];
    if size >= 12 {
        file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end)).map_err(failed)?;
    }
    let [a, b, c, d, magic @ ..] = end;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if magic != *MAGIC || length + 12 > size {
        return exec_err!("{} is no whole Parquet file", path.display());
    }
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(size - 8 - length)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
    Ok(format!("{:032x}", xxh3_128(&bytes)))
}

/// Whether the file at `path` is the one that was pinned, by size, time of change and footer.
///
/// # Errors
/// It is there and cannot be read.
pub fn is_at(pin: &Pin, path: &Path) -> Result<bool> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(false) };
    let modified = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    // Stores and file systems keep time to different digits.
    let same_time = modified.is_none_or(|time| (time.as_nanos() as i64).abs_diff(pin.modified) < 1_000_000);
    if meta.len() != pin.size || !same_time {
        return Ok(false);
    }
    Ok(footer(path)? == pin.footer)
}

/// Explains how the files of a table differ from those of the plan; `None` if they do not.
///
/// # Errors
/// A file cannot be read.
pub fn changed(plan: &[Pin], root: &Path) -> Result<Option<String>> {
    for pin in plan {
        let at = root.join(&pin.path);
        if !at.exists() {
            return Ok(Some(format!("{} is gone", pin.path)));
        }
        if !is_at(pin, &at)? {
            return Ok(Some(format!("{} was changed", pin.path)));
        }
    }
    Ok(None)
}

/// The table of that name with the files of the plan.
///
/// # Errors
/// It is gone, unreadable, or has other files.
pub fn pinned<'a>(lake: &'a Lake, name: &str, plan: &PlanFile, root: &Path) -> Result<&'a Table> {
    let since = |what: &str| exec_err!("{name}: {what} since the plan was made");
    let Some(table) = lake.tables.iter().find(|table| table.name == name) else {
        return match lake.problems.iter().find(|problem| problem.table == name) {
            Some(problem) => exec_err!("{name} cannot be read: {}", problem.reason),
            None => since("it is gone"),
        };
    };
    let Some(pins) = plan.tables.get(name) else { return exec_err!("the plan does not pin {name}") };
    if plan.versions.get(name).copied() != table.version {
        return since("its log has another version");
    }
    let mut here = table.files.iter().map(|file| below(root, &file.meta)).collect::<Result<Vec<_>>>()?;
    let mut then: Vec<String> = pins.iter().map(|pin| pin.path.clone()).collect();
    here.sort_unstable();
    then.sort_unstable();
    if here != then {
        return since("its files changed");
    }
    for file in &table.files {
        let path = below(root, &file.meta)?;
        let same = |pin: &Pin| pin.size == file.meta.size && pin.tag == file.meta.e_tag;
        if !pins.iter().any(|pin| pin.path == path && same(pin)) {
            return since(&format!("{path} was changed"));
        }
    }
    match changed(pins, root)? {
        Some(what) => since(&what),
        None => Ok(table),
    }
}
