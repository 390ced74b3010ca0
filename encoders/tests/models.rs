//! Small models in folders, run by libonnxruntime or tract; without either the tests say so on standard error and pass.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::path::{Path, PathBuf};

use limpid_encoders::device::Device;
use limpid_encoders::onnx::provider::devices;
use limpid_encoders::onnx::runtime::Runtime;
use limpid_encoders::{Error, registry};

/// The number in row `t`, column `j` of the tables of `models/fixtures.py`.
fn number(t: usize, j: usize) -> f32 {
    ((7 * t + 3 * j) % 11) as f32 / 10.0 - 0.5
}

const CLS: usize = 2;
const SEP: usize = 3;
const HELLO: usize = 4;
const WORLD: usize = 5;
const S: usize = 6;

fn there_is_a_runtime() -> bool {
    match Runtime::get() {
        Ok(_) => true,
        Err(error) => {
            // Past the harness, which shows what a test prints only where it fails.
            let told = format!("skipped, no ONNX model was tested: {error}\n");
            std::io::stderr().write_all(told.as_bytes()).unwrap();
            false
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

/// A copy of a fixture with another file.
fn changed(name: &str, file: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let file = folder.path().join(file);
    let bytes = change(&std::fs::read(&file).unwrap());
    std::fs::write(&file, bytes).unwrap();
    folder
}

fn replaced(name: &str, file: &str, from: &str, to: &str) -> tempfile::TempDir {
    changed(name, file, |bytes| {
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(text.contains(from));
        text.replace(from, to).into_bytes()
    })
}

fn mean(tokens: &[usize]) -> Vec<f32> {
    (0..4).map(|j| tokens.iter().map(|&t| number(t, j)).sum::<f32>() / tokens.len() as f32).collect()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near, "{found:?} but {expected:?}");
}

#[test]
fn texts_become_the_means_of_their_tokens() {
    if !there_is_a_runtime() {
        return;
    }
    let model = registry::open(path(&fixture("text")), Device::Cpu).unwrap();
    assert_eq!(model.info().dimension, 4);
    let found =
        model.embed_texts(&["Hello worlds", "", "hello worlds", "hello hello hello hello hello hello hello"]).unwrap();
    assert_eq!(found.present, [true; 4]);
    let rows: Vec<&[f32]> = found.values.chunks(4).collect();
    assert_near(rows[0], &mean(&[CLS, HELLO, WORLD, S, SEP]));
    assert_near(rows[1], &mean(&[CLS, SEP]));
    assert_eq!(rows[0], rows[2]);
    // The first and the third are the same tokens, and so run once.
    assert_eq!(found.tokens, 5 + 2 + 8);
    let alike = model.embed_texts(&["a b c a b c a b", "a b c a b c hello"]).unwrap();
    assert_eq!((alike.tokens, &alike.values[..4]), (8, &alike.values[4..]));
    // Eight tokens, with those of the frame.
    assert_near(rows[3], &mean(&[CLS, HELLO, HELLO, HELLO, HELLO, HELLO, HELLO, SEP]));
    assert!(model.embed_texts(&[]).unwrap().values.is_empty());
}

#[test]
fn pooling_prefix_length_and_pieces_follow_the_settings() {
    if !there_is_a_runtime() {
        return;
    }
    let vector = |from: &str, to: &str, text: &str| {
        let folder = replaced("text", "model.toml", from, to);
        registry::open(path(folder.path()), Device::Cpu).unwrap().embed_texts(&[text]).unwrap().values
    };
    assert_near(&vector("mean", "cls", "hello"), &mean(&[CLS]));
    assert_near(&vector("mean", "last", "hello"), &mean(&[SEP]));
    let prefixed = vector("max_length", "prefix = \"world \"\nmax_length", "hello");
    assert_near(&prefixed, &mean(&[CLS, WORLD, HELLO, SEP]));
    let unit = vector("normalize = false", "normalize = true", "hello");
    assert!((unit.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    // Pieces of four tokens and two: their means with weights 4 and 2.
    let pieces = vector("max_length = 8", "max_length = 6\nlong = \"average\"", "hello world hello world hello hello");
    let last = "max_length = 6\nlong = \"average\"";
    let text = "hello world hello world hello hello";
    let folder = changed("text", "model.toml", |bytes| {
        let toml = std::str::from_utf8(bytes).unwrap();
        toml.replace("mean", "last").replace("max_length = 8", last).into_bytes()
    });
    let found = registry::open(path(folder.path()), Device::Cpu).unwrap().embed_texts(&[text]).unwrap();
    assert_near(&found.values, &mean(&[SEP]));
    assert_eq!(found.tokens, 6 + 4);
    let (first, second) = (mean(&[CLS, HELLO, WORLD, HELLO, WORLD, SEP]), mean(&[CLS, HELLO, HELLO, SEP]));
    let expected: Vec<f32> = first.iter().zip(&second).map(|(a, b)| (4.0 * a + 2.0 * b) / 6.0).collect();
    assert_near(&pieces, &expected);
}

/// The mean of the rows that a quantised model should give: those of the table times another table.
fn product(tokens: &[usize]) -> Vec<f32> {
    let mean = mean(tokens);
    (0..4).map(|j| (0..4).map(|k| mean[k] * number(k, j)).sum()).collect()
}

#[test]
fn sixteen_and_eight_bit_models_give_their_vectors() {
    if !there_is_a_runtime() {
        return;
    }
    let open = |name: &str| registry::open(path(&fixture(name)), Device::Cpu).unwrap();
    let texts = ["hello world", "", "a b c , . hello", "world"];
    let [full, half, int8] = ["text", "half", "int8"].map(|name| open(name).embed_texts(&texts).unwrap());
    assert_eq!(full.tokens, 4 + 2 + 8 + 3);
    for (a, b) in full.values.iter().zip(&half.values) {
        assert!((a - b).abs() < 1e-3, "{:?} {:?}", full.values, half.values);
    }
    let tokens = [&[CLS, HELLO, WORLD, SEP][..], &[CLS, SEP], &[CLS, 7, 8, 9, 11, 10, HELLO, SEP], &[CLS, WORLD, SEP]];
    for (found, tokens) in int8.values.chunks(4).zip(tokens) {
        // A step of 8 bits is 1 / 255 of the range of the rows and 1 / 127 of that of the weights, and a row has four numbers.
        let near = found.iter().zip(product(tokens)).all(|(a, b)| (a - b).abs() < 5e-3);
        assert!(near, "{found:?} {:?}", product(tokens));
    }
    // Quantisation takes its range from all that runs together: alone means that neighbours make no difference.
    for (text, expected) in texts.iter().zip(int8.values.chunks(4)) {
        assert_eq!(open("int8").embed_texts(&[text]).unwrap().values, expected);
    }
}

#[test]
fn models_are_told_apart_by_all_that_changes_a_vector() {
    if !there_is_a_runtime() {
        return;
    }
    let identity = |folder: &Path| registry::open(path(folder), Device::Cpu).unwrap().identity().unwrap().hash();
    let own = identity(&fixture("text"));
    let same = changed("text", "model.toml", |bytes| [bytes, b"licence = \"MIT\"\n"].concat());
    assert_eq!(own, identity(same.path()));
    let renamed = replaced("text", "model.toml", "modality", "model = \"other.onnx\"\nmodality");
    std::fs::rename(renamed.path().join("model.onnx"), renamed.path().join("other.onnx")).unwrap();
    assert_eq!(own, identity(renamed.path()));
    let others = [
        fixture("half"),
        fixture("int8"),
        replaced("text", "model.toml", "mean", "cls").keep(),
        replaced("text", "model.toml", "max_length = 8", "max_length = 7").keep(),
        replaced("text", "model.toml", "max_length", "prefix = \"a\"\nmax_length").keep(),
        replaced("text", "tokenizer.json", "\"hello\"", "\"hallo\"").keep(),
    ];
    for other in others {
        assert_ne!(own, identity(&other), "{}", other.display());
        if !other.starts_with(env!("CARGO_MANIFEST_DIR")) {
            std::fs::remove_dir_all(other).unwrap();
        }
    }
}

#[test]
fn what_is_no_number_is_an_error() {
    if !there_is_a_runtime() {
        return;
    }
    // The number of the table's row 4 (hello), column 3: (28 + 9) mod 11 = 4; and wherever else it stands.
    let broken = |name: &str| {
        let number = ((4.0f64 / 10.0 - 0.5) as f32).to_le_bytes();
        changed(name, "model.onnx", |bytes| {
            let mut bytes = bytes.to_vec();
            let places: Vec<usize> = (0..bytes.len() - 3).filter(|&at| bytes[at..at + 4] == number).collect();
            assert!(!places.is_empty());
            for at in places {
                bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
            }
            bytes
        })
    };
    let folder = broken("text");
    let model = registry::open(path(folder.path()), Device::Cpu).unwrap();
    let error = model.embed_texts(&["world", "hello"]).unwrap_err();
    assert!(matches!(error, Error::Run { .. }) && error.to_string().contains("NaN"), "{error}");
    let folder = broken("causal");
    let error = registry::open(path(folder.path()), Device::Cpu).unwrap().token_nll(&["hello a"]).unwrap_err();
    assert!(matches!(error, Error::Run { .. }) && error.to_string().contains("NaN"), "{error}");
}

#[test]
fn many_threads_get_the_same_vectors() {
    if !there_is_a_runtime() {
        return;
    }
    let model = registry::open(path(&fixture("int8")), Device::Cpu).unwrap();
    let texts: Vec<String> =
        (0..500).map(|i| "hello world a b c . ,".split(' ').cycle().skip(i % 7).take(i % 9).collect()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = model.embed_texts(&texts).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(model.embed_texts(&texts).unwrap(), expected));
        }
    });
}

#[test]
fn losses_are_those_of_the_logits() {
    if !there_is_a_runtime() {
        return;
    }
    let model = registry::open(path(&fixture("causal")), Device::Cpu).unwrap();
    let found = model.token_nll(&["hello world", ""]).unwrap();
    let loss = |from: usize, to: usize| {
        let logits: Vec<f64> =
            (0..12).map(|v| (0..4).map(|j| f64::from(number(from, j) * number(j, v))).sum()).collect();
        (logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[to]) as f32
    };
    assert_near(&found[0], &[loss(CLS, HELLO), loss(HELLO, WORLD), loss(WORLD, SEP)]);
    assert_near(&found[1], &[loss(CLS, SEP)]);
    // A longer text goes on in another piece, whose first token is given.
    let long = replaced("causal", "model.toml", "max_length = 8", "max_length = 4\nlong = \"average\"");
    let found = registry::open(path(long.path()), Device::Cpu).unwrap().token_nll(&["hello world hello"]).unwrap();
    let first = [loss(CLS, HELLO), loss(HELLO, WORLD), loss(WORLD, SEP)];
    assert_near(&found[0], &[&first[..], &[loss(CLS, HELLO), loss(HELLO, SEP)]].concat());
}

#[test]
fn images_become_vectors() {
    if !there_is_a_runtime() {
        return;
    }
    let model = registry::open(path(&fixture("image")), Device::Cpu).unwrap();
    // 2 x 2 pixels: red, blue; blue, red.
    let png: &[u8] = include_bytes!("models/image/pixels.png");
    let found = model.embed_images(&[png, png]).unwrap();
    let pixels = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let expected: Vec<f32> = (0..3).map(|j| pixels.iter().enumerate().map(|(t, p)| p * number(t, j)).sum()).collect();
    assert_near(&found.values, &[expected.clone(), expected].concat());
    let error = model.embed_images(&[png, b"no image"]).unwrap_err();
    assert!(matches!(error, Error::Image { row: 1, .. }), "{error}");
}

#[test]
fn what_is_wrong_with_a_model_is_said() {
    if !there_is_a_runtime() {
        return;
    }
    let open = |folder: &tempfile::TempDir| registry::open(path(folder.path()), Device::Cpu).unwrap_err();
    let garbage = open(&changed("text", "model.onnx", |_| b"this is no model".to_vec()));
    assert!(matches!(garbage, Error::Onnx { .. }), "{garbage}");
    let cut = open(&changed("text", "model.onnx", |bytes| bytes[..bytes.len() / 2].to_vec()));
    assert!(matches!(cut, Error::Onnx { .. }), "{cut}");
    // One token more than the table has rows.
    let unfit = open(&replaced("text", "tokenizer.json", "\",\": 11", "\",\": 12"));
    assert!(matches!(unfit, Error::Misfit { token: 12, tokens: 13, .. }), "{unfit}");
    // More tokens than there are positions, in the settings or, where these say nothing, by default.
    let positions = open(&replaced("positions", "model.toml", "16", "17"));
    assert!(
        matches!(positions, Error::Settings { .. }) && positions.to_string().contains("the 16 tokens"),
        "{positions}"
    );
    let positions = open(&replaced("positions", "model.toml", "max_length = 16", ""));
    assert!(positions.to_string().contains("max_length = 512"), "{positions}");
    let size = open(&replaced("image", "model.toml", "2", "3"));
    assert!(size.to_string().contains("takes ? x 3 x 2 x 2"), "{size}");
    let output = open(&replaced("text", "model.toml", "modality", "output = \"embedding\"\nmodality"));
    assert!(output.to_string().contains("no output 'embedding', but last_hidden_state"), "{output}");
    let pooling = open(&replaced("text", "model.toml", "mean", "none"));
    assert!(matches!(pooling, Error::Shape { .. }), "{pooling}");
    let text = "modality = \"text\"\npooling = \"none\"\n";
    let modality = open(&changed("image", "model.toml", |_| text.as_bytes().to_vec()));
    assert!(modality.to_string().contains("pixel_values"), "{modality}");
    let room = open(&replaced("text", "model.toml", "max_length = 8", "max_length = 2"));
    assert!(room.to_string().contains("max_length"), "{room}");
    // A file cut short at any place is an error, and one that says which file it is.
    for file in ["model.onnx", "tokenizer.json"] {
        let length = std::fs::read(fixture("text").join(file)).unwrap().len();
        for part in 0..8 {
            let error = open(&changed("text", file, |bytes| bytes[..part * length / 8].to_vec()));
            assert!(error.to_string().contains(file), "{part}/8 of {file}: {error}");
        }
    }
    for file in ["model.onnx", "tokenizer.json", "model.toml"] {
        let folder = changed("text", file, <[u8]>::to_vec);
        std::fs::remove_file(folder.path().join(file)).unwrap();
        assert!(open(&folder).to_string().contains(file));
    }
}

#[test]
fn models_that_are_good_pass_their_trial() {
    if !there_is_a_runtime() {
        return;
    }
    for name in ["text", "half", "int8", "positions", "causal", "image"] {
        // Settings written by people have no hash, or the wrong one.
        registry::verify(path(&fixture(name))).unwrap();
    }
    let model = registry::open(path(&fixture("positions")), Device::Cpu).unwrap();
    let found = model.embed_texts(&["hello"]).unwrap();
    let tokens: Vec<f32> = mean(&[CLS, HELLO, SEP]).iter().zip(mean(&[0, 1, 2])).map(|(a, b)| a + b).collect();
    assert_near(&found.values, &tokens);
    let wrong = replaced("text", "model.toml", "sha256 = \"", "sha256 = \"00");
    assert!(registry::verify(path(wrong.path())).unwrap_err().to_string().contains("SHA-256"));
}

#[test]
fn a_device_that_is_missing_is_an_error() {
    if !there_is_a_runtime() {
        return;
    }
    let runtime = Runtime::get().unwrap();
    let found = devices(runtime);
    println!("{runtime}: {found:?}");
    assert_eq!(found.first(), Some(&(Device::Cpu, Ok(()))));
    if found.iter().any(|(device, tried)| *device != Device::Cpu && tried.is_ok()) {
        println!("skipped: there are cards");
        return;
    }
    for device in [Device::Cuda(0), Device::TensorRt(0), Device::CoreMl, Device::DirectMl(0)] {
        let error = registry::open(path(&fixture("text")), device).unwrap_err();
        assert!(matches!(error, Error::NoDevice { .. }), "{error}");
        assert!(error.to_string().contains(&device.to_string()), "{error}");
    }
}

#[test]
fn a_card_gives_what_the_processor_gives() {
    let Some((card, _)) = Runtime::get().ok().and_then(|runtime| {
        devices(runtime).into_iter().find(|(device, tried)| *device != Device::Cpu && tried.is_ok())
    }) else {
        return println!("skipped: there is no card");
    };
    let on = |name: &str, device| registry::open(path(&fixture(name)), device).unwrap();
    let texts = ["hello world", "", "world world hello s"];
    for name in ["text", "half"] {
        let vectors = |device| on(name, device).embed_texts(&texts).unwrap().values;
        assert_near(&vectors(card), &vectors(Device::Cpu));
    }
    let losses = |device| on("causal", device).token_nll(&texts).unwrap();
    for (there, here) in losses(card).iter().zip(losses(Device::Cpu)) {
        assert!(there.len() == here.len() && there.iter().zip(here).all(|(a, b)| (a - b).abs() < 1e-3));
    }
}

/// The files of sentence-transformers for the model `text`, with `modules`, a pooling configuration and prompts.
fn sentence_transformer(pooling: &str, modules: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let paths = |kind: &str| match kind {
        "Transformer" => "",
        "Pooling" => "1_Pooling",
        _ => "2_Other",
    };
    let modules: Vec<String> = modules
        .iter()
        .map(|kind| format!(r#"{{"path": "{}", "type": "sentence_transformers.models.{kind}"}}"#, paths(kind)))
        .collect();
    write("modules.json", &format!("[{}]", modules.join(",")));
    write("1_Pooling/config.json", pooling);
    write("sentence_bert_config.json", r#"{"max_seq_length": 8, "do_lower_case": false}"#);
    write(
        "config_sentence_transformers.json",
        r#"{"prompts": {"query": "world ", "plain": ""}, "default_prompt_name": "query"}"#,
    );
    std::fs::create_dir(folder.path().join("onnx")).unwrap();
    std::fs::copy(fixture("text").join("model.onnx"), folder.path().join("onnx/model.onnx")).unwrap();
    std::fs::copy(fixture("text").join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    folder
}

const CLS_POOLING: &str = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
const MEAN_POOLING: &str = r#"{"pooling_mode_mean_tokens": true}"#;

#[test]
fn a_folder_of_sentence_transformers_is_used_as_it_says() {
    if !there_is_a_runtime() {
        return;
    }
    let open = |folder: &tempfile::TempDir| registry::open(path(folder.path()), Device::Cpu);
    let folder = sentence_transformer(MEAN_POOLING, &["Transformer", "Pooling"]);
    let model = open(&folder).unwrap();
    let vector = |model: &limpid_encoders::Model, text: &str| model.embed_texts(&[text]).unwrap().values;
    // The prompt by default, another one, and eight tokens.
    assert_near(&vector(&model, "hello"), &mean(&[CLS, WORLD, HELLO, SEP]));
    let plain = model.with_prompt("plain").unwrap();
    assert_near(&vector(&plain, "hello"), &mean(&[CLS, HELLO, SEP]));
    assert_near(&vector(&plain, &"hello ".repeat(20)), &mean(&[CLS, HELLO, HELLO, HELLO, HELLO, HELLO, HELLO, SEP]));
    assert_ne!(plain.identity().unwrap().hash(), model.identity().unwrap().hash());
    let error = model.with_prompt("passage").unwrap_err().to_string();
    assert!(error.contains("no prompt 'passage'") && error.contains("plain, query"), "{error}");
    // With Normalize vectors have length 1; pooling is that of the file.
    let normalized = sentence_transformer(CLS_POOLING, &["Transformer", "Pooling", "Normalize"]);
    let found = vector(&open(&normalized).unwrap(), "hello");
    let length = mean(&[CLS]).iter().map(|value| value * value).sum::<f32>().sqrt();
    assert_near(&found, &mean(&[CLS]).iter().map(|value| value / length).collect::<Vec<_>>());
    // model.toml goes before.
    std::fs::write(folder.path().join("model.toml"), "modality = \"text\"\npooling = \"last\"\nprefix = \"\"\n")
        .unwrap();
    assert_near(&vector(&open(&folder).unwrap(), "hello"), &mean(&[SEP]));
    let dense = sentence_transformer(MEAN_POOLING, &["Transformer", "Pooling", "Dense"]);
    assert!(open(&dense).unwrap_err().to_string().contains("Dense"));
}

#[test]
fn nothing_is_assumed_of_a_folder_that_does_not_say() {
    let folder = changed("text", "model.toml", <[u8]>::to_vec);
    std::fs::remove_file(folder.path().join("model.toml")).unwrap();
    let refused = |part: &str| {
        let error = registry::open(path(folder.path()), Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused("nothing says what pooling is");
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    std::fs::write(folder.path().join("1_Pooling/config.json"), MEAN_POOLING).unwrap();
    refused("nothing says what max_length is");
    std::fs::write(folder.path().join("sentence_bert_config.json"), r#"{"max_seq_length": 8}"#).unwrap();
    std::fs::rename(folder.path().join("model.onnx"), folder.path().join("model_O2.onnx")).unwrap();
    std::fs::write(folder.path().join("model_int8.onnx"), "").unwrap();
    refused("model_O2.onnx, model_int8.onnx");
}

/// The model `text` with its table in the file `location`, as ONNX writes such models.
fn with_weights_in(location: &str) -> tempfile::TempDir {
    let folder = changed("text", "model.onnx", |bytes| moved_out(bytes, location));
    let file = folder.path().join(location);
    if !location.contains("..") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let table: Vec<u8> = (0..12).flat_map(|t| (0..4).flat_map(move |j| number(t, j).to_le_bytes())).collect();
        std::fs::write(file, table).unwrap();
    }
    let toml = folder.path().join("model.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("sha256")).collect();
    std::fs::write(&toml, lines.join("\n")).unwrap();
    folder
}

/// The table's bytes within the graph give way to the name of a file: field 9 (raw_data) to 13 (external_data) and 14.
fn moved_out(model: &[u8], location: &str) -> Vec<u8> {
    fn varint(bytes: &[u8], at: &mut usize) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[*at];
            *at += 1;
            value |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return value;
            }
        }
    }
    fn length(mut value: usize) -> Vec<u8> {
        let mut out = vec![];
        while value > 127 {
            out.push((value & 127) as u8 | 128);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }
    fn framed(tag: u8, inner: &[u8]) -> Vec<u8> {
        [&[tag][..], &length(inner.len()), inner].concat()
    }
    // Rewrites the message: the graph (7) of the model, its initializers (5), and of the first that is large its raw data (9).
    fn rewrite(bytes: &[u8], depth: usize, location: &str) -> Vec<u8> {
        let (mut out, mut at) = (vec![], 0);
        while at < bytes.len() {
            let start = at;
            let tag = varint(bytes, &mut at);
            match tag & 7 {
                0 => _ = varint(bytes, &mut at),
                2 => {
                    let size = varint(bytes, &mut at);
                    let inner = &bytes[at..at + size];
                    at += size;
                    match (depth, tag >> 3) {
                        (0, 7) => out.extend(framed(tag as u8, &rewrite(inner, 1, location))),
                        (1, 5) => out.extend(framed(tag as u8, &rewrite(inner, 2, location))),
                        (2, 9) if size == 192 => {
                            let pair = [framed(10, b"location"), framed(18, location.as_bytes())].concat();
                            out.extend(framed(13 << 3 | 2, &pair));
                            out.extend([14 << 3, 1]);
                        }
                        _ => out.extend(&bytes[start..at]),
                    }
                    continue;
                }
                5 => at += 4,
                _ => at += 8,
            }
            out.extend(&bytes[start..at]);
        }
        out
    }
    rewrite(model, 0, location)
}

#[test]
fn weights_in_other_files_are_part_of_the_model() {
    let opened = |folder: &tempfile::TempDir| registry::open(path(folder.path()), Device::Cpu);
    let outside = opened(&with_weights_in("../weights.bin")).unwrap_err().to_string();
    assert!(outside.contains("'../weights.bin', which is not in the folder"), "{outside}");
    let missing = with_weights_in("weights.bin");
    std::fs::remove_file(missing.path().join("weights.bin")).unwrap();
    let error = opened(&missing).unwrap_err().to_string();
    assert!(error.contains("weights.bin: there is no such file"), "{error}");
    if !there_is_a_runtime() {
        return;
    }
    for location in ["model.onnx_data", "weights.bin", "w/weights.bin"] {
        let folder = with_weights_in(location);
        let model = opened(&folder).unwrap();
        assert_near(&model.embed_texts(&["hello"]).unwrap().values, &mean(&[CLS, HELLO, SEP]));
        let (hash, identity) = (model.hash().unwrap(), model.identity().unwrap().hash());
        // Other weights of the same graph are another model, in this process too.
        let file = folder.path().join(location);
        let mut weights = std::fs::read(&file).unwrap();
        weights[..4].copy_from_slice(&7f32.to_le_bytes());
        weights.extend([0; 4]);
        std::fs::write(&file, weights).unwrap();
        let other = opened(&folder).unwrap();
        assert_ne!(hash, other.hash().unwrap(), "{location}");
        assert_ne!(identity, other.identity().unwrap().hash(), "{location}");
        // What model.toml says of them is compared.
        let toml = folder.path().join("model.toml");
        let text = std::fs::read_to_string(&toml).unwrap();
        std::fs::write(&toml, format!("{text}\n[files]\n\"{location}\" = \"{}\"\n", "00".repeat(32))).unwrap();
        let error = registry::verify(path(folder.path())).unwrap_err().to_string();
        assert!(error.contains(location) && error.contains("SHA-256"), "{error}");
    }
}
