//! The same node on tokio and on smol, over the redb store and WebSocket.

#![cfg(all(feature = "tokio", feature = "smol", not(target_arch = "wasm32")))]

use std::sync::Arc;

use futures::StreamExt;
use isoroot::platform::Spawner;
use isoroot::platform::native::{
    NativePlatform, RedbStore, SmolSpawner, TokioSpawner, WebSocketListener, WebSocketTransport,
};
use isoroot::{Fact, Genesis, Query, SyncNode};

async fn node(spawner: impl Spawner, directory: &std::path::Path, name: &str) -> SyncNode {
    let store = RedbStore::open(directory.join(name)).unwrap();
    let platform = NativePlatform::new(spawner, store, vec![Arc::new(WebSocketTransport::new())]);
    SyncNode::create(platform, &Genesis::named("runtimes")).await.unwrap()
}

/// Two nodes find each other's facts, then follow each other live, then stop.
async fn story<S: Spawner + Clone>(spawner: S) {
    let directory = tempfile::tempdir().unwrap();
    let a = node(spawner.clone(), directory.path(), "a").await;
    let b = node(spawner.clone(), directory.path(), "b").await;
    let listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/sync", listener.local_addr().unwrap());
    b.start().await.unwrap();
    let service = b.service().clone();
    spawner.spawn("listener", Box::pin(async move { service.serve(listener).await }));
    a.append([Fact::new("from/a", 1)]).await.unwrap();
    b.append([Fact::new("from/b", 2)]).await.unwrap();
    a.add_peer(&address).await.unwrap();
    a.start().await.unwrap();
    let report = a.sync().await.unwrap().remove(0).result.unwrap();
    assert_eq!((report.entries_sent, report.entries_received, report.root.count), (1, 1, 2));
    assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());

    let mut watch = a.watch(Query::all().prefix("live/"), None);
    b.append([Fact::new("live/b", "now")]).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().fact().unwrap().fact, Fact::new("live/b", "now"));

    // Any number of starts and stops at once: every caller succeeds, and it ends as asked last.
    let all = futures::join!(a.stop(), a.stop(), a.start(), a.start(), a.stop());
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok() && all.4.is_ok());
    assert!(!a.is_running().await.unwrap());
    assert_eq!(a.service().connections().await.unwrap(), 0);
    a.append([Fact::new("offline", true)]).await.unwrap();
    a.start().await.unwrap();
    assert!(a.sync().await.unwrap().remove(0).result.is_ok());
    assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());
    assert_eq!(a.stop().await.unwrap().aborted, Vec::<&str>::new());
    assert_eq!(b.stop().await.unwrap().aborted, Vec::<&str>::new());
}

#[test]
fn f1_a_node_runs_on_tokio() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { story(TokioSpawner::current().unwrap()).await });
}

#[test]
fn f1_a_node_runs_on_smol() {
    smol::block_on(story(SmolSpawner));
}
