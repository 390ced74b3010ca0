//! A job whose rows end in concepts: the map and the rows at both ends of each, texts or pictures, on its page.

use super::Workplace;

/// The smallest PNG: one grey point.
const PNG: &str = "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63680000008200815c\
                   d1d6a80000000049454e44ae426082";

#[test]
fn concepts_are_on_the_page() {
    let place = Workplace::new(40);
    place.job(&format!(
        r#"
name: concepts
sources:
  docs: {{ paths: ["docs.jsonl"] }}
id: id
text: text
steps:
  - name: vectors
    sql: SELECT *, decode('{PNG}', 'hex') AS picture, [CAST(id % 4 AS DOUBLE) * 9, CAST(id AS DOUBLE) / 40] AS embedding FROM input
  - name: concepts
    sql: SELECT * EXCEPT (embedding) FROM concept_clusters(input, k => 4, metric => 'l2', text => text)
sink: {{ path: out, format: parquet }}
report: report.html
work: work
"#
    ));
    let run = |args: &[&str]| {
        let output = place.command(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(place.path("report.html")).unwrap()
    };
    let page = run(&["run", "job.yaml"]);
    for expected in [
        "Map of the concepts",
        "40 rows on two",
        "10 (25.0%)",
        "Most typical",
        "Most atypical",
        "Distance to the centroid",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    // Three rows at each end of four clusters, each with its picture and its text.
    assert_eq!(page.matches("<img src=\"data:image&#x2f;png;base64,iVBORw0KGgo").count(), 24);
    assert!(page.matches("text number").count() > 12);
    // A run that does nothing leaves the page as it was.
    assert_eq!(run(&["run", "job.yaml"]), page);
    // Without the columns of concepts a step has no map.
    let plain = place.path("job.yaml");
    let job = std::fs::read_to_string(&plain).unwrap();
    std::fs::write(&plain, job.replace("SELECT * EXCEPT (embedding) FROM", "SELECT * EXCEPT (embedding, map_x) FROM"))
        .unwrap();
    assert!(!run(&["run", "job.yaml"]).contains("Map of the concepts"));
}
