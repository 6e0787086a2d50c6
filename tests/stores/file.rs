//! The store's file: reopening, locks, newer formats, damage.

use std::fs;
use std::path::Path;

use isoroot::StoreId;
use isoroot::platform::native::RedbStore;
use isoroot::platform::{Durability, Store, StoreError};
use redb::{Database, TableDefinition};

use super::child::{Child, Role};
use super::disk::Disk;
use super::{append_one, journal, records, verified_head};

const META: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("meta");
const IDS: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("ids");
const JOURNALS: TableDefinition<'static, &[u8; 32], (u32, u64)> = TableDefinition::new("journals");
const ENTRIES: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("entries");

/// A store at `path` with 700 entries in journal 1, 3 in journal 2, and two notes. Its id.
fn filled(path: &Path) -> StoreId {
    let store = RedbStore::open(path).unwrap();
    smol::block_on(async {
        let entries = records(journal(1), 1..=700);
        store.append(journal(1), 0, entries, Durability::Strict).await.unwrap();
        for at in 0..3 {
            append_one(&store, journal(2), at).await;
        }
        store.set_note("device", None, Some(b"key".to_vec())).await.unwrap().unwrap();
        store.set_note("peers/a", None, Some(vec![9; 10_000])).await.unwrap().unwrap();
    });
    store.id()
}

/// Changes a table behind the store's back.
fn tamper(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn c11_reopening_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let id = filled(&path);
    for store in [RedbStore::open, RedbStore::open_existing, RedbStore::open_verified] {
        let store = store(&path).unwrap();
        assert_eq!(store.id(), id);
        smol::block_on(async {
            assert_eq!(store.head(journal(1)).await.unwrap().store, id);
            assert_eq!(verified_head(&store, journal(1)).await, 700);
            assert_eq!(verified_head(&store, journal(2)).await, 3);
            assert_eq!(verified_head(&store, journal(3)).await, 0);
            assert_eq!(store.note("device").await.unwrap(), Some(b"key".to_vec()));
            assert_eq!(store.notes("").await.unwrap().len(), 2);
            // It goes on where it was, in a chunk of ids that is not full.
            let stale =
                store.append(journal(1), 699, records(journal(1), 700..=700), Durability::Strict).await;
            assert!(
                matches!(stale.unwrap(), isoroot::platform::AppendOutcome::Behind(head) if head.number == 700)
            );
        });
    }
    let store = RedbStore::open(&path).unwrap();
    smol::block_on(async {
        append_one(&store, journal(1), 700).await;
        append_one(&store, journal(4), 0).await;
        assert_eq!(verified_head(&store, journal(1)).await, 701);
        assert_eq!(verified_head(&store, journal(2)).await, 3);
        assert_eq!(verified_head(&store, journal(4)).await, 1);
    });
    let other = RedbStore::open(folder.path().join("other")).unwrap();
    assert_ne!(other.id(), id, "each store has its own id");
}

#[test]
fn c11_only_a_file_that_is_a_store_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let refused = |result: Result<RedbStore, StoreError>, reason: &str| match result {
        Err(StoreError::Open { path: named, reason: found }) => {
            assert!(found.contains(reason), "{found:?} should say {reason:?}");
            assert!(named.contains(folder.path().to_str().unwrap()));
        }
        other => panic!("{other:?}"),
    };
    refused(RedbStore::open_existing(&path), "no such store");
    refused(RedbStore::open_verified(&path), "no such store");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a refusal makes no files");
    refused(RedbStore::open(folder.path()), "not a file");
    refused(RedbStore::open(folder.path().join("missing/store")), "No such file");

    for garbage in [vec![], vec![0], vec![0; 100_000], b"redb".to_vec(), vec![0xA5; 5_000]] {
        fs::write(&path, &garbage).unwrap();
        refused(RedbStore::open(&path), "");
        assert_eq!(fs::read(&path).unwrap(), garbage, "it is left as it was");
    }
    fs::remove_file(&path).unwrap();
    Database::create(&path).unwrap();
    refused(RedbStore::open(&path), "not a store");
}

