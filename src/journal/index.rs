//! What is known in memory of each entry's facts, for queries: an inverted index and the way back.
//!
//! A *term* is a predicate, an authority or a device; each has the list of the places of its entries,
//! ascending. For each entry there are its timestamp, its device, and the terms of each fact, so that
//! whether an entry holds a fact that is meant is known before it is read. Entries are also kept in the
//! order of their timestamps. An entry of one fact takes 44 bytes here (40 in wasm), beside its terms when
//! they are new, some 80 bytes each and their text; each further fact takes 8 bytes and 4 for a new term.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{AuthorityId, DeviceId};
use crate::journal::timeline::{Point, Timeline};

/// Places in one block.
const BLOCK: usize = 256;

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Predicate,
    Authority,
    Device,
}

/// A predicate, an authority or a device.
#[derive(Debug)]
struct Term {
    /// Its kind, then its bytes.
    name: Arc<[u8]>,
    /// Zero-based places of the entries that have it, ascending: their numbers less 1.
    places: Vec<u32>,
}

/// The terms of one fact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topic {
    pub(super) predicate: u32,
    pub(super) authority: u32,
}

/// What is known of one entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'i> {
    pub(super) timestamp: u64,
    pub(super) device: u32,
    pub(super) topics: &'i [Topic],
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    names: BTreeMap<Arc<[u8]>, u32>,
    terms: Vec<Term>,
    /// How many terms there are of each kind.
    counts: [u64; 3],
    /// The term of each kind that was marked last: mostly it is the next one too.
    latest: [Option<u32>; 3],
    /// By place, as the two after it.
    times: Vec<u64>,
    /// Least and greatest timestamp of each block of places: honest clocks keep them short, so that blocks
    /// of another time are passed over at once.
    spans: Vec<(u64, u64)>,
    devices: Vec<u32>,
    /// Where the topics of the entry end.
    ends: Vec<usize>,
    topics: Vec<Topic>,
    timeline: Timeline,
}

impl Index {
    /// Adds the entry that got `number`, greater than all before, with what is known of each of its
    /// facts: predicate, and authority if that is another than the device.
    ///
    /// There is no memory for the 2^32 entries or terms beyond which places would not fit.
    pub(crate) fn insert<'f>(
        &mut self,
        number: u64,
        timestamp: u64,
        device: DeviceId,
        facts: impl Iterator<Item = (&'f str, Option<AuthorityId>)>,
    ) {
        let Some(place) = number.checked_sub(1).and_then(|place| u32::try_from(place).ok()) else { return };
        // Numbers that are left out are entries without facts.
        while self.head() < u64::from(place) {
            self.end_row(u64::MAX, 0);
        }
        let signer = self.mark(Kind::Device, device.as_bytes(), place);
        let mut own = None;
        for (predicate, authority) in facts {
            let authority = match authority {
                Some(authority) => self.mark(Kind::Authority, authority.as_bytes(), place),
                None => *own.get_or_insert_with(|| self.mark(Kind::Authority, device.as_bytes(), place)),
            };
            let predicate = self.mark(Kind::Predicate, predicate.as_bytes(), place);
            self.topics.push(Topic { predicate, authority });
        }
        self.end_row(timestamp, signer);
        self.timeline.push(&self.times, place);
    }

    fn end_row(&mut self, timestamp: u64, device: u32) {
        let span = match self.times.len().is_multiple_of(BLOCK) {
            true => None,
            false => self.spans.pop(),
        };
        let (least, greatest) = span.unwrap_or((timestamp, timestamp));
        self.spans.push((least.min(timestamp), greatest.max(timestamp)));
        self.times.push(timestamp);
        self.devices.push(device);
        self.ends.push(self.topics.len());
    }

    /// Notes that the entry at `place` has a term; the term's number.
    fn mark(&mut self, kind: Kind, bytes: &[u8], place: u32) -> u32 {
        let number = self.number(kind, bytes);
        if let Some(latest) = self.latest.get_mut(kind as usize) {
            *latest = Some(number);
        }
        if let Some(term) = self.terms.get_mut(at(number))
            && term.places.last() != Some(&place)
        {
            term.places.push(place);
        }
        number
    }

