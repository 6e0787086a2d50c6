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
    /// The bytes that it is found by: the header, and of each page with such tables that much of it
    /// that is not to be missed.
    fn places(&self) -> Vec<usize> {
        let mut sought: Vec<Vec<u8>> = keys().into_iter().map(String::into_bytes).collect();
        sought.extend((1..=2).map(|no| journal(no).as_bytes().to_vec()));
        // The lists of tables; what the file is.
        sought.extend([b"journals".to_vec(), b"allocator_state".to_vec(), b"formatstore".to_vec()]);
        let mut places: Vec<usize> = (0..HEADER).collect();
        let mut pages = 0;
        for (no, page) in self.bytes.chunks(PAGE).enumerate().skip(1) {
            let holds = |sought: &Vec<u8>| page.windows(sought.len()).any(|found| found == sought);
            let missed = |from: &usize| {
                let mut without = self.bytes.clone();
                without[no * PAGE + from..(no + 1) * PAGE].fill(0xA5);
                found(without).as_ref() != Ok(&self.told)
            };
            if sought.iter().any(holds) && missed(&0) {
                // The last page that any of it is in may be all zeros behind.
                let end = (32..PAGE).step_by(32).find(|from| !missed(from)).unwrap_or(PAGE);
                places.extend((0..end).map(|place| no * PAGE + place));
                pages += 1;
            }
        }
        assert!(pages >= 5, "{pages}");
        places
    }
}

/// Flips each bit. What it was the same without says the same; the rest is refused.
fn flip_all(journals: u8, clean: bool) {
    let sample = sample(journals, clean);
    let (mut right, mut refused, mut back) = (0, 0, 0);
    for place in sample.places() {
        for bit in 0..8 {
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
