//! Kernels over more vectors than any cache holds, beside the speed at which the machine reads memory.

#![expect(missing_docs, reason = "criterion's macros make items without documentation")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use limpid_udfs::kernels::vector::arithmetic::{dot, push_normalized, squared_distance, squared_norm};
use limpid_udfs::kernels::vector::exact_sum::ExactSums;
use limpid_udfs::kernels::vector::products::products;
use limpid_udfs::kernels::vector::search::{Metric, Rows, Scores};

const DIMENSIONS: usize = 384;
const ROWS: usize = 131_072;

fn vectors(rows: usize) -> Vec<f32> {
    (0..rows * DIMENSIONS).map(|i| ((i * 7919 % 1013) as f32 - 506.0) / 506.0).collect()
}

/// Adds up the memory as whole numbers: nothing reads faster.
fn read(values: &[f32]) -> u32 {
    let mut sums = [0_u32; 32];
    for chunk in values.as_chunks::<32>().0 {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(value.to_bits());
        }
    }
    sums.iter().fold(0, |a, b| a.wrapping_add(*b))
}

fn bandwidth(c: &mut Criterion) {
    let values = vectors(ROWS);
    let other = vectors(1);
    let mut group = c.benchmark_group("memory");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(size_of_val(values.as_slice()) as u64));
    group.bench_function("read", |b| b.iter(|| read(black_box(&values))));
    let rows = || black_box(values.as_slice()).chunks_exact(DIMENSIONS);
    group.bench_function("dot_product with one vector", |b| b.iter(|| rows().map(|row| dot(row, &other)).sum::<f64>()));
    group.bench_function("l2_distance to one vector", |b| {
        b.iter(|| rows().map(|row| squared_distance(row, &other)).sum::<f64>());
    });
    group.bench_function("squared length", |b| b.iter(|| rows().map(squared_norm).sum::<f64>()));
    let (left, right) = values.split_at(ROWS / 2 * DIMENSIONS);
    group.bench_function("dot_product of pairs", |b| {
        b.iter(|| {
            let pairs = black_box(left).chunks_exact(DIMENSIONS).zip(black_box(right).chunks_exact(DIMENSIONS));
            pairs.map(|(a, b)| dot(a, b)).sum::<f64>()
        });
    });
    group.finish();
}

fn others(c: &mut Criterion) {
    let values = vectors(4096);
    let squared: Vec<f64> = values.chunks_exact(DIMENSIONS).map(squared_norm).collect();
    let mut group = c.benchmark_group("cache");
    group.sample_size(20);
    group.bench_function("l2_normalize of 4096", |b| {
        let mut out = vec![];
        b.iter(|| {
            out.clear();
            black_box(values.as_slice()).chunks_exact(DIMENSIONS).for_each(|row| _ = push_normalized(row, &mut out));
            out.len()
        });
    });
    group.bench_function("exact sums of 4096", |b| {
        let mut sums = ExactSums::new(DIMENSIONS);
        b.iter(|| black_box(values.as_slice()).chunks_exact(DIMENSIONS).for_each(|row| sums.add(0, row, 1.0)));
    });
    group.throughput(Throughput::Elements(1024 * 1024 * DIMENSIONS as u64 * 2));
    let block = &values[..1024 * DIMENSIONS];
    let mut out = vec![0.0; 1024 * 1024];
    group.bench_function("products of 1024 x 1024", |b| b.iter(|| products(block, block, DIMENSIONS, &mut out)));
    let rows = Rows { values: block, squared: &squared[..1024], dimensions: DIMENSIONS };
    let mut scores = Scores::default();
    group.bench_function("cosines of 1024 x 1024", |b| b.iter(|| scores.fill(Metric::Cosine, rows, rows)));
    group.finish();
}

criterion_group!(benches, bandwidth, others);
criterion_main!(benches);
