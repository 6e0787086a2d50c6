//! A store of every released format opens: files that are kept for it in `tests/golden/stores`.
//!
//! A new format gets a file of its own, written by the version that introduces it:
//! `ISOROOT_WRITE_STORE=1 cargo test --all-features --test stores write_the_store -- --ignored`.

use std::fs;
use std::path::PathBuf;

use futures::StreamExt;
use isoroot::platform::Store;
use isoroot::platform::native::{NativePlatform, RedbStore};
use isoroot::{Config, DeviceKey, Fact, Genesis, LoadedFrom, Query, SyncService, check};
use serde_json::{Value, json};

/// The format that is written now.
const FORMAT: u64 = 1;

fn kept(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/golden/stores/{name}", env!("CARGO_MANIFEST_DIR")))
}

/// What a store has.
async fn told(store: &RedbStore) -> Value {
    let service = SyncService::new(NativePlatform::smol(store.clone()), Config::default()).await.unwrap();
    let mut journals = Vec::new();
    for journal in service.journals().await.unwrap() {
        let node = service.open(journal).await.unwrap();
        let status = node.status().await.unwrap();
        let reaches = match status.loaded_from {
            LoadedFrom::Checkpoint { number } => number,
            _ => 0,
        };
        let facts = node.facts(Query::all()).map(|fact| fact.unwrap().fact.predicate);
        let last: Option<String> = facts.fold(None, |_, predicate| async { Some(predicate) }).await;
        assert!(check(store, journal).await.unwrap().is_sound());
        journals.push(json!({
            "journal": journal.to_string(), "root": status.root.to_string(), "entries": status.root.count,
            "facts": status.facts, "checkpoint": reaches, "last": last,
        }));
    }
    let notes: Vec<_> = store.notes("").await.unwrap().into_iter().map(|(key, _)| key).collect();
    let device = service.device().to_string();
    service.close().await.unwrap();
    json!({ "store": store.id().to_string(), "device": device, "journals": journals, "notes": notes })
}

#[test]
fn c15_a_store_of_every_released_format_opens_with_all_that_is_in_it() {
    let mut formats = 0;
    for format in 1..=FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        fs::copy(kept(&format!("{format}.redb")), &path).unwrap();
        let expected: Value =
            serde_json::from_slice(&fs::read(kept(&format!("{format}.json"))).unwrap()).unwrap();
        smol::block_on(async {
            let store = RedbStore::open_verified(&path).unwrap();
            assert_eq!(told(&store).await, expected, "format {format}");
            store.close().await;
            // It is not only there, it can be gone on with.
            let store = RedbStore::open(&path).unwrap();
            let platform = NativePlatform::smol(store.clone());
            let node = SyncService::new(platform, Config::default()).await.unwrap();
            let node = node.create(&Genesis::named("kept")).await.unwrap();
            let before = node.root().await.unwrap().count;
            node.append([Fact::new("more", 1)]).await.unwrap();
            assert_eq!(node.root().await.unwrap().count, before + 1);
            assert_eq!(node.status().await.unwrap().forked, 0, "the device's chain goes on");
            node.service().close().await.unwrap();
            store.close().await;
        });
        formats += 1;
    }
    assert_eq!(formats, FORMAT);
}

#[test]
#[ignore = "writes the file that is kept, once for each format"]
fn write_the_store() {
    if std::env::var_os("ISOROOT_WRITE_STORE").is_none() {
        return;
    }
    let path = kept(&format!("{FORMAT}.redb"));
    assert!(!path.exists(), "what is kept stays as it is");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    smol::block_on(async {
        let store = RedbStore::open(&path).unwrap();
        let service = SyncService::new(NativePlatform::smol(store.clone()), Config::default()).await.unwrap();
        let node = service.create(&Genesis::named("kept")).await.unwrap();
        let drafts = (0..300).map(|n: i64| {
            let fact = Fact { timestamp: Some(n), ..Fact::new(format!("note/{}", n % 7), n) };
            isoroot::Draft::new(node.device(), &[fact, Fact::new("all", format!("text {n}"))]).unwrap()
        });
        node.append_all(drafts.collect()).await.unwrap();
        node.keep_peer("ws://127.0.0.1:8080/sync", Some(DeviceKey::from_seed([1; 32]).device()))
            .await
            .unwrap();
        let other = service.create(&Genesis::named("kept, another")).await.unwrap();
        other.append([Fact::new("only", true)]).await.unwrap();
        service.close().await.unwrap();
        let told = told(&store).await;
        store.close().await;
        fs::write(kept(&format!("{FORMAT}.json")), format!("{told:#}\n")).unwrap();
        fs::remove_file(path.with_added_extension("lock")).unwrap();
    });
}
