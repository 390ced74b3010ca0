//! The models there are, and those that are open: each once a process and device.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::device::Device;
use crate::folder::{SETTINGS, Settings, beside, sha256};
use crate::onnx::Onnx;
use crate::static_model::{self, StaticModel};
use crate::{Error, Model, Result};

/// The environment variable that names the folder with the models.
pub const FOLDER: &str = "LIMPID_MODELS";

/// A model that can be asked for by its name.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its folder; `None` for the one that is part of the program.
    pub folder: Option<PathBuf>,
    /// Its settings, or why they cannot be read.
    pub settings: Result<Option<Settings>>,
}

type Key = (PathBuf, Device, Option<SystemTime>, Option<SystemTime>);

/// The folder with the models: `$LIMPID_MODELS`, else `limpid/models` among the user's data.
pub fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = || set("XDG_DATA_HOME").or_else(|| Some(std::env::home_dir()?.join(".local/share")));
    set(FOLDER).or_else(|| Some(data()?.join("limpid/models"))).unwrap_or_else(|| PathBuf::from("models"))
}

/// The model of that name, or in the folder of that path. It stays open.
pub fn open(name: &str, device: Device) -> Result<Arc<Model>> {
    static OPEN: Mutex<Option<HashMap<Key, Arc<Model>>>> = Mutex::new(None);
    let folder = if name == static_model::NAME { PathBuf::new() } else { locate(name)? };
    // A model that was replaced is another one.
    let changed = |file: &Path| std::fs::metadata(file).and_then(|file| file.modified()).ok();
    let settings = folder.join(SETTINGS);
    let file = Settings::read(&folder).ok().map(|settings| settings.model_path(&folder));
    let key = (folder.clone(), device, changed(&settings), file.as_deref().and_then(changed));
    // Held while a model is read: two queries that ask for the same one do not read it twice.
    let mut guard = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let models = guard.get_or_insert_default();
    if let Some(model) = models.get(&key) {
        return Ok(Arc::clone(model));
    }
    let model = if name == static_model::NAME {
        if device != Device::Cpu {
            let message = format!("the model '{name}' runs on the processor only");
            return Err(Error::NoDevice { device: device.to_string(), message });
        }
        Model::from_static(StaticModel::embedded()?)
    } else {
        Model::from_onnx(name, Onnx::open(name, &folder, device)?, device)
    };
    let model = Arc::new(model);
    models.insert(key, Arc::clone(&model));
    Ok(model)
}

/// The models there are, in the order of their names; the one that is part of the program first.
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
    entries.insert(0, Entry { name: static_model::NAME.to_owned(), folder: None, settings: Ok(None) });
    Ok(entries)
}

/// Copies the model in `source` to where models are kept, with `settings` and the hash of its file, once it has been tried.
/// It appears whole or not at all.
pub fn add(source: &Path, name: &str, mut settings: Settings) -> Result<PathBuf> {
    let settings_path = source.join(SETTINGS);
    let wrong = |message: String| Error::Settings { path: settings_path.clone(), message };
    settings.check().map_err(wrong)?;
    let root = folder();
    check_name(name, &root)?;
    let target = root.join(name);
    std::fs::create_dir_all(&root).map_err(|error| Error::file(&root, &error))?;
    let draft = root.join(format!(".{name}.{}", std::process::id()));
    let filled = fill(source, &draft, &mut settings).and_then(|()| Onnx::open(name, &draft, Device::Cpu));
    let tried = filled.and_then(|model| model.try_longest());
    let moved = tried.and_then(|()| std::fs::rename(&draft, &target).map_err(|error| Error::file(&target, &error)));
    if let Err(error) = moved {
        // What is left of it is of no use.
        let _ = std::fs::remove_dir_all(&draft);
        return Err(error);
    }
    Ok(target)
}

/// Downloads a model of the hub (`file` of it, or the one of the usual name) and adds it under `name`, once it has been
/// tried; `change` may change what its settings say. `tell` hears of each file before it comes.
#[cfg(feature = "hub")]
pub fn add_from_hub(
    source: &crate::hub::Source,
    file: Option<&str>,
    name: &str,
    change: impl FnOnce(&mut Settings),
    tell: &dyn Fn(&str),
) -> Result<PathBuf> {
    let root = folder();
    check_name(name, &root)?;
    std::fs::create_dir_all(&root).map_err(|error| Error::file(&root, &error))?;
    let drafts = tempfile::Builder::new().prefix(".download-").tempdir_in(&root);
    let draft = drafts.map_err(|error| Error::file(&root, &error))?;
    let mut settings = crate::hub::download(source, file, draft.path(), tell)?;
    change(&mut settings);
    add(draft.path(), name, settings)
}

/// An error unless a model can be added under `name`.
fn check_name(name: &str, root: &Path) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let target = root.join(name);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) || name == static_model::NAME {
        let message = format!("the name of a model is letters, digits, '-', '_' and '.', not '{name}'");
        return Err(Error::File { path: root.to_owned(), message });
    }
    if target.exists() {
        return Err(Error::File { path: target, message: "there is such a model already".to_owned() });
    }
    Ok(())
}

fn fill(source: &Path, draft: &Path, settings: &mut Settings) -> Result<()> {
    std::fs::create_dir_all(draft).map_err(|error| Error::file(draft, &error))?;
    let model = settings.model_path(source);
    let copy = |from: &Path, to: &str| {
        std::fs::copy(from, draft.join(to)).map(|_| ()).map_err(|error| Error::file(from, &error))
    };
    for extra in beside(&settings.model) {
        let from = source.join(&extra);
        if from.is_file() {
            copy(&from, &extra)?;
        }
    }
    copy(&model, &settings.model)?;
    settings.sha256 = Some(sha256(&model)?);
    let path = draft.join(SETTINGS);
    let text = settings.text().map_err(|message| Error::Settings { path: path.clone(), message })?;
    std::fs::write(&path, text).map_err(|error| Error::file(&path, &error))
}

/// Reads the model again and tries it; an error says what is wrong with it.
pub fn verify(name: &str) -> Result<Arc<Model>> {
    if name != static_model::NAME {
        let folder = locate(name)?;
        let settings = Settings::read(&folder)?;
        let path = settings.model_path(&folder);
        let found = sha256(&path)?;
        if let Some(expected) = settings.sha256.filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
            let message = format!("its SHA-256 is {found}; {SETTINGS} says {expected}");
            return Err(Error::File { path, message });
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
