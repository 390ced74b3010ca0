//! Samples of removed rows, chosen deterministically: first one for each reason and similarity bin, then a second one, and so
//! on; within a bin ordered by the hash of the id.

use std::collections::HashMap;
use std::path::Path;

use datafusion::common::Result;
use datafusion::prelude::SessionContext;

use super::recipes::{literal, quote};
use super::tables::{lookup_context, number, register_folder, rows};
use crate::report::data::Sample;

/// Samples of a step.
const SAMPLES: usize = 12;

/// Longest text of a sample in characters.
const LONGEST: usize = 4_000;

/// Samples of the removed rows in `folder/removed`, with the kept rows in `folder/kept` that they refer to, if any.
const BEFORE: usize = 800;

/// Samples of the removed rows in `folder/removed`, with the kept rows in `folder/kept` that they name, where there are any.
pub async fn choose(ctx: &SessionContext, folder: &Path, id: &str, text: Option<&str>) -> Result<Vec<Sample>> {
    let lookup = lookup_context(ctx);
    let kept = folder.join("kept");
    if kept.exists() {
        register_folder(&lookup, "kept", &kept).await?;
    }
    register_folder(&lookup, "removed", &folder.join("removed")).await?;
    let id = quote(id);
    let chosen = rows(
        &lookup,
        &format!(
            "SELECT id, reason, duplicate_of, similarity FROM (
               SELECT *, row_number() OVER (PARTITION BY reason, bin ORDER BY place, id) AS turn FROM (
                 SELECT CAST({id} AS VARCHAR) AS id, reason, CAST(duplicate_of AS VARCHAR) AS duplicate_of, similarity,
                   CAST(floor(similarity * 20) AS INT) AS bin, xxh3_64(CAST({id} AS VARCHAR)) AS place
                 FROM removed))
             ORDER BY turn, place, id LIMIT {SAMPLES}"
        ),
    )
    .await?;
    let mut samples: Vec<_> = chosen.into_iter().filter_map(sample).collect();
    let similarity = |sample: &Sample| sample.similarity.unwrap_or(-1.0);
    samples.sort_by(|a, b| {
        a.reason.cmp(&b.reason).then(similarity(a).total_cmp(&similarity(b))).then(a.removed_id.cmp(&b.removed_id))
    });
    if let Some(text) = text {
        let removed = texts(&lookup, "removed", &id, text, samples.iter().map(|sample| &sample.removed_id)).await?;
        let kept =
            texts(&lookup, "kept", &id, text, samples.iter().filter_map(|sample| sample.kept_id.as_ref())).await?;
        for sample in &mut samples {
            let gone = removed.get(&sample.removed_id).map_or("", String::as_str);
            let stays = sample.kept_id.as_ref().and_then(|id| kept.get(id)).map(String::as_str);
            let (gone, stays) = cut(gone, stays);
            (sample.removed_text, sample.kept_text) = (gone, stays);
        }
    }
    Ok(samples)
}

fn sample(row: Vec<Option<String>>) -> Option<Sample> {
    let mut values = row.into_iter();
    let mut next = || values.next().flatten();
    let (removed_id, reason) = (next()?, next()?);
    let kept_id = next();
    let similarity = number(next().as_deref());
    Some(Sample { removed_id, reason, kept_id, similarity, ..Sample::default() })
}

/// The texts of the rows `ids` of `table`.
pub async fn texts<'a>(
    ctx: &SessionContext,
    table: &str,
    id: &str,
    text: &str,
    ids: impl Iterator<Item = &'a String>,
) -> Result<HashMap<String, String>> {
    let ids = ids.map(|id| literal(id)).collect::<Vec<_>>().join(", ");
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let text = quote(text);
    let sql = format!("SELECT CAST({id} AS VARCHAR), {text} FROM {table} WHERE CAST({id} AS VARCHAR) IN ({ids})");
    let found = rows(ctx, &sql).await?;
    Ok(found.into_iter().filter_map(|mut row| Some((row.swap_remove(0)?, row.pop()?.unwrap_or_default()))).collect())
}

/// Both texts cut to [`LONGEST`] characters around their first difference, at the same place.
fn cut(removed: &str, kept: Option<&str>) -> (String, Option<String>) {
    let same = kept.map_or(0, |kept| removed.chars().zip(kept.chars()).take_while(|(a, b)| a == b).count());
    let longest = removed.chars().count().max(kept.map_or(0, |kept| kept.chars().count()));
    // Equal texts differ nowhere: their beginning says most.
    let start =
        if longest <= LONGEST || same == longest { 0 } else { same.saturating_sub(BEFORE).min(longest - LONGEST) };
    (window(removed, start), kept.map(|kept| window(kept, start)))
}

fn window(text: &str, start: usize) -> String {
    let mut rest = text.chars().skip(start);
    let shown: String = rest.by_ref().take(LONGEST).collect();
    format!("{}{shown}{}", if start > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_whole() {
        assert_eq!(cut("abc", Some("abd")), ("abc".to_owned(), Some("abd".to_owned())));
        assert_eq!(cut("", None), (String::new(), None));
    }

    #[test]
    fn long_texts_show_the_first_difference() {
        let base = "ä".repeat(10_000);
        let other = format!("{}X{}", "ä".repeat(7_000), "ä".repeat(2_999));
        let (removed, kept) = cut(&base, Some(&other));
        let kept = kept.unwrap();
        assert!(removed.starts_with('…') && kept.contains('X'));
        assert!(removed.chars().count() <= LONGEST + 2 && kept.chars().count() <= LONGEST + 2);
        let at = kept.chars().position(|c| c == 'X').unwrap();
        assert!(removed.chars().take(at).eq(kept.chars().take(at)));
        let (begin, _) = cut(&base, Some(&base));
        assert!(begin.starts_with('ä') && begin.ends_with('…') && begin.chars().count() == LONGEST + 1);
    }
}
