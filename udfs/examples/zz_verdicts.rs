//! scratch
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::*;
fn ctx() -> SessionContext {
    let ctx = SessionContext::new();
    for udf in limpid_udfs::register::scalar_functions() {
        ctx.register_udf(udf.as_ref().clone());
    }
    ctx
}
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "slt" {
        for f in &a[2..] {
            let s = std::fs::read_to_string(f).unwrap();
            for block in s.split("\n\n") {
                let lines: Vec<&str> = block.lines().filter(|l| !l.starts_with('#')).collect();
                let head = lines[0];
                let body = lines[1..].join("\n");
                if let Some(want) = head.strip_prefix("statement error") {
                    let got = match ctx().sql(&body).await {
                        Err(e) => e.to_string(),
                        Ok(d) => d.collect().await.map(|_| "OK".into()).unwrap_or_else(|e| e.to_string()),
                    };
                    if got == "OK" || !got.contains(want.trim()) {
                        println!("{f}: {body}\n  want error {want}\n  got {got}");
                    }
                    continue;
                }
                let (sql, want) = body.split_once("\n----\n").unwrap();
                let o = FormatOptions::default().with_null("NULL");
                let mut got = vec![];
                match ctx().sql(sql).await {
                    Err(e) => got.push(e.to_string()),
                    Ok(d) => match d.collect().await {
                        Err(e) => got.push(e.to_string()),
                        Ok(bs) => {
                            for b in bs {
                                let cs: Vec<_> =
                                    b.columns().iter().map(|c| ArrayFormatter::try_new(c, &o).unwrap()).collect();
                                for r in 0..b.num_rows() {
                                    got.push(
                                        cs.iter()
                                            .map(|c| {
                                                let v = c.value(r).to_string();
                                                if v.is_empty() { "(empty)".into() } else { v }
                                            })
                                            .collect::<Vec<String>>()
                                            .join(" "),
                                    );
                                }
                            }
                        }
                    },
                }
                if got.join("\n") != want.trim_end() {
                    println!("{f}: {sql}\n  want\n{want}\n  got\n{}", got.join("\n"));
                }
            }
        }
        return;
    }
    if a[1] == "examples" {
        for u in limpid_udfs::register::scalar_functions() {
            let Some(e) = u.documentation().and_then(|d| d.sql_example.clone()) else { continue };
            let sql: String = e.lines().filter(|l| l.starts_with('>')).map(|l| l[1..].to_owned() + "\n").collect();
            println!("### {}", u.name());
            ctx().sql(sql.trim_end().trim_end_matches(';')).await.unwrap().show().await.unwrap();
        }
        return;
    }
    let ctx = ctx();
    ctx.register_parquet("docs", &a[1], ParquetReadOptions::default()).await.unwrap();
    ctx.sql(&a[2]).await.unwrap().show().await.unwrap();
}
