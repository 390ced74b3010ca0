//! Models in folders. A folder holds `model.onnx`, `tokenizer.json` (for texts) and `model.toml`; the files that
//! sentence-transformers writes can replace the last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::given::Given;
use crate::sentence_transformers::{self, is_inside};
use crate::{Error, Result};

/// The name of the settings file.
pub const SETTINGS: &str = "model.toml";

/// The modality of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Text encoder.
    Text,
    /// Image encoder.
    Image,
    /// Causal language model, which gives the likelihood of each next token.
    Causal,
}

impl Modality {
    /// Describes the kind of model.
    pub fn what(self) -> &'static str {
        match self {
            Self::Text => "an encoder of texts",
            Self::Image => "an encoder of images",
            Self::Causal => "a causal language model",
        }
    }
}

/// How the vectors of tokens are combined into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// Their mean.
    Cls,
    /// The vector of the first token.
    Last,
    /// The maximum of each coordinate.
    Max,
    /// Their sum divided by the square root of their number.
    MeanSqrtLen,
    /// Their weighted mean: the first token has weight 1, the second 2, and so on.
    WeightedMean,
    /// No pooling: the model already returns one vector per row.
    None,
}

impl Pooling {
    /// The name in `model.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Last => "last",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean_sqrt_len",
            Self::WeightedMean => "weighted_mean",
            Self::None => "none",
        }
    }

    /// The weight of each token in a text of `tokens` tokens, if the pooling is a weighted sum.
    pub fn weights(self, tokens: usize) -> Option<Vec<f32>> {
        let one_at = |at: usize| {
            let mut weights = vec![0.0; tokens];
            weights.get_mut(at).into_iter().for_each(|weight| *weight = 1.0);
            Some(weights)
        };
        let all = |weight: f32| Some(vec![weight; tokens]);
        match self {
            Self::Mean => all(1.0 / tokens.max(1) as f32),
            Self::MeanSqrtLen => all(1.0 / (tokens.max(1) as f32).sqrt()),
            Self::WeightedMean => {
                let sum = (tokens * (tokens + 1) / 2).max(1) as f32;
                Some((1..=tokens).map(|place| place as f32 / sum).collect())
            }
            Self::Cls | Self::None => one_at(0),
            Self::Last => one_at(tokens.saturating_sub(1)),
            Self::Max => None,
        }
    }
}

/// What happens to a text of more than `max_length` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Long {
    /// The rest is ignored.
    #[default]
    Truncate,
    /// The text is cut into pieces, whose vectors are averaged, weighted by their number of tokens.
    Average,
}

/// How a model is used: `model.toml` with defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// The modality.
    pub modality: Modality,
    /// Path of the model file within the folder.
    pub model: String,
    /// How the vectors of tokens are combined into one.
    pub pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    pub normalize: bool,
    /// Maximum number of tokens per run, including those that the tokenizer adds.
    pub max_length: usize,
    /// What happens to longer texts.
    pub long: Long,
    /// Whether texts are lower-cased before tokenization.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lowercase: bool,
    /// Text put before every text.
    pub prefix: String,
    /// The prompt that replaces the prefix if a call names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_prompt: Option<String>,
    /// The model output to read; by default the one with the usual name, or the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The license of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// SHA-256 of the model file, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where the model was downloaded from, including the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How images are prepared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSettings>,
    /// Named texts, one of which a call may put before its texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prompts: BTreeMap<String, String>,
    /// SHA-256 of the other files of the model: external weights and the tokenizer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// Preprocessing of images: scale the shorter side to `resize`, crop the central `crop` x `crop` pixels, and map channels to
/// (x / 255 - mean) / std.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSettings {
    /// Length of the shorter side after scaling, in pixels.
    pub resize: usize,
    /// Side of the central square, in pixels.
    pub crop: usize,
    /// Mean of each channel.
    #[serde(default = "zeros")]
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// How pixels are interpolated.
    #[serde(default)]
    pub filter: Filter,
}

