//! Reading entries, ids and notes in one snapshot of the file, with every length checked.

use std::sync::Arc;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction};

use super::file::{CHUNK, ENTRIES, IDS, Journal, NOTES, store_error};
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::platform::traits::StoredRecord;

/// The entries from number `from` on, at most `max_bytes` of them or one.
pub(super) fn read(
    transaction: &ReadTransaction,
    journal: Journal,
    from: u64,
    max_bytes: usize,
) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let mut ids = Ids::open(transaction, journal)?;
    let mut page = Vec::new();
    let mut left = max_bytes;
    let mut expected = from.max(1);
    if expected > journal.head {
        return Ok(page);
    }
    let range = entries.range((journal.no, expected)..=(journal.no, journal.head)).map_err(store_error)?;
    for row in range {
        let (key, record) = row.map_err(store_error)?;
        let number = key.value().1;
        if number != expected {
            return Err(missing(expected));
        }
        let record = record.value();
        match left.checked_sub(record.len()) {
            Some(rest) => left = rest,
            None if page.is_empty() => left = 0,
            None => return Ok(page),
        }
        page.push((number, StoredRecord { id: ids.id(number)?, bytes: record.into() }));
        expected = number.saturating_add(1);
    }
    if expected <= journal.head { Err(missing(expected)) } else { Ok(page) }
}

/// The entries with these numbers.
pub(super) fn fetch(
    transaction: &ReadTransaction,
    journal: Journal,
    numbers: &[u64],
) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let mut ids = Ids::open(transaction, journal)?;
    let known = numbers.iter().copied().filter(|number| (1..=journal.head).contains(number));
    known
        .map(|number| {
            let record = entries.get((journal.no, number)).map_err(store_error)?;
            let bytes: Arc<[u8]> = record.ok_or_else(|| missing(number))?.value().into();
            Ok((number, StoredRecord { id: ids.id(number)?, bytes }))
        })
        .collect()
}

/// The ids from number `from` on, at most `max`.
pub(super) fn ids(
    transaction: &ReadTransaction,
    journal: Journal,
    from: u64,
    max: usize,
) -> Result<Vec<EntryId>, StoreError> {
    let mut ids = Ids::open(transaction, journal)?;
    (from.max(1)..=journal.head).take(max).map(|number| ids.id(number)).collect()
}

/// The note under `key`.
pub(super) fn note(transaction: &ReadTransaction, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let notes = transaction.open_table(NOTES).map_err(store_error)?;
    let note = notes.get(key.as_bytes()).map_err(store_error)?;
    Ok(note.map(|note| note.value().to_vec()))
}

/// The notes whose keys start with `prefix`.
pub(super) fn notes(
    transaction: &ReadTransaction,
    prefix: &str,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let notes = transaction.open_table(NOTES).map_err(store_error)?;
    let mut found = Vec::new();
    for row in notes.range(prefix.as_bytes()..).map_err(store_error)? {
        let (key, note) = row.map_err(store_error)?;
        if !key.value().starts_with(prefix.as_bytes()) {
            break;
        }
        let key = str::from_utf8(key.value());
        let key = key.map_err(|_| StoreError::Damaged("the key of a note is not text".into()))?;
        found.push((key.into(), note.value().to_vec()));
    }
    Ok(found)
}

fn missing(number: u64) -> StoreError {
    StoreError::Damaged(format!("entry {number} of a journal is missing"))
}

/// The ids of a journal, of which the chunk last used is kept.
struct Ids {
    table: ReadOnlyTable<(u32, u64), &'static [u8]>,
    journal: Journal,
    chunk: Option<(u64, AccessGuard<'static, &'static [u8]>)>,
}

impl Ids {
    fn open(transaction: &ReadTransaction, journal: Journal) -> Result<Self, StoreError> {
        let table = transaction.open_table(IDS).map_err(store_error)?;
        Ok(Self { table, journal, chunk: None })
    }

    /// The id of the entry `number`, from 1 to the head.
    fn id(&mut self, number: u64) -> Result<EntryId, StoreError> {
        let place = number.saturating_sub(1);
        let chunk = match self.chunk.take().filter(|(no, _)| *no == place / CHUNK) {
            Some((_, chunk)) => chunk,
            None => self.load(place / CHUNK)?,
        };
        let id = packed(chunk.value()).get(usize::try_from(place % CHUNK).unwrap_or(usize::MAX)).copied();
        self.chunk = Some((place / CHUNK, chunk));
        id.map(EntryId::from_bytes)
            .ok_or_else(|| StoreError::Damaged(format!("the id of entry {number} is missing")))
    }

    fn load(&self, no: u64) -> Result<AccessGuard<'static, &'static [u8]>, StoreError> {
        let chunk = self.table.get((self.journal.no, no)).map_err(store_error)?;
        let chunk = chunk.ok_or_else(|| StoreError::Damaged(format!("chunk {no} of the ids is missing")))?;
        let bytes = chunk.value().len();
        if !bytes.is_multiple_of(EntryId::LEN) {
            return Err(StoreError::Damaged(format!("chunk {no} of the ids has {bytes} bytes")));
        }
        Ok(chunk)
    }
}

/// Packed ids, without what is too short for one.
fn packed(bytes: &[u8]) -> &[[u8; EntryId::LEN]] {
    bytes.as_chunks().0
}
