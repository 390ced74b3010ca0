//! `limpid models`, and models in SQL.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::{Ended, limpid};

/// What becomes of the head of an answer.
type Change = Box<dyn Fn(&str, String) -> String + Send>;

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
    assert!(doctor.out.contains("model runtime") && doctor.out.contains("static"), "{}", doctor.out);
}

/// A hub on this machine: the files of a repository below `/org/tiny/resolve/v1/`, the model by way of another server, with
/// what `change` makes of an answer.
fn hub(files: Vec<(&'static str, Vec<u8>)>, change: impl Fn(&str, String) -> String + Send + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let request: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = request.first().map_or("", String::as_str).split(' ').nth(1).unwrap_or_default().to_owned();
            let file = path.strip_prefix("/org/tiny/resolve/v1/").or_else(|| path.strip_prefix("/store/"));
            let found = files.iter().find(|(name, _)| Some(*name) == file);
            let (head, body): (String, &[u8]) = match found {
                None => ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n".to_owned(), b""),
                Some((name, bytes)) if name.ends_with(".onnx") && path.starts_with("/org") => {
                    let hash = limpid_encoders::folder::digest(bytes).map(|byte| format!("{byte:02x}")).concat();
                    let said = format!("X-Repo-Commit: c0ffee\r\nX-Linked-Etag: \"{hash}\"\r\nContent-Length: 0\r\n");
                    (format!("HTTP/1.1 302 Found\r\nLocation: /store/{name}\r\n{said}"), b"")
                }
                Some((_, bytes)) => (format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", bytes.len()), bytes),
            };
            let head = change(&path, head);
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
            let _ = stream.write_all(body);
        }
    });
    endpoint
}

#[test]
fn a_model_of_the_hub_is_downloaded_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let run = |endpoint: &str, args: &[&str]| -> Ended {
        let mut command = limpid(folder.path(), args);
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        command.env("LIMPID_MODELS", &models).env("HF_ENDPOINT", endpoint).output().unwrap().into()
    };
    let files = || {
        let read = |name: &str| fs::read(format!("{}/{name}", fixture("text"))).unwrap();
        vec![
            ("onnx/model.onnx", read("model.onnx")),
            ("tokenizer.json", read("tokenizer.json")),
            ("1_Pooling/config.json", br#"{"pooling_mode_cls_token": true}"#.to_vec()),
            ("sentence_bert_config.json", br#"{"max_seq_length": 8}"#.to_vec()),
        ]
    };
    let add = ["models", "add", "hf://org/tiny@v1", "--licence", "MIT"];
    let same = |_: &str, head: String| head;

    let offline = run("http://127.0.0.1:9", &add);
    assert_eq!(offline.code, Some(1));
    assert!(offline.err.contains("127.0.0.1:9/org/tiny/resolve/v1/"), "{}", offline.err);
    for (wrong, said) in [("hf://org", "hf://organisation/name"), ("hf://org/other", "there is no such file")] {
        let ended = run(&hub(files(), same), &["models", "add", wrong]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    let cut = |path: &str, head: String| {
        if path.starts_with("/store") { head.replace("Length: ", "Length: 9") } else { head }
    };
    let other = |_: &str, head: String| match head.split_once("Etag: \"") {
        Some((before, after)) => format!("{before}Etag: \"0000{}{}", &after[..60], &after[64..]),
        None => head,
    };
    let broken = |_: &str, head: String| head.replace("200 OK", "500 Sorry");
    let changes: [(Change, &str); 3] = [
        (Box::new(cut), "model.onnx"),
        (Box::new(other), "the hub says 0000"),
        (Box::new(broken), "the answer is 500"),
    ];
    for (change, said) in changes {
        let ended = run(&hub(files(), change), &add);
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains(said), "{}", ended.err);
        assert!(fs::read_dir(&models).map_or(0, Iterator::count) == 0, "nothing is left");
    }

    let added = run(&hub(files(), same), &add);
    if added.err.contains("libonnxruntime (1.24 or later)") {
        println!("skipped: {}", added.err);
        return;
    }
    assert_eq!(added.code, Some(0), "{}", added.err);
    let settings = fs::read_to_string(models.join("tiny/model.toml")).unwrap();
    for said in
        ["pooling = \"cls\"", "max_length = 8", "source = \"hf://org/tiny@c0ffee\"", "licence = \"MIT\"", "sha256 = "]
    {
        assert!(settings.contains(said), "{said}: {settings}");
    }
    assert_eq!(fs::read_dir(&models).unwrap().count(), 1);
    let verify = run("http://127.0.0.1:9", &["models", "verify", "tiny"]);
    assert_eq!(verify.out, "tiny: good, an encoder of texts, 4 dimensions\n");
    assert!(run(&hub(files(), same), &add).err.contains("such a model already"));
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
