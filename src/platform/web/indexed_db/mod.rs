//! The store of browsers, in IndexedDB: durable, and shared by all tabs and workers of an origin.

mod database;
mod failure;
mod heads;
mod pack;
mod plan;
mod storage;
mod transaction;
mod upkeep;

use core::cell::RefCell;
use core::fmt;
use core::pin::pin;
use core::time::Duration;
use std::collections::BinaryHeap;
use std::rc::Rc;

use futures::future::{Either, select};
use js_sys::{Array, Uint8Array};
use litemap::LiteMap;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use self::database::{Database, JOURNALS, NOTES, PACKS};
use self::heads::Heads;
use self::pack::{Extent, PACK_BYTES, Reader, journal_key, packed, range};
use self::transaction::Decide;
use self::upkeep::Upkeep;
use super::entropy::WebEntropy;
use super::js::{get, object, to_f64, to_u64};
use super::timer::WebTimer;
use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, JournalId, StoreId};
use crate::platform::traits::{AppendOutcome, Durability, Entropy, Store, StoredRecord, Timer};

/// How often `changed` looks for itself. Other tabs tell, but not one that was killed right after its
/// append.
const LOOK: Duration = Duration::from_secs(5);
/// The same where other tabs cannot be heard.
const LOOK_DEAF: Duration = Duration::from_secs(1);
/// Bytes that one request for packs aims at, at most, and how many packs it asks for.
const REQUEST_BYTES: usize = 8 * 1_048_576;
const REQUEST_PACKS: u32 = 512;
/// Bytes that one request for packs aims at when only the ids are wanted.
const ID_BYTES: usize = 2 * 1_048_576;
/// Requests of one transaction that fetches.
const FETCHES: usize = 32;

/// A store in IndexedDB. Clones share one connection; any number of tabs, workers and stores of one name
/// share one database.
///
/// - [`append`](Store::append) is one transaction, and is done when that is complete, flushed to the disk
///   if so asked. Of several writers at one head one wins, the others are told that they are behind.
/// - A database that the browser closes is opened again, once for each call.
/// - When the origin has no room left, writing fails with [`StoreError::Full`]. Reading goes on, and so do
///   writes that fit. After any other failed write all later ones fail until the store is opened anew.
/// - Small packs are merged in the background, so that a journal that grew entry by entry is read in few
///   requests.
/// - If the database or a journal is deleted under it, by the user or for want of room, everything fails with
///   [`StoreError::Evicted`] from then on: a new, empty one does not take its place unseen.
#[derive(Clone)]
pub struct IndexedDbStore {
    inner: Rc<Inner>,
}

struct Inner {
    database: Database,
    heads: Heads,
    /// The highest head of each journal that was seen.
    known: RefCell<Vec<(JournalId, u64)>>,
    /// Why nothing is written any more.
    failed: RefCell<Option<StoreError>>,
    upkeep: Upkeep,
}

impl fmt::Debug for IndexedDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedDbStore").field("id", &self.inner.database.id()).finish_non_exhaustive()
    }
}

