//! `limpid models`, and models in SQL.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Ended, limpid};

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("encoders/tests/models").join(name).display().to_string()
}

fn with_models(folder: &Path, models: &Path, args: &[&str]) -> Ended {
    limpid(folder, args).env("LIMPID_MODELS", models).output().unwrap().into()
}

#[test]
fn the_static_model_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("none");
    let run = |args: &[&str]| with_models(folder.path(), &models, args);
    let list = run(&["models", "list"]);
    assert_eq!((list.code, list.err.as_str()), (Some(0), ""));
    assert!(list.out.starts_with("static  an encoder of texts"), "{}", list.out);
    let verify = run(&["models", "verify"]);
    assert_eq!((verify.code, verify.out.as_str()), (Some(0), "static: good, an encoder of texts, 192 dimensions\n"));
    let unknown = run(&["models", "verify", "nothing"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.out.contains("there is no model 'nothing'"), "{}", unknown.out);
    let empty = run(&["models", "add", "."]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.err.starts_with("error: "), "{}", empty.err);
    let doctor = run(&["doctor"]);
    assert!(doctor.out.contains("ONNX models") && doctor.out.contains("static"), "{}", doctor.out);
}

#[test]
fn models_are_added_used_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let models: PathBuf = folder.path().join("models");
    let run = |args: &[&str]| with_models(folder.path(), &models, args);
    let text = fixture("text");
    let added = run(&["models", "add", &text, "--name", "tiny", "--licence", "MIT"]);
    if added.err.contains("libonnxruntime (1.24 or later)") {
        println!("skipped: {}", added.err);
        assert!(!models.join("tiny").exists());
        return;
    }
    assert_eq!(added.code, Some(0), "{}", added.err);
    assert!(run(&["models", "add", &text, "--name", "tiny"]).err.contains("such a model already"));
    assert!(run(&["models", "add", &text, "--name", "a/b"]).err.contains("the name of a model"));
    let list = run(&["models", "list"]);
    assert!(list.out.contains("tiny") && list.out.contains("8 tokens, MIT"), "{}", list.out);
    let verify = run(&["models", "verify", "tiny"]);
    assert_eq!(verify.out, "tiny: good, an encoder of texts, 4 dimensions\n");

    let sql = |sql: &str| run(&["sql", "--format", "csv", "-c", sql]);
    let vector = sql(
        "SELECT embed_text('hello', model => 'tiny') = embed_text('hello', model => 'tiny', device => 'cpu') AS same",
    );
    assert_eq!((vector.out.as_str(), vector.code), ("same\ntrue\n", Some(0)), "{}", vector.err);
    let many = "SELECT count(DISTINCT embed_text(CASE WHEN value % 2 = 0 THEN 'hello' ELSE 'world' END, 'tiny')) AS n FROM range(10000)";
    let many = sql(many);
    assert_eq!(many.out, "n\n2\n", "{}", many.err);
    let losses = sql(&format!("SELECT cardinality(token_nll('hello world', '{}')) AS n", fixture("causal")));
    assert_eq!(losses.out, "n\n3\n", "{}", losses.err);
    let png: String =
        fs::read(format!("{}/pixels.png", fixture("image"))).unwrap().iter().map(|b| format!("{b:02x}")).collect();
    let image = sql(&format!("SELECT cardinality(embed_image(x'{png}', '{}')) AS n", fixture("image")));
    assert_eq!(image.out, "n\n3\n", "{}", image.err);
    let wrong = sql(&format!("SELECT embed_image(x'00', '{}') AS n", fixture("image")));
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("neither PNG nor JPEG"), "{}", wrong.err);

    fs::write(models.join("tiny/model.onnx"), "something else").unwrap();
    let broken = run(&["models", "verify", "tiny"]);
    assert_eq!(broken.code, Some(1));
    assert!(broken.out.contains("its SHA-256 is"), "{}", broken.out);
    let broken = sql("SELECT embed_text('hello', model => 'tiny')");
    assert_eq!(broken.code, Some(1));
    assert!(broken.err.contains("not a model that can be run"), "{}", broken.err);
}
