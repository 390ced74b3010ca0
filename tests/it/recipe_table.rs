//! Every recipe with every kind of argument and input that goes wrong: each cell of the table is right, or one error that names the argument.
//!
//! `RECIPES_TABLE=FILE.md` writes the table.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;
use limpid::recipes::{Parameter, expand, load, names, outputs, parameters};
use limpid::session::errors::plain;
use limpid::session::{EngineOptions, context, statement};

/// Rows of an input.
const ROWS: usize = 60;

/// How much a recipe keeps, by its argument.
#[derive(Clone, Copy, PartialEq)]
enum Size {
    /// A share of the rows, exactly.
    Share,
    /// A share of the rows at most: others drop out for their own reasons.
    ShareAtMost,
    /// A number of rows, exactly.
    Rows,
    /// A number of rows at most.
    RowsAtMost,
    /// What it keeps.
    Own,
}
use Size::{Own, Rows, RowsAtMost, Share, ShareAtMost};

/// A recipe, the arguments that fit the input, and the column of numbers that decides in it.
struct Case {
    recipe: &'static str,
    args: &'static [(&'static str, &'static str)],
    size: Size,
    number: &'static str,
}

const fn case(
    recipe: &'static str,
    size: Size,
    number: &'static str,
    args: &'static [(&'static str, &'static str)],
) -> Case {
    Case { recipe, args, size, number }
}

/// A probe that learns little and quickly.
const PROBE: &[(&str, &str)] =
    &[("vector", "vec"), ("hidden", "2"), ("epochs", "2"), ("runs", "1"), ("fraction", "0.5")];

