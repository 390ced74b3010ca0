//! Names of files say what is in them, when they are written and when they are read; table functions; where rows came from.

use std::fs;
use std::path::Path;

use super::{bad, folder, good, run};

fn csv(at: &Path, sql: &str) -> String {
    good(at, &["sql", "--format", "csv", "-c", sql])
}

const ROWS: &str = "SELECT * FROM (VALUES (1, 'one'), (2, ''), (3, NULL), (4, 'a,\"b\nc')) AS t(id, text)";

#[test]
fn the_name_says_format_and_compression() {
    let folder = folder();
    let at = folder.path();
    let expected = csv(at, &format!("{ROWS} ORDER BY id"));
    let names = [
        "x.parquet",
        "x.pq",
        "x.csv",
        "x.tsv",
        "x.csv.gz",
        "x.tsv.zst",
        "x.jsonl",
        "x.ndjson",
        "x.json",
        "x.jsonl.gz",
        "x.json.zst",
        "X.JSONL.GZ",
    ];
    for name in names {
        for by in ["output", "copy"] {
            let path = format!("{by}/{name}");
            fs::create_dir_all(at.join(by)).unwrap();
            match by {
                "output" => good(at, &["sql", "-o", &path, "-c", ROWS]),
                _ => good(at, &["-q", "sql", "-c", &format!("COPY ({ROWS}) TO '{path}'")]),
            };
            assert_eq!(csv(at, &format!("SELECT * FROM '{path}' ORDER BY id")), expected, "{path}");
            let magic = fs::read(at.join(&path)).unwrap();
            let lower = name.to_lowercase();
            assert_eq!(magic.starts_with(&[0x1f, 0x8b]), lower.ends_with(".gz"), "{path}");
            assert_eq!(magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]), lower.ends_with(".zst"), "{path}");
        }
    }
}

#[test]
fn a_name_that_says_nothing_or_something_else_is_an_error_before_anything_runs() {
    let folder = folder();
    let at = folder.path();
    // The query would fail too; it must not be reached.
    let failing = "SELECT 1 / 0 AS x";
    for (args, said) in [
        (&["-o", "x.dat"][..], "endings that can be written are .parquet, .csv"),
        (&["-o", "x"], "its ending says no format"),
        (&["-o", "x.csv", "--format", "parquet"], "its ending says csv"),
        (&["-o", "x.csv", "--format", "table"], "its ending says csv"),
        (&["-o", "x.parquet.gz"], "Parquet is compressed inside"),
        (&["-o", "x.csv.xz"], "gzip (.gz) and zstd (.zst) only"),
        (&["-o", "x.arrow"], "its ending says no format"),
    ] {
        let error = bad(at, &[&["sql"], args, &["-c", failing]].concat());
        assert!(error.contains(said), "{args:?}: {error}");
    }
    for (target, said) in [
        ("'x.dat'", "endings that can be written"),
        ("'x.csv' STORED AS PARQUET", "its ending says csv"),
        ("'x.jsonl' STORED AS JSON OPTIONS (compression 'gzip')", "the name of a file says its compression"),
        ("'out/'", "needs STORED AS"),
        ("'x.arrow' STORED AS ARROW", "STORED AS ARROW cannot be written"),
    ] {
        let error = bad(at, &["sql", "-c", &format!("COPY ({failing}) TO {target}")]);
        assert!(error.contains(said), "{target}: {error}");
    }
    assert_eq!(fs::read_dir(at).unwrap().count(), 0);
    good(at, &["sql", "-o", "plain", "--format", "csv", "-c", "SELECT 1 AS a"]);
    good(at, &["sql", "-o", "t.txt", "-c", "SELECT 1 AS a"]);
    assert!(fs::read_to_string(at.join("t.txt")).unwrap().starts_with('+'));
    good(at, &["-q", "sql", "-c", "COPY (SELECT 1 AS a) TO 'out/' STORED AS CSV OPTIONS (compression 'gzip')"]);
    assert_eq!(csv(at, "SELECT * FROM 'out/*.csv.gz'"), "a\n1\n");
}

#[test]
fn what_a_format_has_no_form_for_is_named_before_it_is_written() {
    let folder = folder();
    let at = folder.path();
    for (sql, said) in [
        ("SELECT 1 AS a, [1, 2] AS l", "column `l` is List"),
        ("SELECT decode('ff', 'hex') AS b", "column `b` holds bytes"),
        ("SELECT a.id, b.id FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id) b ON a.id = b.id", "two columns named `id`"),
    ] {
        for name in ["x.csv", "x.tsv.gz"] {
            for error in [
                bad(at, &["sql", "-o", name, "-c", sql]),
                bad(at, &["sql", "-c", &format!("COPY ({sql}) TO '{name}'")]),
            ] {
                assert!(error.contains(said), "{sql}: {error}");
            }
        }
    }
    let nan = bad(at, &["sql", "-o", "x.jsonl", "-c", "SELECT 'NaN'::double AS score"]);
    assert!(nan.contains("column `score` holds NaN, which JSON has no form for"), "{nan}");
    assert_eq!(fs::read_dir(at).unwrap().count(), 0);
    // Standard output shows them.
    assert_eq!(csv(at, "SELECT [1, 2] AS l"), "l\n\"[1,2]\"\n");
}

