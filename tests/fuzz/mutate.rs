//! Changes seeds: bits, lengths, heads of CBOR, pieces of other seeds.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Bytes that mean something: edges of lengths and numbers, heads of CBOR that are long, reserved or endless.
const BYTES: [u8; 26] = [
    0x00, 0x01, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1f, 0x20, 0x3b, 0x40, 0x5f, 0x60, 0x7f, 0x80, 0x9f,
    0xa0, 0xbf, 0xc0, 0xe0, 0xf6, 0xf7, 0xf9, 0xfb, 0xff,
];
/// Numbers that mean something: around bounds of the format, and of 32 and 64 bits.
const NUMBERS: [u64; 16] = [
    0,
    1,
    23,
    24,
    255,
    256,
    1_024,
    1_025,
    65_535,
    65_536,
    1_048_576,
    1_048_577,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 53,
    u64::MAX,
];

/// An endless row of inputs, the same for the same seed and corpus.
pub struct Mutator {
    rng: ChaCha20Rng,
    corpus: Vec<Vec<u8>>,
    longest: usize,
}

impl Mutator {
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>, longest: usize) -> Self {
        assert!(!corpus.is_empty());
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        Self { rng: ChaCha20Rng::from_seed(key), corpus, longest }
    }

    /// A seed after one to eight changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut bytes = self.seed();
        // Mostly few: many changes hit the first check.
        let changes = 1 + self.below(8) * self.below(2) * self.below(2);
        for _ in 0..changes {
            self.change(&mut bytes);
        }
        bytes.truncate(self.longest);
        bytes
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.rng.next_u64() % bound.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        self.corpus[at].clone()
    }

    /// A piece of these bytes: where it begins and ends.
    fn piece(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.below(bytes.len() + 1);
        // Mostly short ones.
        let most = self.pick(&[1, 4, 40, bytes.len()]);
        (start, (start + 1 + self.below(most)).min(bytes.len()))
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        match self.below(12) {
            0 | 1 if !bytes.is_empty() => {
                let at = self.below(bytes.len());
                bytes[at] ^= 1 << self.below(8);
            }
            2 if !bytes.is_empty() => {
                let at = self.below(bytes.len());
                bytes[at] = self.pick(&BYTES);
            }
            3 => {
                let (start, end) = self.piece(bytes);
                bytes.drain(start..end);
            }
            4 => {
                let (start, end) = self.piece(bytes);
                let piece = bytes[start..end].to_vec();
                let at = self.below(bytes.len() + 1);
                bytes.splice(at..at, piece);
            }
            5 => {
                let at = self.below(bytes.len() + 1);
                let fresh: Vec<u8> = (0..1 + self.below(9)).map(|_| self.rng.next_u32() as u8).collect();
                bytes.splice(at..at, fresh);
            }
            6 => {
                // A piece of another seed in place of one of this.
                let other = self.seed();
                let ((start, end), (from, to)) = (self.piece(bytes), self.piece(&other));
                bytes.splice(start..end, other[from..to].iter().copied());
            }
            7 => {
                let end = self.below(bytes.len() + 1);
                bytes.truncate(end);
            }
            8 => self.number(bytes),
            _ => self.head(bytes),
        }
    }

    /// Another number where one of four or eight bytes may stand: a length, a count.
    fn number(&mut self, bytes: &mut [u8]) {
        let width = self.pick(&[4, 8]);
        if bytes.len() < width {
            return;
        }
        let at = self.below(bytes.len() - width + 1);
        let place = &mut bytes[at..at + width];
        let former = place.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let number = match self.below(4) {
            0 => former.wrapping_add(1),
            1 => former.wrapping_sub(1),
            _ => self.pick(&NUMBERS),
        };
        place.copy_from_slice(&number.to_be_bytes()[8 - width..]);
    }

    /// Another head where one of CBOR may stand: longer than it need be, one more, of another type.
    fn head(&mut self, bytes: &mut Vec<u8>) {
        let heads = heads(bytes);
        if heads.is_empty() {
            return;
        }
        let (at, len, argument) = self.pick(&heads);
        let major = bytes[at] >> 5;
        let (major, argument) = match self.below(6) {
            0 => (major, argument.wrapping_add(1)),
            1 => (major, argument.wrapping_sub(1)),
            2 => (major, self.pick(&NUMBERS)),
            3 => (self.below(8) as u8, argument),
            _ => (major, argument),
        };
        // Mostly the shortest form, else one that is longer.
        let shortest: usize = match argument {
            0..24 => 0,
            24..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x1_0000_0000 => 4,
            _ => 8,
        };
        let width = if self.below(3) == 0 { self.pick(&[1, 2, 4, 8]) } else { shortest };
        let head = match width {
            0 => vec![major << 5 | argument as u8],
            _ => {
                let code = 24 + width.trailing_zeros() as u8;
                [&[major << 5 | code], &argument.to_be_bytes()[8 - width..]].concat()
            }
        };
        bytes.splice(at..at + len, head);
    }
}

/// Heads of CBOR: where, how long, the argument. Read from the beginning as far as it goes, each text and
/// byte string passed over; where that ends, from the next byte on.
fn heads(bytes: &[u8]) -> Vec<(usize, usize, u64)> {
    let mut heads = Vec::new();
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        let width = match first & 31 {
            info @ 24..28 => 1 << (info - 24),
            _ => 0,
        };
        let Some(argument) = bytes.get(at + 1..at + 1 + width) else { break };
        let argument = match width {
            0 => u64::from(first & 31),
            _ => argument.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        };
        heads.push((at, 1 + width, argument));
        let skipped = if matches!(first >> 5, 2 | 3) { argument } else { 0 };
        let next = usize::try_from(skipped).ok().and_then(|skipped| (at + 1 + width).checked_add(skipped));
        at = next.filter(|next| *next <= bytes.len()).unwrap_or(at + 1);
    }
    heads
}
