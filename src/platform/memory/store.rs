//! A store wholly in memory: for tests, demos and nodes that need not outlive their process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litemap::LiteMap;

use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, JournalId, StoreId};
use crate::platform::traits::{AppendOutcome, Durability, Store, StoredRecord};
use crate::platform::waiters::Waiters;

/// A store in memory. Clones share one content.
///
/// Tests make it fail: [`fail_after`](Self::fail_after) breaks it as a disk breaks,
/// [`set_capacity`](Self::set_capacity) fills it up.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    id: StoreId,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    journals: LiteMap<JournalId, Vec<StoredRecord>>,
    notes: LiteMap<String, Vec<u8>>,
    waiters: Waiters,
    /// Bytes of all records, ids and notes.
    bytes: usize,
    capacity: usize,
    health: Health,
}

/// Whether writes work.
#[derive(Clone, Copy, Debug)]
enum Health {
    Sound,
    /// This many writes still work; the one after them fails.
    Counting(u64),
    Failed,
}

impl MemoryStore {
    /// An empty store named `id`.
    pub fn new(id: StoreId) -> Self {
        let state = State {
            journals: LiteMap::new(),
            notes: LiteMap::new(),
            waiters: Waiters::default(),
            bytes: 0,
            capacity: usize::MAX,
            health: Health::Sound,
        };
        Self { id, state: Arc::new(Mutex::new(state)) }
    }

    /// Makes the `n`th write from now fail, counted from 1, and all later ones until
    /// [`reopen`](Self::reopen). A failed write leaves nothing behind; reading goes on.
    ///
    /// A write is an append or note that would change something: one that finds the head or the
    /// note changed does not count.
    pub fn fail_after(&self, n: u64) {
        self.lock().health = Health::Counting(n.saturating_sub(1));
    }

    /// Ends a failure, as closing and opening again would. What was written is there.
    pub fn reopen(&self) {
        self.lock().health = Health::Sound;
    }

    /// Refuses writes that would take records, ids and notes beyond `bytes` in all, with
    /// [`StoreError::Full`]. Reading goes on, and so do writes that fit.
    pub fn set_capacity(&self, bytes: usize) {
        self.lock().capacity = bytes;
    }

    /// Bytes of all records, ids and notes.
    pub fn size(&self) -> usize {
        self.lock().bytes
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor { store: self.id, number }
    }

    /// The state. A panic elsewhere cannot have left it half changed: each change is made by
    /// operations that do not panic, after all that can fail.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn head(&self, journal: JournalId) -> u64 {
        self.records(journal).len() as u64
    }

    fn records(&self, journal: JournalId) -> &[StoredRecord] {
        self.journals.get(&journal).map(Vec::as_slice).unwrap_or_default()
    }

    /// The records from number `from` on, with their numbers.
    fn from(&self, journal: JournalId, from: u64) -> impl Iterator<Item = (u64, &StoredRecord)> {
        let from = from.max(1);
        let skip = usize::try_from(from - 1).unwrap_or(usize::MAX);
        (from..=u64::MAX).zip(self.records(journal).get(skip..).unwrap_or_default())
    }

    /// Lets a write of `added` bytes in place of `removed` happen, or says why not.
    fn admit(&mut self, added: usize, removed: usize) -> Result<(), StoreError> {
        let bytes = self.bytes.saturating_sub(removed).saturating_add(added);
        if bytes > self.capacity && added > removed {
            return Err(StoreError::Full(format!("{bytes} bytes, of at most {}", self.capacity)));
        }
        self.health = match self.health {
            Health::Sound => Health::Sound,
            Health::Counting(left) => left.checked_sub(1).map_or(Health::Failed, Health::Counting),
            Health::Failed => Health::Failed,
        };
        self.sound()?;
        self.bytes = bytes;
        Ok(())
    }

    fn sound(&self) -> Result<(), StoreError> {
        match self.health {
            Health::Sound | Health::Counting(_) => Ok(()),
            Health::Failed => Err(StoreError::Failed("a write was made to fail".into())),
        }
    }
}

/// Bytes that a record takes.
fn size_of(record: &StoredRecord) -> usize {
    record.bytes.len().saturating_add(EntryId::LEN)
}

impl Store for MemoryStore {
    fn id(&self) -> StoreId {
        self.id
    }

    async fn head(&self, journal: JournalId) -> Result<Cursor, StoreError> {
        Ok(self.cursor(self.lock().head(journal)))
    }

    async fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        _durability: Durability,
    ) -> Result<AppendOutcome, StoreError> {
        let (head, ready) = {
            let mut state = self.lock();
            state.sound()?;
            let head = state.head(journal);
            if entries.is_empty() {
                return Ok(AppendOutcome::Done(self.cursor(head)));
            }
            if head != at {
                return Ok(AppendOutcome::Behind(self.cursor(head)));
            }
            state.admit(entries.iter().map(size_of).sum(), 0)?;
            state.journals.entry(journal).or_default().extend(entries);
            let head = state.head(journal);
            (head, state.waiters.moved(journal, head))
        };
        for waiter in ready {
            // One that has given up meanwhile need not be told.
            let _ = waiter.send(head);
        }
        Ok(AppendOutcome::Done(self.cursor(head)))
    }

    async fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let state = self.lock();
        let mut page = Vec::new();
        let mut left = max_bytes;
        for (number, record) in state.from(journal, from) {
            match left.checked_sub(record.bytes.len()) {
                Some(rest) => left = rest,
                None if page.is_empty() => left = 0,
                None => break,
            }
            page.push((number, record.clone()));
        }
        Ok(page)
    }

    async fn fetch(
        &self,
        journal: JournalId,
        numbers: Vec<u64>,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let state = self.lock();
        let records = state.records(journal);
        let record = |number: u64| {
            let place = usize::try_from(number.checked_sub(1)?).ok()?;
            Some((number, records.get(place)?.clone()))
        };
        Ok(numbers.into_iter().filter_map(record).collect())
    }

    async fn ids(&self, journal: JournalId, from: u64, max: usize) -> Result<Vec<EntryId>, StoreError> {
        Ok(self.lock().from(journal, from).take(max).map(|(_, record)| record.id).collect())
    }

    async fn changed(&self, journal: JournalId, after: u64) -> Result<Cursor, StoreError> {
        let answer = {
            let mut state = self.lock();
            let head = state.head(journal);
            if head > after {
                return Ok(self.cursor(head));
            }
            state.waiters.wait(journal, after)
        };
        // The waiters live as long as `self`, so the answer comes.
        answer.await.map(|head| self.cursor(head)).map_err(|_| StoreError::Failed("the store closed".into()))
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().notes.get(key).cloned())
    }

    async fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Result<(), Option<Vec<u8>>>, StoreError> {
        let mut state = self.lock();
        state.sound()?;
        let current = state.notes.get(key).cloned();
        if current != expected {
            return Ok(Err(current));
        }
        let size =
            |note: &Option<Vec<u8>>| note.as_ref().map_or(0, |note| key.len().saturating_add(note.len()));
        state.admit(size(&value), size(&current))?;
        match value {
            Some(value) => state.notes.insert(key.into(), value),
            None => state.notes.remove(key),
        };
        Ok(Ok(()))
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let state = self.lock();
        let notes = state.notes.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(notes.map(|(key, note)| (key.clone(), note.clone())).collect())
    }
}
