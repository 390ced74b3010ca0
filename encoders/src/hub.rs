//! Downloads models of a model hub over HTTPS: `hf://organisation/name@revision`.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::folder::hexadecimal;
use crate::onnx::files::{self, TOKENIZER};
use crate::sentence_transformers::{self, MODULES};
use crate::{Error, Result};

/// The environment variable that names the hub.
pub const ENDPOINT: &str = "HF_ENDPOINT";
/// The default hub.
const HUB: &str = "https://huggingface.co";
/// The environment variable that names a file with trusted certificates, replacing the usual ones.
const CERTIFICATES: &str = "SSL_CERT_FILE";
/// Where repositories keep their model; the first existing file is used.
const MODELS: [&str; 2] = ["onnx/model.onnx", "model.onnx"];
/// Maximum number of redirects.
const REDIRECTS: usize = 5;
/// Timeout for connecting to a server and receiving the start of its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum size of a settings file, in bytes.
const SMALL: u64 = 1 << 24;

/// `hf://organisation/name@revision`: a model of the hub. The default revision is `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    organisation: String,
    /// The name on the hub.
    pub name: String,
    revision: String,
}

impl Source {
    /// Whether a text names a model of the hub.
    pub fn is(text: &str) -> bool {
        text.starts_with("hf://")
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (model, revision) = match text.strip_prefix("hf://")?.split_once('@') {
                Some((model, revision)) => (model, revision),
                None => (text.strip_prefix("hf://")?, "main"),
            };
            let (organisation, name) = model.split_once('/')?;
            let plain = |part: &str| {
                let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                !part.is_empty() && part.chars().all(usual) && !part.starts_with('.')
            };
            let known = plain(organisation) && plain(name) && revision.split('/').all(plain);
            let own = |part: &str| part.to_owned();
            known.then(|| Self { organisation: own(organisation), name: own(name), revision: own(revision) })
        };
        read().ok_or_else(|| Error::Source(text.to_owned()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "hf://{}/{}@{}", self.organisation, self.name, self.revision)
    }
}

/// Downloads the model into `folder`, which must exist and be empty. Returns the source with the exact revision.
///
/// The download includes the model file (`file` of the repository, or the one with the usual name), the external weights that
/// the graph names, `tokenizer.json` if it exists, and the settings files. Every file must be complete and, if the hub states
/// its SHA-256, match it. `tell` is called before each large file.
pub fn download(source: &Source, file: Option<&str>, folder: &Path, tell: &dyn Fn(&str)) -> Result<Source> {
    let hub = Hub::new(source)?;
    let small = |file: &str| -> Result<Option<Value>> {
        let Some(value) = hub.json(file)? else { return Ok(None) };
        let path = inside(folder, file)?;
        std::fs::write(&path, value.to_string()).map_err(|error| Error::file(&path, &error))?;
        Ok(Some(value))
    };
    let modules = small(MODULES)?;
    for file in sentence_transformers::files(modules.as_ref()) {
        if !sentence_transformers::is_inside(&file) {
            return Err(hub.failed(MODULES, format!("the path '{file}' leads out of the folder")));
        }
        small(&file)?;
    }
    tell(&format!("downloading {TOKENIZER}"));
    hub.file(TOKENIZER, &folder.join(TOKENIZER))?;
    let candidates = file.map_or_else(|| MODELS.to_vec(), |file| vec![file]);
    for candidate in &candidates {
        tell(&format!("downloading {candidate}"));
        let path = inside(folder, candidate)?;
        let Some(commit) = hub.file(candidate, &path)? else { continue };
        for weights in files::named(&path)? {
            let file = match candidate.rsplit_once('/') {
                Some((parent, _)) => format!("{parent}/{weights}"),
                None => weights,
            };
            tell(&format!("downloading {file}"));
            if hub.file(&file, &inside(folder, &file)?)?.is_none() {
                return Err(
                    hub.failed(&file, format!("there is no such file; {candidate} says that weights are in it"))
                );
            }
        }
        let revision = if commit.is_empty() { source.revision.clone() } else { commit };
        return Ok(Source { revision, ..source.clone() });
    }
    Err(hub.failed(&candidates.join(" or "), "there is no such file; name the model's with --model".to_owned()))
}

/// The path in `folder` for a file of the repository. Creates intermediate folders.
fn inside(folder: &Path, file: &str) -> Result<PathBuf> {
    let path = folder.join(file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::file(parent, &error))?;
    }
    Ok(path)
}

/// A repository of the hub.
struct Hub {
    agent: Agent,
    /// The base URL of its files.
    base: String,
}

