//! Labels of clusters: the words that distinguish the texts of a cluster from all others.

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::TryStreamExt;
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::parameters::NAME;
use crate::functions::strings::Strings;
use crate::kernels::words::{Rule, Tokenizer};
use crate::operators::dedup::resolution::NONE;
use crate::operators::frame::OperatorContext;
use crate::storage::batches::StoredBatches;
use crate::storage::records::RecordSorter;

/// Maximum number of counts kept before they are sorted and spilled.
const MOST: usize = 1 << 20;
/// Number of counts by which their table grows.
const STEP: usize = 1 << 12;
/// Bytes per count.
const ENTRY: usize = 48;
/// Maximum length of a word in a label, in characters. Longer ones are usually encoded data.
const LONGEST: usize = 32;
/// Candidates kept per word of a label, so that ties in score can be broken by spelling.
const SPARE: usize = 4;

/// The texts of all rows.
pub struct Texts<'a> {
    /// The rows in arrival order.
    pub rows: &'a StoredBatches,
    /// Index of the text column.
    pub column: usize,
    /// The cluster of each row; [`NONE`] if it has none.
    pub cluster: &'a [u32],
    /// Number of rows per cluster.
    pub sizes: &'a [u64],
}

/// A word of a cluster: its score and its hash.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    score: f64,
    hash: u64,
}

/// Returns up to `most` words per cluster, most characteristic first, separated by commas; `None` if no word is more frequent
/// in the cluster than elsewhere.
///
/// A word scores `p ln(p / q)`, where `p` is the fraction of the cluster's rows that contain it and `q` the fraction of all
/// rows. This is its contribution to the divergence of the cluster from the whole (Tomokiyo and Hurst, A language model
/// approach to keyphrase extraction, 2003). Words that are common everywhere score nothing, in any language. O(words) time
/// and two passes over the texts; counts spill.
pub async fn labels(texts: &Texts<'_>, most: usize, context: &OperatorContext) -> Result<Vec<Option<String>>> {
    let env = context.task.runtime_env();
    let reservation = MemoryConsumer::new("words of concept_clusters").register(&env.memory_pool);
    let candidates = candidates(texts, most * SPARE, context, &reservation).await?;
    let words = spell(texts, &candidates).await?;
    let label = |candidates: Vec<Candidate>| {
        let mut named: Vec<(f64, &str)> =
            candidates.iter().filter_map(|found| Some((found.score, words.get(&found.hash)?.as_str()))).collect();
        named.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let named: Vec<&str> = named.into_iter().take(most).map(|(_, word)| word).collect();
        (!named.is_empty()).then(|| named.join(", "))
    };
    Ok(candidates.into_iter().map(label).collect())
}

/// Finds the best candidates of each cluster.
async fn candidates(
    texts: &Texts<'_>,
    most: usize,
    context: &OperatorContext,
    reservation: &MemoryReservation,
) -> Result<Vec<Vec<Candidate>>> {
    reservation.try_grow(texts.sizes.len() * most * size_of::<Candidate>())?;
    let mut sorter = RecordSorter::<3>::new(NAME, &context.task.runtime_env(), context.spills.clone());
    let mut counts: HashMap<(u64, u32), u64> = HashMap::new();
    let mut room = 0;
    let mut hashes = vec![];
    let mut batches = texts.rows.stream()?;
    let mut tokenizer = Tokenizer::new(Rule::Word);
    let mut first = 0;
    while let Some(batch) = batches.try_next().await? {
        let column = Strings::try_new(batch.column(texts.column), NAME)?;
        for (text, &cluster) in column.iter().zip(&texts.cluster[first..]) {
            let (Some(text), true) = (text, cluster != NONE) else { continue };
            hashes.clear();
            tokenizer.for_each(text, |word| {
                if names(word) {
                    hashes.push(xxh3_64(word.as_bytes()));
                }
            });
            hashes.sort_unstable();
            hashes.dedup();
            for &hash in &hashes {
                if counts.len() >= room && !counts.contains_key(&(hash, cluster)) {
                    if room < MOST && reservation.try_grow(STEP * ENTRY).is_ok() {
                        room += STEP;
                    } else {
                        drain(&mut counts, &mut sorter)?;
                    }
                }
                *counts.entry((hash, cluster)).or_insert(0) += 1;
            }
        }
        first += batch.num_rows();
    }
    drain(&mut counts, &mut sorter)?;
    drop(counts);
    reservation.shrink(room * ENTRY);
    let rows: u64 = texts.sizes.iter().sum();
    let mut best = vec![vec![]; texts.sizes.len()];
    let mut of_word: Vec<(usize, u64)> = vec![];
    let mut word = 0;
    for record in sorter.finish()? {
        let [hash, cluster, count] = record?;
        if hash != word {
            score(word, &of_word, texts.sizes, rows, most, &mut best);
            of_word.clear();
            word = hash;
        }
        match of_word.last_mut() {
            Some((last, counted)) if *last == cluster as usize => *counted += count,
            _ => of_word.push((cluster as usize, count)),
        }
    }
    score(word, &of_word, texts.sizes, rows, most, &mut best);
    Ok(best)
}

