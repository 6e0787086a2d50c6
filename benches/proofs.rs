//! Time and bytes of proofs in a map of a million ids: about one that is in, one that is not, and a thousand.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isoroot::{EntryId, MerkleMap, Proof};
use sha2::{Digest, Sha256};
use std::hint::black_box;

const MILLION: u32 = 1_000_000;

fn id(number: u32) -> EntryId {
    EntryId::from_bytes(Sha256::digest(number.to_be_bytes()).into())
}

fn proofs(c: &mut Criterion) {
    let map = MerkleMap::from_ids((0..MILLION).map(id).collect());
    let root = map.root().hash;
    let spread = |number: u32| id(number * 997);
    for (name, first) in [("in", 0), ("not_in", MILLION)] {
        let asked: Vec<_> = (0..1_000).map(|number| id(first + number * 997)).collect();
        let proofs: Vec<_> = asked.iter().map(|id| map.prove(&[*id]).unwrap().to_bytes()).collect();
        let bytes: usize = proofs.iter().map(Vec::len).sum();
        println!("a proof of {name} takes {} bytes on average", bytes as f64 / 1_000.0);
        let mut group = c.benchmark_group(format!("proof_of_{name}_1000000"));
        let mut turn = (0..1_000).cycle();
        group.bench_function("make", |b| {
            b.iter(|| map.prove(&[asked[turn.next().unwrap()]]).unwrap().to_bytes());
        });
        group.bench_function("check", |b| {
            b.iter(|| {
                let at = turn.next().unwrap();
                Proof::from_bytes(black_box(&proofs[at])).unwrap().verify(&root, &asked[at..=at]).unwrap()
            });
        });
        group.finish();
    }
    let mut asked: Vec<_> = (0..1_000).map(spread).collect();
    asked.sort();
    let proof = map.prove(&asked).unwrap().to_bytes();
    println!("a proof about 1000 takes {} bytes", proof.len());
    let mut group = c.benchmark_group("proof_about_1000_of_1000000");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("make", |b| b.iter(|| map.prove(black_box(&asked)).unwrap().to_bytes()));
    group.bench_function("check", |b| {
        b.iter(|| Proof::from_bytes(black_box(&proof)).unwrap().verify(&root, &asked).unwrap());
    });
    group.finish();
}

criterion_group!(benches, proofs);
criterion_main!(benches);
