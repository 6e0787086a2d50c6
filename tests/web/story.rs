//! Nodes of one page over pipes, and what they do in every store.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::sync::Arc;

use futures::StreamExt;
use futures::future::{AbortHandle, abortable};
use isoroot::platform::memory::{MemoryStore, PipeListener, PipeNetwork};
use isoroot::platform::web::{WebPlatform, WebSpawner};
use isoroot::platform::{Spawner, Store};
use isoroot::{Event, Fact, Genesis, Query, StoreId, SyncNode};

/// A stopped node that dials the names of `network`.
#[expect(clippy::arc_with_non_send_sync, reason = "natively it is both; here there is one thread")]
pub async fn node(network: &PipeNetwork, store: impl Store) -> SyncNode {
    let platform = WebPlatform::new(store, vec![Arc::new(network.transport())]);
    SyncNode::create(platform, &Genesis::named("web")).await.unwrap()
}

/// Takes connections until it is aborted: the task holds a handle, which keeps the node alive.
pub fn serve(node: &SyncNode, listener: PipeListener) -> AbortHandle {
    let service = node.service().clone();
    let (serving, handle) = abortable(async move { service.serve(listener).await });
    WebSpawner.spawn("listener", Box::pin(async move { assert!(serving.await.is_err(), "it ended") }));
    handle
}

/// Two nodes find each other's facts, follow each other live, stop, differ, and are equal again.
pub async fn story<S: Store, T: Store>(a: S, b: T) -> (SyncNode, SyncNode) {
    let network = PipeNetwork::new();
    let (a, b) = (node(&network, a).await, node(&network, b).await);
    let events = a.events().await.unwrap();
    let serving = serve(&b, network.listen("b").unwrap());
    b.start().await.unwrap();
    for n in 0..300 {
        a.append([Fact::new("from/a", n)]).await.unwrap();
    }
    b.append((0..500).map(|n| Fact::new("from/b", n))).await.unwrap();
    a.add_peer("pipe:b").await.unwrap();
    a.start().await.unwrap();
    let report = a.sync().await.unwrap().remove(0).result.unwrap();
    assert_eq!((report.entries_sent, report.entries_received, report.root.count), (300, 1, 301));
    assert_eq!(a.root().await.unwrap(), report.root);
    assert_eq!(b.root().await.unwrap(), report.root);

    let mut watch = a.watch(Query::all().prefix("live/"), None);
    b.append([Fact::new("live/b", "now")]).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().fact().unwrap().fact, Fact::new("live/b", "now"));
    drop(watch);

    a.stop().await.unwrap();
    a.append([Fact::new("offline", true)]).await.unwrap();
    b.append([Fact::new("offline", false)]).await.unwrap();
    assert_ne!(a.root().await.unwrap(), b.root().await.unwrap());
    a.start().await.unwrap();
    assert!(a.sync().await.unwrap().remove(0).result.is_ok());
    assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());
    assert_eq!(a.facts(Query::all()).count().await, 300 + 500 + 3);
    assert!(std::iter::from_fn(|| events.try_recv().ok()).any(|event| matches!(event, Event::Synced { .. })));
    assert!(a.stop().await.unwrap().aborted.is_empty());
    assert!(b.stop().await.unwrap().aborted.is_empty());
    serving.abort();
    (a, b)
}

/// An empty store.
pub fn memory(id: u8) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes([id; 16]))
}
