//! Normalised spectral clustering (Ng, Jordan and Weiss, On spectral clustering, 2001) by the Nystrom method (Fowlkes et al., Spectral
//! grouping using the Nystrom method, 2004): all affinities are approximated from those to a few landmarks.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Eigenvalues below this fraction of the largest count as zero.
const RANK: f64 = 1e-12;

/// Minimum degree of a row, in case the approximation makes it almost zero.
const DEGREE: f64 = 1e-12;

/// Maximum number of k-means passes.
const PASSES: usize = 100;

/// Calls its argument with every row.
pub type Visit<'a, E> = dyn Fn(&mut dyn FnMut(&[f32])) -> Result<(), E> + 'a;

/// Landmarks, and the map from affinities with them to features whose inner products approximate affinities.
#[derive(Debug, Clone)]
pub struct Nystrom {
    landmarks: Vec<f32>,
    width: usize,
    /// `1 / (2 sigma^2)`.
    scale: f64,
    /// Maps affinities to features: the inverse square root of the affinities among the landmarks.
    project: DMatrix<f64>,
}

impl Nystrom {
    /// Prepares the features for landmarks of `width` numbers each. `sigma` is the width of the Gaussian affinity; 0 selects
    /// the median distance between landmarks. O(m^3) for m landmarks.
    pub fn new(landmarks: Vec<f32>, width: usize, sigma: f64) -> Self {
        let count = landmarks.len() / width.max(1);
        if count == 0 {
            return Self { landmarks, width, scale: 1.0, project: DMatrix::zeros(0, 0) };
        }
        let row = |at: usize| &landmarks[at * width..(at + 1) * width];
        let squares = DMatrix::from_fn(count, count, |a, b| squared_distance(row(a), row(b)));
        let squared_sigma = if sigma > 0.0 { sigma * sigma } else { median(&squares) };
        let scale = 0.5 / squared_sigma;
        let SymmetricEigen { eigenvectors, eigenvalues } =
            SymmetricEigen::new(squares.map(|square| libm::exp(-square * scale)));
        let most = eigenvalues.iter().copied().fold(0.0, f64::max);
        let order = descending(&eigenvalues).into_iter().filter(|at| eigenvalues[*at] > RANK * most);
        let rows: Vec<_> = order.map(|at| eigenvectors.column(at).transpose() / eigenvalues[at].sqrt()).collect();
        let project = if rows.is_empty() { DMatrix::zeros(0, count) } else { DMatrix::from_rows(&rows) };
        Self { landmarks, width, scale, project }
    }

    fn affinities(&self, row: &[f32]) -> DVector<f64> {
        let landmarks = self.landmarks.chunks_exact(self.width);
        DVector::from_iterator(
            self.project.ncols(),
            landmarks.map(|landmark| libm::exp(-squared_distance(row, landmark) * self.scale)),
        )
    }

    /// Returns the leading `k` eigenvectors of the normalised affinity, as one unit-length row of numbers per row that
    /// `visit` shows, and their number, which is below `k` if the landmarks have lower rank. Rows are visited three times.
    pub fn embed<E>(&self, k: usize, visit: &Visit<'_, E>) -> Result<(Vec<f64>, usize), E> {
        if self.project.nrows() == 0 {
            return Ok((vec![], 0));
        }
        let mut sum = DVector::zeros(self.project.ncols());
        visit(&mut |row| sum += self.affinities(row))?;
        let degrees = &self.project * sum;
        let feature = |row: &[f32]| {
            let feature = &self.project * self.affinities(row);
            let degree = feature.dot(&degrees).max(DEGREE);
            feature / degree.sqrt()
        };
        let rank = self.project.nrows();
        let mut gram = DMatrix::zeros(rank, rank);
        visit(&mut |row| {
            let feature = feature(row);
            gram.ger(1.0, &feature, &feature, 1.0);
        })?;
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(gram);
        let k = k.min(rank);
        let order = descending(&eigenvalues);
        // The scale of a coordinate is 1 / sqrt(eigenvalue): eigenvectors have unit length over all rows.
        let rows: Vec<_> = order[..k]
            .iter()
            .map(|at| eigenvectors.column(*at).transpose() / eigenvalues[*at].max(f64::MIN_POSITIVE).sqrt())
            .collect();
        let turn = if rows.is_empty() { DMatrix::zeros(0, rank) } else { DMatrix::from_rows(&rows) };
        let mut embedded = vec![];
        visit(&mut |row| {
            let place = &turn * feature(row);
            let norm = place.norm();
            embedded.extend(place.iter().map(|x| if norm > 0.0 { x / norm } else { 0.0 }));
        })?;
        Ok((embedded, k))
    }
}