impl IndexedDbStore {
    /// Opens the store `name` of this origin; makes it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Open`] where there is no IndexedDB or the browser refuses it,
    /// [`StoreError::TooNew`] when a newer version has written it, which leaves it as it is.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        let mut id = [0; 16];
        let refuse = |reason: String| StoreError::Open { path: name.to_owned(), reason };
        WebEntropy.fill(&mut id).map_err(|error| refuse(error.to_string()))?;
        let database = Database::open(name, StoreId::from_bytes(id)).await?;
        let heads = Heads::new(name);
        let (known, failed) = (RefCell::default(), RefCell::default());
        let inner = Inner { database, heads, known, failed, upkeep: Upkeep::default() };
        Ok(Self { inner: Rc::new(inner) })
    }

    /// Asks the browser not to delete the origin's data when room gets scarce; whether it has agreed, now
    /// or before. Some browsers ask the user. A worker can only look.
    pub async fn persist() -> bool {
        storage::persist().await
    }

    /// Merges now what is known here of small packs, instead of little by little in the background. Known is
    /// what was read or appended by this store or its clones.
    ///
    /// # Errors
    /// Of the store. What was merged by then stays so, nothing is lost, and appending goes on.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        while upkeep::step(&self.inner).await? {}
        Ok(())
    }

    /// The highest head of the journal that was seen.
    fn known(&self, journal: JournalId) -> u64 {
        let known = self.inner.known.borrow();
        known.iter().find(|(known, _)| *known == journal).map_or(0, |(_, head)| *head)
    }

    /// A head that was found by a request which was made after `before` had been seen.
    fn seen(&self, journal: JournalId, before: u64, head: u64) -> Result<u64, StoreError> {
        if head < before {
            let why = format!("of {before} entries of the journal {journal} it holds {head}");
            return Err(StoreError::Evicted(why));
        }
        let mut known = self.inner.known.borrow_mut();
        match known.iter_mut().find(|(known, _)| *known == journal) {
            Some((_, highest)) => *highest = head.max(*highest),
            None => known.push((journal, head)),
        }
        Ok(head)
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor { store: self.inner.database.id(), number }
    }

    /// Makes requests to one object store that don't depend on one another; their results.
    async fn ask(
        &self,
        store: &str,
        requests: &dyn Fn(&IdbObjectStore) -> Result<Vec<IdbRequest>, JsValue>,
    ) -> Result<Vec<JsValue>, StoreError> {
        let read = async |database: &IdbDatabase| {
            let ask = |transaction: &IdbTransaction| requests(&transaction.object_store(store)?);
            transaction::read(database, &[store], &ask).await
        };
        self.inner.database.with(read).await
    }

    /// The pack that holds number `from` and those behind it, at most `count`; and the bytes in them.
    async fn packs(&self, reader: &Reader, from: u64, count: u32) -> Result<(Array, usize), StoreError> {
        let journal = reader.journal();
        let found = self
            .ask(PACKS, &|packs| {
                Ok(vec![packs.get_all_with_key_and_limit(&range(journal, from)?.into(), count)?])
            })
            .await?;
        let packs: Array = found.into_iter().next().map(JsCast::unchecked_into).unwrap_or_default();
        // Who takes them apart tells of one that is damaged.
        let extents: Vec<Extent> = packs.iter().map_while(|pack| reader.extent(&pack).ok()).collect();
        let bytes = extents.iter().fold(0, |bytes: usize, extent| bytes.saturating_add(extent.bytes));
        upkeep::see(&self.inner, journal, &extents);
        Ok((packs, bytes))
    }

    /// Reads what is under `key` in the first of `stores` and writes by `decide`, in one transaction.
    /// Nothing when it is written, else what was found. It fails if a write has failed before.
    async fn write(
        &self,
        stores: &[&str],
        durability: Durability,
        key: &JsValue,
        decide: Rc<Decide>,
    ) -> Result<Option<JsValue>, StoreError> {
        let ask = |store: &IdbObjectStore| store.get(key);
        if let Some(error) = &*self.inner.failed.borrow() {
            return Err(error.clone());
        }
        let write = async |database: &IdbDatabase| {
            transaction::update(database, stores, durability, &ask, Rc::clone(&decide)).await
        };
        let written = self.inner.database.with(write).await;
        if let Err(error) = &written
            && !matches!(error, StoreError::Full(_))
        {
            self.inner.failed.replace(Some(error.clone()));
        }
        written
    }
}

/// The head in what the object store of journals holds for one.
fn head_of(found: &JsValue) -> Result<u64, StoreError> {
    if found.is_undefined() {
        return Ok(0);
    }
    let head = get(found, "head").and_then(|head| head.as_f64()).map(to_u64);
    head.ok_or_else(|| StoreError::Damaged("a journal without a head".to_owned()))
}

/// A note in what its object store holds.
fn note_of(found: &JsValue) -> Result<Option<Vec<u8>>, StoreError> {
    if found.is_undefined() {
        return Ok(None);
    }
    let note = found.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec);
    note.map(Some).ok_or_else(|| StoreError::Damaged("a note that is not bytes".to_owned()))
}

fn note_key(key: &str) -> JsValue {
    Uint8Array::from(key.as_bytes()).into()
}

/// The keys of notes that start with `prefix`.
fn note_range(prefix: &str) -> Result<IdbKeyRange, JsValue> {
    // UTF-8 has no byte 0xFF, so the last byte can be counted up.
    let after = prefix.as_bytes().split_last().map(|(last, rest)| [rest, &[last.saturating_add(1)]].concat());
    match after {
        Some(after) => {
            let after = Uint8Array::from(after.as_slice());
            IdbKeyRange::bound_with_lower_open_and_upper_open(&note_key(prefix), &after, false, true)
        }
        None => IdbKeyRange::lower_bound(&note_key(prefix)),
    }
}