/// How pixels are interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// A triangle filter, one pixel of the smaller image wide.
    #[default]
    Bilinear,
    /// Cubic convolution (a = -0.5), two pixels wide.
    Bicubic,
}

/// The default name of the model file.
const MODEL: &str = "model.onnx";
/// The default name of the tokenizer file.
const TOKENIZER: &str = "tokenizer.json";
/// Default maximum number of tokens per run.
const MAX_LENGTH: usize = 512;

fn zeros() -> [f32; 3] {
    [0.0; 3]
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

impl Settings {
    /// The default settings of a text encoder.
    pub fn text_encoder() -> Self {
        Self::of(Given { modality: Some(Modality::Text), ..Given::default() })
    }

    /// Fills in defaults.
    fn of(given: Given) -> Self {
        Self {
            modality: given.modality.unwrap_or(Modality::Text),
            model: given.model.unwrap_or_else(|| MODEL.to_owned()),
            pooling: given.pooling.unwrap_or(Pooling::Mean),
            normalize: given.normalize.unwrap_or(true),
            max_length: given.max_length.unwrap_or(MAX_LENGTH),
            long: given.long.unwrap_or_default(),
            lowercase: given.lowercase.unwrap_or(false),
            prefix: given.prefix.unwrap_or_default(),
            default_prompt: given.default_prompt,
            output: given.output,
            license: given.license,
            sha256: given.sha256,
            source: given.source,
            image: given.image,
            prompts: given.prompts.unwrap_or_default(),
            files: given.files.unwrap_or_default(),
        }
    }

    /// Reads and checks the settings of the model in `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::resolve(folder, Given::default()).map(|(settings, _)| settings)
    }

    /// Reads and checks the settings of the model in `folder`. `flags` override `model.toml`, which overrides the files of
    /// sentence-transformers. Contradictions between them are returned as sentences.
    pub fn resolve(folder: &Path, flags: Given) -> Result<(Self, Vec<String>)> {
        let path = folder.join(SETTINGS);
        let wrong = |message: String| Error::Settings { path: path.clone(), message };
        let written: Option<Given> = match std::fs::read_to_string(&path) {
            Ok(text) => Some(basic_toml::from_str(&text).map_err(|error| wrong(error.to_string()))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::file(&path, &error)),
        };
        let is_written = written.is_some();
        if written.as_ref().is_some_and(|written| written.modality.is_none()) {
            return Err(wrong("it says no modality; it must be \"text\", \"image\" or \"causal\"".to_owned()));
        }
        let said = flags.or(written.unwrap_or_default());
        let mut notes = vec![];
        let (mut given, mut transformer) = (said.clone(), String::new());
        if said.modality.unwrap_or(Modality::Text) == Modality::Text {
            let found = sentence_transformers::read(folder)?;
            match found.refused {
                Some(error) if said.pooling.is_none() => return Err(error),
                Some(error) => notes.push(format!("{error}; what {SETTINGS} or a flag says counts")),
                None => {}
            }
            notes.extend(said.contradictions(&found.given).into_iter().map(|(setting, here, there)| {
                format!("{setting} is {here} by {SETTINGS} or a flag, which counts, and {there} by the files of sentence-transformers")
            }));
            given = given.or(found.given);
            transformer = found.transformer;
            let left_open = [("pooling", given.pooling.is_none()), ("max_length", given.max_length.is_none())];
            if let Some((setting, _)) = left_open.iter().find(|(_, open)| *open && !is_written) {
                return Err(unsaid(folder, setting));
            }
        } else if given.max_length.is_none() && !is_written {
            return Err(unsaid(folder, "max_length"));
        }
        if given.model.is_none() {
            given.model = Some(find_model(folder, &transformer)?);
        }
        let settings = Self::of(given);
        settings.check().map_err(wrong)?;
        Ok((settings, notes))
    }

    /// Returns an error that says what is wrong with the settings.
    pub fn check(&self) -> Result<(), String> {
        if !(3..=1 << 20).contains(&self.max_length) {
            return Err(format!("max_length must be from 3 to 1048576, not {}", self.max_length));
        }
        if self.model.is_empty() || !is_inside(&self.model) {
            return Err(format!("model must be the path of a file within the folder, not '{}'", self.model));
        }
        if let Some(path) = self.files.keys().find(|path| !is_inside(path)) {
            return Err(format!("files: '{path}' must be the path of a file within the folder"));
        }
        if let Some(name) = self.default_prompt.as_ref().filter(|name| !self.prompts.contains_key(*name)) {
            return Err(format!("default_prompt must be the name of one of the prompts, not '{name}'"));
        }
        if self.default_prompt.is_some() && !self.prefix.is_empty() {
            return Err("prefix and default_prompt say both what is put before a text; give one".to_owned());
        }
        match (&self.image, self.modality) {
            (None, Modality::Image) => {
                Err("a model for images needs a section [image] with resize and crop".to_owned())
            }
            (Some(image), Modality::Image) => image.check(),
            (Some(_), _) => Err("the section [image] is for modality = \"image\"".to_owned()),
            (None, _) => Ok(()),
        }
    }

    /// The settings that affect vectors, for texts with the given `prefix`.
    pub fn of_vectors(&self, prefix: &str) -> Self {
        Self {
            model: MODEL.to_owned(),
            prefix: prefix.to_owned(),
            default_prompt: None,
            license: None,
            sha256: None,
            source: None,
            prompts: BTreeMap::new(),
            files: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// What is put before texts if a call names no prompt.
    pub fn usual_prefix(&self) -> &str {
        self.default_prompt.as_ref().and_then(|name| self.prompts.get(name)).unwrap_or(&self.prefix)
    }

    /// Serializes the settings as `model.toml`.
    pub fn text(&self) -> Result<String, String> {
        basic_toml::to_string(self).map_err(|error| error.to_string())
    }

    /// The path of the model file in `folder`.
    pub fn model_path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.model)
    }

    /// The path of the tokenizer file: in `folder`, or beside the model file.
    pub fn tokenizer_path(&self, folder: &Path) -> PathBuf {
        let own = folder.join(TOKENIZER);
        let beside = self.model_path(folder).with_file_name(TOKENIZER);
        if !own.is_file() && beside.is_file() { beside } else { own }
    }
}

