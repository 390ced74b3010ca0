//! Determines what a COPY writes, by the name of its target, before the query runs.

use std::path::Path;

use datafusion::common::{Result, plan_err};
use datafusion::sql::parser::CopyToStatement;
use datafusion::sql::sqlparser::ast::Value;
use limpid_connectors::sinks::encode::{WriteFormat, WriteKind};
use limpid_connectors::sources::Compression;

/// Sets the format and compression of `copy` according to its target's name and its clauses.
///
/// # Errors
/// They contradict each other, or limpid does not write that format.
pub fn settle(copy: &mut CopyToStatement) -> Result<()> {
    let target = copy.target.clone();
    let stored_as = copy.stored_as.as_deref().map(format_of).transpose()?;
    name_level(copy);
    let asked = asked_compression(copy)?;
    if is_folder(&target, !copy.partitioned_by.is_empty()) {
        if stored_as.is_none() {
            return plan_err!(
                "COPY to the folder {target} needs STORED AS PARQUET, CSV, TSV or JSON; a file's ending says so itself"
            );
        }
        return Ok(());
    }
    let kind = WriteKind::of_name(&target, stored_as)?;
    if asked.is_some_and(|asked| asked != kind.compression) {
        return plan_err!(
            "cannot write {target} with the option compression: the name of a file says its compression, as x.csv.gz or x.jsonl.zst"
        );
    }
    if copy.stored_as.is_none() {
        copy.stored_as = Some(kind.format.ending().to_uppercase());
    }
    if asked.is_none() && kind.compression != Compression::None {
        let value = Value::SingleQuotedString(kind.compression.to_string());
        copy.options.push(("format.compression".to_owned(), value));
    }
    Ok(())
}

/// As DataFusion sees it: what ends in a slash, is one already, or has no ending.
fn is_folder(target: &str, partitioned: bool) -> bool {
    let path = Path::new(target);
    partitioned || target.ends_with('/') || path.is_dir() || path.extension().is_none()
}

fn format_of(stored_as: &str) -> Result<WriteFormat> {
    Ok(match stored_as.to_ascii_uppercase().as_str() {
        "PARQUET" => WriteFormat::Parquet,
        "CSV" => WriteFormat::Csv,
        "TSV" => WriteFormat::Tsv,
        "JSON" | "JSONL" | "NDJSON" => WriteFormat::JsonLines,
        other => return plan_err!("STORED AS {other} cannot be written: there are PARQUET, CSV, TSV and JSON"),
    })
}

/// Parquet has codecs, not compression of the file.
fn is_parquet(copy: &CopyToStatement) -> bool {
    copy.stored_as.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("parquet"))
        || Path::new(&copy.target).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

fn is_compression(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.strip_prefix("format.").unwrap_or(&key) == "compression"
}

/// DataFusion requires a level for Parquet's `zstd`; sets the usual one.
fn name_level(copy: &mut CopyToStatement) {
    if is_parquet(copy) {
        for (_, value) in copy.options.iter_mut().filter(|(key, _)| is_compression(key)) {
            if value.clone().into_string().is_some_and(|text| text.eq_ignore_ascii_case("zstd")) {
                *value = Value::SingleQuotedString("zstd(3)".to_owned());
            }
        }
    }
}

/// The compression of `OPTIONS (compression ...)`.
fn asked_compression(copy: &CopyToStatement) -> Result<Option<Compression>> {
    let option = copy.options.iter().find(|(key, _)| is_compression(key));
    let Some((_, value)) = option.filter(|_| !is_parquet(copy)) else { return Ok(None) };
    let text = value.clone().into_string().unwrap_or_default();
    Ok(Some(match text.to_ascii_lowercase().as_str() {
        "" | "none" | "uncompressed" => Compression::None,
        "gzip" | "gz" => Compression::Gzip,
        "zstd" | "zst" => Compression::Zstd,
        _ => return plan_err!("compression {value} cannot be written: there are 'gzip', 'zstd' and 'uncompressed'"),
    }))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::{DFParser, Statement};

    use super::*;

    fn settled(sql: &str) -> Result<String, String> {
        let Some(Statement::CopyTo(mut copy)) = DFParser::parse_sql(sql).unwrap().pop_front() else { panic!("{sql}") };
        settle(&mut copy).map_err(|error| error.to_string())?;
        let options: Vec<String> = copy.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Ok(format!("{} {}", copy.stored_as.unwrap_or_default(), options.join(" ")).trim_end().to_owned())
    }

    #[test]
    fn the_name_decides() {
        for (clauses, found) in [
            ("TO 'x.jsonl.gz'", "JSONL format.compression='gzip'"),
            ("TO 'd/x.csv.zst'", "CSV format.compression='zstd'"),
            ("TO 'x.TSV'", "TSV"),
            ("TO 'x.pq'", "PARQUET"),
            ("TO 'x.jsonl.gz' STORED AS JSON", "JSON format.compression='gzip'"),
            ("TO 'x.jsonl.gz' STORED AS JSON OPTIONS (compression 'gzip')", "JSON compression='gzip'"),
            ("TO 'folder/' STORED AS CSV OPTIONS (compression 'gzip')", "CSV compression='gzip'"),
            ("TO 'x.txt' STORED AS CSV", "CSV"),
            ("TO 'x.parquet' OPTIONS (compression 'snappy')", "PARQUET compression='snappy'"),
            ("TO 'x.parquet' OPTIONS (compression 'zstd')", "PARQUET compression='zstd(3)'"),
            ("TO 'd' STORED AS PARQUET OPTIONS ('format.compression' 'ZSTD')", "PARQUET format.compression='zstd(3)'"),
        ] {
            assert_eq!(settled(&format!("COPY t {clauses}")).as_deref(), Ok(found), "{clauses}");
        }
    }

    #[test]
    fn what_contradicts_the_name_is_refused() {
        for (clauses, said) in [
            ("TO 'x.txt'", "endings that can be written"),
            ("TO 'folder/'", "needs STORED AS"),
            ("TO 'x.csv' STORED AS PARQUET", "its ending says csv"),
            ("TO 'x.jsonl' STORED AS JSON OPTIONS (compression 'gzip')", "the name of a file says its compression"),
            ("TO 'x.jsonl.gz' OPTIONS ('format.compression' 'zstd')", "the name of a file says its compression"),
            ("TO 'x.csv' STORED AS ARROW", "STORED AS ARROW cannot be written"),
            ("TO 'x.csv' OPTIONS (compression 'lz4')", "compression 'lz4' cannot be written"),
            ("TO 'x.csv.bz2'", "gzip (.gz) and zstd (.zst) only"),
        ] {
            let error = settled(&format!("COPY t {clauses}")).unwrap_err();
            assert!(error.contains(said), "{clauses}: {error}");
        }
    }
}
