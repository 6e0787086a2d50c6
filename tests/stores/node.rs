//! Nodes over redb stores: what they append, and what is found of it later.

use std::path::Path;

use futures::StreamExt;
use isoroot::platform::Store;
use isoroot::platform::native::{NativePlatform, RedbStore};
use isoroot::{
    Config, DeviceKey, Draft, EntryId, Fact, Genesis, LoadedFrom, MerkleMap, Query, SyncNode, SyncService,
};

/// A node of the tests' journal over this store.
pub(crate) async fn node(store: &RedbStore) -> SyncNode {
    let platform = NativePlatform::smol(store.clone());
    let service = SyncService::with_key(platform, Config::default(), DeviceKey::from_seed([1; 32])).await;
    service.unwrap().create(&Genesis::named("node")).await.unwrap()
}

/// Drafts of so many entries, each with its number among them as a value.
pub(crate) fn drafts(node: &SyncNode, count: usize, about: usize) -> Vec<Draft> {
    let fact = |n: usize| Fact::new(format!("p/{}", about % 20), n as i64);
    (0..count).map(|n| Draft::new(node.device(), &[fact(n)]).unwrap()).collect()
}

/// Appends until the process is killed, and says each time the number and id of the last entry.
pub(crate) async fn append_without_end(path: &Path, say: impl Fn(&str)) {
    let store = RedbStore::open(path).unwrap();
    for round in 0.. {
        let node = node(&store).await;
        for step in 0..4 {
            let count = [1, 40, 300, 1_500][(round + step) % 4];
            let appended = node.append_all(drafts(&node, count, step)).await.unwrap();
            let last = appended.last().unwrap();
            say(&format!("{} {}", last.number, last.id));
        }
        // Keeps the checkpoint of what has come since.
        node.service().close().await.unwrap();
    }
}

/// Checks that the store has each acknowledged `number id`, that every entry is whole and the root right;
/// up to which number it was opened from a checkpoint.
pub(crate) async fn found(path: &Path, acknowledged: &[String]) -> u64 {
    let store = RedbStore::open_existing(path).unwrap();
    let node = node(&store).await;
    let status = node.status().await.unwrap();
    let ids = store.ids(node.journal(), 1, usize::MAX).await.unwrap();
    for line in acknowledged {
        let (number, id) = line.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        assert_eq!(ids.get(number - 1), Some(&id.parse::<EntryId>().unwrap()), "{line} of {}", ids.len());
    }
    assert_eq!(status.root, MerkleMap::from_ids(ids.clone()).root());
    assert_eq!((status.missing, status.forked), (0, 0));
    let facts: Vec<_> = node.facts(Query::all()).map(Result::unwrap).collect().await;
    assert!(facts.iter().map(|fact| fact.id.entry).eq(ids));
    let from = match status.loaded_from {
        LoadedFrom::Records => 0,
        LoadedFrom::Checkpoint { number } => number,
        other => panic!("a kill has made a checkpoint wrong: {other:?}"),
    };
    node.service().close().await.unwrap();
    store.close().await;
    from
}
