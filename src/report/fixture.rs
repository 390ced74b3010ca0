//! Seeded example reports for the tests of the page and for looking at it.

use super::data::{CheckReport, Concept, ConceptRow, Concepts, Histogram, JobReport, Sample, SourceReport, StepReport};

/// A job that did nothing.
pub fn empty() -> JobReport {
    JobReport::default()
}

/// Two steps, few numbers.
pub fn small() -> JobReport {
    JobReport {
        job: "small".to_owned(),
        elapsed_seconds: 2.5,
        peak_memory_bytes: Some(210_000_000),
        rows_in: 12_000,
        bytes_in: 48_000_000,
        rows_out: 7_500,
        bytes_out: 30_000_000,
        steps: vec![
            StepReport {
                name: "quality".to_owned(),
                rows_in: 12_000,
                rows_out: 10_000,
                bytes_in: 48_000_000,
                bytes_out: 40_000_000,
                seconds: 0.75,
                reasons: vec![("too_short".to_owned(), 1_500), ("symbol_ratio".to_owned(), 500)],
                ..StepReport::default()
            },
            StepReport {
                name: "exact\u{1b}[31m".to_owned(),
                rows_in: 10_000,
                rows_out: 7_500,
                bytes_in: 40_000_000,
                bytes_out: 30_000_000,
                seconds: 1.2,
                resumed: true,
                reasons: vec![("exact duplicate".to_owned(), 2_500)],
                ..StepReport::default()
            },
        ],
        ..JobReport::default()
    }
}

/// Ten clusters of 900 rows, eight of them shown.
pub fn concepts() -> Concepts {
    let mut random = Random(5);
    let mut points = vec![];
    for at in 0..40 {
        let cluster = at % 10;
        let mut near = |middle: i64| middle as f32 + (random.next() % 1000) as f32 / 900.0;
        points.push((near(cluster % 4), near(cluster / 4), cluster));
    }
    let row = |id: String| ConceptRow {
        id,
        distance: 0.25,
        text: Some("<script>alert(3)</script> a text".to_owned()),
        image: None,
    };
    let concept = |cluster: i64| Concept {
        cluster,
        rows: 120 - 8 * cluster.unsigned_abs(),
        density: 0.7,
        label: (cluster != 7).then(|| "license, <b>warranty, copyright".to_owned()),
        middle: (cluster as f64 % 4.0 + 0.5, (cluster / 4) as f64 + 0.5),
        distances: Histogram { edges: vec![0.1, 0.3, 0.5], counts: vec![100, 20] },
        central: vec![row(format!("{cluster}/typical"))],
        atypical: if cluster == 2 { vec![] } else { vec![row(format!("{cluster}/atypical"))] },
    };
    Concepts {
        rows: 900,
        clusters: 10,
        points,
        distances: Histogram { edges: vec![0.1, 0.3, 0.5], counts: vec![700, 200] },
        largest: (0..8).map(concept).collect(),
    }
}