#[cfg(unix)]
#[test]
fn a11_only_its_owner_reads_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(RedbStore::open(&path).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn c15_a_store_that_is_open_here_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let first = RedbStore::open(&path).unwrap();
    let in_use = StoreError::InUse { path: path.display().to_string(), holder: Some(std::process::id()) };
    assert_eq!(RedbStore::open(&path).unwrap_err(), in_use);
    assert_eq!(RedbStore::open_existing(&path).unwrap_err(), in_use);
    // The same file by another name, which has another lock file.
    #[cfg(unix)]
    {
        let alias = folder.path().join("alias");
        std::os::unix::fs::symlink(&path, &alias).unwrap();
        let in_use = StoreError::InUse { path: alias.display().to_string(), holder: None };
        assert_eq!(RedbStore::open(&alias).unwrap_err(), in_use);
    }
    let second = first.clone();
    drop(first);
    assert_eq!(RedbStore::open(&path).unwrap_err(), in_use, "a clone holds it");
    drop(second);
    let again = RedbStore::open(&path).unwrap();
    smol::block_on(again.close());
    drop(RedbStore::open(&path).unwrap());
    drop(again);
}

#[test]
fn c15_a_store_that_another_process_has_open_is_in_use_by_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(RedbStore::open(&path).unwrap());
    let mut child = Child::start(Role::Hold, &path);
    assert_eq!(child.line().as_deref(), Some("held"));
    let in_use = StoreError::InUse { path: path.display().to_string(), holder: Some(child.id()) };
    assert_eq!(RedbStore::open(&path).unwrap_err(), in_use);
    child.kill();
    // What the dead left in the lock file does not count.
    drop(RedbStore::open(&path).unwrap());
}

#[test]
fn c15_a_store_of_a_newer_format_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let unclean = folder.path().join("unclean");
    filled(&path);
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert(b"format".as_slice(), 2_u64.to_be_bytes().as_slice())
            .unwrap();
        transaction.commit().unwrap();
        // As a crash of the newer version leaves it.
        fs::copy(&path, &unclean).unwrap();
    }
    for path in [path, unclean] {
        let before = fs::read(&path).unwrap();
        for _ in 0..2 {
            assert_eq!(RedbStore::open(&path).unwrap_err(), StoreError::TooNew { found: 2, known: 1 });
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn c11_a_store_that_contradicts_itself_is_damaged() {
    type Change = fn(&redb::WriteTransaction);
    let changes: [(&str, Change); 11] = [
        ("its last entry 699", |transaction| {
            transaction.open_table(ENTRIES).unwrap().remove((1, 700)).unwrap();
        }),
        ("its last entry 800", |transaction| {
            transaction.open_table(ENTRIES).unwrap().insert((1, 800), b"x".as_slice()).unwrap();
        }),
        ("entry 400", |transaction| {
            transaction.open_table(ENTRIES).unwrap().remove((1, 400)).unwrap();
        }),
        ("the row of an entry has 31 bytes", |transaction| {
            transaction.open_table(ENTRIES).unwrap().insert((1, 300), [7; 31].as_slice()).unwrap();
        }),
        ("last ids are missing", |transaction| {
            transaction.open_table(IDS).unwrap().remove((1, 1)).unwrap();
        }),
        ("a chunk of ids has 8161 bytes", |transaction| {
            transaction.open_table(IDS).unwrap().insert((1, 1), [7; 8_161].as_slice()).unwrap();
        }),
        ("a chunk of ids has 8192 bytes", |transaction| {
            transaction.open_table(IDS).unwrap().insert((1, 0), [7; 8_192].as_slice()).unwrap();
        }),
        ("chunk 0 of the ids is missing", |transaction| {
            transaction.open_table(IDS).unwrap().remove((1, 0)).unwrap();
        }),
        ("number 2 are there", |transaction| {
            transaction.open_table(JOURNALS).unwrap().remove(&[2; 32]).unwrap();
        }),
        ("its format", |transaction| {
            transaction.open_table(META).unwrap().insert(b"format".as_slice(), [1; 3].as_slice()).unwrap();
        }),
        ("no id", |transaction| {
            transaction.open_table(META).unwrap().insert(b"store".as_slice(), [1; 15].as_slice()).unwrap();
        }),
    ];
    for (expected, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        filled(&path);
        tamper(&path, change);
        let before = fs::read(&path).unwrap();
        let found = match RedbStore::open(&path) {
            Ok(store) => smol::block_on(intact(&store)),
            Err(error) => {
                assert!(fs::read(&path).unwrap() == before, "it is left as it was");
                Err(error)
            }
        };
        let damage = match found {
            Err(StoreError::Damaged(damage)) => damage,
            other => panic!("{expected}: {other:?}"),
        };
        assert!(damage.contains(expected), "{damage:?} should say {expected:?}");
    }
}

/// Whether all that `filled` wrote is there, or what the store says of it.
async fn intact(store: &RedbStore) -> Result<bool, StoreError> {
    let mut intact = true;
    for (journal, head) in [(journal(1), 700), (journal(2), 3)] {
        let read = store.read(journal, 1, usize::MAX).await?;
        intact &= read == (1..).zip(records(journal, 1..=head)).collect::<Vec<_>>();
        let ids = store.ids(journal, 1, usize::MAX).await?;
        intact &= ids == records(journal, 1..=head).iter().map(|record| record.id).collect::<Vec<_>>();
    }
    let notes = [("device".into(), b"key".to_vec()), ("peers/a".into(), vec![9; 10_000])];
    Ok(intact & (store.notes("").await? == notes))
}

#[test]
fn c11_a_truncated_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(whole.len() / 40) {
        fs::write(&path, &whole[..len]).unwrap();
        let error = RedbStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Open { .. } | StoreError::Damaged(_)), "at {len}: {error:?}");
    }
}

