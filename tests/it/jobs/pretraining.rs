//! `examples/pretraining.yaml` over a corpus in which every step has something to remove.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Workplace, stderr, stdout};

const NOUNS: [&str; 40] = [
    "river",
    "teacher",
    "garden",
    "window",
    "market",
    "letter",
    "captain",
    "village",
    "mountain",
    "doctor",
    "bridge",
    "library",
    "farmer",
    "kitchen",
    "station",
    "painter",
    "harbour",
    "forest",
    "neighbour",
    "machine",
    "island",
    "picture",
    "soldier",
    "cousin",
    "castle",
    "engine",
    "basket",
    "mirror",
    "hunter",
    "ladder",
    "sister",
    "hotel",
    "ticket",
    "tower",
    "valley",
    "lawyer",
    "carpet",
    "pencil",
    "bottle",
    "singer",
];
const VERBS: [&str; 10] = [
    "watched",
    "remembered",
    "followed",
    "described",
    "crossed",
    "visited",
    "repaired",
    "painted",
    "forgot",
    "praised",
];
const TIMES: [&str; 10] = [
    "in the morning",
    "before winter",
    "after the war",
    "at night",
    "for many years",
    "during lunch",
    "on Sunday",
    "without help",
    "every summer",
    "by accident",
];

/// Twelve English sentences, a line each, different for each `seed`.
fn english(seed: usize) -> Vec<String> {
    let mut state = seed as u64 * 2 + 1;
    let mut pick = |words: &[&'static str]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[(state >> 33) as usize % words.len()]
    };
    (0..12)
        .map(|_| {
            let (a, b, c, d) = (pick(&NOUNS), pick(&NOUNS), pick(&NOUNS), pick(&NOUNS));
            let (verb, time, other) = (pick(&VERBS), pick(&TIMES), pick(&VERBS));
            format!(
                "The {a} {verb} the {b} of a {c} {time}, and that {d} {other} its {} with a {}.",
                pick(&NOUNS),
                pick(&NOUNS)
            )
        })
        .collect()
}

fn text(seed: usize) -> String {
    english(seed).join("\n")
}

const GERMAN: &str = "Der alte Lehrer ging jeden Morgen durch den Garten und sah nach den Blumen. Er hatte viele Jahre in diesem Dorf \
    gelebt und kannte alle Menschen. Im Winter blieb er oft zu Hause und schrieb lange Briefe an seine Kinder. Sie wohnten nicht mehr hier.";

#[test]
fn pretraining_example_prepares_a_corpus() {
    let place = Workplace::new(1);
    let url = |id: &str| format!("https://{id}.example/page");
    let mut web: Vec<Value> = (0..40)
        .map(|n| json!({ "id": format!("w{n:02}"), "url": url(&format!("w{n:02}")), "text": text(n) }))
        .collect();
    let mut add = |id: &str, url: &str, text: &str| web.push(json!({ "id": id, "url": url, "text": text }));
    add("x_host", "https://www.casino.example/win", &text(100));
    add("x_word", "https://a.example/xxx/1", &text(101));
    add("x_empty", &url("empty"), "");
    add("x_page", "http://www.w00.example/page/#top", &english(0)[..11].join("\n"));
    add("x_german", &url("german"), GERMAN);
    add("x_lines", &url("lines"), &[english(102), english(102)].concat().join("\n"));
    add("x_words", &url("words"), &english(103)[..2].join("\n"));
    add("x_curly", &url("curly"), &format!("{}\nThe function {{ that }} was of no use to the teacher.", text(104)));
    let short =
        (0..20).map(|n| format!("{} {} {}.\n", NOUNS[n], VERBS[n % 10], TIMES[(n + n / 10) % 10])).collect::<String>();
    let short = short + "That is of no use to them.";
    add("x_short", &url("short"), &short);
    add("x_copy", &url("copy"), &text(1));
    let near = format!("{}\nThe doctor of the village wrote a much longer end of this text.", text(2));
    add("longer", &url("longer"), &near);
    add(
        "mail",
        &url("mail"),
        &format!("{}\nThe painter had the address jane.doe@example.com and wrote to it.", text(105)),
    );
    let books: Vec<_> = (200..212).map(|n| json!({ "id": format!("b{n}"), "url": null, "text": text(n) })).collect();
    for (name, rows) in [("web.jsonl", &web), ("books.jsonl", &books)] {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        fs::write(place.path(name), lines).unwrap();
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pretraining.yaml");
    let example = example.to_str().unwrap();
    let set = ["--set", "web=web.jsonl", "--set", "books=books.jsonl", "--set", "budget=32", "--set", "out=out"];
    let limpid = |first: &[&str]| {
        let output = place.limpid(&[first, &[example], &set].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    limpid(&["run", "--dry-run"]);
    let report: Value = serde_json::from_str(&limpid(&["run", "--json"])).unwrap();
    let reasons: BTreeMap<_, _> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["name"].as_str().unwrap(), step["reasons"].to_string()))
        .filter(|(_, reasons)| reasons != "[]")
        .collect();
    let expected = BTreeMap::from([
        ("url_filter", r#"[["blocked_host",1],["blocked_word",1],["no_text",1]]"#.to_owned()),
        ("url_dedup", r#"[["same address",1]]"#.to_owned()),
        ("language", r#"[["wrong_language",1]]"#.to_owned()),
        ("gopher_repetition", r#"[["duplicate_lines",1]]"#.to_owned()),
        ("gopher_quality", r#"[["too_few_words",1]]"#.to_owned()),
        ("c4", r#"[["curly_bracket",1]]"#.to_owned()),
        ("fineweb", r#"[["too_many_short_lines",1]]"#.to_owned()),
        ("exact", r#"[["exact",1]]"#.to_owned()),
        ("fuzzy", r#"[["fuzzy",1]]"#.to_owned()),
        ("mixture", r#"[["mixture",21]]"#.to_owned()),
    ]);
    assert_eq!(reasons, expected);
    assert_eq!((report["rows_in"].as_u64(), report["rows_out"].as_u64()), (Some(64), Some(32)));
    let sources = report["sources"].as_array().unwrap();
    let counts = |name: &str| {
        let source = sources.iter().find(|source| source["name"] == name).unwrap();
        (source["rows_in"].as_u64().unwrap(), source["rows_out"].as_u64().unwrap())
    };
    assert_eq!((counts("web"), counts("books")), ((52, 24), (12, 8)));
    // The copy of the better text stays.
    assert!(limpid(&["explain", "w02"]).contains("repeats longer"), "{}", limpid(&["explain", "w02"]));
    let sink = place.limpid(&[
        "sql",
        "-c",
        "SELECT count(*) AS n, count(*) FILTER (WHERE text LIKE '%jane.doe%') AS mail FROM 'out/clean/*'",
        "--format",
        "csv",
    ]);
    assert!(stdout(&sink).contains("32,0"), "{}{}", stdout(&sink), stderr(&sink));
    assert!(fs::read_to_string(place.path("out/report.html")).unwrap().contains("By source"));
}
