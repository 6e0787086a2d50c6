//! Checks a file: every entry, that none stands in it twice, and the root over all.
//!
//! # Contract
//! [`read`](FileChecker::read) bytes until there is no step. A batch is [checked](FileBatch::check), which
//! takes milliseconds and may be done elsewhere, and [settled](FileChecker::settle) before more is read.
//! The entries that come of it are authentic, whatever else becomes of the file. After the end of the
//! bytes, [`finish`](FileChecker::finish) until it gives the root.

use crate::fact::entry::Entry;
use crate::fact::unchecked::UncheckedEntry;
use crate::ids::{EntryId, JournalId};
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::journal::file::reader::{FileItem, FileReader};
use crate::limits::{FILE_BATCH_BYTES, FILE_BATCH_ENTRIES};
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::sort;
use crate::merkle::subtree::Root;

/// What a checker has come to.
#[derive(Debug)]
pub enum FileStep {
    /// The head, first: which journal it is.
    Header(FileHeader),
    /// Records to be checked and settled.
    Check(FileBatch),
    /// The end: all was right.
    End(Root),
}

/// Records of a file that are to be checked together.
#[derive(Debug)]
pub struct FileBatch {
    journal: JournalId,
    records: Vec<UncheckedEntry>,
    places: Vec<Place>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    number: u64,
}

impl FileBatch {
    /// Checks every one: its form, its journal, its signature, the last all together.
    pub fn check(self) -> CheckedBatch {
        let mut checked = CheckedBatch { entries: Vec::new(), places: self.places, failed: None };
        let verdicts = UncheckedEntry::judge_all(&self.journal, self.records);
        for ((_, verdict), place) in verdicts.into_iter().zip(&checked.places) {
            match verdict {
                Ok(entry) => checked.entries.push(entry),
                Err(error) => {
                    let Place { offset, number } = *place;
                    checked.failed = Some(FileError::Entry { offset, number, error });
                    break;
                }
            }
        }
        checked
    }
}

/// The entries of a batch, up to one that is none.
#[derive(Debug)]
pub struct CheckedBatch {
    entries: Vec<Entry>,
    places: Vec<Place>,
    failed: Option<FileError>,
}

/// See the module. Takes 46 bytes for each entry that it has seen, and one batch.
#[derive(Debug)]
pub struct FileChecker {
    reader: FileReader,
    journal: Option<JournalId>,
    records: Vec<UncheckedEntry>,
    places: Vec<Place>,
    bytes: usize,
    ids: MerkleMap,
    /// Records read so far.
    read: u64,
    claimed: Option<Root>,
    failed: Option<FileError>,
}

impl FileChecker {
    /// At the beginning of a file.
    pub fn new() -> Self {
        Self {
            reader: FileReader::new(),
            journal: None,
            records: Vec::new(),
            places: Vec::new(),
            bytes: 0,
            ids: MerkleMap::new(),
            read: 0,
            claimed: None,
            failed: None,
        }
    }

    /// How many entries were found right so far.
    pub fn entries(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Reads on, as [`FileReader::read`]. What it has read is checked also if the file then turns out wrong.
    ///
    /// # Errors
    /// When something is wrong with the file.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<FileStep>, FileError> {
        loop {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if self.records.len() >= FILE_BATCH_ENTRIES || self.bytes >= FILE_BATCH_BYTES {
                return Ok(self.batch());
            }
            match self.reader.read(input) {
                Ok(None) => return Ok(None),
                Ok(Some(FileItem::Header(header))) => {
                    self.journal = Some(header.journal());
                    return Ok(Some(FileStep::Header(header)));
                }
                Ok(Some(FileItem::Record(record))) => {
                    self.read = self.read.saturating_add(1);
                    self.bytes = self.bytes.saturating_add(record.len());
                    let offset = self.reader.last_record_at(record.len());
                    self.places.push(Place { offset, number: self.read });
                    self.records.push(UncheckedEntry::new(record));
                }
                Ok(Some(FileItem::End(root))) => self.claimed = Some(root),
                // The reader says it again.
                Err(error) => return self.batch().map(Some).ok_or(error),
            }
        }
    }

    /// Nothing follows. Gives the batch that was not full, and at last the end.
    ///
    /// # Errors
    /// When the file is incomplete, its root is not that of its entries, or it was wrong before.
    pub fn finish(&mut self) -> Result<FileStep, FileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Some(batch) = self.batch() {
            return Ok(batch);
        }
        self.reader.finish()?;
        let found = self.ids.root();
        match self.claimed {
            Some(claimed) if claimed == found => Ok(FileStep::End(found)),
            claimed => Err(FileError::Root { claimed: claimed.unwrap_or(Root::EMPTY), found }),
        }
    }

    /// Takes back a batch that was checked. The entries that are new in the file up to what is wrong with it.
    pub fn settle(&mut self, checked: CheckedBatch) -> Vec<Entry> {
        let CheckedBatch { mut entries, places, failed } = checked;
        self.failed = failed;
        if let Some(index) = self.first_again(&entries)
            && let (Some(entry), Some(place)) = (entries.get(index), places.get(index))
        {
            let Place { offset, number } = *place;
            self.failed = Some(FileError::Twice { offset, number, id: entry.id() });
            entries.truncate(index);
        }
        self.ids.insert_all(entries.iter().map(Entry::id).collect());
        entries
    }

    /// The place of the first entry that stood in the file before.
    fn first_again(&self, entries: &[Entry]) -> Option<usize> {
        let ids: Vec<EntryId> = entries.iter().map(Entry::id).collect();
        let mut distinct = ids.clone();
        sort(&mut distinct);
        distinct.dedup();
        // Comparing each with each takes 512 × 512 / 2 steps, once: the file ends here.
        let within = (distinct.len() < ids.len()).then_some(());
        let within = within.and_then(|()| {
            let again = |(index, id): (usize, &EntryId)| {
                ids.get(..index).is_some_and(|before| before.contains(id)).then_some(index)
            };
            ids.iter().enumerate().find_map(again)
        });
        let across = ids.iter().position(|id| self.ids.contains(id));
        match (within, across) {
            (Some(within), Some(across)) => Some(within.min(across)),
            (within, across) => within.or(across),
        }
    }

    /// What has gathered, if anything.
    fn batch(&mut self) -> Option<FileStep> {
        if self.records.is_empty() {
            return None;
        }
        let (records, places) = (core::mem::take(&mut self.records), core::mem::take(&mut self.places));
        self.bytes = 0;
        // The head comes first.
        let journal = self.journal?;
        Some(FileStep::Check(FileBatch { journal, records, places }))
    }
}

impl Default for FileChecker {
    fn default() -> Self {
        Self::new()
    }
}
