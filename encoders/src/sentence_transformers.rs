//! Reads the files that sentence-transformers writes beside a model: its modules (`modules.json`), the pooling
//! (`1_Pooling/config.json`), the maximum length and lower-casing (`sentence_bert_config.json`), and its prompts
//! (`config_sentence_transformers.json`). Settings that are not supported are errors that name them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::folder::{Modality, Pooling};
use crate::given::Given;
use crate::{Error, Result};

/// The list of modules.
pub const MODULES: &str = "modules.json";
/// The folder of the pooling settings, if `modules.json` names no other.
const POOLING: &str = "1_Pooling";
/// The prompts.
pub const PROMPTS: &str = "config_sentence_transformers.json";
/// Settings of length and case, under all names that sentence-transformers has used for the file.
pub const LENGTHS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];
/// The settings of the tokenizer, as transformers writes them.
pub const TOKENIZER: &str = "tokenizer_config.json";
/// The settings of the model, as transformers writes them.
pub const MODEL: &str = "config.json";
/// Lengths beyond this stand for no limit.
const NO_LIMIT: f64 = (1 << 20) as f64;

/// What the files contain.
#[derive(Debug, Default)]
pub struct Found {
    /// The settings.
    pub given: Given,
    /// A setting that is not supported. It is an error unless another source sets the pooling.
    pub refused: Option<Error>,
    /// Folder of the transformer's files; `""` for that of the model.
    pub transformer: String,
}

/// A module of `modules.json`.
#[derive(Debug)]
struct Module {
    kind: String,
    path: String,
}

/// Reads the files in `folder`.
pub fn read(folder: &Path) -> Result<Found> {
    let mut found = Found::default();
    let modules = modules(folder)?;
    let mut pooling = Some(POOLING.to_owned()).filter(|name| folder.join(name).join("config.json").is_file());
    if let Some(modules) = &modules {
        let kinds: Vec<&str> = modules.iter().map(|module| module.kind.as_str()).collect();
        match kinds[..] {
            ["Transformer", "Pooling"] | ["Transformer", "Pooling", "Normalize"] => {}
            _ => found.refused = Some(unsupported(&folder.join(MODULES), &kinds)),
        }
        let path = |kind: &str| modules.iter().find(|module| module.kind == kind).map(|module| module.path.clone());
        found.transformer = path("Transformer").unwrap_or_default();
        pooling = path("Pooling");
        found.given.modality = Some(Modality::Text);
        found.given.normalize = Some(kinds.contains(&"Normalize"));
    }
    let mut with_prompt = true;
    if let Some(name) = pooling {
        let path = folder.join(name).join("config.json");
        let Some(config) = object(&path)? else {
            let message = format!("there is no such file; {MODULES} names it");
            return Err(Error::File { path, message });
        };
        let config = Config { path, config };
        with_prompt = config.flag("include_prompt")?.unwrap_or(true);
        match pools(&config)? {
            Ok(pooling) => found.given.pooling = Some(pooling),
            Err(message) => found.refused = found.refused.or_else(|| Some(config.wrong(message))),
        }
    }
    lengths(folder, &mut found)?;
    prompts(folder, &mut found.given)?;
    if !with_prompt && found.given.prompts.as_ref().is_some_and(|prompts| prompts.values().any(|text| !text.is_empty()))
    {
        let message = "include_prompt = false, which leaves the tokens of the prompt out of the mean, is not supported";
        let error = Error::Settings { path: folder.join(POOLING).join("config.json"), message: message.to_owned() };
        found.refused = found.refused.or(Some(error));
    }
    Ok(found)
}

/// The files, in addition to model and tokenizer, that [`read`] reads, given the text of `modules.json`.
pub fn files(modules: Option<&Value>) -> Vec<String> {
    let path_of = |kind: &str| {
        let listed = modules?.as_array()?;
        let is = |module: &&Value| module["type"].as_str().is_some_and(|name| name.rsplit('.').next() == Some(kind));
        listed.iter().find(is)?["path"].as_str().map(str::to_owned)
    };
    let below = |folder: &str, name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let pooling = path_of("Pooling").unwrap_or_else(|| POOLING.to_owned());
    let transformer = path_of("Transformer").unwrap_or_default();
    let mut files = vec![below(&pooling, "config.json"), PROMPTS.to_owned()];
    files.extend(LENGTHS.into_iter().chain([TOKENIZER, MODEL]).map(|name| below(&transformer, name)));
    files
}

