//! Checking a store entry by entry: what is sound of a journal, and what is wrong with the rest.

use std::collections::{BTreeMap, VecDeque};

use crate::error::StoreError;
use crate::fact::entry::Entry;
#[cfg(feature = "cli")]
use crate::fact::entry::entry_id;
use crate::fact::unchecked::{EntryError, UncheckedEntry};
use crate::ids::{EntryId, JournalId};
use crate::journal::checkpoint::chunk::ChunkWriter;
use crate::journal::checkpoint::head::Head;
use crate::journal::checkpoint::{CheckpointError, chunk_key, head_key};
use crate::merkle::map::MerkleMap;
use crate::merkle::subtree::Root;
use crate::platform::traits::{Store, StoredRecord};

/// Bytes that are read at once.
const PAGE_BYTES: usize = 1_048_576;
/// Entries that are read one by one behind a place that can't be read.
const SINGLY: u64 = 256;
/// Entries at a journal's beginning that tell whose it is: one of them is sound.
#[cfg(feature = "cli")]
const FIRST: u64 = 8;
/// Ids that are compared at once.
const IDS: usize = 4_096;
/// Problems that a report lists at most.
const LISTED: usize = 1_000;

/// Something that is wrong with a journal in a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// An entry can't be read.
    #[error("entry {number} cannot be read: {error}")]
    Unreadable {
        /// Its number.
        number: u64,
        /// What the store says.
        error: StoreError,
    },
    /// An entry's bytes are not those that its id stands for.
    #[error("entry {number} is not what was stored: its bytes have another id")]
    OtherBytes {
        /// Its number.
        number: u64,
    },
    /// An entry's bytes are those of its id, and no entry of the journal.
    #[error("entry {number} is none: {error}")]
    Refused {
        /// Its number.
        number: u64,
        /// Why it is none.
        error: EntryError,
    },
    /// An entry is there under an earlier number too.
    #[error("entry {number} is there twice")]
    Twice {
        /// The later number.
        number: u64,
    },
    /// The list of ids can't be read, or names another one than the entry's.
    #[error("the list of ids is wrong at number {number}")]
    Ids {
        /// The first number at which it is.
        number: u64,
    },
    /// The checkpoint does not agree with the entries. It is made anew when the journal is opened.
    #[error("the checkpoint is wrong: {0}")]
    Checkpoint(String),
}

/// What is found of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalReport {
    /// The journal.
    pub journal: JournalId,
    /// Its last number: as many entries should be there.
    pub entries: u64,
    /// Entries that are there, whole, signed, once.
    pub sound: u64,
    /// The root of those.
    pub root: Root,
    /// Number of the last entry that its checkpoint is about, if it has one that agrees.
    pub checkpoint: Option<u64>,
    /// What is wrong, at most 1,000 of it.
    pub problems: Vec<Problem>,
    /// How many problems are not listed.
    pub unlisted: u64,
}

impl JournalReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, problem: Problem) {
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }
}

/// Goes through the entries of a journal in a store that may be damaged: each is sound, or a problem.
///
/// An entry is sound if its bytes are those that its id stands for, are an entry of the journal, and
/// its signature is right. Whatever the store does, no other comes out.
#[derive(Debug)]
pub struct SoundEntries<S> {
    store: S,
    journal: JournalId,
    /// The id under which the store has it: another one where it is damaged there.
    listed_as: JournalId,
    next: u64,
    head: u64,
    /// Up to which number entries are read one by one.
    singly: u64,
    found: VecDeque<(u64, Result<Entry, Problem>)>,
}

impl<S: Store> SoundEntries<S> {
    /// Those of `journal`, from its first number on.
    ///
    /// # Errors
    /// When the store does not even know the journal's last number.
    pub async fn new(store: S, journal: JournalId) -> Result<Self, StoreError> {
        Self::listed_as(store, journal, journal).await
    }

    /// Those of `journal`, which the store has under the id `listed_as`.
    pub(crate) async fn listed_as(
        store: S,
        journal: JournalId,
        listed_as: JournalId,
    ) -> Result<Self, StoreError> {
        let head = store.head(listed_as).await?.number;
        Ok(Self { store, journal, listed_as, next: 1, head, singly: 0, found: VecDeque::new() })
    }

