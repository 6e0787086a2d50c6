//! Which facts are meant: parts that are optional, and all of which must hold.

use core::ops::{Bound, RangeBounds, RangeInclusive};

use crate::fact::statement::Fact;
use crate::ids::{AuthorityId, DeviceId, EntryId, FactId};
use crate::time::WallTime;

/// Which facts are meant. Begins as all of them; each part that is added must hold as well.
///
/// ```
/// # use isoroot::{Query, WallTime};
/// let since = WallTime::from_micros(1_767_225_600_000_000);
/// let query = Query::all().prefix("note/").written(since..);
/// ```
///
/// The two clocks have types of their own and never mix: [`written`](Self::written) is about the
/// timestamps of entries, which every entry has; [`timestamp`](Self::timestamp) about those that facts may
/// carry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Query {
    pub(crate) predicate: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) authority: Option<AuthorityId>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) written: Option<RangeInclusive<u64>>,
    pub(crate) timestamp: Option<RangeInclusive<i64>>,
    pub(crate) entry: Option<EntryId>,
    pub(crate) fact: Option<FactId>,
}

impl Query {
    /// All facts.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// With exactly this predicate.
    #[must_use]
    pub fn predicate(self, predicate: impl Into<String>) -> Self {
        Self { predicate: Some(predicate.into()), ..self }
    }

    /// Whose predicate starts with this text.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..self }
    }

    /// Of this authority, spelled out or implied: that of a fact without one is the device that signed it.
    #[must_use]
    pub fn authority(self, authority: AuthorityId) -> Self {
        Self { authority: Some(authority), ..self }
    }

    /// Signed by this device.
    #[must_use]
    pub fn device(self, device: DeviceId) -> Self {
        Self { device: Some(device), ..self }
    }

    /// In entries whose timestamp lies in this range: their clock, in microseconds since 1970.
    #[must_use]
    pub fn written(self, range: impl RangeBounds<WallTime>) -> Self {
        let first = match range.start_bound() {
            Bound::Included(first) => Some(first.as_micros()),
            Bound::Excluded(before) => before.as_micros().checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let last = match range.end_bound() {
            Bound::Included(last) => Some(last.as_micros()),
            Bound::Excluded(end) => end.as_micros().checked_sub(1),
            Bound::Unbounded => Some(u64::MAX),
        };
        Self { written: Some(inclusive(first, last, 1, 0)), ..self }
    }

    /// That carry a timestamp of their own in this range, in milliseconds since 1970. A fact without one is
    /// in no range, not even in `..`.
    ///
    /// No index holds these: entries that the other parts leave are read, and facts with other timestamps
    /// dropped.
    #[must_use]
    pub fn timestamp(self, range: impl RangeBounds<i64>) -> Self {
        let first = match range.start_bound() {
            Bound::Included(first) => Some(*first),
            Bound::Excluded(before) => before.checked_add(1),
            Bound::Unbounded => Some(i64::MIN),
        };
        let last = match range.end_bound() {
            Bound::Included(last) => Some(*last),
            Bound::Excluded(end) => end.checked_sub(1),
            Bound::Unbounded => Some(i64::MAX),
        };
        Self { timestamp: Some(inclusive(first, last, 1, 0)), ..self }
    }

    /// In this entry.
    #[must_use]
    pub fn entry(self, entry: EntryId) -> Self {
        Self { entry: Some(entry), ..self }
    }

    /// This one.
    #[must_use]
    pub fn fact(self, fact: FactId) -> Self {
        Self { fact: Some(fact), ..self }
    }

    /// Whether a fact is meant, of all of which this is known.
    pub(crate) fn matches(&self, id: FactId, device: DeviceId, written: u64, fact: &Fact) -> bool {
        let authority = || fact.authority.unwrap_or(device.into());
        self.predicate.as_ref().is_none_or(|predicate| fact.predicate == *predicate)
            && self.prefix.as_ref().is_none_or(|prefix| fact.predicate.starts_with(prefix.as_str()))
            && self.authority.is_none_or(|wanted| authority() == wanted)
            && self.device.is_none_or(|wanted| device == wanted)
            && self.written.as_ref().is_none_or(|range| range.contains(&written))
            && self.timestamp.as_ref().is_none_or(|range| fact.timestamp.is_some_and(|t| range.contains(&t)))
            && self.entry.is_none_or(|wanted| id.entry == wanted)
            && self.fact.is_none_or(|wanted| id == wanted)
    }
}

/// The range from first to last; that of the other two, which is empty, where there is no such.
fn inclusive<T>(first: Option<T>, last: Option<T>, one: T, zero: T) -> RangeInclusive<T> {
    match (first, last) {
        (Some(first), Some(last)) => first..=last,
        _ => one..=zero,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f62_a_range_is_inclusive_and_of_its_own_clock() {
        let (device, entry) = (DeviceId::from_bytes([1; 32]), EntryId::from_bytes([2; 32]));
        let holds = |query: Query, written: u64, timestamp: Option<i64>| {
            let fact = Fact { timestamp, ..Fact::new("p", 1) };
            query.matches(FactId { entry, index: 0 }, device, written, &fact)
        };
        let at = WallTime::from_micros;
        let written = Query::all().written(at(5)..=at(7));
        assert_eq!([4, 5, 7, 8].map(|t| holds(written.clone(), t, Some(6))), [false, true, true, false]);
        let own = Query::all().timestamp(-5..=7);
        assert_eq!([-6, -5, 7, 8].map(|t| holds(own.clone(), 6, Some(t))), [false, true, true, false]);
        assert!(!holds(own, 6, None), "the entry's clock does not stand in for the fact's");
        assert!(!holds(Query::all().timestamp(..), 6, None));
        assert!(holds(Query::all().timestamp(..), 6, Some(i64::MIN)));
        // Excluded ends, as in Rust; what is empty holds nothing.
        assert_eq!(
            [4, 5, 6].map(|t| holds(Query::all().written(at(5)..at(6)), t, None)),
            [false, true, false]
        );
        let empty = [
            Query::all().written(..at(0)),
            Query::all().written(at(6)..=at(5)),
            Query::all().timestamp(1..1),
        ];
        for query in empty {
            assert!((0..8).all(|t| !holds(query.clone(), t, Some(t as i64))), "{query:?}");
        }
    }
}
