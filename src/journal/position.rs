//! A reader's place in a journal: what it has passed of the log, and of what was held back.

use core::fmt;
use core::str::FromStr;

use crate::ids::StoreId;
use crate::limits::{FACTS_PER_ENTRY, SAFE_INTEGER};
use crate::time::WallTime;

/// How far somebody has read in a journal as one store keeps it.
///
/// A reader has passed the entries numbered up to [`number`](Self::number), but for those whose timestamps
/// lie beyond [`clock`](Self::clock): these were held back when it came by. So reading on gives first what
/// has fallen due since, then what has come since. None is missed, whatever the clocks did in between; one
/// may come twice where the local clock went back, or the store is another than the one read before: then
/// reading begins anew.
///
/// It may be kept as text, and read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub(crate) store: StoreId,
    pub(crate) number: u64,
    /// Facts passed of the entry behind.
    pub(crate) fact: u16,
    pub(crate) clock: WallTime,
    /// Inside of what has fallen due at `clock`.
    pub(crate) due: Option<Due>,
}

/// Of the entries with one timestamp, those numbered up to `number` are passed, and the first facts of the
/// one behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Due {
    pub(crate) number: u64,
    pub(crate) fact: u16,
}

/// A text that is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is written as STORE:NUMBER.FACT@CLOCK, as it was given with a fact")]
pub struct ParsePositionError;

impl Position {
    /// Before everything.
    pub(crate) fn start(store: StoreId) -> Self {
        Self { store, number: 0, fact: 0, clock: WallTime::default(), due: None }
    }

    /// The store whose numbers it means.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// Number of the last entry that has been passed in the order of commit; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The greatest timestamp that was shown: entries beyond were held back. That is the local clock and
    /// what an entry may be ahead of it.
    pub fn clock(&self) -> WallTime {
        self.clock
    }
}

impl fmt::Display for Position {
    /// `STORE:NUMBER.FACT@CLOCK`, and `+NUMBER.FACT` inside of what has fallen due at one time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = self.clock.as_micros();
        write!(f, "{}:{}.{}@{clock}", self.store, self.number, self.fact)?;
        match self.due {
            Some(due) => write!(f, "+{}.{}", due.number, due.fact),
            None => Ok(()),
        }
    }
}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        read(text).ok_or(ParsePositionError)
    }
}

fn read(text: &str) -> Option<Position> {
    let (store, rest) = text.split_once(':')?;
    let (log, rest) = rest.split_once('@')?;
    let (clock, due) = match rest.split_once('+') {
        Some((clock, due)) => (clock, Some(read_place(due)?)),
        None => (rest, None),
    };
    let (number, fact) = read_place(log)?;
    Some(Position {
        store: store.parse().ok()?,
        number,
        fact,
        clock: WallTime::from_micros(read_number(clock, u64::MAX)?),
        due: due.map(|(number, fact)| Due { number, fact }),
    })
}

fn read_place(text: &str) -> Option<(u64, u16)> {
    let (number, fact) = text.split_once('.')?;
    let fact = read_number(fact, FACTS_PER_ENTRY as u64)?;
    Some((read_number(number, SAFE_INTEGER)?, u16::try_from(fact).ok()?))
}

/// Decimal digits alone, where `parse` would take a sign.
fn read_number(text: &str, max: u64) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_a_position_reads_back_from_its_text() {
        let store = StoreId::from_bytes([0xA5; 16]);
        let whole = Position { number: 12, clock: WallTime::from_micros(34), ..Position::start(store) };
        let inside = Position { fact: 3, due: Some(Due { number: 7, fact: 1_000 }), ..whole };
        assert_eq!(whole.to_string(), format!("{store}:12.0@34"));
        assert_eq!(inside.to_string(), format!("{store}:12.3@34+7.1000"));
        for position in [Position::start(store), whole, inside] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for text in ["", "12", ":12.0@34", "a5:12.0@34", "+12.0@34", "12.0@34+", "12.0@34+1", "12.0", "12@34"]
        {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text}");
        }
        let numbers =
            ["+1.0@34", "-1.0@34", "1.1001@34", "9007199254740992.0@34", "1.0@18446744073709551616"];
        for text in numbers {
            assert_eq!(format!("{store}:{text}").parse::<Position>(), Err(ParsePositionError), "{text}");
        }
    }
}
