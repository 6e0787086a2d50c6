//! Reading on in a journal from a position: what has fallen due since, then what has come since.
//!
//! The rule that loses nothing: of the entries numbered up to a position's number, all with timestamps up
//! to its clock have been passed. The clock moves on only over what has fallen due, in its order; the log is
//! read by that clock, so what it passes over lies beyond it. Where less is shown than the position's clock
//! says, since the local clock went back in between, that moves back too, and what is due a second time
//! comes a second time.

use crate::ids::StoreId;
use crate::journal::index::Index;
use crate::journal::position::{Due, Position};
use crate::journal::query::Query;
use crate::journal::timeline::Point;
use crate::time::WallTime;

/// What one step of reading is to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Where it begins.
    pub(crate) from: Position,
    /// Numbers of entries that have fallen due, in the order of their timestamps; each holds facts that are
    /// meant, but for their own timestamps. To be read before the others.
    pub(crate) due: Vec<u64>,
    /// Numbers of entries of the log, ascending, each likewise.
    pub(crate) log: Vec<u64>,
    /// The place behind all of them.
    pub(crate) to: Position,
    /// Whether there is more behind it now.
    pub(crate) more: bool,
    /// How many entries and facts were looked at to find them.
    pub(crate) looked: usize,
}

impl Reading {
    /// The place behind the first facts of an entry that has fallen due, with this timestamp.
    pub(crate) fn behind_due(&self, number: u64, timestamp: u64, facts: u16, all: bool) -> Position {
        let (number, fact) = behind(number, facts, all);
        Position { clock: WallTime::from_micros(timestamp), due: Some(Due { number, fact }), ..self.from }
    }

    /// The place behind the first facts of an entry of the log.
    pub(crate) fn behind_log(&self, number: u64, facts: u16, all: bool) -> Position {
        let (number, fact) = behind(number, facts, all);
        Position { number, fact, ..self.to }
    }

    /// How many facts of an entry have been passed before.
    pub(crate) fn passed(&self, number: u64, is_due: bool) -> u16 {
        let place = match is_due {
            true => self.from.due.map(|due| (due.number, due.fact)),
            false => Some((self.from.number, self.from.fact)),
        };
        let (before, fact) = place.unwrap_or_default();
        if before.checked_add(1) == Some(number) { fact } else { 0 }
    }
}

fn behind(number: u64, facts: u16, all: bool) -> (u64, u16) {
    if all { (number, 0) } else { (number.saturating_sub(1), facts) }
}

impl Index {
    /// Reads on in the journal that this is the index of: until there are `facts` facts that are meant, or
    /// enough has been looked at. `shown` is the greatest timestamp that is not held back, `entry` the number
    /// of the entry that the query names, if it names one that is here.
    pub(crate) fn read(
        &self,
        query: &Query,
        entry: Option<u64>,
        after: Option<Position>,
        (store, shown): (StoreId, WallTime),
        facts: usize,
    ) -> Reading {
        let from = self.resolved(after, store);
        let due_from = match from.due {
            Some(due) => Point { timestamp: from.clock.as_micros(), place: due.number },
            None => Point::after(from.clock.as_micros()),
        };
        let times = (due_from, Point::after(shown.as_micros()));
        let (due, cut) = match from.number {
            // Nothing has been passed over: spares the walk through all of time.
            0 => Default::default(),
            number => self.find_by_time(query, entry, times, number, facts),
        };
        if let Some(cut) = cut {
            let within = Due { number: cut.place, fact: 0 };
            let to = Position { clock: WallTime::from_micros(cut.timestamp), due: Some(within), ..from };
            return Reading { from, due: due.numbers, log: Vec::new(), to, more: true, looked: due.looked };
        }
        // Where the clock went back since, the position goes back with it.
        let to = Position { clock: shown, due: None, ..from };
        let rest = facts.saturating_sub(due.facts);
        if rest == 0 {
            return Reading { from, due: due.numbers, log: Vec::new(), to, more: true, looked: due.looked };
        }
        let (log, number) = self.find(query, entry, from.number, shown.as_micros(), rest);
        let fact = if number == from.number { from.fact } else { 0 };
        Reading {
            from,
            due: due.numbers,
            log: log.numbers,
            to: Position { number, fact, ..to },
            more: number < self.head(),
            looked: due.looked.saturating_add(log.looked),
        }
    }

    /// Whether reading on from a position may give something.
    pub(crate) fn has_news(&self, after: Position, store: StoreId, shown: WallTime) -> bool {
        let from = self.resolved(Some(after), store);
        let next = || self.by_time(Point::after(from.clock.as_micros())).next();
        from.number < self.head()
            || from.due.is_some()
            || from.clock < shown && next().is_some_and(|next| next.timestamp <= shown.as_micros())
    }

    /// The position that a reader is at here and now.
    fn resolved(&self, after: Option<Position>, store: StoreId) -> Position {
        let Some(after) = after.filter(|after| after.store == store) else { return Position::start(store) };
        // A store that has lost its end gives numbers again.
        let number = after.number.min(self.head());
        let fact = if number == after.number { after.fact } else { 0 };
        Position { number, fact, ..after }
    }
}
