//! Single bits flipped in what a store is found by: the header, the small tables, redb's own tables.
//!
//! A record is told by its hash. These are not: a journal whose id is garbled looks like one that nobody
//! ever wrote to, a note whose key is garbled like one that was never set.

use isoroot::platform::native::RedbStore;
use isoroot::platform::{Durability, Store, StoreError, StoredRecord};
use isoroot::{EntryId, JournalId, StoreId};

use super::disk::Disk;
use super::{journal, record, records};

/// Bytes of a page.
const PAGE: usize = 4_096;
/// Bytes of redb's header.
const HEADER: usize = 320;
/// The byte and bit in it that say which of two commits counts.
const WHICH_COMMIT: (usize, u8) = (9, 0);

/// All that a store says.
#[derive(Debug, PartialEq)]
struct Told {
    id: StoreId,
    journals: Vec<(JournalId, u64)>,
    entries: Vec<Vec<(u64, StoredRecord)>>,
    ids: Vec<Vec<EntryId>>,
    notes: Vec<(String, Vec<u8>)>,
    /// Each note once more, asked for by its key.
    by_key: Vec<Option<Vec<u8>>>,
}

/// A store's file, and what it says.
struct Sample {
    bytes: Vec<u8>,
    told: Told,
    /// What it said before its last commit.
    before: Told,
    /// Whether it was closed in good order.
    clean: bool,
}

fn keys() -> Vec<String> {
    let mut keys = vec!["device".into(), "hub/names".into(), "peers/a".into()];
    for no in 1..=2 {
        keys.push(format!("checkpoint/{}", journal(no)));
        keys.push(format!("cursor/{}/{}", journal(no), journal(no + 10)));
        keys.push(format!("journal/{}", journal(no)));
    }
    keys
}

async fn told(store: &RedbStore) -> Result<Told, StoreError> {
    let (mut entries, mut ids, mut by_key) = (Vec::new(), Vec::new(), Vec::new());
    for no in 1..=2 {
        entries.push(store.read(journal(no), 1, usize::MAX).await?);
        ids.push(store.ids(journal(no), 1, usize::MAX).await?);
    }
    for key in keys() {
        by_key.push(store.note(&key).await?);
    }
    let (id, journals, notes) = (store.id(), store.journals(), store.notes("").await?);
    Ok(Told { id, journals, entries, ids, notes, by_key })
}

/// A store of so many journals, whose file counts as a long one.
fn sample(journals: u8, clean: bool) -> Sample {
    let disk = Disk::default();
    smol::block_on(async {
        let store = RedbStore::with_backend(disk.clone(), true).unwrap();
        for (place, key) in keys().into_iter().enumerate() {
            let value = vec![place as u8 + 1; 20 + place];
            store.set_note(&key, None, Some(value)).await.unwrap().unwrap();
        }
        for no in 1..=journals {
            let entries = records(journal(no), 1..=260 * u64::from(no));
            store.append(journal(no), 0, entries, Durability::Strict).await.unwrap();
        }
        let before = told(&store).await.unwrap();
        let last = vec![record(journal(1), 261)];
        store.append(journal(1), 260, last, Durability::Strict).await.unwrap();
        let told = told(&store).await.unwrap();
        let unclean = disk.bytes();
        store.close().await;
        Sample { bytes: if clean { disk.bytes() } else { unclean }, told, before, clean }
    })
}

/// What a store in these bytes says.
fn found(bytes: Vec<u8>) -> Result<Told, StoreError> {
    smol::block_on(async {
        let store = RedbStore::with_backend(Disk::holding(bytes), true)?;
        let found = told(&store).await?;
        store.close().await;
        Ok(found)
    })
}

impl Sample {
    /// The places that it is found by, each a byte and a bit: in the header, and in each page that holds
    /// no entries and no packed ids, up to where it is not missed. All of them in what holds our names, one
    /// bit of each byte elsewhere; in full, all of them everywhere.
    fn places(&self) -> Vec<(usize, u8)> {
        let full = std::env::var_os("ISOROOT_TEST_FULL").is_some();
        let ids: Vec<_> = self.told.ids.iter().flatten().map(|id| id.as_bytes().to_vec()).collect();
        let mut names: Vec<_> = keys().into_iter().map(String::into_bytes).collect();
        names.extend([b"formatstore".to_vec(), b"journals".to_vec(), journal(1).as_bytes().to_vec()]);
        let bits = |place: usize, all: bool| {
            (0..8).filter(move |bit| all || *bit as usize == place % 8).map(move |bit| (place, bit))
        };
        let mut places: Vec<_> = (0..HEADER).flat_map(|place| bits(place, true)).collect();
        let mut pages = 0;
        for (no, page) in self.bytes.chunks(PAGE).enumerate().skip(1) {
            let holds = |sought: &Vec<u8>| page.windows(sought.len()).any(|found| found == sought);
            let missed = |from: &usize| {
                let mut without = self.bytes.clone();
                without[no * PAGE + from..(no + 1) * PAGE].fill(0xA5);
                found(without).as_ref() != Ok(&self.told)
            };
            if !ids.iter().any(holds) && missed(&0) {
                let end = (32..PAGE).step_by(32).find(|from| !missed(from)).unwrap_or(PAGE);
                let all = full || names.iter().any(holds);
                places.extend((0..end).flat_map(|place| bits(no * PAGE + place, all)));
                pages += 1;
            }
        }
        // Two lists of tables; our small tables; redb's own.
        assert!(pages >= 6, "{pages}");
        places
    }
}