/// 40,000 rows through five steps with everything a report can show, hostile texts included.
pub fn example() -> JobReport {
    let mut random = Random(7);
    let quality = StepReport {
        name: "quality rules".to_owned(),
        sql: "SELECT * FROM docs\nWHERE gopher_quality(text)['keep']\n  AND length(text) < 200000 -- <script>alert('sql')</script>".to_owned(),
        seconds: 3.21,
        reasons: counts(&[
            ("gopher: fewer than 50 words", 2_804),
            ("gopher: symbol to word ratio", 911),
            ("gopher: mean word length", 640),
            ("gopher: lines ending with an ellipsis", 212),
            ("c4: curly bracket", 97),
            ("c4: fewer than 5 sentences", 55),
            ("<script>alert(1)</script>", 12),
            ("fineweb: short lines", 9),
            ("language: confidence below 0.65 for every allowed language", 4),
            ("c4: lorem ipsum", 2),
            ("c4: policy notice", 1),
        ]),
        metrics: counts(&[("rows_evaluated", 40_000), ("invalid_utf8_rows", 3)]),
        samples: vec![
            Sample {
                removed_id: "docs/<script>alert(1)</script>.md".to_owned(),
                reason: "<script>alert(1)</script>".to_owned(),
                removed_text: "<script>alert(1)</script>\n<img src=x onerror=alert(2)> </pre></body> \u{1b}[31mred\u{1b}[0m \u{202E}txt.exe".to_owned(),
                ..Sample::default()
            },
            Sample {
                removed_id: "registry/src/tiny-0.1.0/README.md".to_owned(),
                reason: "gopher: fewer than 50 words".to_owned(),
                removed_text: "# tiny\n\nA tiny crate.\n\n## License\n\nMIT".to_owned(),
                ..Sample::default()
            },
            Sample {
                removed_id: format!("registry/src/{}/tables.rs", "a-very-long-path-without-any-place-to-break".repeat(5)),
                reason: "gopher: symbol to word ratio".to_owned(),
                removed_text: (0..600).map(|_| format!("0x{:04x}, ", random.next() & 0xFFFF)).collect(),
                ..Sample::default()
            },
        ],
        ..step(40_000, 35_253, 0.010_322)
    };
    let language = StepReport {
        name: "language".to_owned(),
        sql: "SELECT * FROM quality WHERE language(text)['code'] IN ('en', 'de')".to_owned(),
        seconds: 1.04,
        ..step(35_253, 35_253, 0.010_322)
    };
    let license = prose(&mut random, 300);
    let exact = StepReport {
        name: "exact".to_owned(),
        sql: "SELECT * FROM exact_dedup(language, text => text, id => path) WHERE keep".to_owned(),
        seconds: 0.187,
        resumed: true,
        reasons: counts(&[("exact duplicate", 3_911)]),
        cluster_sizes: vec![(2, 1_204), (3, 310), (4, 122), (5, 61), (6, 30), (9, 12), (14, 4), (18, 1)],
        metrics: counts(&[("groups", 31_342), ("spilled_bytes", 0)]),
        samples: vec![Sample {
            removed_id: "registry/src/beta-0.2.1/LICENSE-APACHE.md".to_owned(),
            reason: "exact duplicate".to_owned(),
            removed_text: license.clone(),
            kept_id: Some("registry/src/alpha-1.0.0/LICENSE-APACHE.md".to_owned()),
            similarity: Some(1.0),
            kept_text: Some(license),
        }],
        ..step(35_253, 31_342, 0.010_322)
    };
    let fuzzy = StepReport {
        name: "near duplicates by MinHash of word 5-shingles".to_owned(),
        sql: "SELECT *\nFROM minhash_dedup(exact, text => text, id => path, threshold => 0.7, ngram => 5, unit => 'word')\nWHERE keep".to_owned(),
        seconds: 7.9,
        reasons: counts(&[("near duplicate", 4_380), ("short document, equal words", 96)]),
        similarities: similarities(&mut random, 4_476),
        cluster_sizes: vec![
            (2, 1_911), (3, 402), (4, 158), (5, 77), (6, 41), (7, 30), (8, 17), (10, 11), (13, 8), (21, 5), (34, 3), (61, 2), (188, 1), (740, 1),
        ],
        metrics: counts(&[
            ("signatures", 31_342), ("candidate_pairs", 1_284_113), ("verified_pairs", 61_207), ("capped_buckets", 1), ("spilled_bytes", 73_400_320),
        ]),
        samples: near_duplicates(&mut random),
        ..step(31_342, 26_866, 0.010_322)
    };
    let budget = StepReport {
        name: "budget".to_owned(),
        sql: "SELECT * FROM fuzzy ORDER BY hash_uniform(path, 42) LIMIT 26860".to_owned(),
        seconds: 0.062,
        reasons: counts(&[("over the budget", 6)]),
        samples: vec![Sample {
            removed_id: String::new(),
            reason: "over the budget".to_owned(),
            kept_id: Some("only the id is known".to_owned()),
            ..Sample::default()
        }],
        ..step(26_866, 26_860, 0.010_322)
    };
    JobReport {
        job: "curate the sources of every crate <b>&amp;</b> more".to_owned(),
        started: "2025-11-24T02:06:11.123Z".to_owned(),
        elapsed_seconds: 12.43,
        peak_memory_bytes: Some(412_300_000),
        rows_in: 40_000,
        bytes_in: 412_889_120,
        rows_out: 26_860,
        bytes_out: 277_248_920,
        steps: vec![quality, language, exact, fuzzy, budget],
        sources: vec![source("crates <b>bold", 30_000, 21_860), source("docs", 10_000, 5_000)],
        checks: vec![
            CheckReport { name: "no row without text".to_owned(), rows: 0 },
            CheckReport { name: "every removed row names a kept one".to_owned(), rows: 0 },
            CheckReport { name: "no text longer than 200,000 characters".to_owned(), rows: 3 },
        ],
        lengths_in: lengths(&mut random, 40_000),
        lengths_out: lengths(&mut random, 26_860),
        warnings: vec![
            "3 files are not UTF-8 and were skipped: registry/src/legacy-0.1.0/src/<latin1>.rs and 2 more".to_owned(),
            "1 bucket held more than 10,000 rows and was compared by a sample: band 17".to_owned(),
        ],
        versions: [
            ("limpid", "0.1.0"),
            ("datafusion", "55.2.0"),
            ("threads", "2"),
            ("memory limit", "1.00 GB"),
            ("batch size", "8192"),
            ("seed", "42"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    }
}

fn step(rows_in: u64, rows_out: u64, megabytes_a_row: f64) -> StepReport {
    let bytes = |rows: u64| (rows as f64 * megabytes_a_row * 1e6) as u64;
    StepReport { rows_in, rows_out, bytes_in: bytes(rows_in), bytes_out: bytes(rows_out), ..StepReport::default() }
}

fn counts(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

fn similarities(random: &mut Random, rows: usize) -> Histogram {
    let mut counts = vec![0; 50];
    for _ in 0..rows {
        // Most near duplicates are very near.
        let s = 1.0 - 0.3 * random.unit() * random.unit();
        counts[((s * 50.0) as usize).min(49)] += 1;
    }
    Histogram { edges: (0..=50).map(|i| f64::from(i) / 50.0).collect(), counts }
}

fn lengths(random: &mut Random, rows: usize) -> Histogram {
    let edges: Vec<f64> = std::iter::once(0.0).chain((0..56).map(|i| 10f64.powf(f64::from(i) / 10.0))).collect();
    let mut counts = vec![0; edges.len() - 1];
    for _ in 0..rows {
        // A sum of uniforms is close to normal: lengths are close to log-normal.
        let z: f64 = (0..6).map(|_| random.unit()).sum::<f64>() - 3.0;
        let length = 10f64.powf(3.3 + 0.9 * z);
        let bin = edges.partition_point(|edge| *edge <= length).clamp(1, counts.len()) - 1;
        counts[bin] += 1;
    }
    Histogram { edges, counts }
}

fn near_duplicates(random: &mut Random) -> Vec<Sample> {
    let base = prose(random, 420);
    let edited = base.replacen("signal", "marker", 3).replacen("river", "stream <b>bold</b>", 2);
    let code = CODE.repeat(6);
    let moved =
        code.replacen("fn area", "pub fn area", 1).replacen("self.width * self.height", "self.height * self.width", 2);
    vec![
        Sample {
            removed_id: "registry/src/gamma-0.3.0/README.md".to_owned(),
            reason: "near duplicate".to_owned(),
            removed_text: edited,
            kept_id: Some("registry/src/gamma-0.3.1/README.md".to_owned()),
            kept_text: Some(base.clone()),
            similarity: Some(0.8713),
        },
        Sample {
            removed_id: "registry/src/shapes-1.4.0/src/lib.rs".to_owned(),
            reason: "near duplicate".to_owned(),
            removed_text: code,
            kept_id: Some("registry/src/shapes-2.0.0/src/lib.rs".to_owned()),
            kept_text: Some(moved),
            similarity: Some(0.99997),
        },
        Sample {
            removed_id: "registry/src/delta-5.0.0/CHANGELOG.md".to_owned(),
            reason: "near duplicate".to_owned(),
            removed_text: format!("{base} {base}"),
            kept_id: Some("registry/src/delta-5.0.1/CHANGELOG.md".to_owned()),
            kept_text: Some(format!("{base} {base}")),
            similarity: Some(0.93),
        },
        Sample {
            removed_id: "notes/短い.md".to_owned(),
            reason: "short document, equal words".to_owned(),
            removed_text: "今日は天気がいいから散歩しましょう。".to_owned(),
            kept_id: Some("notes/短い-2.md".to_owned()),
            kept_text: Some("今日は気分がいいから散歩しましょう!".to_owned()),
            similarity: Some(1.0),
        },
    ]
}

const CODE: &str = "/// A rectangle <T>.\npub struct Rectangle {\n    width: f64,\n    height: f64,\n}\n\nimpl Rectangle {\n    fn area(&self) -> f64 {\n        self.width * self.height\n    }\n}\n\n";

fn prose(random: &mut Random, words: usize) -> String {
    const WORDS: [&str; 24] = [
        "the", "river", "carries", "a", "signal", "of", "clear", "water", "through", "every", "field", "and", "leaves",
        "stones", "where", "it", "found", "them", "until", "evening", "light", "returns", "to", "shore",
    ];
    let mut text = String::new();
    for i in 1..=words {
        text.push_str(WORDS[(random.next() % WORDS.len() as u64) as usize]);
        text.push_str(if i % 60 == 0 {
            ".\n\n"
        } else if i % 13 == 0 {
            ". "
        } else {
            " "
        });
    }
    text
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for examples.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn source(name: &str, rows_in: u64, rows_out: u64) -> SourceReport {
    let removed =
        vec![("quality".to_owned(), 1_000), ("near \u{1b}[31m duplicates".to_owned(), rows_in - rows_out - 1_000)];
    SourceReport {
        name: name.to_owned(),
        rows_in,
        bytes_in: rows_in * 10_321,
        removed,
        rows_out,
        bytes_out: rows_out * 10_322,
    }
}