fn modules(folder: &Path) -> Result<Option<Vec<Module>>> {
    let path = folder.join(MODULES);
    let Some(value) = value(&path)? else { return Ok(None) };
    let wrong = |message: String| Error::Settings { path: path.clone(), message };
    let Some(listed) = value.as_array().filter(|listed| !listed.is_empty()) else {
        return Err(wrong("it must be a list of modules".to_owned()));
    };
    let module = |(number, module): (usize, &Value)| {
        let text = |key: &str| {
            let missing = || wrong(format!("module {number}: `{key}` must be a text, not {}", module[key]));
            module[key].as_str().ok_or_else(missing)
        };
        let (kind, path) = (text("type")?, text("path")?);
        if !is_inside(path) {
            return Err(wrong(format!("module {number}: `path` '{path}' leads out of the folder")));
        }
        let kind = kind.rsplit('.').next().unwrap_or(kind).to_owned();
        Ok(Module { kind, path: path.trim_end_matches('/').to_owned() })
    };
    listed.iter().enumerate().map(module).collect::<Result<_>>().map(Some)
}

/// Whether a relative path stays within its folder.
pub(crate) fn is_inside(path: &str) -> bool {
    use std::path::Component::{CurDir, Normal};
    Path::new(path).components().all(|part| matches!(part, Normal(_) | CurDir))
}

fn unsupported(path: &Path, kinds: &[&str]) -> Error {
    let known = ["Transformer", "Pooling", "Normalize"];
    let message = match kinds.iter().find(|kind| !known.contains(kind)) {
        Some(kind) => format!("the module {kind} is not supported; supported are Transformer, Pooling and Normalize"),
        None => format!(
            "the modules are {}; supported are Transformer, Pooling and, at the end, Normalize",
            kinds.join(", ")
        ),
    };
    let message = format!("{message}; where the ONNX file does it all, say so in model.toml: pooling = \"none\"");
    Error::Settings { path: path.to_owned(), message }
}

/// The pooling; the inner error names a setting that is not supported.
fn pools(config: &Config) -> Result<Result<Pooling, String>> {
    const MODES: [(&str, Pooling); 6] = [
        ("mean", Pooling::Mean),
        ("cls", Pooling::Cls),
        ("max", Pooling::Max),
        ("mean_sqrt_len", Pooling::MeanSqrtLen),
        ("weightedmean", Pooling::WeightedMean),
        ("lasttoken", Pooling::Last),
    ];
    let mut on: Vec<String> = vec![];
    for key in config.config.keys().filter(|key| key.starts_with("pooling_mode_")) {
        if config.flag(key)? == Some(true) {
            let name = key.trim_start_matches("pooling_mode_");
            on.push(name.trim_end_matches("_tokens").trim_end_matches("_token").to_owned());
        }
    }
    // Newer versions write the name of the mode.
    match &config.config.get("pooling_mode") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => on.push(name.clone()),
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            on.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        Some(other) => return Err(config.wrong(format!("`pooling_mode` must be the name of a mode, not {other}"))),
    }
    let known = MODES.map(|(name, _)| name).join(", ");
    Ok(match &on[..] {
        [] => Err(format!("no mode of pooling is switched on; there are {known}")),
        [name] => {
            let mode = MODES.iter().find(|(mode, _)| mode == name);
            mode.map(|(_, pooling)| *pooling)
                .ok_or_else(|| format!("the mode of pooling '{name}' is not supported; supported are {known}"))
        }
        several => {
            Err(format!("it joins the vectors of {}, which is not supported; one mode is", several.join(" and ")))
        }
    })
}

fn lengths(folder: &Path, found: &mut Found) -> Result<()> {
    let folder = folder.join(&found.transformer);
    for name in LENGTHS {
        let path = folder.join(name);
        let Some(config) = object(&path)? else { continue };
        let config = Config { path, config };
        found.given.max_length = config.count("max_seq_length")?;
        found.given.lowercase = config.flag("do_lower_case")?.filter(|lowercase| *lowercase);
        break;
    }
    if found.given.max_length.is_none() {
        // The default of sentence-transformers if no maximum length is given.
        let limit = |name: &str, key: &str| -> Result<Option<usize>> {
            let path = folder.join(name);
            let Some(config) = object(&path)? else { return Ok(None) };
            Config { path, config }.count(key)
        };
        let limits = [limit(TOKENIZER, "model_max_length")?, limit(MODEL, "max_position_embeddings")?];
        found.given.max_length = limits.into_iter().flatten().min();
    }
    Ok(())
}

