//! A file that contradicts itself, opened to read what of it is sound: what is wrong is listed, not refused.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable, StorageBackend};

use super::backend::Overlay;
use super::file::{
    self, CHUNK, ENTRIES, IDS, JOURNALS, Journal, Opened, database, guarded, open_error, open_failure,
    packed, read_transaction, store_error,
};
use super::inner::Place;
use crate::error::StoreError;
use crate::ids::JournalId;

/// Opens a file through a view that leaves it as it is; what is wrong with it.
pub(super) fn open(place: &Place) -> Result<(Opened, Vec<String>), StoreError> {
    let Place { path, backend, .. } = place;
    if backend.len().map_err(|error| open_error(path, error))? == 0 {
        return Err(open_error(path, "the file is empty, not a store"));
    }
    let view = || Overlay::new(backend.clone()).map_err(|error| open_error(path, error));
    let opened = |verify: bool| {
        let view = view()?;
        guarded(|| database(view, verify).map_err(|error| open_failure(error, path)))
    };
    let sound = opened(true).and_then(|database| guarded(|| file::load(database, path)));
    let error = match sound {
        Ok(opened) => return Ok((opened, Vec::new())),
        Err(error @ StoreError::TooNew { .. }) => return Err(error),
        Err(error) => error,
    };
    let mut problems = vec![error.to_string()];
    let database = opened(false)?;
    let (store, journals) = guarded(|| {
        let transaction = read_transaction(&database)?;
        let store = file::meta(&transaction, path)?;
        Ok((store, journals(&transaction, &mut problems)?))
    })?;
    problems.dedup();
    Ok((Opened { database, store, journals }, problems))
}

/// The journals that are listed, as far as the list can be read.
fn journals(
    transaction: &ReadTransaction,
    problems: &mut Vec<String>,
) -> Result<BTreeMap<JournalId, Journal>, StoreError> {
    let mut journals = BTreeMap::new();
    let table = transaction.open_table(JOURNALS).map_err(store_error)?;
    let mut rows = table.iter().map_err(store_error)?;
    loop {
        let row = guarded(|| {
            let row = rows.next().transpose().map_err(store_error)?;
            Ok(row.map(|(id, journal)| (JournalId::from_bytes(*id.value()), journal.value())))
        });
        match row {
            Ok(Some((id, (no, head)))) => {
                let journal = Journal { no, head };
                if let Err(error) = guarded(|| ends(transaction, journal)) {
                    problems.push(format!("journal {id}: {error}"));
                }
                journals.insert(id, journal);
            }
            Ok(None) => break,
            Err(error) => {
                problems.push(format!("the list of journals: {error}"));
                break;
            }
        }
    }
    Ok(journals)
}

/// Looks whether a journal's last entry and its last ids are where its head says.
fn ends(transaction: &ReadTransaction, journal: Journal) -> Result<(), StoreError> {
    let Journal { no, head } = journal;
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let last = entries.range((no, 0)..=(no, u64::MAX)).map_err(store_error)?.next_back();
    let last = last.transpose().map_err(store_error)?.map_or(0, |(key, _)| key.value().1);
    if last != head {
        return Err(StoreError::Damaged(format!("its head is {head}, its last entry {last}")));
    }
    if let Some(chunk) = (head / CHUNK).checked_sub(1) {
        let ids = transaction.open_table(IDS).map_err(store_error)?;
        let chunk = ids.get((no, chunk)).map_err(store_error)?;
        let chunk = chunk.ok_or_else(|| StoreError::Damaged("its last ids are missing".into()))?;
        packed(chunk.value())?;
    }
    Ok(())
}