/// Flips each bit: the store says the same as before, or is refused.
fn flip_all(journals: u8, clean: bool) {
    let sample = sample(journals, clean);
    let (mut right, mut refused, mut back) = (0, 0, 0);
    for (place, bit) in sample.places() {
        let mut bytes = sample.bytes.clone();
        bytes[place] ^= 1 << bit;
        match found(bytes) {
            Ok(found) if found == sample.told => right += 1,
            // As a crash in the middle of the last commit leaves it: nobody can tell them apart.
            Ok(found) if !sample.clean && (place, bit) == WHICH_COMMIT => {
                assert_eq!(found, sample.before);
                back += 1;
            }
            Ok(found) => panic!("byte {place}, bit {bit}: {found:?}"),
            Err(StoreError::Damaged(_) | StoreError::Open { .. }) => refused += 1,
            Err(error) => panic!("byte {place}, bit {bit}: {error:?}"),
        }
    }
    println!("{right} right, {refused} refused, {back} as before the last commit");
    assert!(refused > 8_000, "{refused}");
}

#[test]
fn c11_row12_no_flipped_bit_of_what_a_store_is_found_by_goes_unseen() {
    flip_all(1, true);
    flip_all(2, true);
}

#[test]
fn c11_row12_no_flipped_bit_of_what_a_killed_store_is_found_by_goes_unseen() {
    flip_all(1, false);
    flip_all(2, false);
}

#[test]
fn c11_row12_a_damaged_file_is_read_and_closed_whatever_bit_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let sample = sample(2, true);
    let (mut read, mut refused) = (0, 0);
    // A prime step, so that all bits come up.
    for (place, bit) in sample.places().into_iter().step_by(29) {
        let mut bytes = sample.bytes.clone();
        bytes[place] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        match RedbStore::open_damaged(&path) {
            Ok((store, _)) => {
                smol::block_on(async {
                    // What is read of it is nothing to rely on, and that is all.
                    let _ = told(&store).await;
                    store.close().await;
                });
                read += 1;
            }
            Err(StoreError::Damaged(_) | StoreError::Open { .. }) => refused += 1,
            Err(error) => panic!("byte {place}: {error:?}"),
        }
    }
    println!("{read} read, {refused} refused");
    #[cfg(target_os = "linux")]
    {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let named = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        assert_eq!(named.filter(|named| *named == path).count(), 0, "it is still open");
    }
    assert!(read > 500 && refused > 10, "{read}, {refused}");
}

/// A store whose lists have pages of pages: of so many journals, each with a note and some checkpoints.
fn large(journals: u16) -> (Vec<u8>, Vec<JournalId>) {
    let disk = Disk::default();
    let ids: Vec<_> = (0..journals)
        .map(|no| {
            let mut id = [no as u8; 32];
            id[..2].copy_from_slice(&no.to_be_bytes());
            JournalId::from_bytes(id)
        })
        .collect();
    smol::block_on(async {
        let store = RedbStore::with_backend(disk.clone(), true).unwrap();
        let store = &store;
        let filled = ids.iter().map(|id| async move {
            store.append(*id, 0, records(*id, 1..=2), Durability::Strict).await.unwrap();
            let keys = [format!("checkpoint/{id}/1"), format!("checkpoint/{id}/2"), format!("journal/{id}")];
            for key in keys {
                store.set_note(&key, None, Some(vec![7; 300])).await.unwrap().unwrap();
            }
        });
        futures::future::join_all(filled).await;
        store.close().await;
    });
    (disk.bytes(), ids)
}

/// Journals, and notes that are not checkpoints, as listed and as asked for by name; and the checkpoints.
type Named = (Vec<(JournalId, u64)>, Vec<Option<Vec<u8>>>, Vec<(String, Vec<u8>)>, Vec<(String, Vec<u8>)>);

fn named(bytes: Vec<u8>, ids: &[JournalId]) -> Result<Named, StoreError> {
    smol::block_on(async {
        let store = RedbStore::with_backend(Disk::holding(bytes), true)?;
        let mut by_key = Vec::new();
        for id in ids {
            by_key.push(store.note(&format!("journal/{id}")).await?);
        }
        let notes = store.notes("journal/").await?;
        // They may be damaged in any way.
        let checkpoints = store.notes("checkpoint/").await.unwrap_or_default();
        let named = (store.journals(), by_key, notes, checkpoints);
        store.close().await;
        Ok(named)
    })
}

#[test]
fn c11_row12_only_checkpoints_are_passed_over() {
    let (bytes, ids) = large(200);
    let expected = named(bytes.clone(), &ids).unwrap();
    assert_eq!((expected.0.len(), expected.2.len(), expected.3.len()), (200, 200, 400));
    let (mut right, mut refused, mut passed) = (0, 0, 0);
    // A prime step, so that all places within pages come up.
    for place in (PAGE..bytes.len()).step_by(257) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << (place % 8);
        match named(bytes, &ids) {
            Ok(found) => {
                let (journals, by_key, notes, checkpoints) = &found;
                assert_eq!(
                    (journals, by_key, notes),
                    (&expected.0, &expected.1, &expected.2),
                    "byte {place}"
                );
                if *checkpoints == expected.3 { right += 1 } else { passed += 1 }
            }
            Err(StoreError::Damaged(_) | StoreError::Open { .. }) => refused += 1,
            Err(error) => panic!("byte {place}: {error:?}"),
        }
    }
    println!("{right} right, {passed} with other checkpoints, {refused} refused");
    assert!(right > 100 && passed > 100 && refused > 100, "{right}, {passed}, {refused}");
}
