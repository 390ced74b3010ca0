//! Tests signatures against those of the tools themselves; see `benches/peers/goldens/make_goldens.py`.

use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use serde_json::Value;

use super::*;

/// Compares with a folder of reference signatures. Returns (equal, all) documents and describes the first few that differ.
fn compare(folder: &Path, preset: Preset) -> (usize, usize, Vec<String>) {
    let read =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap() };
    let (texts, golden) = (read("texts.json"), read(&format!("{preset}.json")));
    let texts = texts.as_array().unwrap();
    let expected = golden["signatures"].as_array().unwrap();
    assert_eq!(texts.len(), expected.len());
    let parameters = preset.parameters();
    assert_eq!(golden["bands"], parameters.bands);
    assert_eq!(golden["rows"], parameters.rows);

    let mut sketcher = PresetSketcher::new(preset);
    let (mut signature, mut hashes, mut equal, mut wrong) = (vec![], vec![], 0, vec![]);
    for (i, (text, expected)) in texts.iter().zip(expected).enumerate() {
        let text = text.as_str().unwrap();
        let shingles = sketcher.sketch(text, &mut signature, &mut hashes);
        assert_eq!(shingles.unwrap_or(0), hashes.len());
        hashes.sort_unstable();
        hashes.dedup();
        let found = if signature.is_empty() {
            Value::Null
        } else {
            assert_eq!(signature.len(), parameters.num_perm);
            let bytes: Vec<u8> = signature.iter().flat_map(|v| v.to_le_bytes()).collect();
            serde_json::json!([&signature[..16], format!("{:016x}", xxh3_64(&bytes)), hashes.len()])
        };
        if found == *expected {
            equal += 1;
        } else if wrong.len() < 5 {
            wrong.push(format!("{preset}, text {i}: {:?}", text.chars().take(120).collect::<String>()));
        }
    }
    (equal, texts.len(), wrong)
}

#[test]
fn signatures_equal_the_tools() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels/presets/goldens");
    for preset in Preset::ALL {
        let (equal, all, wrong) = compare(&folder, preset);
        assert!(all > 50);
        assert_eq!(equal, all, "{wrong:#?}");
    }
}

/// `LIMPID_PRESET_GOLDENS=FOLDER cargo test --release -p limpid-udfs presets -- --ignored --nocapture`, where FOLDER was
/// written by `make_goldens.py --parquet`.
#[test]
#[ignore = "needs goldens over documents that are not part of the repository"]
fn signatures_equal_the_tools_on_other_documents() {
    let Ok(folder) = std::env::var("LIMPID_PRESET_GOLDENS") else {
        println!("skipped: LIMPID_PRESET_GOLDENS names no folder");
        return;
    };
    let mut differ = 0;
    for preset in Preset::ALL {
        if !Path::new(&folder).join(format!("{preset}.json")).exists() {
            println!("{preset}: skipped, no golden");
            continue;
        }
        let start = Instant::now();
        let (equal, all, wrong) = compare(Path::new(&folder), preset);
        println!("{preset}: {equal} of {all} equal, {:.2} s", start.elapsed().as_secs_f64());
        wrong.iter().for_each(|line| println!("  {line}"));
        differ += all - equal;
    }
    assert_eq!(differ, 0);
}

#[test]
fn one_pass_equals_two() {
    let texts =
        ["a longer text than thirteen words is what every one of the presets needs to give shingles", "short", ""];
    for preset in Preset::ALL {
        let mut sketcher = PresetSketcher::new(preset);
        let (mut both, mut signature, mut hashes) = ((vec![], vec![]), vec![], vec![]);
        for text in texts {
            let count = sketcher.sketch(text, &mut both.0, &mut both.1);
            assert_eq!(sketcher.signature(text, &mut signature), count);
            sketcher.shingle_hashes(text, &mut hashes);
            assert_eq!(both, (signature.clone(), hashes.clone()));
        }
    }
}

#[test]
fn bands_agree_where_their_values_do() {
    for preset in Preset::ALL {
        let Parameters { num_perm, bands, rows, .. } = preset.parameters();
        let signature: Vec<u64> = (0..num_perm as u64).collect();
        let (mut hashes, mut changed) = (vec![], vec![]);
        band_hashes(preset, &signature, &mut hashes);
        assert_eq!(hashes.len(), bands);
        for at in 0..num_perm {
            let mut other = signature.clone();
            other[at] += 1;
            band_hashes(preset, &other, &mut changed);
            let differ: Vec<usize> = (0..bands).filter(|band| hashes[*band] != changed[*band]).collect();
            let expected = if at < bands * rows { vec![at / rows] } else { vec![] };
            assert_eq!(differ, expected, "{preset}, value {at}");
        }
        band_hashes(preset, &[], &mut hashes);
        assert!(hashes.is_empty());
    }
}

#[test]
fn names_round_trip() {
    for preset in Preset::ALL {
        assert_eq!(Preset::from_str(preset.name()), Ok(preset));
    }
    assert_eq!(
        Preset::from_str("FineWeb").unwrap_err().to_string(),
        "unknown preset 'FineWeb', must be one of 'fineweb', 'bigcode', 'slimpajama', 'rpv2'"
    );
}

#[test]
fn bands_fit_into_the_signature() {
    for preset in Preset::ALL {
        let Parameters { num_perm, bands, rows, .. } = preset.parameters();
        assert!(bands * rows <= num_perm);
    }
}

#[test]
fn documents_without_a_shingle() {
    for (preset, collapsed) in
        [(Preset::FineWeb, false), (Preset::BigCode, true), (Preset::SlimPajama, true), (Preset::RpV2, false)]
    {
        let (mut sketcher, mut signature) = (PresetSketcher::new(preset), vec![7]);
        assert_eq!(sketcher.signature("too short", &mut signature), None);
        let expected = if collapsed { vec![u64::from(u32::MAX); preset.parameters().num_perm] } else { vec![] };
        assert_eq!(signature, expected, "{preset}");
    }
}
