//! Available models, and open models: each is opened once per process and device.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use limpid_io::StagedPath;

use crate::device::Device;
use crate::folder::{SETTINGS, Settings, sha256};
use crate::given::Given;
use crate::multilingual_model::{self, MultilingualModel};
use crate::onnx::{Onnx, files};
use crate::sentence_transformers;
use crate::static_model::{self, StaticModel};
use crate::{Error, Model, Result};

/// The environment variable that names the folder of models.
pub const FOLDER: &str = "LIMPID_MODELS";

/// A model that can be opened by its name.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its folder; `None` for an embedded model.
    pub folder: Option<PathBuf>,
    /// Its settings, or the error that prevents reading them.
    pub settings: Result<Option<Settings>>,
}

/// An open model, with the state of its files when it was opened.
struct Open {
    model: Arc<Model>,
    files: Vec<(PathBuf, Stamp)>,
}

/// Length and modification time of a file; `None` if it does not exist.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// Names of the embedded models.
pub const EMBEDDED: [&str; 2] = [static_model::NAME, multilingual_model::NAME];

/// The folder of models: `$LIMPID_MODELS`, otherwise `limpid/models` in the user's data folder.
pub fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = || set("XDG_DATA_HOME").or_else(|| Some(std::env::home_dir()?.join(".local/share")));
    set(FOLDER).or_else(|| Some(data()?.join("limpid/models"))).unwrap_or_else(|| PathBuf::from("models"))
}

/// Opens the model with that name, or in the folder with that path. It stays open.
pub fn open(name: &str, device: Device) -> Result<Arc<Model>> {
    static OPEN: Mutex<Option<HashMap<(PathBuf, Device), Open>>> = Mutex::new(None);
    let embedded = EMBEDDED.contains(&name);
    let folder = if embedded { PathBuf::from(name) } else { locate(name)? };
    let key = (folder.clone(), device);
    // Held while a model is read, so that two queries do not read the same model twice.
    let mut guard = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let models = guard.get_or_insert_default();
    // A model whose files were replaced is opened anew.
    if let Some(open) = models.get(&key).filter(|open| open.files.iter().all(|(path, then)| stamp(path) == *then)) {
        return Ok(Arc::clone(&open.model));
    }
    let (model, files) = if embedded {
        if device != Device::Cpu {
            let message = format!("the model '{name}' runs on the processor only");
            return Err(Error::NoDevice { device: device.to_string(), message });
        }
        let model = if name == static_model::NAME {
            Model::from_static(StaticModel::embedded()?)
        } else {
            Model::from_multilingual(MultilingualModel::embedded()?)
        };
        (model, vec![])
    } else {
        // Record the state before reading, so that a change meanwhile is noticed next time.
        let mut paths = settings_files(&folder);
        paths.extend(
            files::list(&folder, &Settings::read(&folder)?).unwrap_or_default().into_iter().map(|(_, path)| path),
        );
        let files = paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect();
        (Model::from_onnx(name, Onnx::open(name, &folder, device)?, device), files)
    };
    let model = Arc::new(model);
    models.insert(key, Open { model: Arc::clone(&model), files });
    Ok(model)
}

fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).ok().map(|file| (file.len(), file.modified().ok()))
}

