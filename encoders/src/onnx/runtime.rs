//! The runtime for ONNX models: libonnxruntime if it is found, otherwise tract if that is built in. Chosen once per process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;

use crate::{Error, Result};

/// The environment variable that names the library.
pub const LIBRARY: &str = "ORT_DYLIB_PATH";

/// The runtime for ONNX models.
#[derive(Debug)]
pub struct Runtime {
    pub(super) environment: Environment,
    /// The backend.
    pub backend: Backend,
}

/// The available backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// libonnxruntime.
    Library {
        /// Path of the library.
        path: PathBuf,
        /// The minor version: y in 1.y.
        minor: u32,
    },
    /// tract, built in.
    Tract,
}

impl Runtime {
    /// The runtime of this process.
    pub fn get() -> Result<&'static Self> {
        static RUNTIME: OnceLock<Result<Runtime>> = OnceLock::new();
        RUNTIME.get_or_init(choose).as_ref().map_err(Clone::clone)
    }
}

impl std::fmt::Display for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match &self.backend {
            Backend::Library { path, minor } => write!(f, "libonnxruntime 1.{minor}, {}", path.display()),
            Backend::Tract => f.write_str("tract, built in"),
        }
    }
}

fn choose() -> Result<Runtime> {
    let mut failed = String::new();
    let named = std::env::var_os(LIBRARY).filter(|path| !path.is_empty()).map(PathBuf::from);
    let candidates = match &named {
        Some(path) => vec![path.clone()],
        None => candidates(),
    };
    for path in candidates {
        match library(&path) {
            Ok(runtime) => {
                log::debug!("ONNX models run with {runtime}");
                return Ok(runtime);
            }
            Err(message) => failed = format!("{}: {message}", path.display()),
        }
    }
    // If the user names a library, no other one replaces it.
    if named.is_some() { Err(Error::NoRuntime(failed)) } else { embedded() }
}

fn library(path: &Path) -> Result<Runtime, String> {
    let load = || {
        let minor = ort::util::probe(path).ok_or("it is not libonnxruntime")?;
        let builder = ort::init_from(path).map_err(|error| error.to_string())?;
        let environment = builder.with_name("limpid").build().map_err(|error| error.to_string())?;
        Ok(Runtime { environment, backend: Backend::Library { path: path.to_owned(), minor } })
    };
    catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| Err("it cannot be used".to_owned()))
}

#[cfg(feature = "tract")]
fn embedded() -> Result<Runtime> {
    let unusable = |message: String| Error::NoRuntime(format!("none was found, and tract cannot be used: {message}"));
    if !ort::set_api(ort_tract::api()) {
        return Err(unusable("another runtime is in use".to_owned()));
    }
    let environment = ort::init().build().map_err(|error| unusable(error.to_string()))?;
    Ok(Runtime { environment, backend: Backend::Tract })
}

#[cfg(not(feature = "tract"))]
fn embedded() -> Result<Runtime> {
    Err(Error::NoRuntime(
        "none was found beside the program, on the library path or in a Python environment".to_owned(),
    ))
}

/// Paths where the library may be: beside the program, on the system path, in Python environments.
fn candidates() -> Vec<PathBuf> {
    let mut folders = vec![];
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.push(folder.to_owned());
    }
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        packages(std::env::var_os(name).map(PathBuf::from), &mut folders);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path) {
        packages(folder.parent().map(Path::to_owned), &mut folders);
    }
    packages(std::env::home_dir().map(|home| home.join(".local")), &mut folders);
    folders.extend(
        ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/opt/onnxruntime/lib", "/opt/homebrew/lib"].map(PathBuf::from),
    );
    let mut found: Vec<PathBuf> = folders.iter().flat_map(|folder| libraries(folder)).collect();
    // The system's own search: LD_LIBRARY_PATH and the loader's configuration.
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    found.push(PathBuf::from(format!("{prefix}onnxruntime{suffix}")));
    found
}

/// The folders of Python's onnxruntime in an environment.
fn packages(root: Option<PathBuf>, folders: &mut Vec<PathBuf>) {
    let Some(root) = root else { return };
    let capi = |packages: PathBuf| packages.join("site-packages").join("onnxruntime").join("capi");
    for lib in ["lib", "lib64"] {
        for python in sorted(&root.join(lib)).into_iter().rev() {
            if python.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")) {
                folders.push(capi(python));
            }
        }
    }
    folders.push(capi(root.join("Lib")));
}

/// The libraries in a folder, latest version first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}onnxruntime", std::env::consts::DLL_PREFIX);
    let suffix = std::env::consts::DLL_SUFFIX;
    let is_library = |path: &PathBuf| {
        let Some(rest) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix(&prefix)) else {
            return false;
        };
        rest.starts_with(suffix) || (rest.starts_with('.') && rest.ends_with(suffix))
    };
    sorted(folder).into_iter().rev().filter(is_library).collect()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_their_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let library = format!("{prefix}onnxruntime{suffix}");
        for name in [library.as_str(), "libonnxruntime_providers_shared.so", "onnxruntime.py"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(libraries(folder.path()), [folder.path().join(library)]);
        assert!(libraries(Path::new("/no/such/folder")).is_empty());
    }

    #[test]
    fn a_file_that_is_no_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so");
        std::fs::write(&path, "not a library").unwrap();
        assert!(library(&path).unwrap_err().contains("not libonnxruntime"));
    }
}