/// Damaged copies of a file: single bits flipped, pages zeroed and put in each other's place.
fn damaged(whole: &[u8]) -> Vec<Vec<u8>> {
    let step = if std::env::var_os("ISOROOT_TEST_FULL").is_some() { 211 } else { 4_099 };
    // Prime steps, so that all places within pages come up; the header is tried more closely.
    let places = (0..512).step_by(13).chain((512..whole.len()).step_by(step));
    let flipped = places.map(|place| {
        let mut bytes = whole.to_vec();
        bytes[place] ^= 1 << (place % 8);
        bytes
    });
    let pages = whole.len() / 4_096;
    let zeroed = (0..pages).map(|page| {
        let mut bytes = whole.to_vec();
        bytes[page * 4_096..][..4_096].fill(0);
        bytes
    });
    let moved = (0..pages).map(|page| {
        let mut bytes = whole.to_vec();
        bytes.copy_within(page * 4_096..(page + 1) * 4_096, (page + 1) % pages * 4_096);
        bytes
    });
    flipped.chain(zeroed).chain(moved).collect()
}

#[test]
fn c11_row12_no_damage_to_a_short_file_goes_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for bytes in damaged(&whole) {
        fs::write(&path, &bytes).unwrap();
        match RedbStore::open(&path) {
            Ok(store) => {
                // What was hit is used by nothing.
                assert_eq!(smol::block_on(intact(&store)), Ok(true));
                harmless += 1;
            }
            Err(StoreError::Damaged(_) | StoreError::Open { .. }) => {
                refused += 1;
                assert!(fs::read(&path).unwrap() == bytes, "it is left as it was");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    println!("{refused} damaged files refused, {harmless} not damaged where it matters");
    assert!(refused > 100);
}

#[test]
fn c11_row12_no_damage_to_a_long_file_makes_it_panic_or_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut right, mut wrong) = (0, 0, 0);
    for bytes in damaged(&whole) {
        let found = RedbStore::with_backend(Disk::holding(bytes), true).and_then(|store| {
            let found = smol::block_on(intact(&store));
            // Writing to it is no worse.
            let entries = records(journal(1), 701..=701);
            let _ = smol::block_on(store.append(journal(1), 700, entries, Durability::Strict));
            found
        });
        match found {
            Ok(true) => right += 1,
            // A record that does not fit its id: what checks records against their ids sees it.
            Ok(false) => wrong += 1,
            Err(StoreError::Damaged(_) | StoreError::Open { .. } | StoreError::Failed(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    println!("{refused} refused, {right} right, {wrong} to be told by their hashes");
}