/// The error that a required setting is given nowhere.
fn unsaid(folder: &Path, setting: &str) -> Error {
    let flag = setting.replace('_', "-");
    let message = format!(
        "nothing says what {setting} is: there is neither {SETTINGS} nor a file of sentence-transformers that does \
         (modules.json, 1_Pooling/config.json, sentence_bert_config.json). Write {SETTINGS}, or give --{flag} to `limpid models add`"
    );
    Error::Settings { path: folder.to_owned(), message }
}

/// Finds the model file if no setting names it: `model.onnx` or `onnx/model.onnx`, otherwise the only one present.
fn find_model(folder: &Path, transformer: &str) -> Result<String> {
    let roots =
        if transformer.is_empty() { vec![String::new()] } else { vec![String::new(), format!("{transformer}/")] };
    let folders: Vec<String> = roots.iter().flat_map(|root| [root.clone(), format!("{root}onnx/")]).collect();
    let mut found = vec![];
    for below in &folders {
        let usual = format!("{below}{MODEL}");
        if folder.join(&usual).is_file() {
            return Ok(usual);
        }
        let Ok(entries) = std::fs::read_dir(folder.join(below)) else { continue };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_model = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "onnx");
        found.extend(names.filter(is_model).map(|name| format!("{below}{name}")));
    }
    found.sort();
    match &found[..] {
        [only] => Ok(only.clone()),
        // Opening the file will report that it is missing.
        [] => Ok(MODEL.to_owned()),
        several => {
            let message = format!(
                "there are several models and none is {MODEL}: {}. Name one: model = \"...\" in {SETTINGS}, or --model",
                several.join(", ")
            );
            Err(Error::Settings { path: folder.to_owned(), message })
        }
    }
}

