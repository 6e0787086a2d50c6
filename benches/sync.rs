//! The whole way without disk and network: append, and a first sync over the in-process pipe.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use isoroot::platform::memory::{MemoryStore, PipeNetwork};
use isoroot::platform::native::{NativePlatform, TokioSpawner};
use isoroot::{Draft, Fact, Genesis, StoreId, SyncNode};

const ENTRIES: usize = 10_000;

async fn node(pipes: &PipeNetwork, store: u8) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes([store; 16]));
    let spawner = TokioSpawner::current().expect("a runtime");
    let platform = NativePlatform::new(spawner, store, vec![Arc::new(pipes.transport())]);
    SyncNode::create(platform, &Genesis::named("bench")).await.expect("a node")
}

fn drafts(node: &SyncNode) -> Vec<Draft> {
    let text = "the quick brown fox, the lazy dog and what they agreed upon at dawn, in so many words";
    let draft = |n| Draft::new(node.device(), &[Fact::new(format!("note/{n}"), text)]);
    (0..ENTRIES).map(|n| draft(n).expect("a draft")).collect()
}

/// A full node that listens, and an empty one that dials it.
async fn pair() -> (SyncNode, SyncNode) {
    let pipes = PipeNetwork::new();
    let (full, empty) = (node(&pipes, 1).await, node(&pipes, 2).await);
    full.append_all(drafts(&full)).await.expect("appended");
    full.start().await.expect("started");
    let (listener, service) = (pipes.listen("full").expect("a free name"), full.service().clone());
    tokio::spawn(async move { service.serve(listener).await });
    empty.add_peer("pipe:full").await.expect("an address");
    (full, empty)
}

async fn first_sync((full, empty): (SyncNode, SyncNode)) {
    empty.start().await.expect("started");
    let sync = empty.sync().await.expect("a peer").remove(0).result.expect("synced");
    assert_eq!(sync.root.count, ENTRIES as u64);
    black_box(full);
}

fn sync(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("one-fact entries");
    group.throughput(Throughput::Elements(ENTRIES as u64)).sample_size(10);
    group.bench_function("append", |bencher| {
        let setup = || {
            runtime.block_on(async {
                let node = node(&PipeNetwork::new(), 1).await;
                let drafts = drafts(&node);
                (node, drafts)
            })
        };
        bencher.iter_batched(
            setup,
            |(node, drafts)| runtime.block_on(node.append_all(drafts)).expect("appended"),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("first sync", |bencher| {
        let setup = || runtime.block_on(pair());
        bencher.iter_batched(setup, |pair| runtime.block_on(first_sync(pair)), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, sync);
criterion_main!(benches);
