//! Appends and notes as they are put into one transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

use redb::{ReadableTable, Table, WriteTransaction};

use super::file::{CHUNK, ENTRIES, IDS, JOURNALS, Journal, NOTES, store_error};
use super::request::{Append, NoteOutcome, SetNote};
use crate::error::StoreError;
use crate::ids::{EntryId, JournalId};

type Numbered<'t> = Table<'t, (u32, u64), &'static [u8]>;

/// The open tables of a transaction, and the journals that have grown in it.
pub(super) struct Batch<'t> {
    entries: Numbered<'t>,
    ids: Numbered<'t>,
    journals: Table<'t, &'static [u8; JournalId::LEN], (u32, u64)>,
    notes: Table<'t, &'static [u8], &'static [u8]>,
    grown: BTreeMap<JournalId, Grown>,
    next_journal: u32,
}

/// A journal that has grown.
struct Grown {
    journal: Journal,
    /// Ids of the last chunk, which is written once at the end however many appends it takes; empty
    /// when the head fills a chunk.
    tail: Vec<u8>,
}

/// What became of an append.
pub(super) enum Appended {
    Done(u64),
    Behind(u64),
}

impl<'t> Batch<'t> {
    /// A batch in `transaction`. The next journal that is new gets the number `next_journal`.
    pub(super) fn open(transaction: &'t WriteTransaction, next_journal: u32) -> Result<Self, StoreError> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES).map_err(store_error)?,
            ids: transaction.open_table(IDS).map_err(store_error)?,
            journals: transaction.open_table(JOURNALS).map_err(store_error)?,
            notes: transaction.open_table(NOTES).map_err(store_error)?,
            grown: BTreeMap::new(),
            next_journal,
        })
    }

    /// Appends to a journal that is `known` so before this batch, if it is not new.
    pub(super) fn append(&mut self, work: &Append, known: Option<Journal>) -> Result<Appended, StoreError> {
        let mut grown = match self.grown.remove(&work.journal) {
            Some(grown) => grown,
            None if known.map_or(0, |journal| journal.head) == work.at => self.begin(known)?,
            None => return Ok(Appended::Behind(known.map_or(0, |journal| journal.head))),
        };
        let outcome = if grown.journal.head == work.at {
            grown.append(work, &mut self.entries, &mut self.ids)?;
            Appended::Done(grown.journal.head)
        } else {
            Appended::Behind(grown.journal.head)
        };
        self.grown.insert(work.journal, grown);
        Ok(outcome)
    }

    /// A journal before it grows, with the ids of its last chunk.
    fn begin(&mut self, known: Option<Journal>) -> Result<Grown, StoreError> {
        let Some(journal) = known else {
            let no = self.next_journal;
            self.next_journal = no.checked_add(1).ok_or_else(|| StoreError::Full("2^32 journals".into()))?;
            return Ok(Grown { journal: Journal { no, head: 0 }, tail: Vec::new() });
        };
        let mut tail = Vec::new();
        if !journal.head.is_multiple_of(CHUNK) {
            let chunk = self.ids.get((journal.no, journal.head / CHUNK)).map_err(store_error)?;
            tail.extend_from_slice(chunk.as_ref().map(|chunk| chunk.value()).unwrap_or_default());
            if tail.len() as u64 != (journal.head % CHUNK) * EntryId::LEN as u64 {
                return Err(StoreError::Damaged("the last ids of a journal do not fit its head".into()));
            }
        }
        Ok(Grown { journal, tail })
    }

    /// Sets a note if it is what is expected.
    pub(super) fn set_note(&mut self, work: &SetNote) -> Result<NoteOutcome, StoreError> {
        let key = work.key.as_bytes();
        let current = self.notes.get(key).map_err(store_error)?.map(|note| note.value().to_vec());
        if current != work.expected {
            return Ok(Err(current));
        }
        match &work.value {
            Some(value) => drop(self.notes.insert(key, value.as_slice()).map_err(store_error)?),
            None => drop(self.notes.remove(key).map_err(store_error)?),
        }
        Ok(Ok(()))
    }

    /// Writes the chunks that are not full and the heads. Returns the journals that have grown.
    pub(super) fn finish(mut self) -> Result<BTreeMap<JournalId, Journal>, StoreError> {
        for (id, Grown { journal, tail }) in &self.grown {
            if !tail.is_empty() {
                let key = (journal.no, journal.head / CHUNK);
                self.ids.insert(key, tail.as_slice()).map_err(store_error)?;
            }
            self.journals.insert(id.as_bytes(), (journal.no, journal.head)).map_err(store_error)?;
        }
        Ok(self.grown.into_iter().map(|(id, grown)| (id, grown.journal)).collect())
    }
}

impl Grown {
    fn append(
        &mut self,
        work: &Append,
        entries: &mut Numbered<'_>,
        ids: &mut Numbered<'_>,
    ) -> Result<(), StoreError> {
        let Journal { no, head } = self.journal;
        let end = head.checked_add(work.entries.len() as u64);
        let end = end.ok_or_else(|| StoreError::Damaged(format!("a journal's head is {head}")))?;
        // A cursor is a third faster than single inserts, and does not overwrite what is there.
        let mut gap = entries.upper_bound_mut(Bound::Included((no, head))).map_err(store_error)?;
        for (number, record) in (head.saturating_add(1)..=end).zip(&work.entries) {
            gap.insert_before((no, number), &*record.bytes).map_err(store_error)?;
            self.tail.extend_from_slice(record.id.as_bytes());
            if number.is_multiple_of(CHUNK) {
                ids.insert((no, number / CHUNK - 1), self.tail.as_slice()).map_err(store_error)?;
                self.tail.clear();
            }
        }
        gap.close().map_err(store_error)?;
        self.journal.head = end;
        Ok(())
    }
}
