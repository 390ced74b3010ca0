//! A model is a folder: `model.onnx`, `tokenizer.json` (for texts) and `model.toml`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The name of the file with the settings.
pub const SETTINGS: &str = "model.toml";

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Texts to vectors.
    Text,
    /// Images to vectors.
    Image,
    /// A language model that says how likely each next token is.
    Causal,
}

impl Modality {
    /// What such a model is.
    pub fn what(self) -> &'static str {
        match self {
            Self::Text => "an encoder of texts",
            Self::Image => "an encoder of images",
            Self::Causal => "a causal language model",
        }
    }
}

/// How the vectors of tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
    /// The output of the model is one vector a row already.
    None,
}

/// What is done with a text of more than `max_length` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Long {
    /// What is beyond is left out.
    #[default]
    Truncate,
    /// It is cut into pieces, and the vectors of the pieces are averaged, each with the weight of its tokens.
    Average,
}

/// `model.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the model is for.
    pub modality: Modality,
    /// The model's file.
    #[serde(default = "model_file")]
    pub model: String,
    /// How the vectors of tokens become one.
    #[serde(default = "mean")]
    pub pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    #[serde(default = "yes")]
    pub normalize: bool,
    /// Tokens of one run at most, those that the tokenizer adds included.
    #[serde(default = "max_length")]
    pub max_length: usize,
    /// What is done with longer texts.
    #[serde(default)]
    pub long: Long,
    /// Put before every text.
    #[serde(default)]
    pub prefix: String,
    /// The output that is read; by default the one of the usual name, or the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The licence of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// SHA-256 of the model's file, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where the model was downloaded from, with the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How images are prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSettings>,
}

/// How images are prepared: shorter side to `resize`, the middle `crop` x `crop` pixels, channels to (x / 255 - mean) / std.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSettings {
    /// Pixels of the shorter side.
    pub resize: usize,
    /// Pixels of the square cut from the middle.
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
    /// A triangle as wide as a pixel of the smaller image.
    #[default]
    Bilinear,
    /// Cubic convolution (a = -0.5), as wide as two.
    Bicubic,
}

fn model_file() -> String {
    "model.onnx".to_owned()
}

fn mean() -> Pooling {
    Pooling::Mean
}

fn yes() -> bool {
    true
}

fn max_length() -> usize {
    512
}

fn zeros() -> [f32; 3] {
    [0.0; 3]
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

impl Settings {
    /// Those of an encoder of texts, with every default.
    pub fn text_encoder() -> Self {
        Self {
            modality: Modality::Text,
            model: model_file(),
            pooling: mean(),
            normalize: yes(),
            max_length: max_length(),
            long: Long::default(),
            prefix: String::new(),
            output: None,
            licence: None,
            sha256: None,
            source: None,
            image: None,
        }
    }

    /// Reads and checks the settings of the model in `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(SETTINGS);
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
        let settings: Self = basic_toml::from_str(&text)
            .map_err(|error| Error::Settings { path: path.clone(), message: error.to_string() })?;
        settings.check().map_err(|message| Error::Settings { path, message })?;
        Ok(settings)
    }

    /// What is wrong with the settings.
    pub fn check(&self) -> Result<(), String> {
        if !(3..=1 << 20).contains(&self.max_length) {
            return Err(format!("max_length must be from 3 to 1048576, not {}", self.max_length));
        }
        if Path::new(&self.model).components().count() != 1 {
            return Err(format!("model must be the name of a file in the folder, not '{}'", self.model));
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

    /// The settings without those that no vector depends on.
    pub fn of_vectors(&self) -> Self {
        Self { model: model_file(), licence: None, sha256: None, source: None, ..self.clone() }
    }

    /// The settings as the text of `model.toml`.
    pub fn text(&self) -> Result<String, String> {
        basic_toml::to_string(self).map_err(|error| error.to_string())
    }

    /// The model's file in `folder`.
    pub fn model_path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.model)
    }
}

/// All that the vectors of a model depend on: two with equal ones give equal vectors. Versions of the runtime are not among
/// it, and neither is which of several cards it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// SHA-256 of the model's file, and of those beside it: weights of their own, the tokenizer.
    pub files: Vec<String>,
    /// The settings; the model that is part of the program has none.
    pub settings: Option<Settings>,
    /// Numbers of a vector.
    pub dimension: usize,
    /// What runs the model.
    pub runtime: String,
    /// The kind of device.
    pub device: String,
}

impl Identity {
    /// As text, always the same way.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of it, in hexadecimal digits.
    pub fn hash(&self) -> String {
        hexadecimal(&Sha256::digest(self.text()))
    }
}

/// Names of the files that belong to a model beside its own: weights of more than 2 GB, the tokenizer.
pub(crate) fn beside(model: &str) -> [String; 3] {
    [format!("{model}_data"), format!("{model}.data"), "tokenizer.json".to_owned()]
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

/// SHA-256 of a file, in hexadecimal digits.
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