fn prompts(folder: &Path, given: &mut Given) -> Result<()> {
    let path = folder.join(PROMPTS);
    let Some(config) = object(&path)? else { return Ok(()) };
    let config = Config { path, config };
    let prompts = match config.config.get("prompts") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(prompts)) => {
            let text = |(name, text): (&String, &Value)| match text {
                Value::String(text) => Ok((name.clone(), text.clone())),
                other => Err(config.wrong(format!("the prompt `{name}` must be a text, not {other}"))),
            };
            prompts.iter().map(text).collect::<Result<_>>()?
        }
        Some(other) => return Err(config.wrong(format!("`prompts` must be texts by their names, not {other}"))),
    };
    match config.config.get("default_prompt_name") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) if prompts.contains_key(name) => given.default_prompt = Some(name.clone()),
        Some(other) => {
            let known: Vec<&str> = prompts.keys().map(String::as_str).collect();
            let message = format!("`default_prompt_name` is {other}; there are the prompts {}", known.join(", "));
            return Err(config.wrong(message));
        }
    }
    given.prompts = Some(prompts).filter(|prompts| !prompts.is_empty());
    Ok(())
}

/// A JSON object with the path of its file.
struct Config {
    path: PathBuf,
    config: Map<String, Value>,
}

impl Config {
    fn wrong(&self, message: String) -> Error {
        Error::Settings { path: self.path.clone(), message }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(format!("`{key}` must be true or false, not {other}"))),
        }
    }

    /// A number of tokens; `None` if missing or if it stands for no limit.
    fn count(&self, key: &str) -> Result<Option<usize>> {
        let value = match self.config.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        match value.as_f64() {
            Some(number) if number > NO_LIMIT => Ok(None),
            Some(number) if number >= 1.0 && number.fract() == 0.0 => Ok(Some(number as usize)),
            _ => Err(self.wrong(format!("`{key}` must be a whole number of tokens above 0, not {value}"))),
        }
    }
}

/// The JSON value in a file; `None` if the file does not exist.
fn value(path: &Path) -> Result<Option<Value>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(path, &error)),
    };
    let wrong =
        |error: serde_json::Error| Error::Settings { path: path.to_owned(), message: format!("no JSON: {error}") };
    serde_json::from_slice(&bytes).map(Some).map_err(wrong)
}