/// Possible settings files of the model in `folder`, whether they exist or not.
fn settings_files(folder: &Path) -> Vec<PathBuf> {
    let modules = std::fs::read(folder.join(sentence_transformers::MODULES)).ok();
    let modules = modules.and_then(|text| serde_json::from_slice(&text).ok());
    let mut names = sentence_transformers::files(modules.as_ref());
    names.extend([SETTINGS, sentence_transformers::MODULES].map(str::to_owned));
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Lists the models by name, embedded ones first.
pub fn list() -> Result<Vec<Entry>> {
    let mut entries = vec![];
    let root = folder();
    if let Ok(found) = std::fs::read_dir(&root) {
        for entry in found {
            let path = entry.map_err(|error| Error::file(&root, &error))?.path();
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            if path.is_dir() && !name.starts_with('.') {
                entries.push(Entry { name, settings: Settings::read(&path).map(Some), folder: Some(path) });
            }
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let embedded = EMBEDDED.map(|name| Entry { name: name.to_owned(), folder: None, settings: Ok(None) });
    entries.splice(0..0, embedded);
    Ok(entries)
}

/// Runs the model in `source` once, then copies it to the folder of models with its settings and the hashes of its files. The
/// copy appears whole or not at all. `flags` override the settings files in `source`, and `tell` is called with
/// contradictions.
pub fn add(source: &Path, name: &str, flags: Given, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let (mut settings, notes) = Settings::resolve(source, flags)?;
    notes.iter().for_each(|note| tell(note));
    let root = folder();
    check_name(name, &root)?;
    let target = root.join(name);
    let refused = |error: limpid_io::Error| Error::File { path: target.clone(), message: error.reason() };
    let place = StagedPath::new(&target, true).map_err(refused)?;
    let staged = place.begin().map_err(refused)?;
    let draft = place.path();
    let filled = fill(source, &draft, &mut settings).and_then(|()| Onnx::open(name, &draft, Device::Cpu));
    let tried = filled.and_then(|model| model.try_longest());
    tried.map_err(|error| error.moved(&draft, source))?;
    staged.commit().map_err(refused)?;
    Ok(target)
}

/// Downloads a model of the hub (the file that `flags` name, or the one with the usual name), runs it once and adds it under
/// `name`. `tell` is called before each file.
#[cfg(feature = "hub")]
pub fn add_from_hub(source: &crate::hub::Source, name: &str, flags: Given, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let root = folder();
    check_name(name, &root)?;
    std::fs::create_dir_all(&root).map_err(|error| Error::file(&root, &error))?;
    let drafts = tempfile::Builder::new().prefix(".download-").tempdir_in(&root);
    let draft = drafts.map_err(|error| Error::file(&root, &error))?;
    let revision = crate::hub::download(source, flags.model.as_deref(), draft.path(), tell)?;
    let flags = Given { source: Some(revision.to_string()), ..flags };
    add(draft.path(), name, flags, tell).map_err(|error| error.moved(draft.path(), Path::new(&revision.to_string())))
}

/// Returns an error unless a model can be added under `name`.
fn check_name(name: &str, root: &Path) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let target = root.join(name);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) || EMBEDDED.contains(&name) {
        let message = format!(
            "the name of a model is letters, digits, '-', '_' and '.', and not that of one of the program's own, not '{name}'"
        );
        return Err(Error::File { path: root.to_owned(), message });
    }
    if target.exists() {
        return Err(Error::File {
            path: target,
            message: "there is such a model already; remove this folder or choose another name".to_owned(),
        });
    }
    Ok(())
}

fn fill(source: &Path, draft: &Path, settings: &mut Settings) -> Result<()> {
    std::fs::create_dir_all(draft).map_err(|error| Error::file(draft, &error))?;
    for (name, from) in files::list(source, settings)? {
        let to = draft.join(&name);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Error::file(parent, &error))?;
        }
        std::fs::copy(&from, &to).map_err(|error| Error::file(&from, &error))?;
        let hash = sha256(&to)?;
        if name == settings.model {
            settings.sha256 = Some(hash);
        } else {
            settings.files.insert(name, hash);
        }
    }
    let path = draft.join(SETTINGS);
    let text = settings.text().map_err(|message| Error::Settings { path: path.clone(), message })?;
    std::fs::write(&path, text).map_err(|error| Error::file(&path, &error))
}

/// Reads the model again and runs it; returns an error if something is wrong with it.
pub fn verify(name: &str) -> Result<Arc<Model>> {
    if !EMBEDDED.contains(&name) {
        let folder = locate(name)?;
        let settings = Settings::read(&folder)?;
        let wrong = |path: &str, found: &str, expected: &str| Error::File {
            path: folder.join(path),
            message: format!("its SHA-256 is {found}; {SETTINGS} says {expected}"),
        };
        for (path, found) in files::hashes(&folder, &settings)? {
            let expected = if path == settings.model { settings.sha256.as_ref() } else { settings.files.get(&path) };
            if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
                return Err(wrong(&path, &found, expected));
            }
        }
        if let Some(gone) = settings.files.keys().find(|path| !folder.join(path).is_file()) {
            let message = format!("there is no such file; {SETTINGS} has its SHA-256");
            return Err(Error::File { path: folder.join(gone), message });
        }
    }
    let model = open(name, Device::Cpu)?;
    model.try_longest()?;
    Ok(model)
}

fn locate(name: &str) -> Result<PathBuf> {
    let searched = folder();
    let by_name = searched.join(name);
    let is_path = name.contains(['/', '\\']);
    let found = if is_path { Some(PathBuf::from(name)) } else { Some(by_name).filter(|path| path.is_dir()) };
    match found {
        Some(path) if path.is_dir() && !name.is_empty() => Ok(path.canonicalize().unwrap_or(path)),
        _ => Err(Error::NoModel { name: name.to_owned(), searched }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_static_model_is_always_there_and_opened_once() {
        let model = open(static_model::NAME, Device::Cpu).unwrap();
        assert!(Arc::ptr_eq(&model, &open(static_model::NAME, Device::Cpu).unwrap()));
        let vectors = model.embed_texts(&["a cat", "", "a cat"]).unwrap();
        assert_eq!(vectors.present, [true, false, true]);
        assert_eq!(vectors.values.len(), 3 * vectors.dimension);
        assert!(open(static_model::NAME, Device::Cuda(0)).unwrap_err().to_string().contains("cuda:0"));
        assert!(model.token_nll(&["a"]).unwrap_err().to_string().contains("causal"));
        assert!(model.embed_images(&[b"a"]).unwrap_err().to_string().contains("images"));
    }

    #[test]
    fn models_that_are_not_there_are_named() {
        for name in ["no-such-model", "/no/such/folder", ""] {
            assert!(open(name, Device::Cpu).unwrap_err().to_string().contains(&format!("no model '{name}'")), "{name}");
        }
    }
}
