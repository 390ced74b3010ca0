use tempfile::tempdir;

use super::super::records::CSV;
use super::*;
use crate::testing::{rows, session, write};
use datafusion::sql::sqlparser::ast::{SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The FROM clause of `SELECT * FROM call`, rewritten.
fn rewritten(call: &str) -> Result<String> {
    let sql = format!("SELECT * FROM {call}");
    let Statement::Query(mut query) = Parser::parse_sql(&GenericDialect {}, &sql).unwrap().remove(0) else { panic!() };
    let SetExpr::Select(select) = query.body.as_mut() else { panic!() };
    assert!(inline(&mut select.from[0].relation, Wanted::default())?);
    Ok(select.from[0].relation.to_string())
}

fn spec(call: &str) -> SourceSpec {
    let table = rewritten(call).unwrap();
    let name = table.trim_start_matches('"').rsplit_once("\" AS ").unwrap().0.replace("\"\"", "\"");
    call::decode(&name).unwrap().spec
}

#[test]
fn options_are_given_by_name() {
    let found = spec("read_csv('x/*.csv', delimiter => ';', header => false, sample => 3, on_error => 'skip')");
    assert_eq!((found.paths, found.format), (vec!["x/*.csv".to_owned()], Some(CSV)));
    let options: Vec<String> = found.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(options, ["delimiter=;", "header=false", "on_error=skip", "sample=3"]);
    assert_eq!(spec("read_json(['a', 'b'])").paths, ["a", "b"]);
    assert_eq!(spec("READ_JSON(make_array('a', 'b'), exclude => 'c')").exclude, ["c"]);
    assert_eq!(spec("read_csv('a', types => {'id': 'VARCHAR'})").options["types"], "\"id\" VARCHAR");
    assert!(spec("read_parquet('a', provenance => true)").provenance);
    assert_eq!(spec("read_rejects('a.log', format => 'csv')").format, Some(CSV));
    assert_eq!(spec("read_rejects('a.csv')").options["rejects"], "true");
    let alias = rewritten("read_text('a') AS t").unwrap();
    assert!(alias.ends_with("AS t"), "{alias}");
}

#[test]
fn what_a_function_does_not_take_is_named() {
    for (call, said) in [
        ("read_csv('x', delimter => ';')", "read_csv has no option delimter: there are delimiter, quote"),
        ("read_text('x', delimiter => ';')", "read_text has no option delimiter: there are max_file_size"),
        ("read_csv('x', 'y')", "several paths are a list: read_csv(['a', 'b'])"),
        ("read_csv()", "read_csv needs a path first"),
        ("read_csv(x)", "the path must be text in quotes"),
        ("read_csv([])", "the list of paths is empty"),
        ("read_csv('x', header => other)", "header must be text, a number, true or false"),
        ("read_csv('x', provenance => 3)", "provenance must be true or false"),
        ("read_csv('x', header => true, header => false)", "header is given twice"),
        ("glob('x', header => true)", "glob has no option header: there are exclude"),
    ] {
        let error = rewritten(call).unwrap_err().to_string();
        assert!(error.contains(said), "{call}: {error}");
    }
}

#[tokio::test]
async fn tables_come_from_their_names() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.log", "id;text\n1;x\n2;y\n");
    write(dir.path(), "b.log", "id;text\n3;z\n");
    let ctx = session(2);
    let from = |call: &str| {
        let call = call.replace("{}", dir.path().to_str().unwrap());
        rewritten(&call).unwrap()
    };
    let csv = from("read_csv(['{}/a.log', '{}/b.log'], delimiter => ';', header => true)");
    assert_eq!(rows(&ctx, dir.path(), &format!("SELECT id, read_csv.text FROM {csv}")).await, ["1|x", "2|y", "3|z"]);
    let files = from("glob('{}/*.log') AS g");
    assert_eq!(rows(&ctx, dir.path(), &format!("SELECT g.path, size FROM {files}")).await, ["/a.log|16", "/b.log|12"]);
    let text = from("read_text('{}/a.log')");
    assert_eq!(rows(&ctx, dir.path(), &format!("SELECT size, length(text) FROM {text}")).await, ["16|16"]);
}