fn object(path: &Path) -> Result<Option<Map<String, Value>>> {
    match value(path)? {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Error::Settings { path: path.to_owned(), message: "it must be an object {...}".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn modules(kinds: &[(&str, &str)]) -> String {
        let module = |(number, (kind, path)): (usize, &(&str, &str))| {
            format!(
                r#"{{"idx":{number},"name":"{number}","path":"{path}","type":"sentence_transformers.models.{kind}"}}"#
            )
        };
        format!("[{}]", kinds.iter().enumerate().map(module).collect::<Vec<_>>().join(","))
    }

    fn usual() -> String {
        modules(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")])
    }

    #[test]
    fn the_files_say_how_a_model_is_used() {
        let modules = usual();
        let folder = folder(&[
            (MODULES, &modules),
            (
                "1_Pooling/config.json",
                r#"{"word_embedding_dimension": 4, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
            ),
            (LENGTHS[0], r#"{"max_seq_length": 8, "do_lower_case": true}"#),
            (PROMPTS, r#"{"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}"#),
        ]);
        let found = read(folder.path()).unwrap();
        assert!(found.refused.is_none());
        let given = found.given;
        assert_eq!((given.pooling, given.normalize, given.max_length), (Some(Pooling::Cls), Some(true), Some(8)));
        assert_eq!((given.lowercase, given.default_prompt.as_deref()), (Some(true), Some("query")));
        assert_eq!(given.prompts.unwrap()["passage"], "passage: ");
    }

    #[test]
    fn a_folder_without_them_says_nothing() {
        let found = read(folder(&[]).path()).unwrap();
        assert_eq!(found.given, Given::default());
        assert!(found.refused.is_none());
    }

    #[test]
    fn every_mode_of_pooling_is_done_or_refused_by_name() {
        let pooled = |text: &str| {
            let modules = usual();
            let found = read(folder(&[(MODULES, &modules), ("1_Pooling/config.json", text)]).path())?;
            match found.refused {
                Some(error) => Err(error),
                None => Ok(found.given.pooling),
            }
        };
        for (name, pooling) in [
            ("mean_tokens", Pooling::Mean),
            ("cls_token", Pooling::Cls),
            ("max_tokens", Pooling::Max),
            ("mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
            ("weightedmean_tokens", Pooling::WeightedMean),
            ("lasttoken", Pooling::Last),
        ] {
            assert_eq!(pooled(&format!(r#"{{"pooling_mode_{name}": true}}"#)).unwrap(), Some(pooling), "{name}");
        }
        assert_eq!(pooled(r#"{"pooling_mode": "cls"}"#).unwrap(), Some(Pooling::Cls));
        for (text, part) in [
            (r#"{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}"#, "max and mean"),
            (r#"{"pooling_mode_attention_tokens": true}"#, "'attention'"),
            (r#"{"pooling_mode": "generalized"}"#, "'generalized'"),
            (r#"{"pooling_mode_cls_token": false}"#, "no mode"),
            (r#"{"pooling_mode_cls_token": "yes"}"#, "`pooling_mode_cls_token` must be true or false"),
            ("[]", "object"),
            ("{", "no JSON"),
        ] {
            let error = pooled(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("1_Pooling"), "{text}: {error}");
        }
    }

    #[test]
    fn modules_that_are_not_supported_are_named() {
        for (kinds, part) in [
            (&[("Transformer", ""), ("Pooling", "p"), ("Dense", "2_Dense")][..], "the module Dense"),
            (&[("StaticEmbedding", "")], "the module StaticEmbedding"),
            (&[("Pooling", "p"), ("Transformer", "")], "Pooling, Transformer"),
            (&[("Transformer", "")], "the modules are Transformer"),
        ] {
            let modules = modules(kinds);
            let folder = folder(&[(MODULES, &modules), ("p/config.json", r#"{"pooling_mode_cls_token": true}"#)]);
            let refused = read(folder.path()).unwrap().refused.unwrap().to_string();
            assert!(refused.contains(part) && refused.contains(MODULES), "{refused}");
        }
    }

    #[test]
    fn damaged_files_are_named_with_the_key() {
        let modules = usual();
        let pooling = ("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
        let wrong = [
            (MODULES, "{}", "a list"),
            (MODULES, r#"[{"type": "x"}]"#, "`path`"),
            (MODULES, r#"[{"type": "Transformer", "path": "../x"}]"#, "out of the folder"),
            (LENGTHS[0], r#"{"max_seq_length": "8"}"#, "`max_seq_length`"),
            (LENGTHS[0], r#"{"max_seq_length": 0}"#, "`max_seq_length`"),
            (LENGTHS[0], r#"{"do_lower_case": 1}"#, "`do_lower_case`"),
            (PROMPTS, r#"{"prompts": {"query": 3}}"#, "`query`"),
            (PROMPTS, r#"{"prompts": {"q": "q: "}, "default_prompt_name": "x"}"#, "`default_prompt_name`"),
            (TOKENIZER, r#"{"model_max_length": "long"}"#, "`model_max_length`"),
        ];
        for (file, text, part) in wrong {
            let error = read(folder(&[(MODULES, &modules), pooling, (file, text)]).path()).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(file), "{error}");
        }
        let missing = read(folder(&[(MODULES, &modules)]).path()).unwrap_err().to_string();
        assert!(missing.contains("1_Pooling") && missing.contains("no such file"), "{missing}");
    }

    #[test]
    fn without_a_length_it_is_the_least_that_tokenizer_and_model_allow() {
        let length = |files: &[(&str, &str)]| read(folder(files).path()).unwrap().given.max_length;
        let (tokenizer, model) =
            ((TOKENIZER, r#"{"model_max_length": 512}"#), (MODEL, r#"{"max_position_embeddings": 514}"#));
        assert_eq!(length(&[tokenizer, model]), Some(512));
        assert_eq!(length(&[model]), Some(514));
        assert_eq!(length(&[(TOKENIZER, r#"{"model_max_length": 1000000000000000019884624838656}"#)]), None);
        assert_eq!(length(&[tokenizer, (LENGTHS[0], r#"{"max_seq_length": null}"#)]), Some(512));
    }

    #[test]
    fn the_list_of_files_follows_the_modules() {
        let value: Value = serde_json::from_str(&modules(&[("Transformer", "0_T"), ("Pooling", "pool")])).unwrap();
        let files = files(Some(&value));
        assert!(files.contains(&"pool/config.json".to_owned()) && files.contains(&"0_T/config.json".to_owned()));
        // All names in `LENGTHS` may be read.
        assert!(LENGTHS.iter().all(|name| files.contains(&format!("0_T/{name}"))));
    }
}