/// How many packs to ask for so as to get `wanted` bytes, after so many packs had so many bytes.
fn packs_for(wanted: usize, packs: u32, bytes: usize) -> u32 {
    let seen = usize::try_from(packs.max(1)).unwrap_or(usize::MAX);
    let average = if packs == 0 { PACK_BYTES } else { (bytes / seen).max(1) };
    u32::try_from(wanted.min(REQUEST_BYTES) / average)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
        .min(REQUEST_PACKS)
}

impl Store for IndexedDbStore {
    fn id(&self) -> StoreId {
        self.inner.database.id()
    }

    async fn head(&self, journal: JournalId) -> Result<Cursor, StoreError> {
        let (key, before) = (journal_key(journal), self.known(journal));
        let found = self.ask(JOURNALS, &|journals| Ok(vec![journals.get(&key)?])).await?;
        let head = head_of(found.first().unwrap_or(&JsValue::UNDEFINED))?;
        Ok(self.cursor(self.seen(journal, before, head)?))
    }

    async fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> Result<AppendOutcome, StoreError> {
        if entries.is_empty() {
            return self.head(journal).await.map(AppendOutcome::Done);
        }
        let packs = packed(journal, at, &entries);
        let extents: Vec<Extent> = packs.iter().map(|pack| pack.extent).collect();
        let new = at.saturating_add(entries.len() as u64);
        drop(entries);
        let (key, value) = (journal_key(journal), object(&[("head", &to_f64(new).into())]));
        let asked = key.clone();
        let (store, before) = (self.clone(), self.known(journal));
        let decide = move |transaction: &IdbTransaction, found: &JsValue| {
            match head_of(found).and_then(|head| store.seen(journal, before, head)) {
                Ok(head) if head == at => {}
                other => return Ok(other.map(|_| false)),
            }
            let store = transaction.object_store(PACKS)?;
            for pack in &packs {
                // Added, not put: nothing that is there is ever written over.
                store.add_with_key(&pack.value, &pack.key)?;
            }
            transaction.object_store(JOURNALS)?.put_with_key(&value, &key)?;
            Ok(Ok(true))
        };
        Ok(match self.write(&[JOURNALS, PACKS], durability, &asked, Rc::new(decide)).await? {
            None => {
                self.seen(journal, at, new)?;
                self.inner.heads.tell(journal, new);
                upkeep::see(&self.inner, journal, &extents);
                AppendOutcome::Done(self.cursor(new))
            }
            Some(found) => AppendOutcome::Behind(self.cursor(head_of(&found)?)),
        })
    }