    /// The number of a term, which gets one if it is new.
    fn number(&mut self, kind: Kind, bytes: &[u8]) -> u32 {
        let latest = self.latest.get(kind as usize).copied().flatten();
        if let Some(number) = latest
            && self.terms.get(at(number)).and_then(|term| term.name.get(1..)) == Some(bytes)
        {
            return number;
        }
        let name = name(kind, bytes);
        self.names.get(name.as_slice()).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.terms.len()).unwrap_or(u32::MAX);
            let name: Arc<[u8]> = name.into();
            self.names.insert(Arc::clone(&name), number);
            self.terms.push(Term { name, places: Vec::new() });
            if let Some(count) = self.counts.get_mut(kind as usize) {
                *count = count.saturating_add(1);
            }
            number
        })
    }

    /// The last number that is known.
    pub(crate) fn head(&self) -> u64 {
        self.times.len() as u64
    }

    /// Facts of all entries.
    pub(crate) fn facts(&self) -> u64 {
        self.topics.len() as u64
    }

    /// Different predicates.
    pub(crate) fn predicates(&self) -> u64 {
        self.count(Kind::Predicate)
    }

    /// Different authorities, those of facts that name none included: their devices.
    pub(crate) fn authorities(&self) -> u64 {
        self.count(Kind::Authority)
    }

    fn count(&self, kind: Kind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or_default()
    }

    /// The timestamp of the entry with this number.
    pub(crate) fn timestamp(&self, number: u64) -> Option<u64> {
        self.row(number.checked_sub(1)?).map(|row| row.timestamp)
    }

    /// The device that signed the entry with this number.
    pub(crate) fn device(&self, number: u64) -> Option<DeviceId> {
        let term = self.terms.get(at(self.row(number.checked_sub(1)?)?.device))?;
        Some(DeviceId::from_bytes(term.name.get(1..)?.try_into().ok()?))
    }

    /// How many entries have a timestamp beyond this one.
    pub(crate) fn count_after(&self, timestamp: u64) -> u64 {
        self.timeline.count(&self.times, Point::after(timestamp), Point::after(u64::MAX)) as u64
    }

    /// The greatest timestamp that is not beyond this one.
    pub(crate) fn last_up_to(&self, timestamp: u64) -> Option<u64> {
        self.timeline.last_before(&self.times, Point::after(timestamp))
    }

    /// The entries from a point on, in the order of their timestamps.
    pub(crate) fn by_time(&self, from: Point) -> impl Iterator<Item = Point> {
        self.timeline.from(&self.times, from)
    }

    /// How many entries lie between two points in that order.
    pub(super) fn count_between(&self, from: Point, to: Point) -> usize {
        self.timeline.count(&self.times, from, to)
    }

    /// The number of a term, if any entry has it.
    pub(super) fn term(&self, kind: Kind, bytes: &[u8]) -> Option<u32> {
        self.names.get(name(kind, bytes).as_slice()).copied()
    }

    /// The places of the entries that have a term, ascending.
    pub(super) fn places(&self, term: u32) -> &[u32] {
        self.terms.get(at(term)).map(|term| term.places.as_slice()).unwrap_or_default()
    }

    /// The places for each predicate that starts with `prefix`, unless there are more than `most` such.
    pub(super) fn places_by_prefix(&self, prefix: &str, most: usize) -> Option<Vec<&[u32]>> {
        let first = name(Kind::Predicate, prefix.as_bytes());
        let mut lists = Vec::new();
        for (name, term) in self.names.range::<[u8], _>((Bound::Included(first.as_slice()), Bound::Unbounded))
        {
            if !name.starts_with(&first) {
                break;
            }
            if lists.len() >= most {
                return None;
            }
            lists.push(self.places(*term));
        }
        Some(lists)
    }

    /// Whether a predicate starts with `prefix`.
    pub(super) fn starts_with(&self, predicate: u32, prefix: &str) -> bool {
        let name = self.terms.get(at(predicate)).and_then(|term| term.name.get(1..));
        name.is_some_and(|name| name.starts_with(prefix.as_bytes()))
    }

    /// The first place beyond those around this one of which none has a timestamp of a range; nothing if one
    /// may have.
    pub(super) fn beyond(&self, place: u64, (first, last): (u64, u64)) -> Option<u64> {
        let block = usize::try_from(place).ok()? / BLOCK;
        let (least, greatest) = *self.spans.get(block)?;
        let end = block.saturating_add(1).saturating_mul(BLOCK) as u64;
        (greatest < first || least > last).then_some(end)
    }

    /// What is known of the entry at a place.
    pub(super) fn row(&self, place: u64) -> Option<Row<'_>> {
        let place = usize::try_from(place).ok()?;
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let (timestamp, device) = (*self.times.get(place)?, *self.devices.get(place)?);
        Some(Row { timestamp, device, topics: self.topics.get(start..end)? })
    }
}

/// What a term is found by.
fn name(kind: Kind, bytes: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(bytes.len().saturating_add(1));
    name.push(kind as u8);
    name.extend_from_slice(bytes);
    name
}

fn at(term: u32) -> usize {
    usize::try_from(term).unwrap_or(usize::MAX)
}
