//! One cell: the ids folded into it and their checks, each by exclusive or.

use crate::symbols::mapping::ShortId;

/// What ids folded together come to. Its own inverse: what is folded in twice is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cell {
    /// Of the ids.
    pub(crate) sum: u64,
    /// Of their checks, 24 bits.
    pub(crate) check: u32,
}

impl Cell {
    /// Length in bytes: 8 of the sum, 3 of the check, both big-endian.
    pub const BYTES: usize = 11;

    /// Folds an id in, or out if it was in.
    pub(crate) fn toggle(&mut self, id: ShortId) {
        self.fold(Self { sum: id.0, check: id.check() });
    }

    /// Folds all in that another holds.
    pub(crate) fn fold(&mut self, other: Self) {
        self.sum ^= other.sum;
        self.check ^= other.check;
    }

    /// Whether nothing is left in it.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The one id in it, if it looks like one: of mixtures one in 2^24 does too.
    pub(crate) fn single(&self) -> Option<ShortId> {
        let id = ShortId(self.sum);
        (!self.is_empty() && id.check() == self.check).then_some(id)
    }

    /// The bytes.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (sum, check) = bytes.split_at_mut(8);
        sum.copy_from_slice(&self.sum.to_be_bytes());
        // The leading one of four is 0.
        for (byte, from) in check.iter_mut().zip(self.check.to_be_bytes().iter().skip(1)) {
            *byte = *from;
        }
        bytes
    }

    /// The cell of these bytes. All bytes are one.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, x, y, z] = *bytes;
        Self { sum: u64::from_be_bytes([a, b, c, d, e, f, g, h]), check: u32::from_be_bytes([0, x, y, z]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f80_a_cell_reads_back_and_undoes_itself() {
        let (a, b) = (ShortId(0x0102_0304_0506_0708), ShortId(u64::MAX));
        let mut cell = Cell::default();
        cell.toggle(a);
        assert_eq!(cell.single(), Some(a));
        assert_eq!(Cell::from_bytes(&cell.to_bytes()), cell);
        assert_eq!(cell.to_bytes()[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        cell.toggle(b);
        assert_eq!(cell.single(), None);
        cell.toggle(a);
        assert_eq!(cell.single(), Some(b));
        cell.toggle(b);
        assert!(cell.is_empty() && cell.single().is_none());
    }
}
