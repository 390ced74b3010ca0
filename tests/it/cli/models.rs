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

/// Says so past the harness, which shows what a test prints only where it fails.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("skipped, no ONNX model was tested: {why}\n").as_bytes()).unwrap();
}

fn with_models(folder: &Path, models: &Path, args: &[&str]) -> Ended {
    limpid(folder, args).env("LIMPID_MODELS", models).output().unwrap().into()
}

#[test]
fn the_models_of_the_program_need_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("none");
    let run = |args: &[&str]| with_models(folder.path(), &models, args);
    let list = run(&["models", "list"]);
    assert_eq!((list.code, list.err.as_str()), (Some(0), ""));
    for name in ["static        ", "multilingual  "] {
        assert!(
            list.out.contains(&format!("{name}an encoder of texts, Apache-2.0  part of the program")),
            "{}",
            list.out
        );
    }
    let verify = run(&["models", "verify"]);
    let good =
        "static: good, an encoder of texts, 192 dimensions\nmultilingual: good, an encoder of texts, 512 dimensions\n";
    assert_eq!((verify.code, verify.out.as_str()), (Some(0), good));
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
    let add = ["models", "add", "hf://org/tiny@v1", "--license", "MIT"];
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
        skipped(&added.err);
        return;
    }
    assert_eq!(added.code, Some(0), "{}", added.err);
    let settings = fs::read_to_string(models.join("tiny/model.toml")).unwrap();
    for said in
        ["pooling = \"cls\"", "max_length = 8", "source = \"hf://org/tiny@c0ffee\"", "license = \"MIT\"", "sha256 = "]
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
        skipped(&added.err);
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

#[test]
fn a_folder_of_sentence_transformers_is_added_with_all_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let run = |args: &[&str]| with_models(folder.path(), &models, args);
    let source = folder.path().join("e5");
    let write = |name: &str, text: &str| {
        let path = source.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("tokenizer.json", &fs::read_to_string(format!("{}/tokenizer.json", fixture("text"))).unwrap());
    fs::create_dir(source.join("onnx")).unwrap();
    fs::copy(format!("{}/model.onnx", fixture("text")), source.join("onnx/model.onnx")).unwrap();
    // Nobody says how it pools.
    let silent = run(&["models", "add", "e5"]);
    assert_eq!(silent.code, Some(1));
    assert!(silent.err.contains("nothing says what pooling is") && silent.err.contains("--pooling"), "{}", silent.err);

    let module =
        |kind: &str, path: &str| format!(r#"{{"path": "{path}", "type": "sentence_transformers.models.{kind}"}}"#);
    let modules = [module("Transformer", ""), module("Pooling", "1_Pooling"), module("Normalize", "2_Normalize")];
    write("modules.json", &format!("[{}]", modules.join(",")));
    write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    write("sentence_bert_config.json", r#"{"max_seq_length": 8, "do_lower_case": true}"#);
    write("config_sentence_transformers.json", r#"{"prompts": {"query": "world "}, "default_prompt_name": "query"}"#);
    let added = run(&["models", "add", "e5", "--pooling", "mean"]);
    if added.err.contains("libonnxruntime (1.24 or later)") {
        skipped(&added.err);
        return;
    }
    assert_eq!(added.code, Some(0), "{}", added.err);
    // The contradiction is told.
    assert!(added.err.contains("pooling is mean") && added.err.contains("cls"), "{}", added.err);
    let settings = fs::read_to_string(models.join("e5/model.toml")).unwrap();
    for said in [
        "pooling = \"mean\"",
        "max_length = 8",
        "lowercase = true",
        "default_prompt = \"query\"",
        "[prompts]",
        "[files]",
    ] {
        assert!(settings.contains(said), "{said}: {settings}");
    }
    assert!(run(&["models", "verify", "e5"]).out.starts_with("e5: good"));
    let sql = |sql: &str| run(&["sql", "--format", "csv", "-c", sql]);
    let same = sql("SELECT embed_text('HELLO', 'e5', 'cpu', 'query') = embed_text('hello', 'e5') AS same");
    assert_eq!(same.out, "same\ntrue\n", "{}", same.err);
    let wrong = sql("SELECT * FROM embed((SELECT 'a' AS text), model => 'e5', prompt => 'passage')");
    assert!(wrong.err.contains("no prompt 'passage'; it has the prompts query"), "{}", wrong.err);
    fs::write(models.join("e5/tokenizer.json"), "{}").unwrap();
    let changed = run(&["models", "verify", "e5"]);
    assert!(changed.out.contains("tokenizer.json: its SHA-256"), "{}", changed.out);
}

#[test]
fn unrelated_sentences_stay_in_every_language_and_what_is_not_known_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sentences = [
        ("zh", ["今天天气很好。", "数据库需要定期备份。", "他每天早上六点起床跑步。"]),
        ("ja", ["今日は天気がいいです。", "データベースをバックアップしてください。", "彼は毎朝六時に起きます。"]),
        ("hi", ["आज मौसम अच्छा है।", "डेटाबेस का बैकअप लेना ज़रूरी है।", "वह हर सुबह दौड़ने जाता है।"]),
        ("th", ["วันนี้อากาศดี", "ฐานข้อมูลต้องสำรองเป็นประจำ", "เขาตื่นหกโมงเช้าไปวิ่งทุกวัน"]),
        ("ar", ["الطقس جميل اليوم", "يجب نسخ قاعدة البيانات بانتظام", "يستيقظ كل صباح في السادسة"]),
        ("ru", ["Сегодня хорошая погода.", "Базу данных нужно копировать.", "Он встаёт в шесть."]),
        ("ko", ["오늘은 날씨가 좋다.", "데이터베이스는 백업해야 합니다.", "그는 매일 아침 달린다."]),
        ("en", ["The weather is nice today.", "A database needs backups.", "He gets up at six to run."]),
        ("el", ["Ο καιρός είναι καλός.", "Η βάση θέλει αντίγραφα.", "Ξυπνά στις έξι."]),
        ("vi", ["Hôm nay trời đẹp.", "Cơ sở dữ liệu cần sao lưu.", "Anh ấy dậy lúc sáu giờ."]),
    ];
    let rows = sentences.iter().flat_map(|(lang, texts)| texts.map(|text| (lang, text)));
    let lines: Vec<String> = rows
        .enumerate()
        .map(|(id, (lang, text))| format!(r#"{{"id":{id},"lang":"{lang}","text":"{text}"}}"#))
        .collect();
    fs::write(folder.path().join("t.jsonl"), lines.join("\n")).unwrap();
    // Of ten languages the static encoder knows the script of two, the multilingual one that of eight.
    for (model, unknown) in [("static", 24), ("multilingual", 6)] {
        let sql = format!(
            "SELECT count(*) AS n, sum(CAST(keep AS INT)) AS kept FROM semantic_dedup((SELECT id, embed_text(text, '{model}') AS embedding FROM 't.jsonl'), threshold => 0.9)"
        );
        let ended: Ended = limpid(folder.path(), &["sql", "--format", "csv", "-c", &sql]).output().unwrap().into();
        assert_eq!(ended.out, "n,kept\n30,30\n", "{}", ended.err);
        let told = format!("{unknown} texts have no vector");
        let compared = format!("{unknown} rows without a vector were compared with no other");
        assert_eq!(ended.err.matches(&told).count(), 1, "{}", ended.err);
        assert_eq!(ended.err.matches(&compared).count(), 1, "{}", ended.err);
    }
}
