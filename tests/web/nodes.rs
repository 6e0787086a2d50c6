//! Nodes of one page, over pipes: they sync, follow one another, and leave nothing behind (F-36, A5).

use std::sync::Arc;

use futures::StreamExt;
use isoroot::platform::memory::{MemoryStore, PipeListener, PipeNetwork};
use isoroot::platform::web::{WebPlatform, WebSpawner};
use isoroot::platform::{Spawner, Store};
use isoroot::{Event, Fact, Filter, Genesis, StoreId, SyncNode};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::time::{Timeouts, turn};

pub async fn node(network: &PipeNetwork, store: impl Store) -> SyncNode {
    let platform = WebPlatform::new(store, vec![Arc::new(network.transport())]);
    SyncNode::create(platform, &Genesis::named("web")).await.unwrap()
}

/// Takes connections until the node is gone.
pub fn serve(node: &SyncNode, listener: PipeListener) {
    let service = node.service().clone();
    WebSpawner.spawn("listener", Box::pin(async move { service.serve(listener).await }));
}

/// Two nodes find each other's facts, follow each other live, stop, differ, and are equal again.
pub async fn story<S: Store, T: Store>(a: S, b: T) -> (SyncNode, SyncNode) {
    let network = PipeNetwork::new();
    let (a, b) = (node(&network, a).await, node(&network, b).await);
    let events = a.events().await.unwrap();
    serve(&b, network.listen("b").unwrap());
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

    let mut watch = a.watch(Filter::Prefix("live/".into()), 0);
    b.append([Fact::new("live/b", "now")]).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().fact, Fact::new("live/b", "now"));
    drop(watch);

    a.stop().await.unwrap();
    a.append([Fact::new("offline", true)]).await.unwrap();
    b.append([Fact::new("offline", false)]).await.unwrap();
    assert_ne!(a.root().await.unwrap(), b.root().await.unwrap());
    a.start().await.unwrap();
    assert!(a.sync().await.unwrap().remove(0).result.is_ok());
    assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());
    assert_eq!(a.facts(Filter::All).count().await, 300 + 500 + 3);
    assert!(std::iter::from_fn(|| events.try_recv().ok()).any(|event| matches!(event, Event::Synced { .. })));
    assert!(a.stop().await.unwrap().aborted.is_empty());
    assert!(b.stop().await.unwrap().aborted.is_empty());
    (a, b)
}

pub fn memory(id: u8) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes([id; 16]))
}

#[wasm_bindgen_test]
async fn f36_nodes_sync_over_the_pipe_and_leave_no_timer() {
    let timeouts = Timeouts::counted();
    let nodes = story(memory(1), memory(2)).await;
    drop(nodes);
    // Their loops end as they find that nobody is there any more.
    for _ in 0..20 {
        turn().await;
    }
    assert!(timeouts.set() > 2);
    assert_eq!(timeouts.live(), 0);
}
