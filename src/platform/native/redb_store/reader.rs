//! Reading entries, ids and notes in one snapshot of the file, with every length checked.

use redb::ReadTransaction;

use super::file::{CHUNK, ENTRIES, IDS, Journal, NOTES, entry, packed, store_error};
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::platform::traits::StoredRecord;

/// The entries from number `from` on, as many as take `max_bytes`, or one.
pub(super) fn read(
    transaction: &ReadTransaction,
    journal: Journal,
    from: u64,
    max_bytes: usize,
) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
    let mut page = Vec::new();
    let mut left = max_bytes;
    each_entry(transaction, journal, from, |number, id, record| {
        match left.checked_sub(record.len()) {
            Some(rest) => left = rest,
            None if page.is_empty() => left = 0,
            None => return false,
        }
        page.push((number, StoredRecord { id, bytes: record.into() }));
        true
    })?;
    Ok(page)
}

/// The entries with these numbers.
pub(super) fn fetch(
    transaction: &ReadTransaction,
    journal: Journal,
    numbers: &[u64],
) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let known = numbers.iter().copied().filter(|number| (1..=journal.head).contains(number));
    known
        .map(|number| {
            let row = entries.get((journal.no, number)).map_err(store_error)?;
            let row = row.ok_or_else(|| missing(number))?;
            let (id, record) = entry(row.value())?;
            Ok((number, StoredRecord { id, bytes: record.into() }))
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
    let chunks = transaction.open_table(IDS).map_err(store_error)?;
    let mut found = Vec::new();
    let mut next = from.max(1);
    while next <= journal.head - journal.head % CHUNK && found.len() < max {
        let (no, skip) = ((next - 1) / CHUNK, (next - 1) % CHUNK);
        let chunk = chunks.get((journal.no, no)).map_err(store_error)?;
        let chunk = chunk.ok_or_else(|| StoreError::Damaged(format!("chunk {no} of the ids is missing")))?;
        let ids = packed(chunk.value())?.iter().copied().map(EntryId::from_bytes);
        let room = max.saturating_sub(found.len());
        found.extend(ids.skip(usize::try_from(skip).unwrap_or(usize::MAX)).take(room));
        next = (no + 1).saturating_mul(CHUNK).saturating_add(1);
    }
    if found.len() < max {
        each_entry(transaction, journal, next, |_, id, _| {
            found.push(id);
            found.len() < max
        })?;
    }
    Ok(found)
}

/// Shows the entries from number `from` on, while `show` returns true, without gaps.
fn each_entry(
    transaction: &ReadTransaction,
    journal: Journal,
    from: u64,
    mut show: impl FnMut(u64, EntryId, &[u8]) -> bool,
) -> Result<(), StoreError> {
    let numbers = from.max(1)..=journal.head;
    if numbers.is_empty() {
        return Ok(());
    }
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let rows = (journal.no, *numbers.start())..=(journal.no, *numbers.end());
    let mut rows = entries.range(rows).map_err(store_error)?;
    for number in numbers {
        let (key, row) = rows.next().ok_or_else(|| missing(number))?.map_err(store_error)?;
        if key.value().1 != number {
            return Err(missing(number));
        }
        let (id, record) = entry(row.value())?;
        if !show(number, id, record) {
            break;
        }
    }
    Ok(())
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