const CASES: &[Case] = &[
    case(
        "adapt_infinity",
        RowsAtMost,
        "list",
        &[("vector", "vec"), ("scores", "list"), ("k", "2"), ("budget", "20"), ("bins", "4")],
    ),
    case("adapt_infinity_pool", Share, "vec", &[("vector", "vec"), ("cluster", "grp"), ("fraction", "0.5")]),
    case("answer_check", Own, "", &[("generated", "answer"), ("gold", "gold")]),
    case("aum", Share, "vec", PROBE),
    case(
        "automate_cot_estimator",
        Own,
        "worth",
        &[("trial", "half"), ("slot", "grp"), ("candidate", "answer"), ("probability", "share"), ("loss", "worth")],
    ),
    case(
        "automate_cot_pool",
        RowsAtMost,
        "",
        &[("question", "half"), ("generated", "answer"), ("gold", "gold"), ("budget", "5")],
    ),
    case("ccs", Share, "vec", PROBE),
    case(
        "concise_reasoning",
        Own,
        "worth",
        &[("rewritten", "answer"), ("gold", "gold"), ("difficulty", "grp"), ("tokens", "worth")],
    ),
    case("d4", ShareAtMost, "vec", &[("vector", "vec"), ("k", "2"), ("threshold", "0.9999"), ("fraction", "0.5")]),
    case("data_diet_el2n", Share, "vec", PROBE),
    case("data_diet_grand", Share, "vec", PROBE),
    case(
        "data_mixture",
        Rows,
        "worth",
        &[("source", "grp"), ("weight", "share"), ("reward", "worth"), ("budget", "20")],
    ),
    case(
        "dealrec",
        ShareAtMost,
        "vec",
        &[("vector", "vec"), ("target", "flag"), ("epochs", "2"), ("fraction", "0.5"), ("strata", "4")],
    ),
    case(
        "deita",
        ShareAtMost,
        "worth",
        &[("vector", "vec"), ("score", "worth"), ("threshold", "0.9999"), ("fraction", "0.5")],
    ),
    case("density_pruning", Rows, "vec", &[("vector", "vec"), ("k", "2"), ("budget", "20")]),
    case("distilled_pruning", Share, "vec", PROBE),
    case("divprune", Own, "vec", &[("vector", "vec"), ("group", "grp"), ("k", "3")]),
    case("donod", Share, "vec", PROBE),
    case(
        "dualvla_frames",
        Own,
        "pose",
        &[("trajectory", "grp"), ("time", "id"), ("pose", "pose"), ("gripper", "label"), ("scene", "flag")],
    ),
    case("exact_dedup", Own, "", &[("text", "answer")]),
    case("farthest_points", Own, "vec", &[("vector", "vec"), ("group", "grp"), ("k", "3")]),
    case("feature_mapping", Own, "vec", &[("vector", "vec"), ("target", "flag"), ("k", "1")]),
    case("forgetting", Share, "vec", PROBE),
    case("k_center", Rows, "vec", &[("vector", "vec"), ("budget", "20")]),
    case("label_mapping", Own, "", &[("target", "flag"), ("k", "1")]),
    case("leaf_spans", Own, "", &[("tokens", "words"), ("student", "list"), ("teacher", "other")]),
    case("minhash_dedup", Own, "", &[("text", "answer")]),
    case("nirvana_calibration", Own, "p_before", &[("set", "grp"), ("before", "p_before"), ("after", "p_after")]),
    case("outlandish_keywords", Own, "worth", &[("before", "worth"), ("after", "share")]),
    case(
        "paser",
        RowsAtMost,
        "p_before",
        &[
            ("vector", "vec"),
            ("before", "p_before"),
            ("after", "p_after"),
            ("tokens", "worth"),
            ("concepts", "words"),
            ("k", "2"),
            ("budget", "20"),
        ],
    ),
    case("pvi", Share, "vec", PROBE),
    case("q_tuning", Share, "list", &[("nll", "list"), ("entropy", "other"), ("fraction", "0.5")]),
    case(
        "rag_importance",
        Own,
        "share",
        &[("query", "half"), ("rank", "parity"), ("source", "grp"), ("utility", "share"), ("steps", "2")],
    ),
    case("random", Share, "", &[("fraction", "0.5")]),
    case("rs2", Share, "", &[("fraction", "0.5")]),
    case("score_strata", Share, "worth", &[("score", "worth"), ("fraction", "0.5"), ("strata", "4"), ("trim", "0.1")]),
    case("score_top", Share, "worth", &[("score", "worth"), ("fraction", "0.5")]),
    case("search_and_pruning", Own, "vec", &[("vector", "vec"), ("group", "grp"), ("target", "flag"), ("k", "2")]),
    case("self_distillation", Own, "", &[("original", "gold"), ("rewritten", "answer"), ("gold", "gold")]),
    case("semdedup", Share, "vec", &[("vector", "vec"), ("k", "2"), ("fraction", "0.5")]),
    case("ssl_prototypes", Share, "vec", &[("vector", "vec"), ("k", "2"), ("fraction", "0.5")]),
    case(
        "tracin_self",
        Share,
        "vec",
        &[("vector", "vec"), ("hidden", "2"), ("epochs", "2"), ("runs", "1"), ("fraction", "0.5")],
    ),
    case("vog", Share, "vec", &[("gradient", "vec"), ("fraction", "0.5")]),
];

/// What an input is like.
#[derive(Clone, Copy)]
struct Input {
    rows: usize,
    /// The key as SQL over `value`, from 1.
    key: &'static str,
    key_name: &'static str,
    label: &'static str,
    /// The column whose value in row 1 is `odd`.
    number: &'static str,
    odd: &'static str,
    /// Columns beside those that are needed.
    extra: &'static str,
}

const PLAIN: Input =
    Input { rows: ROWS, key: "value", key_name: "id", label: "value % 2", number: "", odd: "", extra: "" };

/// Columns called as recipes call theirs, inside or in the answer.
const NAMES: &str = ", 'mine' AS score, 7 AS keep, 'b' AS before, 'a' AS after, 1 AS class, 2 AS place, 3 AS rank, 4 AS distance, 5 AS source, \
    6 AS row_key, 7 AS cluster_id, 8 AS duplicate_of, 9 AS similarity, 10 AS centroid_id, 11 AS reason, 12 AS alpha, 13 AS votes, 14 AS total, \
    15 AS cut, 16 AS input, 17 AS prior_id, 18 AS max_prior_similarity, 19 AS stratum, 20 AS importance, 21 AS quadrant, 22 AS cluster";

