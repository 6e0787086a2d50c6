//! Appends and notes as they are put into one transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

use redb::{ReadableTable, Table, WriteTransaction};

use super::file::{CHUNK, ENTRIES, IDS, JOURNALS, Journal, NOTES, entry, packed, store_error};
use super::request::{Append, NoteOutcome, SetNote};
use crate::error::StoreError;
use crate::ids::JournalId;

type Numbered<'t> = Table<'t, (u32, u64), &'static [u8]>;

/// The open tables of a transaction, and the journals that have grown in it.
pub(super) struct Batch<'t> {
    entries: Numbered<'t>,
    ids: Numbered<'t>,
    journals: Table<'t, &'static [u8; JournalId::LEN], (u32, u64)>,
    notes: Table<'t, &'static [u8], &'static [u8]>,
    grown: BTreeMap<JournalId, Journal>,
    next_journal: u32,
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
        let known = self.grown.get(&work.journal).copied().or(known);
        let head = known.map_or(0, |journal| journal.head);
        if head != work.at {
            return Ok(Appended::Behind(head));
        }
        let no = match known {
            Some(journal) => journal.no,
            None => self.take_number()?,
        };
        let end = head.checked_add(work.entries.len() as u64);
        let end = end.ok_or_else(|| StoreError::Damaged(format!("a journal's head is {head}")))?;
        // A cursor is a third faster than single inserts, and does not overwrite what is there.
        let mut gap = self.entries.upper_bound_mut(Bound::Included((no, head))).map_err(store_error)?;
        let mut row = Vec::new();
        for (number, record) in (head.saturating_add(1)..=end).zip(&work.entries) {
            row.clear();
            row.extend_from_slice(record.id.as_bytes());
            row.extend_from_slice(&record.bytes);
            gap.insert_before((no, number), row.as_slice()).map_err(store_error)?;
        }
        gap.close().map_err(store_error)?;
        for chunk in head / CHUNK..end / CHUNK {
            self.pack(no, chunk)?;
        }
        self.grown.insert(work.journal, Journal { no, head: end });
        Ok(Appended::Done(end))
    }

    /// The number of a journal that is new.
    fn take_number(&mut self) -> Result<u32, StoreError> {
        let no = self.next_journal;
        self.next_journal = no.checked_add(1).ok_or_else(|| StoreError::Full("2^32 journals".into()))?;
        Ok(no)
    }

    /// Packs the ids of a chunk of which all entries are there.
    fn pack(&mut self, no: u32, chunk: u64) -> Result<(), StoreError> {
        let numbers = (no, chunk * CHUNK + 1)..=(no, (chunk + 1) * CHUNK);
        let mut ids = Vec::new();
        for row in self.entries.range(numbers).map_err(store_error)? {
            let (_, row) = row.map_err(store_error)?;
            ids.extend_from_slice(entry(row.value())?.0.as_bytes());
        }
        packed(&ids)?;
        self.ids.insert((no, chunk), ids.as_slice()).map_err(store_error)?;
        Ok(())
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

    /// Writes the heads. Returns the journals that have grown.
    pub(super) fn finish(mut self) -> Result<BTreeMap<JournalId, Journal>, StoreError> {
        for (id, journal) in &self.grown {
            self.journals.insert(id.as_bytes(), (journal.no, journal.head)).map_err(store_error)?;
        }
        Ok(self.grown)
    }
}
