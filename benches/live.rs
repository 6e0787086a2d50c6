//! How long a new entry takes from one node to another through a third, over WebSockets on loopback: from the
//! call of `append` on the one to the fact in a watch on the other. Stores in memory, and in redb, whose
//! appends wait for the disk twice, on the writer's side and on the hub's.

#![expect(clippy::disallowed_methods, reason = "it takes the time")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use isoroot::platform::Store;
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::native::{
    NativePlatform, RedbStore, TokioSpawner, WebSocketListener, WebSocketTransport,
};
use isoroot::{Fact, Genesis, Query, StoreId, SyncNode};

const WARM_UP: usize = 200;
const ENTRIES: usize = 2_000;

async fn node(store: impl Store) -> SyncNode {
    let spawner = TokioSpawner::current().expect("a runtime");
    let platform = NativePlatform::new(spawner, store, vec![Arc::new(WebSocketTransport::new())]);
    SyncNode::create(platform, &Genesis::named("live")).await.expect("a node")
}

fn memory(number: u8) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes([number; 16]))
}

fn redb(folder: &Path, number: u8) -> RedbStore {
    RedbStore::open(folder.join(number.to_string())).expect("a store")
}

/// The times of all entries, ascending.
async fn measure([from, hub, to]: [SyncNode; 3], entries: usize) -> Vec<Duration> {
    let listener = WebSocketListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("ws://{}/sync", listener.local_addr().expect("an address"));
    hub.start().await.expect("started");
    let service = hub.service().clone();
    tokio::spawn(async move { service.serve(listener).await });
    for node in [&from, &to] {
        node.add_peer(&address).await.expect("an address");
        node.start().await.expect("started");
        node.sync().await.expect("a peer").remove(0).result.expect("synced");
    }
    let mut watch = to.watch(Query::all().predicate("live"), None);
    let mut times = Vec::new();
    for number in 0..WARM_UP + entries {
        let began = Instant::now();
        from.append([Fact::new("live", number as i64)]).await.expect("appended");
        while watch.next().await.expect("no end").expect("a fact").fact().is_none() {}
        if number >= WARM_UP {
            times.push(began.elapsed());
        }
    }
    times.sort();
    times
}

fn told(name: &str, times: &[Duration]) {
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "{name}: {} entries, p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..5 {
            let nodes = [node(memory(1)).await, node(memory(2)).await, node(memory(3)).await];
            told("memory", &measure(nodes, ENTRIES).await);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let nodes = [node(redb(path, 1)).await, node(redb(path, 2)).await, node(redb(path, 3)).await];
        told("redb", &measure(nodes, ENTRIES / 10).await);
    });
}
