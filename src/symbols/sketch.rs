//! A sketch of a set in 64 bytes: two of them tell about how much the sets differ.
//!
//! Each of 32 counters goes up or down by one for each entry, by a bit of its id. The difference of a
//! counter on two sides is a random walk of as many steps as the sets have differences, so its square is
//! that number on average (N. Alon, Y. Matias, M. Szegedy, "The Space Complexity of Approximating the
//! Frequency Moments", 1996). Who grinds ids can bias it: that costs cells or a further round, never more.

use crate::ids::EntryId;

/// Counters of a sketch.
const COUNTERS: usize = 32;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sketch {
    counters: [i16; COUNTERS],
}

impl Sketch {
    /// Length in bytes: 32 counters of 16 bits, big-endian, in two's complement.
    pub const BYTES: usize = 2 * COUNTERS;

    /// That of these entries.
    pub fn of<'a>(ids: impl IntoIterator<Item = &'a EntryId>) -> Self {
        let mut sketch = Self::default();
        for id in ids {
            sketch.insert(id);
        }
        sketch
    }

    /// Takes an entry in.
    pub fn insert(&mut self, id: &EntryId) {
        self.step(id, 1);
    }

    /// Takes an entry out that is in.
    pub fn remove(&mut self, id: &EntryId) {
        self.step(id, -1);
    }

    fn step(&mut self, id: &EntryId, up: i16) {
        let bytes: [u8; 4] =
            core::array::from_fn(|at| id.as_bytes().get(8 + at).copied().unwrap_or_default());
        let mut bits = u32::from_be_bytes(bytes);
        for counter in &mut self.counters {
            let step = if bits & 1 == 1 { up } else { up.wrapping_neg() };
            *counter = counter.wrapping_add(step);
            bits >>= 1;
        }
    }

    /// About how many entries are in one of two sets and not in the other: within 25 % as a rule, and
    /// nothing like it where counters have wrapped, beyond some 10^8 differences.
    pub fn difference(&self, other: &Self) -> u64 {
        let mut sum = 0u64;
        for (here, there) in self.counters.iter().zip(other.counters) {
            let apart = u64::from(here.wrapping_sub(there).unsigned_abs());
            sum = sum.saturating_add(apart * apart);
        }
        let counters = COUNTERS as u64;
        (sum + counters / 2) / counters
    }

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (pairs, _) = bytes.as_chunks_mut();
        for (pair, counter) in pairs.iter_mut().zip(self.counters) {
            *pair = counter.to_be_bytes();
        }
        bytes
    }

    /// The sketch of these bytes. All bytes are one.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut sketch = Self::default();
        let (pairs, _) = bytes.as_chunks();
        for (counter, pair) in sketch.counters.iter_mut().zip(pairs) {
            *counter = i16::from_be_bytes(*pair);
        }
        sketch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::plain;

    fn ids(range: core::ops::Range<u32>) -> Vec<EntryId> {
        range.map(|i| EntryId::from_bytes(plain(&[&i.to_be_bytes()]))).collect()
    }

    #[test]
    fn f80_a_sketch_reads_back_and_takes_out_what_it_took_in() {
        let mut sketch = Sketch::of(&ids(0..1_000));
        assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), sketch);
        for id in ids(0..1_000) {
            sketch.remove(&id);
        }
        assert_eq!(sketch, Sketch::default());
    }

    #[test]
    fn f80_bit_j_of_bytes_8_to_11_moves_counter_j() {
        let mut bytes = [0; 32];
        bytes[8] = 0x80;
        bytes[11] = 0x03;
        let bytes = Sketch::of(&[EntryId::from_bytes(bytes)]).to_bytes();
        let counters: Vec<_> = bytes.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
        let up: Vec<_> = (0..32).filter(|j| counters[*j] == 1).collect();
        assert_eq!(up, [0, 1, 31]);
        assert_eq!(counters.iter().filter(|counter| **counter == -1).count(), 29);
    }

    #[test]
    fn f80_the_difference_is_estimated_within_a_quarter() {
        for difference in [1u32, 10, 100, 1_000, 10_000] {
            let (mut sum, mut squares, runs) = (0.0, 0.0, 60u32);
            for run in 0..runs {
                let from = run * 100_000;
                let common = from..from + 500;
                let here = Sketch::of(&ids(common.start..common.end + difference / 2));
                let there = Sketch::of(
                    ids(common).iter().chain(&ids(from + 50_000..from + 50_000 + difference.div_ceil(2))),
                );
                let share = here.difference(&there) as f64 / f64::from(difference);
                sum += share;
                squares += (share - 1.0) * (share - 1.0);
            }
            let (mean, deviation) = (sum / f64::from(runs), (squares / f64::from(runs)).sqrt());
            assert!((0.85..1.15).contains(&mean) && deviation < 0.35, "{difference}: {mean} ± {deviation}");
        }
    }
}
