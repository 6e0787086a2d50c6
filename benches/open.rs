//! Opening a journal of 100,000 one-fact entries in a redb store, its root checked: from its checkpoint
//! and from its records.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use isoroot::platform::Store;
use isoroot::platform::native::{NativePlatform, RedbStore};
use isoroot::{Config, Draft, Fact, Genesis, LoadedFrom, Root, SyncService};

const ENTRIES: usize = 100_000;

fn genesis() -> Genesis {
    Genesis::named("bench")
}

async fn service(path: &Path) -> (SyncService, RedbStore) {
    let store = RedbStore::open(path).expect("a store");
    let platform = NativePlatform::tokio(tokio::runtime::Handle::current(), store.clone());
    (SyncService::new(platform, Config::default()).await.expect("a service"), store)
}

/// A store with the journal, closed in good order.
async fn fill(path: &Path) {
    let (service, store) = service(path).await;
    let node = service.create(&genesis()).await.expect("a journal");
    let text = "the quick brown fox, the lazy dog and what they agreed upon at dawn, in so many words";
    for from in (0..ENTRIES).step_by(1_000) {
        let draft = |n| Draft::new(node.device(), &[Fact::new(format!("note/{:03}", n % 1_000), text)]);
        let drafts = (from..from + 1_000).map(|n| draft(n).expect("a draft")).collect::<Vec<_>>();
        node.append_all(drafts).await.expect("appended");
    }
    drop(node);
    service.close().await.expect("closed");
    store.close().await;
}

async fn open(path: &Path) -> (Root, LoadedFrom) {
    let (service, store) = service(path).await;
    let node = service.create(&genesis()).await.expect("the journal");
    let status = node.status().await.expect("its status");
    drop(node);
    service.close().await.expect("closed");
    store.close().await;
    (status.root, status.loaded_from)
}

/// Takes the checkpoint away.
async fn forget(path: &Path) {
    let store = RedbStore::open(path).expect("a store");
    for (key, note) in store.notes("checkpoint/").await.expect("notes") {
        store.set_note(&key, Some(note), None).await.expect("set").expect("nobody else");
    }
    store.close().await;
}

fn opening(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.redb");
    runtime.block_on(fill(&path));
    let bytes = path.metadata().expect("a file").len();
    println!("{ENTRIES} one-fact entries, a file of {} MB", bytes / 1_000_000);
    let mut group = criterion.benchmark_group("open and close");
    group.sample_size(10);
    let expected = runtime.block_on(open(&path)).0;
    group.bench_function("store alone", |bencher| {
        bencher.iter(|| runtime.block_on(async { RedbStore::open(&path).expect("a store").close().await }));
    });
    group.bench_function("from the checkpoint", |bencher| {
        bencher.iter(|| {
            let (root, from) = runtime.block_on(open(&path));
            assert!(root == expected && matches!(from, LoadedFrom::Checkpoint { .. }), "{from:?}");
        });
    });
    group.bench_function("from the records", |bencher| {
        let setup = || runtime.block_on(forget(&path));
        let open = |()| {
            let (root, from) = runtime.block_on(open(&path));
            assert!(root == expected && from == LoadedFrom::Records, "{from:?}");
        };
        bencher.iter_batched(setup, open, criterion::BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, opening);
criterion_main!(benches);
