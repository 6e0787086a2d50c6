//! Packs: the records of a journal that are stored together, and where they are found.
//!
//! A pack is an object `{ first, ids, lengths, bytes }`: the number of its first record, the ids one after
//! the other (32 bytes each), the length of each record (a `Uint32Array`), the records one after the other.
//! Its key is `[journal, last]`, the journal's id and the number of its last record: so the pack that holds
//! a number is the first one whose key is not below it, and one request gets that pack and what follows.

use js_sys::{Array, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::IdbKeyRange;

use crate::error::StoreError;
use crate::ids::{EntryId, JournalId};
use crate::platform::traits::StoredRecord;
use crate::platform::web::js::{object, to_f64, to_u64};

/// What a pack aims at: large enough that a big journal is read in few requests, small enough that one
/// record is had without reading much else.
pub(super) const PACK_BYTES: usize = 262_144;
/// What a record takes beyond its bytes.
const RECORD_EXTRA: usize = EntryId::LEN + 4;
/// Bytes of an id.
const ID_BYTES: u32 = 32;

/// A pack to be written.
pub(super) struct Pack {
    pub(super) key: JsValue,
    pub(super) value: JsValue,
    pub(super) extent: Extent,
}

/// Which records a pack holds, or several that follow each other, and what they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: usize,
}

impl Extent {
    /// The keys of these packs, or of all but the last.
    pub(super) fn keys(&self, journal: JournalId, but_last: bool) -> Result<IdbKeyRange, JsValue> {
        let (first, last) = (key(journal, to_f64(self.first)), key(journal, to_f64(self.last)));
        IdbKeyRange::bound_with_lower_open_and_upper_open(&first, &last, false, but_last)
    }
}

/// The key of a journal.
pub(super) fn journal_key(journal: JournalId) -> JsValue {
    Uint8Array::from(journal.as_bytes().as_slice()).into()
}

/// The key of the pack whose last record has this number.
fn key(journal: JournalId, last: f64) -> JsValue {
    Array::of2(&journal_key(journal), &last.into()).into()
}

/// The packs that hold number `from` and what follows.
pub(super) fn range(journal: JournalId, from: u64) -> Result<IdbKeyRange, JsValue> {
    IdbKeyRange::bound(&key(journal, to_f64(from)), &key(journal, f64::INFINITY))
}

