//! Report on the clusters of a step whose result has the columns of `concept_clusters`.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;

use super::recipes::quote;
use super::tables::{number, pairs, rows};
use crate::report::data::{Concept, ConceptRow, Concepts, Histogram};

/// The columns that must be there.
const COLUMNS: [&str; 8] =
    ["concept", "distance", "central_rank", "atypical_rank", "concept_density", "concept_label", "map_x", "map_y"];

/// Number of clusters shown individually.
const LARGEST: usize = 12;
/// Number of rows shown from each end of a cluster.
const EXAMPLES: usize = 3;
/// Rows on the map.
const POINTS: usize = 2500;
/// Bins of the distances.
const BINS: usize = 24;
/// Characters of a shown text.
const CHARACTERS: usize = 600;
/// Maximum size, in bytes, of a picture embedded in the page.
const PICTURE: usize = 150_000;

/// Whether rows of `kept` are in clusters that the report shows.
pub fn are_in(kept: &Schema) -> bool {
    COLUMNS.iter().all(|name| kept.field_with_name(name).is_ok())
}

/// Describes the clusters of the rows in the table `__kept`; `None` if the columns are missing, or if no row is in a cluster.
pub async fn find(ctx: &SessionContext, kept: &Schema, id: &str, text: Option<&str>) -> Result<Option<Concepts>> {
    if !are_in(kept) {
        return Ok(None);
    }
    let totals =
        "SELECT count(*), count(DISTINCT concept), min(distance), max(distance) FROM __kept WHERE concept IS NOT NULL";
    let totals = rows(ctx, totals).await?;
    let Some([count, clusters, low, high]) = totals.first().map(Vec::as_slice) else { return Ok(None) };
    let whole = |cell: &Option<String>| cell.as_deref().and_then(|cell| cell.parse().ok()).unwrap_or(0);
    let (Some(low), Some(high)) = (number(low.as_deref()), number(high.as_deref())) else { return Ok(None) };
    let bins = Bins::new(low, high);
    let mut concepts = Concepts {
        rows: whole(count),
        clusters: whole(clusters),
        points: points(ctx, id).await?,
        distances: bins.histogram(&bins.count(ctx, "concept IS NOT NULL").await?, None),
        largest: largest(ctx).await?,
    };
    let chosen: Vec<String> = concepts.largest.iter().map(|concept| concept.cluster.to_string()).collect();
    let chosen = format!("concept IN ({})", chosen.join(", "));
    let counts = bins.count(ctx, &chosen).await?;
    let mut examples = examples(ctx, kept, id, text, &chosen).await?;
    for concept in &mut concepts.largest {
        concept.distances = bins.histogram(&counts, Some(concept.cluster));
        (concept.central, concept.atypical) = examples.remove(&concept.cluster).unwrap_or_default();
    }
    Ok(Some(concepts))
}

/// (rows, number of clusters with so many), ascending.
pub async fn sizes(ctx: &SessionContext) -> Result<Vec<(u64, u64)>> {
    let sizes = "SELECT count(*) AS size FROM __kept WHERE concept IS NOT NULL GROUP BY concept";
    pairs(ctx, &format!("SELECT size, count(*) FROM ({sizes}) GROUP BY size ORDER BY size")).await
}

/// Some rows, the same ones every time.
async fn points(ctx: &SessionContext, id: &str) -> Result<Vec<(f32, f32, i64)>> {
    let id = quote(id);
    let sql = format!(
        "SELECT map_x, map_y, concept FROM __kept WHERE concept IS NOT NULL \
         ORDER BY xxh3_64(CAST({id} AS VARCHAR)), {id} LIMIT {POINTS}"
    );
    let point = |row: Vec<Option<String>>| {
        let [x, y, cluster] = row.as_slice() else { return None };
        let coordinate = |cell: &Option<String>| cell.as_deref()?.parse::<f32>().ok();
        Some((coordinate(x)?, coordinate(y)?, cluster.as_deref()?.parse().ok()?))
    };
    Ok(rows(ctx, &sql).await?.into_iter().filter_map(point).collect())
}

async fn largest(ctx: &SessionContext) -> Result<Vec<Concept>> {
    let sql = format!(
        "SELECT concept, count(*), min(concept_density), min(concept_label), avg(map_x), avg(map_y) FROM __kept \
         WHERE concept IS NOT NULL GROUP BY concept ORDER BY count(*) DESC, concept LIMIT {LARGEST}"
    );
    let concept = |row: Vec<Option<String>>| {
        let [cluster, count, density, label, x, y] = row.as_slice() else { return None };
        Some(Concept {
            cluster: cluster.as_deref()?.parse().ok()?,
            rows: count.as_deref()?.parse().ok()?,
            density: number(density.as_deref())?,
            label: label.clone(),
            middle: (number(x.as_deref())?, number(y.as_deref())?),
            ..Concept::default()
        })
    };
    Ok(rows(ctx, &sql).await?.into_iter().filter_map(concept).collect())
}

/// Equal-width bins from the smallest to the largest distance.
struct Bins {
    low: f64,
    step: f64,
}

/// Rows by cluster and bin.
type Counts = BTreeMap<i64, [u64; BINS]>;

impl Bins {
    fn new(low: f64, high: f64) -> Self {
        let step = (high - low) / BINS as f64;
        Self { low, step: if step > 0.0 { step } else { 1.0 / BINS as f64 } }
    }