#[test]
fn table_functions_take_options_by_name_wherever_a_table_stands() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir(at.join("d")).unwrap();
    fs::write(at.join("d/a.log"), "1;same text here\n2;same text here\n").unwrap();
    fs::write(at.join("d/b.log"), "3;another one\nx\n").unwrap();
    let read = "read_csv('d/*.log', delimiter => ';', header => false, columns => 'id BIGINT, text VARCHAR', on_error => 'skip')";
    let csv = |at: &Path, sql: &str| good(at, &["-q", "sql", "--format", "csv", "-c", sql]);
    assert_eq!(csv(at, &format!("SELECT count(*) AS n FROM {read}")), "n\n3\n");
    let sql = format!("SELECT id, keep FROM exact_dedup((SELECT * FROM {read}), text => text) ORDER BY id");
    assert_eq!(csv(at, &sql), "id,keep\n1,true\n2,false\n3,true\n");
    assert_eq!(csv(at, &format!("WITH d AS (SELECT * FROM {read}) SELECT max(id) AS id FROM d")), "id\n3\n");
    assert_eq!(csv(at, &format!("CREATE VIEW v AS SELECT id FROM {read}; SELECT sum(id) AS s FROM v")), "s\n6\n");
    assert_eq!(
        csv(at, &format!("SELECT t.id FROM {read} AS t JOIN glob('d/b*') g ON true WHERE t.id = g.size / 5")),
        "id\n3\n"
    );
    let rejects = csv(
        at,
        "SELECT line, raw FROM read_rejects('d/b.log', format => 'csv', delimiter => ';', header => false, columns => 'id BIGINT, text VARCHAR')",
    );
    assert_eq!(rejects, "line,raw\n2,x\n");
    let ended = run(at, &["sql", "-c", &format!("SELECT * FROM {read}")]);
    assert!(ended.err.contains("1 rows rejected") || ended.err.contains("1 record"), "{}", ended.err);
    let error = bad(at, &["sql", "-c", "SELECT * FROM read_csv('d/*.log', delimter => ';')"]);
    assert!(error.contains("read_csv has no option delimter: there are delimiter, quote"), "{error}");
    let error = bad(at, &["sql", "-c", "SELECT * FROM read_cvs('d/*.log')"]);
    assert!(error.contains("Did you mean read_csv?"), "{error}");
    let functions = good(at, &["functions", "read_csv"]);
    assert!(functions.contains("[table]") && functions.contains("delimiter"), "{functions}");
}

#[test]
fn rows_say_where_they_came_from_whatever_the_number_of_threads() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir(at.join("d")).unwrap();
    for file in 0..3 {
        let lines: String = (0..500).map(|row| format!("{{\"text\":\"text {}\"}}\n", row % 400 + file)).collect();
        fs::write(at.join(format!("d/{file}.jsonl")), lines).unwrap();
    }
    let all = |sql: &str| {
        let runs =
            ["1", "2", "8"].map(|threads| good(at, &["sql", "--threads", threads, "--format", "csv", "-c", sql]));
        assert!(runs.iter().all(|run| *run == runs[0]), "{sql}");
        runs[0].clone()
    };
    let found = all(
        "SELECT ends_with(_file, '/d/1.jsonl') AS f, _row, ends_with(_row_id, '/d/1.jsonl#3') AS i FROM 'd/*.jsonl' \
                     WHERE text = 'text 4' AND _row = 3",
    );
    assert_eq!(found, "f,_row,i\ntrue,3,true\n");
    let found = all("SELECT count(*) AS n, count(DISTINCT _row_id) AS ids FROM 'd/*.jsonl'");
    assert_eq!(found, "n,ids\n1500,1500\n");
    let removed = all(
        "SELECT _row_id, duplicate_of FROM exact_dedup('d/*.jsonl', text => text, id => _row_id) WHERE NOT keep ORDER BY _row_id",
    );
    assert!(removed.lines().count() > 1000 && removed.contains("/d/0.jsonl#400"), "{removed}");
    all("SELECT text, row_number() OVER () AS at FROM 'd/*.jsonl' ORDER BY at");
    // Without such a name nothing is added, and a column of that name in the files is theirs.
    assert_eq!(csv(at, "SELECT * FROM 'd/0.jsonl' LIMIT 1"), "text\ntext 0\n");
    fs::write(at.join("own.csv"), "_row,x\n7,1\n").unwrap();
    assert_eq!(csv(at, "SELECT _row FROM 'own.csv'"), "_row\n7\n");
    assert_eq!(csv(at, "WITH \"d/x.csv\" AS (SELECT 1 AS _row) SELECT _row FROM \"d/x.csv\""), "_row\n1\n");
    let sql = "CREATE EXTERNAL TABLE t STORED AS JSON LOCATION 'd/' OPTIONS (provenance 'true'); SELECT max(_row) AS m FROM t";
    assert_eq!(csv(at, sql), "m\n499\n");
}

#[test]
fn a_named_file_is_read_or_refused() {
    let folder = folder();
    let at = folder.path();
    let lines = "{\"id\":1}\n{\"id\":2}\n";
    fs::write(at.join("x.jsonl.zstd"), zstd::encode_all(lines.as_bytes(), 3).unwrap()).unwrap();
    fs::write(at.join("export.data"), lines).unwrap();
    for name in ["x.jsonl.zstd", "export.data"] {
        assert_eq!(csv(at, &format!("SELECT count(*) AS n FROM '{name}'")), "n\n2\n", "{name}");
    }
    fs::write(at.join("x.arrow"), b"ARROW1\0\0").unwrap();
    fs::write(at.join("blob.bin"), b"\0\x01\x02").unwrap();
    for (name, said) in
        [("x.arrow", "is Arrow IPC, which limpid does not read"), ("blob.bin", "blob.bin is no text: it is binary")]
    {
        let error = bad(at, &["sql", "-c", &format!("SELECT count(*) AS n FROM '{name}'")]);
        assert!(error.contains(said), "{name}: {error}");
    }
}