/// Runs k-means over unit-length rows of `k` numbers. The initial centres are the row `first` and then, repeatedly, the row
/// most orthogonal to those taken. Clusters are numbered in order of first occurrence. O(n k^2) per pass.
pub fn cluster(rows: &[f64], k: usize, first: usize) -> Vec<u32> {
    let count = rows.len() / k.max(1);
    if count == 0 || k == 0 {
        return vec![0; count];
    }
    let row = |at: usize| &rows[at * k..(at + 1) * k];
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut centres: Vec<Vec<f64>> = vec![row(first).to_vec()];
    let mut along = vec![0.0_f64; count];
    while centres.len() < k.min(count) {
        let last = &centres[centres.len() - 1];
        along.iter_mut().enumerate().for_each(|(at, most)| *most = most.max(dot(row(at), last).abs()));
        let next = (0..count).min_by(|a, b| along[*a].total_cmp(&along[*b])).unwrap_or_default();
        centres.push(row(next).to_vec());
    }
    let mut found = vec![u32::MAX; count];
    for _ in 0..PASSES {
        let mut changed = false;
        let mut sums = vec![(vec![0.0; k], 0_u32); centres.len()];
        for (at, of) in found.iter_mut().enumerate() {
            let distance = |centre: &Vec<f64>| dot(centre, centre) - 2.0 * dot(centre, row(at));
            let distances: Vec<f64> = centres.iter().map(distance).collect();
            let nearest = (0..centres.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b]));
            let nearest = nearest.unwrap_or_default();
            changed |= *of != nearest as u32;
            *of = nearest as u32;
            sums[nearest].0.iter_mut().zip(row(at)).for_each(|(sum, x)| *sum += x);
            sums[nearest].1 += 1;
        }
        if !changed {
            break;
        }
        for (centre, (sum, members)) in centres.iter_mut().zip(sums).filter(|(_, (_, members))| *members > 0) {
            *centre = sum.into_iter().map(|x| x / f64::from(members)).collect();
        }
    }
    let mut numbers: Vec<u32> = vec![];
    for of in &mut found {
        let number = numbers.iter().position(|known| known == of).unwrap_or_else(|| {
            numbers.push(*of);
            numbers.len() - 1
        });
        *of = number as u32;
    }
    found
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// The median of the squared distances between distinct points; 1 if all points coincide.
fn median(squares: &DMatrix<f64>) -> f64 {
    let pairs = (0..squares.ncols()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let mut found: Vec<f64> = pairs.map(|pair| squares[pair]).filter(|square| *square > 0.0).collect();
    found.sort_unstable_by(f64::total_cmp);
    found.get(found.len() / 2).copied().unwrap_or(1.0)
}

/// Positions of the values in descending order.
fn descending(values: &DVector<f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};

    fn points(count: usize) -> Vec<[f32; 3]> {
        let mut random = SplitMix64::new(8);
        let mut number = || unit_interval(random.next_u64()) as f32;
        (0..count).map(|at| [number() + 3.0 * (at % 3) as f32, number(), number()]).collect()
    }

    fn embed(nystrom: &Nystrom, points: &[[f32; 3]], k: usize) -> (Vec<f64>, usize) {
        let visit = |each: &mut dyn FnMut(&[f32])| -> Result<(), ()> {
            points.iter().for_each(|point| each(point));
            Ok(())
        };
        nystrom.embed(k, &visit).unwrap()
    }

    /// If every row is a landmark, nothing is approximated: the eigenvectors span the same space as those of the dense
    /// matrix.
    #[test]
    fn all_landmarks_give_the_dense_eigenvectors() {
        let points = points(40);
        let nystrom = Nystrom::new(points.concat(), 3, 0.7);
        let affinity =
            DMatrix::from_fn(40, 40, |a, b| libm::exp(-squared_distance(&points[a], &points[b]) / (2.0 * 0.7 * 0.7)));
        let roots: Vec<f64> = (0..40).map(|a| affinity.row(a).sum().sqrt()).collect();
        let normal = DMatrix::from_fn(40, 40, |a, b| affinity[(a, b)] / (roots[a] * roots[b]));
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(normal);
        let columns: Vec<_> = descending(&eigenvalues)[..3].iter().map(|at| eigenvectors.column(*at)).collect();
        let dense = DMatrix::from_columns(&columns);
        let (found, k) = embed(&nystrom, &points, 3);
        assert_eq!(k, 3);
        // Rows are scaled to unit length: compare the cosines between rows, which no rotation changes.
        for a in 0..40 {
            for b in 0..40 {
                let cosine: f64 = (0..3).map(|c| found[a * 3 + c] * found[b * 3 + c]).sum();
                let (x, y) = (dense.row(a), dense.row(b));
                assert!((cosine - x.dot(&y) / (x.norm() * y.norm())).abs() < 1e-6, "{a} {b}");
            }
        }
    }

    #[test]
    fn few_landmarks_find_the_same_clouds() {
        let points = points(300);
        let nystrom = Nystrom::new(points[..30].concat(), 3, 0.0);
        let (rows, k) = embed(&nystrom, &points, 3);
        let found = cluster(&rows, k, 0);
        assert!(found.iter().enumerate().all(|(at, of)| *of as usize == at % 3), "{found:?}");
    }

    #[test]
    fn one_point_is_one_cluster() {
        let points = vec![[1.0, 2.0, 3.0]; 5];
        let (rows, k) = embed(&Nystrom::new(points.concat(), 3, 0.0), &points, 4);
        assert_eq!((k, cluster(&rows, k, 2)), (1, vec![0; 5]));
        assert!(cluster(&[], 3, 0).is_empty());
    }
}