    /// The journal's last number.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The next number, with its entry or what is wrong with it; nothing behind the last.
    pub async fn next(&mut self) -> Option<(u64, Result<Entry, Problem>)> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            if self.next > self.head {
                return None;
            }
            let number = self.next;
            match self.page().await {
                Ok(page) => {
                    self.next = number.saturating_add(page.len() as u64);
                    self.found = judge(self.journal, page);
                }
                Err(error) if self.singly >= number => {
                    self.next = number.saturating_add(1);
                    return Some((number, Err(Problem::Unreadable { number, error })));
                }
                // What is wrong may be anywhere in the page.
                Err(_) => self.singly = number.saturating_add(SINGLY),
            }
        }
    }

    /// Records from the next number on, without gaps; at least one.
    async fn page(&self) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let mut page = if self.singly >= self.next {
            self.store.fetch(self.listed_as, vec![self.next]).await?
        } else {
            self.store.read(self.listed_as, self.next, PAGE_BYTES).await?
        };
        let in_order =
            page.iter().zip(self.next..=self.head).take_while(|((found, _), number)| found == number);
        let len = in_order.count();
        page.truncate(len);
        if page.is_empty() {
            return Err(StoreError::Damaged("it is missing".into()));
        }
        Ok(page)
    }
}

fn judge(journal: JournalId, page: Vec<(u64, StoredRecord)>) -> VecDeque<(u64, Result<Entry, Problem>)> {
    let records = page.iter().map(|(_, record)| UncheckedEntry::new(record.bytes.to_vec())).collect();
    let judged = UncheckedEntry::judge_all(&journal, records);
    type Judged = (EntryId, Result<Entry, EntryError>);
    let verdict = |((number, record), (id, verdict)): ((u64, StoredRecord), Judged)| {
        let verdict = if id == record.id {
            verdict.map_err(|error| Problem::Refused { number, error })
        } else {
            Err(Problem::OtherBytes { number })
        };
        (number, verdict)
    };
    page.into_iter().zip(judged).map(verdict).collect()
}

/// Checks all that a store has of a journal: numbers without gaps, bytes, signatures, ids, checkpoint.
///
/// # Errors
/// When the store does not even know the journal's last number.
pub async fn check<S: Store>(store: &S, journal: JournalId) -> Result<JournalReport, StoreError> {
    check_listed_as(store, journal, journal).await
}

/// Checks all that a store has of a journal under the id `listed_as`.
pub(crate) async fn check_listed_as<S: Store>(
    store: &S,
    journal: JournalId,
    listed_as: JournalId,
) -> Result<JournalReport, StoreError> {
    let mut entries = SoundEntries::listed_as(store.clone(), journal, listed_as).await?;
    let mut checkpoint = CheckpointCheck::begin(store, journal).await;
    let mut report = JournalReport {
        journal,
        entries: entries.head(),
        sound: 0,
        root: MerkleMap::new().root(),
        checkpoint: None,
        problems: Vec::new(),
        unlisted: 0,
    };
    let mut numbers = BTreeMap::new();
    // The id of each number, as far as it is known.
    let mut ids: Vec<Option<EntryId>> = Vec::new();
    while let Some((number, found)) = entries.next().await {
        ids.push(found.as_ref().ok().map(Entry::id));
        match found {
            Ok(entry) if numbers.contains_key(&entry.id()) => report.add(Problem::Twice { number }),
            Ok(entry) => {
                numbers.insert(entry.id(), number);
                checkpoint.entry(store, number, &entry, &numbers).await;
            }
            Err(problem) => report.add(problem),
        }
    }
    let map = MerkleMap::from_ids(numbers.keys().copied().collect());
    report.sound = numbers.len() as u64;
    report.root = map.root();
    if let Some(number) = wrong_id(store, listed_as, &ids).await {
        report.add(Problem::Ids { number });
    }
    match checkpoint.end(&report, &ids) {
        Ok(reaches) => report.checkpoint = reaches,
        Err(error) => report.add(Problem::Checkpoint(error)),
    }
    Ok(report)
}