impl Hub {
    fn new(source: &Source) -> Result<Self> {
        let endpoint = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty());
        let endpoint = endpoint.unwrap_or_else(|| HUB.to_owned());
        let Source { organisation, name, revision } = source;
        let revision = revision.replace('/', "%2F");
        let base = format!("{}/{organisation}/{name}/resolve/{revision}/", endpoint.trim_end_matches('/'));
        let mut tls = TlsConfig::builder();
        if let Some(path) = std::env::var_os(CERTIFICATES).filter(|path| !path.is_empty()) {
            let pem = std::fs::read(&path).map_err(|error| Error::file(&path, &error))?;
            let items = parse_pem(&pem).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            tls = tls.root_certs(RootCerts::from(items));
        }
        let config = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .user_agent(concat!("limpid/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: config.into(), base })
    }

    fn failed(&self, file: &str, message: String) -> Error {
        Error::Download { url: format!("{}{file}", self.base), message }
    }

    /// Requests `file`. Returns the response and the metadata that the hub itself sent; `None` if the file does not exist.
    fn get(&self, file: &str) -> Result<Option<(Response<ureq::Body>, Said)>> {
        let mut url = format!("{}{file}", self.base);
        let mut said = Said::default();
        for _ in 0..=REDIRECTS {
            let answer = self.agent.get(&url).call();
            let answer = answer.map_err(|error| self.failed(file, error.to_string()))?;
            said.hear(answer.headers());
            let status = answer.status().as_u16();
            match status {
                200 => return Ok(Some((answer, said))),
                404 => return Ok(None),
                301 | 302 | 303 | 307 | 308 => {
                    let to = header(answer.headers(), "location").unwrap_or_default();
                    url = followed(&url, &to).map_err(|message| self.failed(file, message))?;
                }
                401 | 403 => {
                    let message = format!("the answer is {status}: there is no such model, or it needs an account");
                    return Err(self.failed(file, message));
                }
                _ => return Err(self.failed(file, format!("the answer is {status}"))),
            }
        }
        Err(self.failed(file, format!("the server sends on more than {REDIRECTS} times")))
    }

    fn json(&self, file: &str) -> Result<Option<Value>> {
        let Some((answer, _)) = self.get(file)? else { return Ok(None) };
        let mut text = vec![];
        let read = answer.into_body().into_reader().take(SMALL).read_to_end(&mut text);
        read.map_err(|error| self.failed(file, error.to_string()))?;
        serde_json::from_slice(&text).map(Some).map_err(|error| self.failed(file, error.to_string()))
    }

    /// Downloads `file` to `path`. Returns the revision that the hub reports; `None` if the file does not exist.
    fn file(&self, file: &str, path: &Path) -> Result<Option<String>> {
        let Some((answer, said)) = self.get(file)? else { return Ok(None) };
        let length = header(answer.headers(), "content-length").and_then(|length| length.parse::<u64>().ok());
        let mut body = answer.into_body().into_reader();
        let mut out = File::create(path).map_err(|error| Error::file(path, &error))?;
        let (mut buffer, mut state, mut bytes) = (vec![0; 1 << 16], Sha256::new(), 0);
        loop {
            let read = body.read(&mut buffer).map_err(|error| self.failed(file, error.to_string()))?;
            if read == 0 {
                break;
            }
            state.update(&buffer[..read]);
            bytes += read as u64;
            out.write_all(&buffer[..read]).map_err(|error| Error::file(path, &error))?;
        }
        if let Some(length) = length.filter(|length| *length != bytes) {
            return Err(self.failed(file, format!("it ended after {bytes} of {length} bytes")));
        }
        let found = hexadecimal(&state.finalize());
        if let Some(expected) = said.sha256.filter(|expected| *expected != found) {
            return Err(self.failed(file, format!("its SHA-256 is {found}; the hub says {expected}")));
        }
        Ok(Some(said.commit))
    }
}

/// Metadata that the hub sends about a file before redirecting to another server.
#[derive(Debug, Default)]
struct Said {
    commit: String,
    sha256: Option<String>,
}

impl Said {
    fn hear(&mut self, headers: &HeaderMap) {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(commit) = header(headers, "x-repo-commit").filter(|commit| plain(commit)) {
            self.commit = commit;
        }
        // For large files the tag is the hash of the content; for small files it is the hash of something else.
        let tag = header(headers, "x-linked-etag").map(|tag| tag.trim_matches('"').to_ascii_lowercase());
        self.sha256 = tag.filter(|tag| tag.len() == 64 && plain(tag)).or_else(|| self.sha256.take());
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Resolves a redirect from `url`. A request made over TLS is never redirected to plain HTTP.
fn followed(url: &str, to: &str) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or_default();
    let next = match to.chars().next() {
        Some('/') if to.starts_with("//") => format!("{scheme}:{to}"),
        Some('/') => format!("{scheme}://{host}{to}"),
        _ => to.to_owned(),
    };
    let secure = next.starts_with("https://") || (scheme == "http" && next.starts_with("http://"));
    if secure { Ok(next) } else { Err(format!("the server sends on to '{to}'")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_are_written() {
        let source: Source = "hf://org/a-model_1.5@refs/pr/3".parse().unwrap();
        assert_eq!(source.to_string(), "hf://org/a-model_1.5@refs/pr/3");
        assert_eq!("hf://org/m".parse::<Source>().unwrap().to_string(), "hf://org/m@main");
        for wrong in
            ["", "hf://", "hf://org", "hf://org/", "hf://org/../x", "hf://o/m@", "hf://o/m@../x", "hf://o/m n", "o/m"]
        {
            assert!(matches!(wrong.parse::<Source>(), Err(Error::Source(_))), "{wrong}");
        }
        assert!(Source::is("hf://x") && !Source::is("folder"));
    }

    #[test]
    fn redirects_stay_under_tls() {
        assert_eq!(followed("https://a/b", "/c?d").unwrap(), "https://a/c?d");
        assert_eq!(followed("https://a/b", "//c/d").unwrap(), "https://c/d");
        assert_eq!(followed("https://a/b", "https://c/d").unwrap(), "https://c/d");
        assert_eq!(followed("http://127.0.0.1:1/b", "http://c/d").unwrap(), "http://c/d");
        for to in ["http://c/d", "file:///etc/passwd", "", "c"] {
            assert!(followed("https://a/b", to).is_err(), "{to}");
        }
    }
}
