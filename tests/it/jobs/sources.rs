//! Sources of a job: records that cannot be read, and rows without a key of their own.

use std::fs;

use super::{Workplace, resumed};

const SKIPPING: &str = "name: skipping
sources:
  docs: { paths: 'in/*.csv', options: { on_error: skip, columns: 'n BIGINT, text VARCHAR' } }
id: _row_id
text: text
steps:
  - name: exact
    sql: SELECT * FROM exact_dedup(input, text => text, id => _row_id)
sink: { path: out/clean, format: csv.gz }
work: out/work
";

fn place() -> Workplace {
    let place = Workplace::new(1);
    fs::create_dir(place.path("in")).unwrap();
    fs::write(place.path("in/a.csv"), "n,text\n1,same\nx,bad\n2,other\n").unwrap();
    fs::write(place.path("in/b.csv"), "n,text\n3,same\n4,short,long\n").unwrap();
    place.job(SKIPPING);
    place
}

#[test]
fn rejected_records_are_counted_and_kept_as_a_table() {
    let place = place();
    let report = place.run(&[]);
    assert_eq!((report["rows_in"].as_u64(), report["rows_out"].as_u64()), (Some(3), Some(2)));
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("source `docs`: 2 records were rejected; see out/work/rejects/docs"), "{warnings}");
    let table = place.path("out/work/rejects/docs/part-00000.parquet");
    let written = fs::metadata(&table).unwrap().modified().unwrap();
    // They are told again, and not computed again.
    let again = place.run(&["--threads", "1"]);
    assert_eq!(resumed(&again), [true]);
    assert!(again["warnings"].to_string().contains("2 records were rejected"), "{again}");
    assert_eq!(fs::metadata(&table).unwrap().modified().unwrap(), written);
    let sql = "SELECT line, raw FROM 'out/work/rejects/docs/*.parquet' ORDER BY file, line";
    let output = place.limpid(&["sql", "--format", "csv", "-c", sql]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "line,raw\n3,\"x,bad\"\n3,\"4,short,long\"\n");
    // A folder of one's own.
    place.job(&SKIPPING.replace("'in/*.csv',", "'in/*.csv', rejects: out/bad,"));
    place.run(&[]);
    assert!(place.path("out/bad/_manifest.json").is_file());
}

#[test]
fn rows_without_a_key_get_one_from_their_place() {
    let place = place();
    place.run(&[]);
    let sql = "SELECT text, right(_row_id, 7) AS place, _row FROM 'out/clean/*.csv.gz' ORDER BY _row_id";
    let output = place.limpid(&["sql", "--format", "csv", "-c", sql]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "text,place,_row\nsame,a.csv#0,0\nother,a.csv#2,2\n");
}

#[test]
fn mistakes_in_sources_are_named() {
    let place = place();
    place
        .job(&SKIPPING.replace("on_error: skip", "on_error: fail").replace("'in/*.csv',", "'in/*.csv', rejects: bad,"));
    assert!(place.fails(&["run", "job.yaml"]).contains("sources.docs.rejects: records are rejected only with"));
    place.job(&SKIPPING.replace("'in/*.csv',", "'in/*.csv', provenance: maybe,"));
    assert!(place.fails(&["run", "job.yaml"]).contains("`maybe` is neither true nor false"));
    place.job(&SKIPPING.replace("csv.gz", "csv.bz2"));
    assert!(place.fails(&["run", "job.yaml"]).contains("'csv.bz2' is no format to write"));
}