/// Whose the entries are that the store has under the id `listed_as`: that journal's, or else those of one
/// of the `candidates`, if the first ones are.
#[cfg(feature = "cli")]
pub(crate) async fn owner<S: Store>(
    store: &S,
    listed_as: JournalId,
    candidates: &[JournalId],
) -> Option<JournalId> {
    let mut first = Vec::new();
    for number in 1..=FIRST {
        // One by one, since what can't be read hides no other.
        first.extend(store.fetch(listed_as, vec![number]).await.unwrap_or_default());
    }
    let owns =
        |journal: &JournalId| first.iter().any(|(_, record)| entry_id(journal, &record.bytes) == record.id);
    std::iter::once(&listed_as).chain(candidates).copied().find(|journal| owns(journal))
}

/// The first number at which the store's list of ids names another one than the entry's.
async fn wrong_id<S: Store>(store: &S, journal: JournalId, ids: &[Option<EntryId>]) -> Option<u64> {
    let mut first = 1_u64;
    for page in ids.chunks(IDS) {
        let numbered = (first..).zip(page);
        first = first.saturating_add(page.len() as u64);
        let listed = store.ids(journal, first.saturating_sub(page.len() as u64), page.len()).await;
        let listed = listed.unwrap_or_default();
        for (place, (number, id)) in numbered.enumerate() {
            // Of an entry that is lost nobody knows the id.
            let Some(id) = id else { continue };
            let found = match listed.get(place) {
                Some(found) => Some(*found),
                // What is wrong may be anywhere in the page.
                None => store.ids(journal, number, 1).await.unwrap_or_default().first().copied(),
            };
            if found != Some(*id) {
                return Some(number);
            }
        }
    }
    None
}

/// Makes a checkpoint's chunks anew from the entries, and compares.
struct CheckpointCheck {
    journal: JournalId,
    head: Result<Option<Head>, String>,
    /// The chunk that is being made, and the ids in it.
    chunk: ChunkWriter,
    ids: Vec<EntryId>,
    chunks: VecDeque<u64>,
    /// Why they differ.
    wrong: Option<String>,
}

impl CheckpointCheck {
    async fn begin<S: Store>(store: &S, journal: JournalId) -> Self {
        let head = match store.note(&head_key(journal)).await {
            Ok(None) => Ok(None),
            Ok(Some(note)) => match Head::read(journal, &note) {
                Ok(head) => Ok(Some(head)),
                // That is for the newer version to judge.
                Err(CheckpointError::Newer(_)) => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        let chunks = head.as_ref().ok().and_then(Option::as_ref).map(|head| head.ends.clone().into());
        let chunk = ChunkWriter::new(1);
        Self { journal, head, chunk, ids: Vec::new(), chunks: chunks.unwrap_or_default(), wrong: None }
    }

    async fn entry<S: Store>(
        &mut self,
        store: &S,
        number: u64,
        entry: &Entry,
        numbers: &BTreeMap<EntryId, u64>,
    ) {
        let Some(end) = self.chunks.front().copied() else { return };
        if number != self.chunk.first().saturating_add(self.chunk.len() as u64) {
            // An entry before it is not sound, so that there is nothing to compare with.
            self.chunks.clear();
            return;
        }
        self.chunk.push(&entry.summary(), |id| numbers.get(id).copied());
        self.ids.push(entry.id());
        if number == end {
            self.chunks.pop_front();
            let chunk = std::mem::replace(&mut self.chunk, ChunkWriter::new(end.saturating_add(1)));
            let chunk = chunk.finish(self.journal, &std::mem::take(&mut self.ids));
            let kept = store.note(&chunk_key(self.journal, end)).await;
            if kept != Ok(Some(chunk)) && self.wrong.is_none() {
                self.wrong = Some(format!("its chunk up to number {end} is not what its entries make"));
            }
        }
    }

    /// How far a checkpoint reaches that agrees, or why it does not.
    fn end(self, report: &JournalReport, ids: &[Option<EntryId>]) -> Result<Option<u64>, String> {
        let Some(head) = self.head? else { return Ok(None) };
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let number = head.number();
        if number > report.entries {
            let reaches = CheckpointError::Beyond { reaches: number, head: report.entries };
            return Err(reaches.to_string());
        }
        let known = ids.iter().take(usize::try_from(number).unwrap_or(usize::MAX)).copied();
        // Where entries are lost nobody can tell.
        let Some(known) = known.collect::<Option<Vec<_>>>() else { return Ok(None) };
        if MerkleMap::from_ids(known).root() == head.root {
            Ok(Some(number))
        } else {
            Err(CheckpointError::Root.to_string())
        }
    }
}
