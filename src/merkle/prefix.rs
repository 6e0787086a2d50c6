//! A prefix: the leading bits that the ids of one subtree share; and the order of ids.

use core::fmt;

use crate::ids::EntryId;

/// Bits of an id, and the greatest depth of the map.
pub(super) const ID_BITS: u16 = 256;

/// The leading 0 to 256 bits of ids, which name a subtree of the Merkle map.
///
/// Prefixes are ordered by their bits, a shorter one before those that continue it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// The bits, most significant first, and zeros behind them.
    bytes: [u8; 32],
    bits: u16,
}

impl Prefix {
    /// The prefix of no bits: all ids are under it.
    pub const ALL: Self = Self { bytes: [0; 32], bits: 0 };

    /// The first `bits` bits of `bytes`; nothing if that is more than 256, or one behind them is set.
    pub fn new(bytes: [u8; 32], bits: u16) -> Option<Self> {
        let clear = bytes.iter().zip(behind(bits)).all(|(byte, behind)| byte & behind == 0);
        (bits <= ID_BITS && clear).then_some(Self { bytes, bits })
    }

    /// The first `bits` bits of an id; nothing if that is more than 256.
    pub fn of(id: &EntryId, bits: u16) -> Option<Self> {
        let mut bytes = *id.as_bytes();
        for (byte, behind) in bytes.iter_mut().zip(behind(bits)) {
            *byte &= !behind;
        }
        Self::new(bytes, bits)
    }

    /// Whole bytes as a prefix; nothing if there are more than 32.
    pub fn from_leading_bytes(leading: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..leading.len())?.copy_from_slice(leading);
        Self::new(bytes, u16::try_from(leading.len()).ok()? * 8)
    }

    /// How many bits it has, 0 to 256.
    pub fn bits(&self) -> u16 {
        self.bits
    }

    /// Its bits, most significant first, and zeros behind them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The prefix 4 bits longer that ends in `nibble`; nothing if that is above 15 or the result would
    /// have more than 256 bits.
    pub fn child(&self, nibble: u8) -> Option<Self> {
        let bits = self.bits + 4;
        if nibble > 15 || bits > ID_BITS {
            return None;
        }
        // Four bits that may lie across a byte's end.
        let parts = (u16::from(nibble) << 12 >> (self.bits % 8)).to_be_bytes();
        let mut bytes = self.bytes;
        for (byte, part) in bytes.iter_mut().skip(usize::from(self.bits / 8)).zip(parts) {
            *byte |= part;
        }
        Some(Self { bytes, bits })
    }

    /// The two prefixes one bit longer, that with 0 first; nothing if this one has 256 bits.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let bits = self.bits + 1;
        let zeros = Self { bytes: self.bytes, bits };
        let mut ones = zeros;
        *ones.bytes.get_mut(usize::from(self.bits / 8))? |= 0x80 >> (self.bits % 8);
        Some([zeros, ones])
    }

    /// Whether the id begins with these bits.
    pub fn contains(&self, id: &EntryId) -> bool {
        (self.first()..=self.last()).contains(id)
    }

    /// The least id under it.
    pub fn first(&self) -> EntryId {
        EntryId::from_bytes(self.bytes)
    }

    /// The greatest id under it.
    pub fn last(&self) -> EntryId {
        let mut bytes = self.bytes;
        for (byte, behind) in bytes.iter_mut().zip(behind(self.bits)) {
            *byte |= behind;
        }
        EntryId::from_bytes(bytes)
    }

    /// Those of ascending ids that are under it.
    pub(crate) fn select<'a>(&self, ascending: &'a [EntryId]) -> &'a [EntryId] {
        let (first, last) = (self.first(), self.last());
        let start = ascending.partition_point(|id| *id < first);
        let end = ascending.partition_point(|id| *id <= last);
        ascending.get(start..end).unwrap_or_default()
    }
}

impl fmt::Display for Prefix {
    /// The hex digits that its bits reach into, a slash, how many bits: `a5c/11`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.bits.div_ceil(4));
        write!(f, "{:.digits$}/{}", self.first().to_string(), self.bits)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self})")
    }
}

/// All bits behind the first `bits`.
fn behind(bits: u16) -> [u8; 32] {
    let mut left = bits;
    [(); 32].map(|()| {
        let shift = left.min(8);
        left -= shift;
        0xFF_u8.checked_shr(shift.into()).unwrap_or(0)
    })
}

/// Bit `depth` of an id, 0 the most significant: which side of a node at that depth it is on.
pub(super) fn bit(id: &EntryId, depth: u16) -> bool {
    let byte = id.as_bytes().get(usize::from(depth / 8));
    byte.is_some_and(|byte| byte << (depth % 8) & 0x80 != 0)
}

/// How many leading bits two ids share.
pub(super) fn common_bits(a: &EntryId, b: &EntryId) -> u16 {
    let (a, _) = a.as_bytes().as_chunks();
    let (b, _) = b.as_bytes().as_chunks();
    let mut bits = 0;
    for (a, b) in a.iter().zip(b) {
        let differ = u64::from_be_bytes(*a) ^ u64::from_be_bytes(*b);
        if differ != 0 {
            return bits + u16::try_from(differ.leading_zeros()).unwrap_or_default();
        }
        bits += 64;
    }
    bits
}

/// Divides ascending ids that share `depth` bits by the next one.
pub(super) fn split(ids: &[EntryId], depth: u16) -> (&[EntryId], &[EntryId]) {
    ids.split_at(ids.partition_point(|id| !bit(id, depth)))
}