/// Everything that the vectors of a model depend on: models with equal identities give equal vectors. The version of the
/// runtime is not included, nor is the number of the GPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// SHA-256 of the model file and the files beside it: external weights and the tokenizer.
    pub files: Vec<String>,
    /// The settings; `None` for an embedded model.
    pub settings: Option<Settings>,
    /// Values per vector.
    pub dimension: usize,
    /// The runtime.
    pub runtime: String,
    /// The kind of device.
    pub device: String,
}

impl Identity {
    /// A canonical text form.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of the text form, in hexadecimal.
    pub fn hash(&self) -> String {
        hexadecimal(&Sha256::digest(self.text()))
    }
}

impl ImageSettings {
    fn check(&self) -> Result<(), String> {
        if !(1..=4096).contains(&self.crop) || self.resize < self.crop || self.resize > 4096 {
            return Err(format!(
                "image: crop must be from 1 to resize, and resize at most 4096, not crop = {} and resize = {}",
                self.crop, self.resize
            ));
        }
        let usable =
            self.std.iter().all(|std| std.is_finite() && *std > 0.0) && self.mean.iter().all(|m| m.is_finite());
        if usable { Ok(()) } else { Err("image: mean must be finite and std above 0".to_owned()) }
    }
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(|error| Error::file(path, &error))?;
    let mut state = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut file, &mut buffer) {
            Ok(0) => return Ok(hexadecimal(&state.finalize())),
            Ok(read) => state.update(&buffer[..read]),
            Err(error) => return Err(Error::file(path, &error)),
        }
    }
}

/// SHA-256 of `bytes`.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SETTINGS), text).unwrap();
        Settings::read(folder.path())
    }

    #[test]
    fn settings_have_defaults_and_come_back() {
        assert_eq!(read("modality = \"text\"").unwrap(), Settings::text_encoder());
        let settings = read("modality = \"text\"\nmax_length = 256\n").unwrap();
        assert_eq!((settings.pooling, settings.normalize, settings.long), (Pooling::Mean, true, Long::Truncate));
        assert_eq!(read(&settings.text().unwrap()).unwrap(), settings);
        let image =
            "modality = \"image\"\npooling = \"none\"\n[image]\nresize = 256\ncrop = 224\nfilter = \"bicubic\"\n";
        let image = read(image).unwrap();
        assert_eq!(read(&image.text().unwrap()).unwrap(), image);
    }

    #[test]
    fn wrong_settings_are_named() {
        let wrong = [
            ("", "modality"),
            ("modality = \"audio\"", "audio"),
            ("modality = \"text\"\npoling = \"mean\"", "poling"),
            ("modality = \"text\"\nmax_length = 0", "max_length"),
            ("modality = \"text\"\nmodel = \"../x\"", "../x"),
            ("modality = \"text\"\nmodel = \"/x\"", "/x"),
            ("modality = \"text\"\ndefault_prompt = \"q\"", "default_prompt"),
            ("modality = \"text\"\nmax_length = \"8\"", "max_length"),
            ("modality = \"text\"\n[files]\n\"../x\" = \"00\"", "files"),
            ("modality = \"image\"", "[image]"),
            ("modality = \"image\"\n[image]\nresize = 8\ncrop = 9", "crop"),
            ("modality = \"image\"\n[image]\nresize = 8\ncrop = 8\nstd = [0.0, 1.0, 1.0]", "std"),
        ];
        for (text, part) in wrong {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(Settings::read(Path::new("/no/such/folder")).unwrap_err().to_string().contains("model.toml"));
    }

    #[test]
    fn the_hash_of_a_file_is_sha256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), known);
    }
}