/// Packs of these records, of which the first gets the number after `at`.
pub(super) fn packed(journal: JournalId, at: u64, records: &[StoredRecord]) -> Vec<Pack> {
    let mut packs = Vec::new();
    let mut last = at;
    let mut rest = records;
    while !rest.is_empty() {
        let mut room = PACK_BYTES;
        let fits = |record: &&StoredRecord| {
            let left = room.checked_sub(record.bytes.len().saturating_add(RECORD_EXTRA));
            room = left.unwrap_or_default();
            left.is_some()
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let Some((pack, others)) = rest.split_at_checked(count) else { break };
        let first = last.saturating_add(1);
        last = last.saturating_add(count as u64);
        let bytes = pack.iter().fold(0, |bytes: usize, record| {
            bytes.saturating_add(record.bytes.len().saturating_add(RECORD_EXTRA))
        });
        let extent = Extent { first, last, bytes };
        packs.push(Pack { key: key(journal, to_f64(last)), value: value(first, pack), extent });
        rest = others;
    }
    packs
}

fn value(first: u64, records: &[StoredRecord]) -> JsValue {
    let (mut ids, mut lengths, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        ids.extend_from_slice(record.id.as_bytes());
        // A record is at most 1 MiB long.
        lengths.push(u32::try_from(record.bytes.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&record.bytes);
    }
    // Copies of the very lengths: a view would be stored with all of the memory behind it.
    pack_of(
        first,
        &Uint8Array::from(ids.as_slice()),
        &Uint32Array::from(lengths.as_slice()),
        &Uint8Array::from(bytes.as_slice()),
    )
}

fn pack_of(first: u64, ids: &Uint8Array, lengths: &Uint32Array, bytes: &Uint8Array) -> JsValue {
    let first = to_f64(first).into();
    object(&[("first", &first), ("ids", ids), ("lengths", lengths), ("bytes", bytes)]).into()
}

/// One pack of all that is in these; nothing if they are not exactly those of `extent`.
pub(super) fn merged(reader: &Reader, packs: &Array, extent: Extent) -> Result<Option<Pack>, StoreError> {
    let mut parts = Vec::new();
    let (mut next, mut records, mut length) = (extent.first, 0_u32, 0_u32);
    for pack in packs.iter() {
        let seen = reader.extent(&pack)?;
        if seen.first != next {
            return Ok(None);
        }
        next = seen.last.saturating_add(1);
        let ids = reader.part::<Uint8Array>(&pack, &reader.ids)?;
        let lengths = reader.part::<Uint32Array>(&pack, &reader.lengths)?;
        let bytes = reader.part::<Uint8Array>(&pack, &reader.bytes)?;
        let sum = lengths.to_vec().iter().fold(0_u32, |sum, length| sum.saturating_add(*length));
        if ids.length() != lengths.length().saturating_mul(ID_BYTES) || sum != bytes.length() {
            return Err(reader.damaged("its parts do not fit each other"));
        }
        records = records.saturating_add(lengths.length());
        length = length.saturating_add(bytes.length());
        parts.push((ids, lengths, bytes));
    }
    if next != extent.last.saturating_add(1) {
        return Ok(None);
    }
    // Put together without passing through the memory of the program.
    let all_ids = Uint8Array::new_with_length(records.saturating_mul(ID_BYTES));
    let all_lengths = Uint32Array::new_with_length(records);
    let all_bytes = Uint8Array::new_with_length(length);
    let (mut record, mut byte) = (0_u32, 0_u32);
    for (ids, lengths, bytes) in &parts {
        all_ids.set(ids, record.saturating_mul(ID_BYTES));
        all_lengths.set(lengths, record);
        all_bytes.set(bytes, byte);
        record = record.saturating_add(lengths.length());
        byte = byte.saturating_add(bytes.length());
    }
    let value = pack_of(extent.first, &all_ids, &all_lengths, &all_bytes);
    Ok(Some(Pack { key: key(reader.journal, to_f64(extent.last)), value, extent }))
}

/// Takes apart the packs that requests for one journal have brought.
pub(super) struct Reader {
    journal: JournalId,
    first: JsValue,
    ids: JsValue,
    lengths: JsValue,
    bytes: JsValue,
}

impl Reader {
    pub(super) fn new(journal: JournalId) -> Self {
        let [first, ids, lengths, bytes] = ["first", "ids", "lengths", "bytes"].map(JsValue::from_str);
        Self { journal, first, ids, lengths, bytes }
    }

    pub(super) fn journal(&self) -> JournalId {
        self.journal
    }

    /// The ids of a pack, with their numbers.
    pub(super) fn ids(&self, pack: &JsValue) -> Result<Vec<(u64, EntryId)>, StoreError> {
        let first = self.first(pack)?;
        let ids = self.part::<Uint8Array>(pack, &self.ids)?.to_vec();
        let (ids, []) = ids.as_chunks() else { return Err(self.damaged("its ids are cut")) };
        Ok((first..).zip(ids).map(|(number, id)| (number, EntryId::from_bytes(*id))).collect())
    }

    /// Which records a pack holds, without taking them out.
    pub(super) fn extent(&self, pack: &JsValue) -> Result<Extent, StoreError> {
        let first = self.first(pack)?;
        let count = self.part::<Uint8Array>(pack, &self.ids)?.length() / ID_BYTES;
        let bytes = self.part::<Uint8Array>(pack, &self.bytes)?.length();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let extra = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(RECORD_EXTRA);
        let last = first.saturating_add(count.into()).saturating_sub(1);
        Ok(Extent { first, last, bytes: bytes.saturating_add(extra) })
    }

    fn first(&self, pack: &JsValue) -> Result<u64, StoreError> {
        let first = Reflect::get(pack, &self.first).ok().and_then(|first| first.as_f64()).map(to_u64);
        first.filter(|first| *first > 0).ok_or_else(|| self.damaged("it has no number"))
    }

    /// The records of a pack, with their numbers.
    pub(super) fn records(&self, pack: &JsValue) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let ids = self.ids(pack)?;
        let lengths = self.part::<Uint32Array>(pack, &self.lengths)?.to_vec();
        let bytes = self.part::<Uint8Array>(pack, &self.bytes)?.to_vec();
        if ids.len() != lengths.len() {
            return Err(self.damaged("it has more or fewer lengths than ids"));
        }
        let mut rest = bytes.as_slice();
        let mut records = Vec::with_capacity(ids.len());
        for ((number, id), length) in ids.into_iter().zip(lengths) {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let Some((record, others)) = rest.split_at_checked(length) else {
                return Err(self.damaged("its records are shorter than their lengths"));
            };
            rest = others;
            records.push((number, StoredRecord { id, bytes: record.into() }));
        }
        if rest.is_empty() {
            Ok(records)
        } else {
            Err(self.damaged("its records are longer than their lengths"))
        }
    }

    fn part<T: JsCast>(&self, pack: &JsValue, name: &JsValue) -> Result<T, StoreError> {
        let part = Reflect::get(pack, name).ok().and_then(|part| part.dyn_into().ok());
        part.ok_or_else(|| self.damaged("a part of it is missing"))
    }

    /// What is wrong with a pack of the journal.
    pub(super) fn damaged(&self, how: &str) -> StoreError {
        StoreError::Damaged(format!("a pack of journal {}: {how}", self.journal))
    }
}