impl Input {
    fn sql(&self) -> String {
        let odd = |name: &str, usual: &str| {
            if self.number != name {
                return usual.to_owned();
            }
            // In a list one value is NaN, or the list is NULL.
            let odd = match (usual.starts_with('['), self.odd) {
                (_, "NULL") => "NULL".to_owned(),
                (true, _) => {
                    format!("[CAST('NaN' AS DOUBLE){}]", &usual[usual.find(',').unwrap_or(0)..usual.len() - 1])
                }
                (false, _) => "CAST('NaN' AS DOUBLE)".to_owned(),
            };
            format!("CASE WHEN value = 1 THEN {odd} ELSE {usual} END")
        };
        let columns = [
            ("worth", "value / 60.0"),
            ("vec", "[sin(value * 1.7), cos(value * 1.3), sin(value * 0.9)]"),
            ("list", "[value / 60.0, sin(value), cos(value * 3.1)]"),
            ("other", "[cos(value * 2.3), value / 70.0, sin(value * 0.7)]"),
            ("pose", "[sin(value * 1.1), 1.0, 2.0, 3.0, cos(value * 0.3), 5.0 + value]"),
            ("p_before", "[0.5 + 0.4 * sin(value), 0.5 - 0.4 * sin(value)]"),
            ("p_after", "[0.5 + 0.4 * cos(value), 0.5 - 0.4 * cos(value)]"),
            ("share", "0.25 + value % 3 * 0.25"),
        ];
        let columns: String = columns.iter().map(|(name, sql)| format!(", {} AS {name}", odd(name, sql))).collect();
        format!(
            "SELECT {} AS {}{columns}, {} AS label, CASE value % 3 WHEN 0 THEN 'x' WHEN 1 THEN 'y' ELSE 'z' END AS grp, value % 4 = 0 AS flag, \
             value / 2 AS half, value % 2 AS parity, ['a', 'word', CAST(value AS VARCHAR)] AS words, 'The answer is ' || CAST(value % 7 AS VARCHAR) AS answer, \
             CAST(value % 5 AS VARCHAR) AS gold{} FROM generate_series(1, {}){}",
            self.key,
            self.key_name,
            self.label,
            self.extra,
            self.rows.max(1),
            if self.rows == 0 { " WHERE false" } else { "" }
        )
    }
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// An answer: its columns, the keys of its rows and of the rows kept.
struct Answer {
    columns: Vec<String>,
    rows: usize,
    kept: Option<BTreeSet<String>>,
}

async fn answer(input: &Input, case: &Case, args: &[(&str, &str)]) -> Result<Answer, String> {
    let ctx = context(&EngineOptions { threads: Some(2), ..Default::default() }).map_err(|error| error.to_string())?;
    let mut all: Vec<(&str, &str)> =
        case.args.iter().copied().filter(|(name, _)| args.iter().all(|(n, _)| n != name)).collect();
    all.extend(args);
    if case.recipe == "dualvla_frames" {
        all.iter_mut().filter(|(name, _)| *name == "time").for_each(|(_, value)| *value = input.key_name);
    }
    let query = expand(case.recipe, &all, input.key_name, Some("answer"))?;
    let words = |error: datafusion::error::DataFusionError| plain(&error).text;
    let table = format!("CREATE TABLE input AS {}", input.sql());
    statement::sql(&ctx, &table).await.map_err(words)?.collect().await.map_err(words)?;
    let frame = statement::sql(&ctx, &query).await.map_err(words)?;
    let columns: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let batches = frame.collect().await.map_err(words)?;
    let declared = outputs(&load(case.recipe).unwrap());
    let kept = declared.iter().find(|output| matches!(output.name.as_str(), "keep" | "keep_reasoning"));
    let kept = kept.and_then(|output| columns.iter().position(|column| *column == output.name));
    let key = columns.iter().position(|column| column == input.key_name).unwrap_or(0);
    Ok(Answer {
        rows: batches.iter().map(RecordBatch::num_rows).sum(),
        kept: kept.map(|at| batches.iter().flat_map(|batch| chosen(batch, at, key)).collect()),
        columns,
    })
}

fn chosen(batch: &RecordBatch, keep: usize, key: usize) -> Vec<String> {
    let (keep, keys) = (batch.column(keep).as_boolean(), batch.column(key));
    assert_eq!(keep.null_count(), 0, "keep is never NULL");
    (0..batch.num_rows()).filter(|row| keep.value(*row)).map(|row| array_value_to_string(keys, row).unwrap()).collect()
}

/// What no message may hold.
const FORBIDDEN: [&str; 8] =
    ["nternal", "bug", "panicked", "DataFusion", "Execution error", "Error during", "more than one table", "__"];

struct Table {
    lines: Vec<Vec<String>>,
    wrong: String,
}

impl Table {
    /// A cell: what was found, and whether that is right.
    fn cell(&mut self, case: &Case, column: &str, found: &Result<Answer, String>, right: Result<(), String>) {
        let shown = match found {
            Ok(answer) => match &answer.kept {
                Some(kept) => format!("{} of {}", kept.len(), answer.rows),
                None => format!("{} rows", answer.rows),
            },
            Err(error) => format!("error: {}", error.replace('|', "\\|")),
        };
        if let Err(error) = found
            && let Some(word) = FORBIDDEN.iter().find(|word| error.contains(**word))
        {
            let _ = writeln!(self.wrong, "{} / {column}: says `{word}`: {error}", case.recipe);
        }
        if let Err(why) = right {
            let _ = writeln!(self.wrong, "{} / {column}: {why}; found {shown}", case.recipe);
        }
        if let Some(line) = self.lines.last_mut() {
            line.push(shown);
        }
    }

