//! Queries of a page of facts in journals of 10,000, 100,000 and a million entries: what a page costs is
//! what it holds, whatever the journal does.
//!
//! `ISOROOT_BENCH_ENTRIES=10000` takes that size alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use isoroot::platform::memory::{MemoryStore, PipeNetwork};
use isoroot::platform::native::{NativePlatform, TokioSpawner};
use isoroot::platform::{Durability, Store, StoredRecord};
use isoroot::{
    AuthorityId, DeviceKey, Draft, Entry, Fact, Genesis, Position, Query, StoreId, SyncNode, WallTime,
};

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// 2026-01-01T00:00:00Z, in microseconds since 1970.
const BEGINNING: u64 = 1_767_225_600_000_000;
const PAGE: usize = 256;

/// Ten devices in turn, an entry a second; notes of many kinds, of which each thousandth is rare, and
/// each hundredth is on behalf of one authority.
fn entry(n: u64, keys: &[DeviceKey]) -> Entry {
    let key = &keys[(n % 10) as usize];
    let predicate = if n % 1_000 == 999 { format!("rare/{n}") } else { format!("note/{}", n / 2) };
    let authority = (n % 100 == 50).then(|| AuthorityId::from_bytes([9; 32]));
    let fact = Fact { authority, ..Fact::new(predicate, n as i64) };
    let draft = Draft::new(key.device(), &[fact]).expect("a draft");
    Entry::sign(&Genesis::named("bench").journal(), key, &[], BEGINNING + n * 1_000, &draft)
        .expect("an entry")
}

async fn node(entries: u64) -> SyncNode {
    let keys: Vec<_> = (0..10).map(|seed| DeviceKey::from_seed([seed; 32])).collect();
    let store = MemoryStore::new(StoreId::from_bytes([1; 16]));
    let (journal, mut at) = (Genesis::named("bench").journal(), 0);
    while at < entries {
        let records = (at..entries.min(at + 10_000)).map(|n| {
            let entry = entry(n, &keys);
            StoredRecord { id: entry.id(), bytes: entry.record().into() }
        });
        store.append(journal, at, records.collect(), Durability::Relaxed).await.expect("appended");
        at = entries.min(at + 10_000);
    }
    let spawner = TokioSpawner::current().expect("a runtime");
    let platform = NativePlatform::new(spawner, store, vec![Arc::new(PipeNetwork::new().transport())]);
    SyncNode::create(platform, &Genesis::named("bench")).await.expect("a node")
}

/// The queries, by name. Each has at least a page of results at each size, but for those that have few.
fn queries(entries: u64) -> Vec<(&'static str, Query)> {
    let key = DeviceKey::from_seed([3; 32]);
    let at = |n: u64| WallTime::from_micros(BEGINNING + n * 1_000);
    let middle = entries / 2;
    vec![
        ("all", Query::all()),
        ("predicate", Query::all().predicate(format!("note/{}", middle / 2))),
        ("prefix, broad", Query::all().prefix("note/")),
        ("prefix, rare", Query::all().prefix("rare/")),
        ("authority", Query::all().authority(AuthorityId::from_bytes([9; 32]))),
        ("device", Query::all().device(key.device())),
        ("time, a page", Query::all().written(at(middle)..at(middle + PAGE as u64))),
        ("time, half", Query::all().written(at(middle)..)),
        ("device and prefix", Query::all().device(key.device()).prefix("note/1")),
        (
            "authority and time",
            Query::all().authority(AuthorityId::from_bytes([9; 32])).written(at(middle)..),
        ),
        ("nothing", Query::all().device(key.device()).prefix("rare/")),
    ]
}

/// The first page that has facts, or the end.
async fn first_page(node: &SyncNode, query: &Query) -> usize {
    let mut after: Option<Position> = None;
    loop {
        let page = node.page(query.clone(), after, PAGE).await.expect("a page");
        if !page.facts.is_empty() || !page.more {
            return page.facts.len();
        }
        after = Some(page.next);
    }
}

fn pages(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let only = std::env::var("ISOROOT_BENCH_ENTRIES").ok().and_then(|size| size.parse().ok());
    for entries in SIZES.into_iter().filter(|size| only.is_none_or(|only: u64| only == *size)) {
        let node = runtime.block_on(node(entries));
        let mut group = criterion.benchmark_group("first page of a query");
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        for (name, query) in queries(entries) {
            let found = runtime.block_on(first_page(&node, &query));
            eprintln!("{name}: {found} facts");
            group.bench_function(BenchmarkId::new(name, entries), |bencher| {
                bencher.iter(|| runtime.block_on(first_page(black_box(&node), &query)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, pages);
criterion_main!(benches);
