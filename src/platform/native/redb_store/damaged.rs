//! A file that contradicts itself, opened to read what of it is sound: what is wrong is listed, not refused.

use std::collections::BTreeMap;

use redb::{Database, ReadTransaction, ReadableTable, StorageBackend};

use super::backend::{Overlay, SharedBackend};
use super::file::{
    self, CHUNK, ENTRIES, IDS, JOURNALS, Journal, Opened, database, guarded, open_error, open_failure,
    packed, read_transaction, store_error,
};
use super::inner::Place;
use super::pages;
use crate::error::StoreError;
use crate::ids::{JournalId, StoreId};

/// Entries behind the last one that is there that are looked for at most: a head may be any number.
const BEHIND_LAST: u64 = 4_096;

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
    let pages = guarded(|| pages::verify(backend)).err();
    problems.extend(pages.as_ref().map(ToString::to_string));
    let database = opened(false)?;
    let read = guarded(|| {
        let transaction = read_transaction(&database)?;
        let store = match file::meta(&transaction, path) {
            // What the file says of itself may be what is damaged.
            Err(error @ (StoreError::TooNew { .. } | StoreError::Damaged(_))) if pages.is_some() => {
                problems.push(error.to_string());
                StoreId::from_bytes([0; StoreId::LEN])
            }
            store => store?,
        };
        Ok((store, journals(&transaction, &mut problems)?))
    });
    let (store, journals) = match read {
        Ok(read) => read,
        Err(error) => {
            leave(database, backend);
            return Err(error);
        }
    };
    problems.dedup();
    Ok((Opened { database, store, journals, damaged: true }, problems))
}

/// Lets go of a damaged database, and of its file, without closing it.
///
/// To close is to write, to a view that nobody reads any more. Where pages lie over each other redb
/// panics in that, and once more while it unwinds, which ends the process. What it has in memory is
/// left behind.
pub(super) fn leave(database: Database, backend: &SharedBackend) {
    std::mem::forget(database);
    backend.release();
}

/// The journals that are listed, as far as the list can be read, and those that have entries and are not.
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
                if let Err(error) = guarded(|| ends(transaction, Journal { no, head })) {
                    problems.push(format!("journal {id}: {error}"));
                }
                // Of one without any entry nothing can be read; they may stand under another number.
                match guarded(|| last(transaction, no)) {
                    Ok(0) => {}
                    Ok(last) => {
                        let head = head.min(last.saturating_add(BEHIND_LAST));
                        journals.insert(id, Journal { no, head });
                    }
                    Err(_) => drop(journals.insert(id, Journal { no, head })),
                }
            }
            Ok(None) => break,
            Err(error) => {
                problems.push(format!("the list of journals: {error}"));
                break;
            }
        }
    }
    if let Err(error) = guarded(|| add_unlisted(transaction, &mut journals, problems)) {
        problems.push(format!("the entries of journals that are not listed: {error}"));
    }
    Ok(journals)
}

/// Adds the journals that have entries and are in no list. Whose they are the entries tell; here they get
/// an id that none has, made of the number in their keys.
fn add_unlisted(
    transaction: &ReadTransaction,
    journals: &mut BTreeMap<JournalId, Journal>,
    problems: &mut Vec<String>,
) -> Result<(), StoreError> {
    let listed = journals.values().map(|journal| journal.no).collect();
    for no in file::unlisted(transaction, &listed)? {
        let mut id = [0; JournalId::LEN];
        id.iter_mut().rev().zip(no.to_le_bytes()).for_each(|(to, byte)| *to = byte);
        let id = JournalId::from_bytes(id);
        problems.push(format!(
            "the entries of journal number {no}, which is not listed, are shown as those of {id}"
        ));
        journals.insert(id, Journal { no, head: last(transaction, no)? });
    }
    Ok(())
}

/// The number of a journal's last entry, 0 if it has none.
fn last(transaction: &ReadTransaction, no: u32) -> Result<u64, StoreError> {
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let last = entries.range((no, 0)..=(no, u64::MAX)).map_err(store_error)?.next_back();
    Ok(last.transpose().map_err(store_error)?.map_or(0, |(key, _)| key.value().1))
}

/// Looks whether a journal's last entry and its last ids are where its head says.
fn ends(transaction: &ReadTransaction, journal: Journal) -> Result<(), StoreError> {
    let Journal { no, head } = journal;
    let last = last(transaction, no)?;
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