    fn skip(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            line.push("–".to_owned());
        }
    }
}

const COLUMNS: [&str; 17] = [
    "plain",
    "-0.1",
    "0",
    "0.0001",
    "1",
    "1.5",
    "wrong word",
    "own names",
    "key row_id",
    "key twice",
    "key NULL",
    "key text",
    "NULL",
    "NaN",
    "one class",
    "one row",
    "no rows",
];

fn ensure(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

/// An error that names what it is about: one of the recipe's parameters, or the number of an operator that stands for it.
fn names_argument(error: &str, parameters: &[Parameter]) -> bool {
    parameters.iter().any(|parameter| error.contains(&format!("`{}`", parameter.name)))
}

async fn line(case: &Case, table: &mut Table) {
    let text = load(case.recipe).unwrap();
    let (parameters, outputs) = (parameters(&text).unwrap(), outputs(&text));
    let adds = outputs.iter().any(|output| output.added);
    let has = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
    table.lines.push(vec![format!("`{}`", case.recipe)]);

    let plain = answer(&PLAIN, case, &[]).await;
    let right = plain.as_ref().map_err(Clone::clone).and_then(|answer| columns(answer, &PLAIN, &outputs));
    table.cell(case, "plain", &plain, right);

    // Budgets.
    let (name, sizes): (&str, [(&str, Option<f64>); 5]) = match case.size {
        Own => ("", [("", None); 5]),
        Share | ShareAtMost => {
            ("fraction", [("-0.1", None), ("0", Some(0.0)), ("0.0001", Some(0.0)), ("1", Some(60.0)), ("1.5", None)])
        }
        Rows | RowsAtMost => {
            ("budget", [("-1", None), ("0", Some(0.0)), ("1", Some(1.0)), ("60", Some(60.0)), ("half", None)])
        }
    };
    for (at, (value, expected)) in sizes.into_iter().enumerate() {
        if name.is_empty() {
            table.skip();
            continue;
        }
        let found = answer(&PLAIN, case, &[(name, value)]).await;
        let right = match (&found, expected) {
            (Err(error), None) => {
                ensure(error.contains(&format!("argument `{name}` must be a")), "the argument is named")
            }
            (Ok(_), None) => Err("an error is due".to_owned()),
            (Ok(answer), Some(expected)) => {
                let kept = answer.kept.as_ref().map_or(0, BTreeSet::len) as f64;
                let exact = matches!(case.size, Share | Rows);
                ensure(if exact { kept == expected } else { kept <= expected }, "the budget is met")
            }
            (Err(error), Some(_)) => {
                ensure(names_argument(error, &parameters), "right, or an error that names the argument")
            }
        };
        table.cell(case, COLUMNS[1 + at], &found, right);
    }

    // A word that is not allowed.
    let worded = parameters.iter().filter(|parameter| {
        expand(case.recipe, &[(&parameter.name, "wrong")], "id", Some("answer"))
            .is_err_and(|error| error.contains("must be one of"))
    });
    match worded.map(|parameter| parameter.name.clone()).next() {
        None => table.skip(),
        Some(word) => {
            let found = answer(&PLAIN, case, &[(&word, "desc")]).await;
            let right = ensure(
                found.as_ref().is_err_and(|error| error.contains(&format!("argument `{word}` must be one of"))),
                "the argument is named",
            );
            table.cell(case, "wrong word", &found, right);
        }
    }

    // Columns of the same names as those of the answer, and of the recipe inside.
    let same = |found: &Result<Answer, String>, input: &Input| match (found, &plain) {
        (Ok(found), Ok(plain)) => {
            columns(found, input, &outputs)?;
            ensure(
                found.rows == plain.rows
                    && found.kept.as_ref().map(BTreeSet::len) == plain.kept.as_ref().map(BTreeSet::len),
                "the same rows are kept",
            )
        }
        (Err(error), _) => Err(error.clone()),
        _ => Ok(()),
    };
    let input = Input { extra: NAMES, ..PLAIN };
    let found = answer(&input, case, &[]).await;
    let right = same(&found, &input);
    table.cell(case, "own names", &found, right);
    let input = Input { key_name: "row_id", ..PLAIN };
    let found = answer(&input, case, &[]).await;
    let right = same(&found, &input);
    table.cell(case, "key row_id", &found, right);

    // Keys.
    for (column, key) in [("key twice", "CASE WHEN value = 8 THEN 7 ELSE value END"), ("key NULL", "NULLIF(value, 7)")]
    {
        if !has("id") || case.recipe == "vog" {
            table.skip();
            continue;
        }
        let found = answer(&Input { key, ..PLAIN }, case, &[]).await;
        let right = match &found {
            Ok(_) => Err("an error is due".to_owned()),
            Err(error) if column == "key twice" => {
                ensure(error.contains("`id`") && error.contains('7'), "key and value are named")
            }
            Err(error) => ensure(error.contains("`id`") && error.contains("NULL"), "the key is named"),
        };
        table.cell(case, column, &found, right);
    }
    let input = Input { key: "'row ' || lpad(CAST(value AS VARCHAR), 3, '0')", ..PLAIN };
    let found = answer(&input, case, &[]).await;
    let right = same(&found, &input);
    table.cell(case, "key text", &found, right);

    // Numbers that are none.
    for odd in ["NULL", "NaN"] {
        if case.number.is_empty() {
            table.skip();
            continue;
        }
        let found = answer(&Input { number: case.number, odd, ..PLAIN }, case, &[]).await;
        let right = match &found {
            // `feature_mapping` decides on classes, by the votes of the target for their means: a row without a vector goes with its class.
            Ok(answer) => ensure(
                answer.kept.as_ref().is_none_or(|kept| !kept.contains("1")) || case.recipe == "feature_mapping",
                "such a row does not win",
            ),
            Err(error) => {
                ensure(error.contains(odd) || error.contains("finite") || error.contains("NaN"), "the value is named")
            }
        };
        table.cell(case, odd, &found, right);
    }

    for (column, input) in [
        ("one class", Input { label: "1", ..PLAIN }),
        ("one row", Input { rows: 1, ..PLAIN }),
        ("no rows", Input { rows: 0, ..PLAIN }),
    ] {
        let found = answer(&input, case, &[]).await;
        let right = match &found {
            Ok(answer) if adds => {
                columns(answer, &input, &outputs).and_then(|()| ensure(answer.rows <= input.rows, "no row is made"))
            }
            Ok(_) => Ok(()),
            Err(error) => ensure(names_argument(error, &parameters), "right, or an error that names the argument"),
        };
        table.cell(case, column, &found, right);
    }
}

/// Whether the answer has the columns that it should: those of the input, and those it declares, each once.
fn columns(answer: &Answer, input: &Input, outputs: &[limpid::recipes::Output]) -> Result<(), String> {
    let found: BTreeSet<&str> = answer.columns.iter().map(String::as_str).collect();
    ensure(found.len() == answer.columns.len(), &format!("each column once: {:?}", answer.columns))?;
    for output in outputs {
        ensure(found.contains(output.name.as_str()), &format!("the column {} is declared: {found:?}", output.name))?;
    }
    if outputs.iter().any(|output| output.added) {
        let sql = input.sql();
        let own: Vec<&str> = sql.split(" AS ").skip(1).filter_map(|rest| rest.split([',', ' ', ')']).next()).collect();
        let own: BTreeSet<&str> = own.into_iter().filter(|name| !matches!(*name, "VARCHAR" | "DOUBLE")).collect();
        for name in &found {
            let known = own.contains(name) || outputs.iter().any(|output| output.name == *name);
            ensure(known, &format!("the column {name} is not declared"))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recipe_is_right_or_says_what_is_wrong() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.location().is_none_or(|place| !place.file().starts_with("tests")) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
    let listed: Vec<&str> = CASES.iter().map(|case| case.recipe).collect();
    assert_eq!(listed, names().collect::<Vec<_>>(), "every recipe has a line");
    let mut table = Table { lines: vec![], wrong: String::new() };
    for case in CASES {
        let panics = PANICS.load(Ordering::Relaxed);
        line(case, &mut table).await;
        if PANICS.load(Ordering::Relaxed) > panics {
            let _ = writeln!(table.wrong, "{}: a thread panicked", case.recipe);
        }
    }
    let mut text = format!("| recipe | {} |\n|---|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    for line in &table.lines {
        assert_eq!(line.len(), COLUMNS.len() + 1, "{line:?}");
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
    if let Some(path) = std::env::var_os("RECIPES_TABLE") {
        std::fs::write(path, &text).unwrap();
    }
    assert!(table.wrong.is_empty(), "{}", table.wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn recipes_chain() {
    let ctx = context(&EngineOptions { threads: Some(2), ..Default::default() }).unwrap();
    let table = format!("CREATE TABLE t AS {}", PLAIN.sql());
    statement::sql(&ctx, &table).await.unwrap().collect().await.unwrap();
    let probe = "vector => vec, hidden => 2, epochs => 2, runs => 1";
    let kept = |recipe: String| format!("(SELECT * FROM {recipe} WHERE keep)");
    let aum = kept(format!("recipe('aum', t, {probe}, fraction => 0.5)"));
    let top = kept("recipe('score_top', t, score => worth, fraction => 0.5)".to_owned());
    // 60, 30, 15.
    for chain in [
        format!("recipe('ccs', {aum}, {probe}, fraction => 0.5)"),
        format!("recipe('score_top', {aum}, fraction => 0.5)"),
        format!("recipe('random', {top}, fraction => 0.5)"),
        format!("recipe('k_center', {top}, vector => vec, budget => 15)"),
    ] {
        let sql = format!("SELECT * FROM {chain} WHERE keep");
        let batches = statement::sql(&ctx, &sql).await.unwrap().collect().await.unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 15, "{chain}");
    }
}

#[test]
fn the_guide_names_every_recipe() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/selection.md")).unwrap();
    let table = guide.split("| recipe | needs | keeps |").nth(1).unwrap().split("\n\n").next().unwrap();
    for name in names() {
        assert!(table.contains(&format!("`{name}`")), "docs/selection.md lacks {name}");
    }
}
