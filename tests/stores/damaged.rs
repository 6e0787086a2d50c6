//! Damaged stores: what is wrong is said, what is sound is read, nothing is written, nothing wrong is served.

use std::fs;
use std::path::Path;

use futures::StreamExt;
use isoroot::platform::native::RedbStore;
use isoroot::platform::{Durability, Store, StoreError};
use isoroot::{
    EntryId, Genesis, JournalId, LoadedFrom, MerkleMap, NodeError, Problem, Query, SoundEntries, check,
};
use redb::{Database, ReadableTable, TableDefinition};

use super::disk::Disk;
use super::node::{drafts, node};

const ENTRIES: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("entries");
const IDS: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("ids");
const NOTES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("notes");

fn journal() -> JournalId {
    Genesis::named("node").journal()
}

/// A store at `path` with 600 entries and a checkpoint of them, closed in good order. Their ids.
async fn filled(path: &Path) -> Vec<EntryId> {
    let store = RedbStore::open(path).unwrap();
    let node = node(&store).await;
    let appended = node.append_all(drafts(&node, 600, 1)).await.unwrap();
    node.service().close().await.unwrap();
    store.close().await;
    appended.into_iter().map(|appended| appended.id).collect()
}

/// Changes a table behind the store's back.
fn tamper(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

/// Flips a bit in the row of an entry, at this place from its end.
fn flip(transaction: &redb::WriteTransaction, number: u64, from_end: usize) {
    let mut entries = transaction.open_table(ENTRIES).unwrap();
    let mut row = entries.get((1, number)).unwrap().unwrap().value().to_vec();
    let place = row.len() - 1 - from_end;
    row[place] ^= 1;
    entries.insert((1, number), row.as_slice()).unwrap();
}

#[test]
fn c11_a_check_finds_what_is_wrong_and_the_rest_is_saved() {
    type Change = fn(&redb::WriteTransaction);
    type Expected = fn(&Problem) -> bool;
    let changes: [(&str, u64, Change, Expected); 7] = [
        ("nothing", 600, |_| {}, |_| false),
        ("a record", 599, |t| flip(t, 300, 90), |p| matches!(p, Problem::OtherBytes { number: 300 })),
        ("a signature", 599, |t| flip(t, 77, 0), |p| matches!(p, Problem::OtherBytes { number: 77 })),
        (
            "an entry that is gone",
            599,
            |t| drop(t.open_table(ENTRIES).unwrap().remove((1, 400)).unwrap()),
            |p| matches!(p, Problem::Unreadable { number: 400, .. }),
        ),
        (
            "the last entry",
            599,
            |t| drop(t.open_table(ENTRIES).unwrap().remove((1, 600)).unwrap()),
            |p| matches!(p, Problem::Unreadable { number: 600, .. }),
        ),
        (
            "the list of ids",
            600,
            |t| {
                let mut ids = t.open_table(IDS).unwrap();
                let mut row = ids.get((1, 1)).unwrap().unwrap().value().to_vec();
                row[64] ^= 1;
                ids.insert((1, 1), row.as_slice()).unwrap();
            },
            |p| matches!(p, Problem::Ids { number: 258 }),
        ),
        (
            "the checkpoint",
            600,
            |t| {
                let mut notes = t.open_table(NOTES).unwrap();
                let key = format!("checkpoint/{}", journal());
                notes.insert(key.as_bytes(), b"x".as_slice()).unwrap();
            },
            |p| matches!(p, Problem::Checkpoint(_)),
        ),
    ];
    smol::block_on(async {
        for (what, sound, change, expected) in changes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store");
            let ids = filled(&path).await;
            tamper(&path, change);
            let before = fs::read(&path).unwrap();
            let (store, problems) = RedbStore::open_damaged(&path).unwrap();
            let is_whole = what == "nothing";
            let report = check(&store, journal()).await.unwrap();
            assert_eq!((report.entries, report.sound), (600, sound), "{what}: {report:?}");
            assert_eq!(report.is_sound(), is_whole, "{what}: {report:?}");
            assert!(report.problems.iter().all(expected), "{what}: {:?}", report.problems);
            let agrees = is_whole || what == "the list of ids";
            assert_eq!(report.checkpoint, agrees.then_some(600), "{what}");
            assert_eq!(problems.is_empty(), what != "the last entry", "{what}: {problems:?}");
            // What is sound comes out, each at its number, and nothing else.
            let mut found = Vec::new();
            let mut entries = SoundEntries::new(store.clone(), journal()).await.unwrap();
            while let Some((number, entry)) = entries.next().await {
                if let Ok(entry) = entry {
                    assert_eq!(entry.id(), ids[number as usize - 1], "{what}");
                    found.push(entry.id());
                }
            }
            assert_eq!(found.len() as u64, sound, "{what}");
            assert_eq!(report.root, MerkleMap::from_ids(found).root(), "{what}");
            // It is open for reading only.
            let written = store.set_note("a", None, Some(vec![1])).await;
            assert!(
                matches!(&written, Err(StoreError::Damaged(why)) if why.contains("reading")),
                "{written:?}"
            );
            let (_, record) = store.read(journal(), 1, 1).await.unwrap().remove(0);
            let written = store.append(journal(), 600, vec![record], Durability::Strict).await;
            assert!(matches!(written, Err(StoreError::Damaged(_))), "{written:?}");
            store.close().await;
            assert!(fs::read(&path).unwrap() == before, "{what}: the file is left as it was");
        }
    });
}