fn drain(counts: &mut HashMap<(u64, u32), u64>, sorter: &mut RecordSorter<3>) -> Result<()> {
    counts.drain().try_for_each(|((hash, cluster), count)| sorter.push([hash, u64::from(cluster), count]))
}

/// Scores a word for each cluster that contains it and updates the candidates.
fn score(hash: u64, counts: &[(usize, u64)], sizes: &[u64], rows: u64, most: usize, best: &mut [Vec<Candidate>]) {
    let everywhere = counts.iter().map(|(_, count)| count).sum::<u64>() as f64 / rows.max(1) as f64;
    for &(cluster, count) in counts {
        let here = count as f64 / sizes[cluster].max(1) as f64;
        let score = here * libm::log(here / everywhere);
        let best = &mut best[cluster];
        if score <= 0.0 || (best.len() == most && best.last().is_some_and(|last| last.score >= score)) {
            continue;
        }
        // Words arrive by ascending hash, so equal scores stay in that order.
        let at = best.partition_point(|other| other.score >= score);
        best.insert(at, Candidate { score, hash });
        best.truncate(most);
    }
}

/// Looks up the spelling of hashed words, in lower case. If several words share a hash, the alphabetically first is returned.
async fn spell(texts: &Texts<'_>, candidates: &[Vec<Candidate>]) -> Result<HashMap<u64, String>> {
    let mut words: HashMap<u64, String> =
        candidates.iter().flatten().map(|candidate| (candidate.hash, String::new())).collect();
    // Case folding is only for comparing: it turns `straße` into `strasse` and drops the Greek final sigma.
    let (mut as_written, mut folded) = (Tokenizer::new(Rule::Token), Tokenizer::new(Rule::Word));
    let mut batches = texts.rows.stream()?;
    while let Some(batch) = batches.try_next().await? {
        for text in Strings::try_new(batch.column(texts.column), NAME)?.iter().flatten() {
            as_written.for_each(text, |word| {
                folded.for_each(word, |compared| {
                    if let Some(known) = words.get_mut(&xxh3_64(compared.as_bytes())) {
                        let word = word.to_lowercase();
                        if known.is_empty() || word < *known {
                            *known = word;
                        }
                    }
                });
            });
        }
    }
    Ok(words)
}

/// Whether a word may appear in a label: it has a letter, is not too long, and has at least three characters if it is ASCII.
fn names(word: &str) -> bool {
    let long_enough = word.len() > 2 || !word.is_ascii();
    long_enough && word.chars().any(char::is_alphabetic) && word.chars().nth(LONGEST).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_common_everywhere_score_nothing() {
        let mut best = vec![vec![]; 2];
        score(1, &[(0, 10), (1, 5)], &[10, 5], 15, 3, &mut best);
        assert_eq!(best, [vec![], vec![]]);
        score(2, &[(0, 4)], &[10, 5], 15, 3, &mut best);
        score(3, &[(0, 9), (1, 1)], &[10, 5], 15, 3, &mut best);
        score(4, &[(1, 5)], &[10, 5], 15, 3, &mut best);
        let hashes = |cluster: usize| best[cluster].iter().map(|found| found.hash).collect::<Vec<_>>();
        assert_eq!((hashes(0), hashes(1)), (vec![3, 2], vec![4]));
    }

    #[test]
    fn numbers_and_fragments_are_no_names() {
        let long = "q".repeat(33);
        let kept: Vec<&str> =
            ["a", "is", "the", "1999", "x86", "été", "猫", "_", &long].into_iter().filter(|word| names(word)).collect();
        assert_eq!(kept, ["the", "x86", "été", "猫"]);
    }
}
