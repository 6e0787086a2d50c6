//! Time of the Merkle map's operations: bulk build, batch insert, the root less some ids.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use isoroot::{EntryId, MerkleMap};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::time::Duration;

const MILLION: u32 = 1_000_000;

fn ids(range: std::ops::Range<u32>) -> Vec<EntryId> {
    range.map(|i| EntryId::from_bytes(Sha256::digest(i.to_be_bytes()).into())).collect()
}

fn bulk_build(c: &mut Criterion) {
    let mut group = c.benchmark_group("merkle_bulk_build");
    group.sample_size(10);
    for count in [100_000, MILLION] {
        let all = ids(0..count);
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(count.to_string(), |b| {
            b.iter_batched(|| all.clone(), MerkleMap::from_ids, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn insert(c: &mut Criterion) {
    let mut group = c.benchmark_group("merkle_insert_into_1000000");
    // Short, since the map grows meanwhile: by a fifth at most.
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500));
    for batch in [1, 1_000] {
        let mut map = MerkleMap::from_ids(ids(0..MILLION));
        let mut next = MILLION;
        group.throughput(Throughput::Elements(batch.into()));
        group.bench_function(batch.to_string(), |b| {
            let new = || {
                next += batch;
                ids(next - batch..next)
            };
            b.iter_batched(new, |ids| map.insert_all(ids), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn root_without(c: &mut Criterion) {
    let map = MerkleMap::from_ids(ids(0..MILLION));
    let mut without = ids(0..100);
    without.sort();
    c.bench_function("merkle_root_without_100_of_1000000", |b| {
        b.iter(|| map.root_without(black_box(&without)));
    });
}

criterion_group!(benches, bulk_build, insert, root_without);
criterion_main!(benches);