/// The first eight bytes as a number. They nearly always decide on the order of ids, which halves the
/// time to sort them.
pub(super) fn leading(id: &EntryId) -> u64 {
    id.as_bytes().first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default()
}

/// Sorts ids.
pub(crate) fn sort(ids: &mut [EntryId]) {
    ids.sort_unstable_by(|a, b| leading(a).cmp(&leading(b)).then_with(|| a.cmp(b)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(leading: &[u8], bits: u16) -> Option<Prefix> {
        let mut bytes = [0; 32];
        bytes[..leading.len()].copy_from_slice(leading);
        Prefix::new(bytes, bits)
    }

    #[test]
    fn bits_behind_the_prefix_must_be_zero() {
        assert_eq!(prefix(&[], 0), Some(Prefix::ALL));
        assert!(prefix(&[0x80], 0).is_none());
        assert!(prefix(&[0xA0], 3).is_some());
        assert!(prefix(&[0xB0], 3).is_none());
        assert!(prefix(&[0xFF; 32], 256).is_some());
        assert!(prefix(&[0xFF; 32], 255).is_none());
        assert!(prefix(&[0xFF; 32], 257).is_none());
        assert!(Prefix::of(&EntryId::from_bytes([0xFF; 32]), u16::MAX).is_none());
    }

    #[test]
    fn child_appends_a_nibble_at_any_bit() {
        let child = |leading: &[u8], bits, nibble| prefix(leading, bits).and_then(|p| p.child(nibble));
        assert_eq!(Prefix::ALL.child(0xA), prefix(&[0xA0], 4));
        assert_eq!(child(&[0xA0], 4, 0x5), prefix(&[0xA5], 8));
        assert_eq!(child(&[0xA5, 0x80], 10, 0xF), prefix(&[0xA5, 0xBC], 14));
        assert_eq!(child(&[0xFE], 7, 0xF), prefix(&[0xFF, 0xE0], 11), "across a byte's end");
        assert_eq!(Prefix::ALL.child(16), None);
        let longest = Prefix::of(&EntryId::from_bytes([0xFF; 32]), 252).unwrap();
        assert_eq!(longest.child(0xF), prefix(&[0xFF; 32], 256));
        assert_eq!(longest.child(0xF).unwrap().child(0), None);
        let odd = Prefix::of(&EntryId::from_bytes([0xFF; 32]), 253).unwrap();
        assert_eq!(odd.child(0), None);
    }

    #[test]
    fn halves_append_one_bit() {
        assert_eq!(Prefix::ALL.halves(), prefix(&[], 1).zip(prefix(&[0x80], 1)).map(<[_; 2]>::from));
        let odd = prefix(&[0xA5, 0x80], 10).unwrap();
        assert_eq!(
            odd.halves(),
            prefix(&[0xA5, 0x80], 11).zip(prefix(&[0xA5, 0xA0], 11)).map(<[_; 2]>::from)
        );
        assert_eq!(prefix(&[0xFF; 32], 256).unwrap().halves(), None);
    }

    #[test]
    fn ids_under_a_prefix_are_those_between_its_first_and_last() {
        let p = prefix(&[0xA5, 0x80], 10).unwrap();
        let id = |first: [u8; 2], rest| {
            let mut bytes = [rest; 32];
            bytes[..2].copy_from_slice(&first);
            EntryId::from_bytes(bytes)
        };
        assert_eq!(p.first(), id([0xA5, 0x80], 0));
        assert_eq!(p.last(), id([0xA5, 0xBF], 0xFF));
        let ids = [id([0xA5, 0x7F], 0xFF), p.first(), id([0xA5, 0x9C], 7), p.last(), id([0xA5, 0xC0], 0)];
        assert_eq!(ids.map(|id| p.contains(&id)), [false, true, true, true, false]);
        assert_eq!(p.select(&ids), &ids[1..4]);
        assert_eq!(Prefix::ALL.select(&ids), &ids);
        assert_eq!(Prefix::of(&p.last(), 10), Some(p));
    }

    #[test]
    fn shorter_prefixes_come_before_those_that_continue_them() {
        let all =
            [prefix(&[], 0), prefix(&[], 9), prefix(&[0xA0], 4), prefix(&[0xA0], 5), prefix(&[0xA5], 8)];
        assert!(all.iter().all(Option::is_some) && all.is_sorted());
    }

    #[test]
    fn display_shows_the_digits_it_reaches_into() {
        assert_eq!(Prefix::ALL.to_string(), "/0");
        assert_eq!(prefix(&[0xA5, 0xC0], 11).unwrap().to_string(), "a5c/11");
    }

    #[test]
    fn leading_bytes_are_a_prefix_of_whole_bytes() {
        assert_eq!(Prefix::from_leading_bytes(&[]), Some(Prefix::ALL));
        assert_eq!(Prefix::from_leading_bytes(&[0xA5]), prefix(&[0xA5], 8));
        assert_eq!(Prefix::from_leading_bytes(&[7; 32]), prefix(&[7; 32], 256));
        assert_eq!(Prefix::from_leading_bytes(&[7; 33]), None);
    }

    #[test]
    fn ids_share_the_bits_before_the_first_that_differs() {
        let zero = EntryId::from_bytes([0; 32]);
        for depth in 0..ID_BITS {
            let mut bytes = [0; 32];
            bytes[usize::from(depth / 8)] = 0x80 >> (depth % 8);
            let one = EntryId::from_bytes(bytes);
            assert_eq!(common_bits(&zero, &one), depth);
            assert!(bit(&one, depth) && !bit(&zero, depth));
        }
        assert_eq!(common_bits(&zero, &zero), ID_BITS);
    }
}