    async fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let reader = Reader::new(journal);
        let (mut page, mut left, mut next) = (Vec::new(), max_bytes, from.max(1));
        let (mut seen, mut bytes) = (0_u32, 0_usize);
        loop {
            let count = packs_for(left, seen, bytes);
            let (packs, more) = self.packs(&reader, next, count).await?;
            bytes = bytes.saturating_add(more);
            for pack in packs.iter() {
                for (number, record) in reader.records(&pack)? {
                    if number < next {
                        continue;
                    }
                    if number > next {
                        return Err(reader.damaged(&format!("number {next} is missing")));
                    }
                    match left.checked_sub(record.bytes.len()) {
                        Some(rest) => left = rest,
                        None if page.is_empty() => left = 0,
                        None => return Ok(page),
                    }
                    page.push((number, record));
                    next = next.saturating_add(1);
                }
            }
            if packs.length() < count {
                return Ok(page);
            }
            seen = seen.saturating_add(count);
        }
    }

    async fn fetch(
        &self,
        journal: JournalId,
        numbers: Vec<u64>,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let reader = Reader::new(journal);
        let wanted: BinaryHeap<u64> = numbers.iter().copied().filter(|number| *number > 0).collect();
        let mut wanted = wanted.into_sorted_vec();
        wanted.dedup();
        let mut found = LiteMap::new_vec();
        // Numbers asked for at once are at least so far apart as packs were long, so that hardly any
        // pack comes twice; at first, when that is not known, one is asked for.
        let mut apart = u64::MAX;
        while let Some(first) = wanted.first().copied() {
            let mut asked = vec![first];
            for number in &wanted {
                if asked.len() < FETCHES && asked.last().is_some_and(|last| number - last >= apart) {
                    asked.push(*number);
                }
            }
            let packs = self
                .ask(PACKS, &|packs| {
                    let mut requests = Vec::with_capacity(asked.len());
                    for number in &asked {
                        requests.push(packs.get_all_with_key_and_limit(&range(journal, *number)?.into(), 1)?);
                    }
                    Ok(requests)
                })
                .await?;
            apart = u64::MAX;
            for (number, pack) in asked.into_iter().zip(packs) {
                let pack = pack.unchecked_into::<Array>().get(0);
                if pack.is_undefined() {
                    // It is beyond the head, and so is what follows.
                    wanted.retain(|wanted| *wanted < number);
                    break;
                }
                let records = reader.records(&pack)?;
                if !records.iter().any(|(found, _)| *found == number) {
                    return Err(reader.damaged(&format!("number {number} is missing")));
                }
                apart = apart.min(records.len() as u64);
                for (number, record) in records {
                    if let Ok(place) = wanted.binary_search(&number) {
                        wanted.remove(place);
                        found.insert(number, record);
                    }
                }
            }
        }
        let record = |number| Some((number, found.get(&number)?.clone()));
        Ok(numbers.into_iter().filter_map(record).collect())
    }

    async fn ids(&self, journal: JournalId, from: u64, max: usize) -> Result<Vec<EntryId>, StoreError> {
        let reader = Reader::new(journal);
        let (mut page, mut next) = (Vec::new(), from.max(1));
        let (mut seen, mut bytes) = (0_u32, 0_usize);
        while page.len() < max {
            let count = packs_for(ID_BYTES, seen, bytes);
            let (packs, more) = self.packs(&reader, next, count).await?;
            bytes = bytes.saturating_add(more);
            for pack in packs.iter() {
                for (number, id) in reader.ids(&pack)? {
                    if number < next {
                        continue;
                    }
                    if number > next {
                        return Err(reader.damaged(&format!("number {next} is missing")));
                    }
                    page.push(id);
                    next = next.saturating_add(1);
                }
            }
            if packs.length() < count {
                break;
            }
            seen = seen.saturating_add(count);
        }
        page.truncate(max);
        Ok(page)
    }

    async fn changed(&self, journal: JournalId, after: u64) -> Result<Cursor, StoreError> {
        let heads = &self.inner.heads;
        let look = if heads.hears_others() { LOOK } else { LOOK_DEAF };
        loop {
            // Waiting before looking: what is told in between is not missed.
            let told = heads.wait(journal, after);
            let head = self.head(journal).await?;
            if head.number > after {
                return Ok(head);
            }
            match select(told, pin!(WebTimer.sleep(look))).await {
                Either::Left((Ok(head), _)) => return Ok(self.cursor(head)),
                Either::Left((Err(_), _)) | Either::Right(_) => {}
            }
        }
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = note_key(key);
        let found = self.ask(NOTES, &|notes| Ok(vec![notes.get(&key)?])).await?;
        note_of(found.first().unwrap_or(&JsValue::UNDEFINED))
    }

    async fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Result<(), Option<Vec<u8>>>, StoreError> {
        let key = note_key(key);
        let value = value.map(|value| Uint8Array::from(value.as_slice()));
        let asked = key.clone();
        let decide = move |transaction: &IdbTransaction, found: &JsValue| {
            match note_of(found) {
                Ok(current) if current == expected => {}
                other => return Ok(other.map(|_| false)),
            }
            let notes = transaction.object_store(NOTES)?;
            match &value {
                Some(value) => notes.put_with_key(value, &key)?,
                None => notes.delete(&key)?,
            };
            Ok(Ok(true))
        };
        Ok(match self.write(&[NOTES], Durability::Strict, &asked, Rc::new(decide)).await? {
            None => Ok(()),
            Some(found) => Err(note_of(&found)?),
        })
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let found = self
            .ask(NOTES, &|notes| {
                let range = note_range(prefix)?;
                Ok(vec![notes.get_all_keys_with_key(&range)?, notes.get_all_with_key(&range)?])
            })
            .await?;
        let [keys, notes] = found.as_slice() else { return Ok(Vec::new()) };
        let (keys, notes) = (keys.unchecked_ref::<Array>(), notes.unchecked_ref::<Array>());
        let mut pairs = Vec::new();
        for (key, note) in keys.iter().zip(notes.iter()) {
            let key = String::from_utf8(Uint8Array::new(&key).to_vec());
            let key = key.map_err(|_| StoreError::Damaged("the key of a note is not text".to_owned()))?;
            pairs.push((key, note_of(&note)?.unwrap_or_default()));
        }
        Ok(pairs)
    }
}
