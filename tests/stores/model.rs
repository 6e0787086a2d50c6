//! Random histories of a node over a disk: appends, ends, crashes, reopenings; held to a plain list.

use isoroot::platform::Store;
use isoroot::platform::native::RedbStore;
use isoroot::{EntryId, LoadedFrom, MerkleMap};

use super::disk::{Disk, Fault, Random};
use super::node::{drafts, node};

/// What came of a history.
#[derive(Debug, Default)]
struct Seen {
    crashes: u32,
    failed_appends: u32,
    from_checkpoint: u32,
}

async fn history(seed: u64, seen: &mut Seen) {
    let mut random = Random(seed);
    let mut disk = Disk::default();
    // Acknowledged, in the order of their numbers.
    let mut acknowledged: Vec<EntryId> = Vec::new();
    // Entries that may have come behind them: an append whose answer was an error.
    let mut maybe = 0;
    for life in 0..6 {
        let what = format!("seed {seed}, life {life}");
        let store = RedbStore::with_backend(disk.clone(), seed % 2 == 1);
        let store = store.unwrap_or_else(|error| panic!("{what}: {error}"));
        let node = node(&store).await;
        let status = node.status().await.unwrap();
        let ids = store.ids(node.journal(), 1, usize::MAX).await.unwrap();
        assert!(ids.starts_with(&acknowledged), "{what}: {} of {}", ids.len(), acknowledged.len());
        let more = ids.len() - acknowledged.len();
        assert!(more == 0 || more == maybe, "{what}: {more} of {maybe} that nobody was told of");
        assert_eq!(status.root, MerkleMap::from_ids(ids.clone()).root(), "{what}");
        for id in ids.iter().rev().take(5) {
            assert!(node.get(*id).await.unwrap().is_some(), "{what}");
        }
        match status.loaded_from {
            LoadedFrom::Records => {}
            LoadedFrom::Checkpoint { .. } => seen.from_checkpoint += 1,
            other => panic!("{what}: {other:?}"),
        }
        (acknowledged, maybe) = (ids, 0);

        let crashes = random.below(4) > 0;
        if crashes {
            disk.fail_at(random.below(60) as u64, Fault::PowerCut);
        }
        for step in 0..1 + random.below(6) {
            let count = [1, 3, 60, 300, 1_500][random.below(5)];
            match node.append_all(drafts(&node, count, step)).await {
                Ok(appended) => {
                    assert_eq!(appended[0].number, acknowledged.len() as u64 + 1, "{what}");
                    acknowledged.extend(appended.iter().map(|appended| appended.id));
                }
                Err(_) => {
                    seen.failed_appends += 1;
                    maybe = count;
                    break;
                }
            }
        }
        if random.below(2) == 0 {
            node.service().close().await.unwrap();
        }
        drop(node);
        if crashes {
            seen.crashes += 1;
            disk = disk.after_power_cut(random.below(1 << 20) as u64);
        } else {
            store.close().await;
        }
    }
}

#[test]
fn c11_f86_any_history_of_appends_ends_and_crashes_keeps_what_was_acknowledged() {
    let seeds = if std::env::var_os("ISOROOT_TEST_FULL").is_some() { 1_000 } else { 40 };
    let mut seen = Seen::default();
    for seed in 0..seeds {
        smol::block_on(history(seed, &mut seen));
    }
    println!("{seeds} histories: {seen:?}");
    assert!(seen.crashes > 40 && seen.failed_appends > 20 && seen.from_checkpoint > 20, "{seen:?}");
}
