//! Throughput of the quality kernels on synthetic text, and their time on texts that are meant to hurt.
//!
//! `cargo run --release -p limpid-udfs --example quality_speed [megabytes]`

use std::hint::black_box;
use std::time::Instant;

use limpid_udfs::kernels::quality::c4::{self, C4Quality};
use limpid_udfs::kernels::quality::fineweb::FinewebQuality;
use limpid_udfs::kernels::quality::gopher::GopherQuality;
use limpid_udfs::kernels::quality::pii::{Kinds, redact};
use limpid_udfs::kernels::quality::repetition::GopherRepetition;
use limpid_udfs::kernels::quality::{language, tokens};

type Kernel = (&'static str, fn(&str));

const KERNELS: [Kernel; 8] = [
    ("count_words", |t| drop(black_box(tokens::count_words(t)))),
    ("gopher_quality", |t| drop(black_box(GopherQuality::measure(t).failed()))),
    ("gopher_repetition", |t| drop(black_box(GopherRepetition::measure(t).failed()))),
    ("c4_quality", |t| drop(black_box(C4Quality::measure(t).failed()))),
    ("c4_clean", |t| drop(black_box(c4::clean(t)))),
    ("fineweb_quality", |t| drop(black_box(FinewebQuality::measure(t).failed()))),
    ("pii_redact", |t| drop(black_box(redact(t, Kinds::ALL)))),
    ("language", |t| drop(black_box(language::detect(t).code))),
];

fn main() {
    let megabytes: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(100);
    let size = megabytes * 1_000_000;
    let documents = documents(size, 4_000);
    let bytes: usize = documents.iter().map(String::len).sum();
    println!("{} documents, {:.1} MB, one thread", documents.len(), bytes as f64 / 1e6);
    for (name, kernel) in KERNELS {
        let start = Instant::now();
        documents.iter().for_each(|d| kernel(d));
        println!("{name:<20} {:>8.1} MB/s", bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
    }
    drop(documents);
    let hard: [(&str, fn(usize) -> String); 8] = [
        ("one document of prose", |n| documents(n, n).concat()),
        ("one word", |n| "a".repeat(n)),
        ("full stops", |n| ".".repeat(n)),
        ("line feeds", |n| "\n".repeat(n)),
        ("marks behind a letter", |n| "a".to_owned() + &"!".repeat(n)),
        ("at signs", |n| "a@a.".repeat(n / 4)),
        ("dotted digits", |n| "1.1:".repeat(n / 4)),
        ("one line repeated", |n| "to be or not to be.\n".repeat(n / 20)),
    ];
    println!("\nseconds for {megabytes} MB in one text");
    print!("{:<24}", "");
    KERNELS.iter().for_each(|(name, _)| print!("{name:>18}"));
    println!();
    for (what, make) in hard {
        let text = make(size);
        print!("{what:<24}");
        for (_, kernel) in KERNELS {
            let start = Instant::now();
            kernel(&text);
            print!("{:>18.2}", start.elapsed().as_secs_f64());
        }
        println!();
    }
}

/// Prose-like text of a Zipf-like vocabulary in documents of about `length` bytes, the same on every run.
fn documents(total: usize, length: usize) -> Vec<String> {
    let mut state = 42u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let syllables =
        ["the", "be", "ta", "ri", "on", "ess", "lum", "pre", "con", "ver", "a", "si", "qua", "é", "ng", "do"];
    let vocabulary: Vec<String> = (0..50_000)
        .map(|i| (0..1 + (i as f64).log10() as usize / 2 + 1).map(|_| syllables[random() as usize % 16]).collect())
        .collect();
    let mut documents = Vec::new();
    let mut made = 0;
    while made < total {
        let mut text = String::with_capacity(length + 64);
        while text.len() < length {
            let unit = (random() >> 11) as f64 / (1u64 << 53) as f64;
            text += &vocabulary[(50_000f64.powf(unit) as usize).min(49_999)];
            text += match random() % 100 {
                0..=5 => ". ",
                6..=9 => ", ",
                10 => ".\n",
                11 => "-",
                12 => " (see 42) ",
                _ => " ",
            };
        }
        made += text.len();
        documents.push(text);
    }
    documents
}
