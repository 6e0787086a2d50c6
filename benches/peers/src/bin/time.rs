//! Takes the time of one tree's steps: `time TREE`. Prints a figure a line, as JSON.

#![expect(clippy::disallowed_methods, reason = "it takes the time")]

use std::time::Instant;

use cpu_time::ProcessTime;
use isoroot::MerkleMap;
use merkle_peers::peers::SearchTree;
use merkle_peers::run::{Prove, Run, Tree};
use rs_merkle::MerkleTree;
use rs_merkle::algorithms::Sha256;

const MILLION: u32 = 1_000_000;

const PROOFS: u32 = 10_000;

/// Batches of how many ids, and how many of those.
type Inserts = [(u32, u32); 2];

/// Enough of each to take tens of milliseconds.
const MANY: Inserts = [(1, 10_000), (1_000, 100)];

/// For a tree that goes through all of itself for each batch.
const FEW: Inserts = [(1, 5), (1_000, 5)];

fn figure(name: &str, value: f64, cpu: Option<f64>) {
    let cpu = cpu.map(|cpu| format!(r#","cpu":{cpu}"#)).unwrap_or_default();
    println!(r#"{{"figure":"{name}","value":{value}{cpu}}}"#);
}

/// Takes the time of a step, of which `scale` makes what is printed.
fn timed<R>(name: &str, scale: f64, step: impl FnOnce() -> R) -> R {
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    let result = step();
    let (took, cpu) = (begun.elapsed(), cpu.elapsed());
    figure(name, took.as_secs_f64() * scale, Some(cpu.as_secs_f64() * scale));
    result
}

fn build<T: Tree>(run: &mut Run<T>) {
    run.prepare(0, 10_000, 10_000);
    run.build();
    for count in [MILLION / 10, MILLION] {
        run.forget();
        run.prepare(0, count, count);
        timed(&format!("build {count}"), 1e3, || run.build());
    }
    let root: String = run.root().iter().map(|byte| format!("{byte:02x}")).collect();
    println!(r#"{{"root":"{root}"}}"#);
}

fn prove<T: Prove>(run: &mut Run<T>) {
    run.ask(PROOFS, MILLION);
    let scale = 1e6 / f64::from(PROOFS);
    timed("make", scale, || run.prove());
    assert_eq!(timed("check", scale, || run.check()), PROOFS as usize, "all hold");
    figure("proof bytes", run.proof_bytes() as f64 / f64::from(PROOFS), None);
}

fn insert<T: Tree>(run: &mut Run<T>, inserts: Inserts) {
    let mut next = MILLION;
    for (batch, batches) in inserts {
        run.prepare(next, batches * batch, batch);
        next += batches * batch;
        timed(&format!("insert {batch}"), 1e6 / f64::from(batches * batch), || run.insert());
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("isoroot") => {
            let mut run = Run::<MerkleMap>::default();
            build(&mut run);
            prove(&mut run);
            insert(&mut run, MANY);
        }
        Some("rs_merkle") => {
            let mut run = Run::<MerkleTree<Sha256>>::default();
            build(&mut run);
            prove(&mut run);
            insert(&mut run, FEW);
        }
        Some("merkle-search-tree") => {
            let mut run = Run::<SearchTree>::default();
            build(&mut run);
            insert(&mut run, MANY);
        }
        other => panic!("no tree {other:?}"),
    }
}
