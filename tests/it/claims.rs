//! Every sentence of the README about what limpid does has a command in `docs/claims.md` that shows it.

use std::path::Path;
use std::process::Command;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Words without marks and links: what is the same in both texts.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The sentences of the section, without what stands in parentheses.
fn sentences(readme: &str) -> Vec<String> {
    let section = readme.split("## What makes it different").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let points = section.split("\n* ").skip(1).map(|point| point.split("\n\n").next().unwrap().replace("\n  ", " "));
    let mut found = vec![];
    for point in points {
        let (mut text, mut depth) = (String::new(), 0);
        for c in point.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ if depth == 0 => text.push(c),
                _ => {}
            }
        }
        let text = text.split(": `cargo").next().unwrap().to_owned();
        found.extend(text.split(". ").map(plain).filter(|sentence| !sentence.is_empty()));
    }
    found
}

/// The rows of the table: a sentence and its commands.
fn rows(claims: &str) -> Vec<(String, String)> {
    let cells = claims.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    cells.skip(1).map(|(sentence, commands)| (plain(sentence), commands.to_owned())).collect()
}

#[test]
fn each_sentence_has_a_command() {
    let claims = rows(&read("docs/claims.md"));
    let sentences = sentences(&read("README.md"));
    assert!(sentences.len() > 8, "{sentences:?}");
    for sentence in &sentences {
        assert!(claims.iter().any(|(claim, _)| claim.contains(sentence)), "no row of docs/claims.md says: {sentence}");
    }
    for (claim, _) in &claims {
        assert!(sentences.iter().any(|sentence| claim.contains(sentence)), "the README does not say: {claim}");
    }
}

#[test]
fn each_command_names_what_exists() {
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let tests = String::from_utf8(list.stdout).unwrap();
    for (claim, commands) in rows(&read("docs/claims.md")) {
        let quoted: Vec<&str> = commands.split('`').skip(1).step_by(2).collect();
        assert!(!quoted.is_empty(), "no command: {claim}");
        for command in quoted {
            for name in command.strip_prefix("TEST ").into_iter().flat_map(str::split_whitespace) {
                assert!(tests.lines().any(|test| test.contains(name)), "there is no test {name}");
            }
            for script in command.split_whitespace().filter(|word| word.starts_with("benches/")) {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(script).exists(), "there is no {script}");
            }
        }
    }
}