    async fn count(&self, ctx: &SessionContext, condition: &str) -> Result<Counts> {
        let (low, step, last) = (self.low, self.step, BINS - 1);
        let sql = format!(
            "SELECT concept, CAST(least(floor((distance - {low:?}) / {step:?}), {last}) AS BIGINT) AS bin, count(*) \
             FROM __kept WHERE {condition} GROUP BY 1, 2"
        );
        let mut counts = Counts::new();
        for row in rows(ctx, &sql).await? {
            let whole = |at: usize| row.get(at).and_then(|cell| cell.as_deref()?.parse::<i64>().ok());
            let (Some(cluster), Some(bin), Some(count)) = (whole(0), whole(1), whole(2)) else { continue };
            let bin = usize::try_from(bin).unwrap_or(0).min(last);
            counts.entry(cluster).or_insert([0; BINS])[bin] += count.unsigned_abs();
        }
        Ok(counts)
    }

    /// The counts of one cluster, or of all.
    fn histogram(&self, counts: &Counts, cluster: Option<i64>) -> Histogram {
        let mut sum = vec![0; BINS];
        for (_, counts) in counts.iter().filter(|(of, _)| cluster.is_none_or(|cluster| cluster == **of)) {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        Histogram { edges: (0..=BINS).map(|edge| self.low + self.step * edge as f64).collect(), counts: sum }
    }
}

/// The most typical and the most atypical rows of each cluster.
async fn examples(
    ctx: &SessionContext,
    kept: &Schema,
    id: &str,
    text: Option<&str>,
    chosen: &str,
) -> Result<BTreeMap<i64, (Vec<ConceptRow>, Vec<ConceptRow>)>> {
    let text = text.filter(|text| kept.field_with_name(text).is_ok());
    let text = text.map_or_else(|| "NULL".to_owned(), |text| format!("left({}, {})", quote(text), CHARACTERS + 1));
    let image = picture(kept).map_or_else(
        || "NULL".to_owned(),
        // Four characters stand for three bytes.
        |bytes| {
            let (text, longest) = (format!("encode({bytes}, 'base64')"), PICTURE / 3 * 4);
            format!("CASE WHEN length({text}) <= {longest} THEN {text} END")
        },
    );
    let id = quote(id);
    let sql = format!(
        "SELECT concept, central_rank, atypical_rank, CAST({id} AS VARCHAR), distance, {text}, {image} FROM __kept \
         WHERE {chosen} AND (central_rank <= {EXAMPLES} OR atypical_rank <= {EXAMPLES}) ORDER BY concept, central_rank"
    );
    let mut found: BTreeMap<i64, (Vec<ConceptRow>, Vec<ConceptRow>)> = BTreeMap::new();
    for row in rows(ctx, &sql).await? {
        let [cluster, central, atypical, id, distance, text, image] = row.as_slice() else { continue };
        let whole = |cell: &Option<String>| cell.as_deref().and_then(|cell| cell.parse::<i64>().ok());
        let (Some(cluster), Some(central), Some(atypical)) = (whole(cluster), whole(central), whole(atypical)) else {
            continue;
        };
        let row = ConceptRow {
            id: id.clone().unwrap_or_default(),
            distance: number(distance.as_deref()).unwrap_or_default(),
            text: text.as_deref().map(cut),
            image: image.as_deref().and_then(data_uri),
        };
        let (middle, edge) = found.entry(cluster).or_default();
        if central <= EXAMPLES as i64 {
            middle.push(row.clone());
        }
        // Show the rows of a small cluster only once.
        if atypical <= EXAMPLES as i64 && central > EXAMPLES as i64 {
            edge.insert(0, row);
        }
    }
    Ok(found)
}

/// The first [`CHARACTERS`] characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first column that may contain pictures: bytes, or a struct with a field `bytes`.
fn picture(kept: &Schema) -> Option<String> {
    let is_bytes = |given: &DataType| matches!(given, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    kept.fields().iter().find_map(|field| match field.data_type() {
        given if is_bytes(given) => Some(quote(field.name())),
        DataType::Struct(fields) => {
            let bytes = fields.iter().find(|field| field.name() == "bytes" && is_bytes(field.data_type()))?;
            Some(format!("get_field({}, '{}')", quote(field.name()), bytes.name()))
        }
        _ => None,
    })
}

/// Encodes a picture as a data URI, if its first bytes show a format that browsers support.
fn data_uri(base64: &str) -> Option<String> {
    let kinds = [("iVBORw0KGgo", "png"), ("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp")];
    let (_, kind) = kinds.iter().find(|(start, _)| base64.starts_with(start))?;
    let plain = base64.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    plain.then(|| format!("data:image/{kind};base64,{base64}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        assert_eq!(data_uri("iVBORw0KGgoAAAA=").unwrap(), "data:image/png;base64,iVBORw0KGgoAAAA=");
        assert!(data_uri("/9j/4AAQ").unwrap().starts_with("data:image/jpeg;"));
        for other in ["", "AAAA", "PHN2Zz4=", "/9j/\" onerror=\"alert(1)"] {
            assert_eq!(data_uri(other), None, "{other}");
        }
    }

    #[test]
    fn bins_hold_the_whole_range() {
        let bins = Bins::new(0.5, 0.5);
        let histogram = bins.histogram(&Counts::from([(3, [1; BINS]), (4, [2; BINS])]), None);
        assert!(histogram.edges.is_sorted() && histogram.counts == vec![3; BINS]);
        assert_eq!(bins.histogram(&Counts::from([(3, [1; BINS]), (4, [2; BINS])]), Some(4)).counts, vec![2; BINS]);
    }
}