#[test]
fn c11_a_file_of_which_nothing_can_be_read_is_refused_also_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    assert!(matches!(RedbStore::open_damaged(&path), Err(StoreError::Open { .. })));
    for garbage in [vec![], vec![0; 100_000], vec![0xA5; 5_000]] {
        fs::write(&path, &garbage).unwrap();
        let error = RedbStore::open_damaged(&path).unwrap_err();
        assert!(matches!(error, StoreError::Open { .. } | StoreError::Damaged(_)), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), garbage);
    }
}

/// What a node over these bytes says: the root, and how many facts; or why it does not open.
async fn opened(bytes: Vec<u8>, long: bool) -> Result<(isoroot::Root, usize, LoadedFrom), NodeError> {
    let store = RedbStore::with_backend(Disk::holding(bytes), long)?;
    let platform = isoroot::platform::native::NativePlatform::smol(store.clone());
    let key = isoroot::DeviceKey::from_seed([1; 32]);
    let service = isoroot::SyncService::with_key(platform, isoroot::Config::default(), key).await?;
    let node = service.open(journal()).await?;
    let status = node.status().await?;
    let facts: Vec<_> = node.facts(Query::all()).collect().await;
    let facts = facts.into_iter().collect::<Result<Vec<_>, _>>()?.len();
    service.close().await?;
    store.close().await;
    Ok((status.root, facts, status.loaded_from))
}

#[test]
fn c11_f61_row12_no_flipped_byte_of_a_store_with_a_checkpoint_makes_it_serve_anything_wrong() {
    let full = std::env::var_os("ISOROOT_TEST_FULL").is_some();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    smol::block_on(async {
        let ids = filled(&path).await;
        let root = MerkleMap::from_ids(ids).root();
        let whole = fs::read(&path).unwrap();
        let expected = opened(whole.clone(), false).await.unwrap();
        assert_eq!(expected, (root, 600, LoadedFrom::Checkpoint { number: 600 }));
        let (mut right, mut again, mut refused) = (0, 0, 0);
        // A prime step, so that all places within pages come up.
        for place in (0..whole.len()).step_by(if full { 7 } else { 1_499 }) {
            for long in [false, true] {
                let mut bytes = whole.clone();
                bytes[place] ^= 1 << (place % 8);
                match opened(bytes, long).await {
                    Ok((found, facts, from)) => {
                        assert_eq!((found, facts), (root, 600), "byte {place}, long {long}");
                        if from == LoadedFrom::RecordsAgain { again += 1 } else { right += 1 }
                    }
                    Err(NodeError::Store(_) | NodeError::OtherDevice(_)) => refused += 1,
                    Err(other) => panic!("byte {place}, long {long}: {other:?}"),
                }
            }
        }
        println!("{right} right, {again} rebuilt from records, {refused} refused");
        assert!(right > 20 && refused > 20, "{right}, {again}, {refused}");
    });
}
