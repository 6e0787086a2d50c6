//! A Bloom filter over pairs of predicate and value: which statements a journal may hold, in little space.
//!
//! After Bloom (1970), with the places of a pair taken from one hash as Kirsch and Mitzenmacher ("Less
//! hashing, same performance", 2006) show, in the enhanced form of Dillinger and Manolios (2004), which
//! also serves small filters. It is written here since no crate promises bytes that stay the same.

use crate::codec::cbor::{DecodeError, Number, Reader, Writer};
use crate::crypto::hash::labelled;
use crate::fact::bloom_bits::{Bits, as_float};
use crate::fact::bloom_size::{parameters, passing};
use crate::fact::statement::FactError;
use crate::fact::value::Value;
use crate::limits::{BLOOM_BYTES, BLOOM_HASHES, PREDICATE_BYTES, SAFE_INTEGER};

/// Version number that starts a filter.
const VERSION: u64 = 1;
/// Fewer bits would be more trouble than use.
pub(super) const LEAST_BITS: u64 = 64;
pub(super) const MOST_BITS: u64 = BLOOM_BYTES as u64 * 8;

/// Says of pairs of predicate and value that they are not in, or that they may be.
///
/// It never denies a pair that was put in. Of those that were not it lets pass a share that it was
/// sized for: its target rate, once as many are in as were expected.
#[derive(Clone, Debug, PartialEq)]
pub struct BloomFilter {
    expected: u64,
    target: f64,
    hashes: u32,
    count: u64,
    bits: Bits,
}

/// Why there is no such filter, or bytes are none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BloomError {
    /// The rate asked for is outside 0.00001 to 0.99999; in bytes, outside 0 to 1.
    #[error("a rate of {0} is not between 0 and 1")]
    Rate(f64),
    /// A filter for so many pairs at this rate would be too large.
    #[error("{bits} bits, of at most {MOST_BITS}")]
    TooLarge {
        /// Bits that it would take.
        bits: u64,
    },
    /// Two filters have different parameters, and can't be one.
    #[error("filters of {ours} and {theirs} bits, or of other parameters, can't be merged")]
    Different {
        /// Bits here.
        ours: u64,
        /// Bits there.
        theirs: u64,
    },
    /// The bytes are not the canonical form.
    #[error(transparent)]
    Form(#[from] DecodeError),
    /// The bytes are of a version that is not known here.
    #[error("version {0} of a filter, of which 1 is known")]
    Version(u64),
    /// The filter expects no pairs, or too many.
    #[error("a filter for {0} pairs, of 1 to 2^53 - 1")]
    Expected(u64),
    /// The number of bits is out of bounds.
    #[error("{0} bits, of {LEAST_BITS} to {MOST_BITS}")]
    Bits(u64),
    /// The number of places for each pair is out of bounds.
    #[error("{0} hashes, of 1 to {BLOOM_HASHES}")]
    Hashes(u64),
    /// More pairs are in than twice as many as expected.
    #[error("{count} pairs are in, of at most {most}")]
    Count {
        /// Pairs that are in.
        count: u64,
        /// Twice as many as were expected.
        most: u64,
    },
    /// There are more or fewer bytes than the bits take.
    #[error("{found} bytes of bits, of {expected}")]
    Length {
        /// Bytes that the bits take.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A bit behind the last one is set.
    #[error("bits behind the last are set")]
    Spare,
}

impl BloomFilter {
    /// A filter for so many pairs that lets a share of `rate` pass when they are in.
    ///
    /// # Errors
    /// The rate is outside 0.00001 to 0.99999, or the filter would take more than 1 MiB.
    pub fn new(expected: u64, rate: f64) -> Result<Self, BloomError> {
        let expected = expected.clamp(1, SAFE_INTEGER);
        let (bits, hashes) = parameters(expected, rate)?;
        Ok(Self { expected, target: rate, hashes, count: 0, bits: Bits::new(bits)? })
    }

    /// A filter for so many pairs, as a sync uses it: 1 % pass.
    ///
    /// # Errors
    /// The filter would take more than 1 MiB.
    pub fn for_sync(expected: u64) -> Result<Self, BloomError> {
        Self::new(expected, 0.01)
    }

    /// Puts a pair in. Says whether it was new: false also where others cover it by chance.
    ///
    /// # Errors
    /// Predicate or value are out of the bounds of a fact.
    pub fn insert(&mut self, predicate: &str, value: &Value) -> Result<bool, FactError> {
        let mut is_new = false;
        for place in places(predicate, value, self.bits.len, self.hashes)? {
            is_new |= self.bits.set(place);
        }
        self.count = self.count.saturating_add(is_new.into());
        Ok(is_new)
    }

    /// Whether the pair may be in. If not, it is not; what can't be a fact never is.
    pub fn might_contain(&self, predicate: &str, value: &Value) -> bool {
        places(predicate, value, self.bits.len, self.hashes)
            .is_ok_and(|mut places| places.all(|place| self.bits.is_set(place)))
    }

    /// Puts in all that is in the other. How many that makes together is estimated from the bits.
    ///
    /// # Errors
    /// The parameters differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), BloomError> {
        let parameters =
            |filter: &Self| (filter.expected, filter.target.to_bits(), filter.hashes, filter.bits.len);
        if parameters(self) != parameters(other) {
            return Err(BloomError::Different { ours: self.bits.len, theirs: other.bits.len });
        }
        let (least, most) = (self.count.max(other.count), self.count.saturating_add(other.count));
        self.bits.unite(&other.bits);
        self.count = self.bits.estimate(self.hashes).clamp(least, most);
        Ok(())
    }

    /// How many pairs are in; pairs that others cover by chance are not counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many pairs it was sized for.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Its size in bits.
    pub fn bits(&self) -> u64 {
        self.bits.len
    }

    /// How many bits stand for one pair, 1 to 32.
    pub fn hashes(&self) -> u32 {
        self.hashes
    }

    /// The share of other pairs that it lets pass when as many are in as were expected.
    pub fn target_rate(&self) -> f64 {
        self.target
    }

    /// The share of other pairs that it lets pass now, as far as can be told from the count.
    pub fn rate_now(&self) -> f64 {
        passing(self.bits.len, self.hashes, self.count)
    }

    /// Whether it holds over twice as many pairs as expected, or lets twice as many pass: then a larger
    /// one should take its place.
    pub fn needs_rebuild(&self) -> bool {
        self.count > most(self.expected) || self.rate_now() > 2.0 * self.target
    }

    /// The filter as bytes; `docs/FORMAT.md` says which. Of a count beyond twice the expected they say
    /// twice the expected.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.bits.bytes.len().saturating_add(48));
        writer.array(7).unsigned(VERSION).unsigned(self.expected).float(self.target);
        writer
            .unsigned(self.bits.len)
            .unsigned(self.hashes.into())
            .unsigned(self.count.min(most(self.expected)));
        writer.bytes(&self.bits.bytes);
        writer.into_bytes()
    }

    /// The filter with these bytes.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BloomError> {
        let mut reader = Reader::new(bytes);
        reader.array_of("parts of a filter", 7)?;
        let version = reader.unsigned()?;
        if version != VERSION {
            return Err(BloomError::Version(version));
        }
        let expected = reader.unsigned()?;
        if !(1..=SAFE_INTEGER).contains(&expected) {
            return Err(BloomError::Expected(expected));
        }
        let target = match reader.number()? {
            Number::Float(rate) if rate > 0.0 && rate < 1.0 => rate,
            Number::Float(rate) => return Err(BloomError::Rate(rate)),
            Number::Integer(rate) => return Err(BloomError::Rate(as_float(rate.unsigned_abs()))),
        };
        // Memory is taken once the bits are there.
        let bits = reader.unsigned()?;
        Bits::size(bits)?;
        let hashes = reader.unsigned()?;
        let hashes = u32::try_from(hashes)
            .ok()
            .filter(|k| (1..=BLOOM_HASHES).contains(k))
            .ok_or(BloomError::Hashes(hashes))?;
        let count = reader.unsigned()?;
        let most = most(expected);
        if count > most {
            return Err(BloomError::Count { count, most });
        }
        let bits = Bits::from_bytes(bits, reader.bytes()?)?;
        reader.end()?;
        Ok(Self { expected, target, hashes, count, bits })
    }
}

/// How many pairs may be in before a larger filter is due: twice as many as expected.
fn most(expected: u64) -> u64 {
    expected.saturating_mul(2)
}

/// The bits that stand for a pair.
fn places(
    predicate: &str,
    value: &Value,
    bits: u64,
    hashes: u32,
) -> Result<impl Iterator<Item = u64> + use<>, FactError> {
    let bytes = predicate.len();
    if !(1..=PREDICATE_BYTES).contains(&bytes) {
        return Err(FactError::Predicate { bytes });
    }
    // The head of a text holds its length: no pair has the bytes of another.
    let mut writer = Writer::new();
    value.encode(writer.text(predicate))?;
    let hash = labelled("bloom", &[writer.as_bytes()]);
    let (words, _) = hash.as_chunks();
    let mut words = words.iter().map(|word| u64::from_be_bytes(*word) % bits);
    let (mut place, mut step) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok((1..=u64::from(hashes)).map(move |number| {
        let now = place;
        place = (place + step) % bits;
        step = (step + number) % bits;
        now
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(expected: u64, rate: f64, pairs: core::ops::Range<i64>) -> BloomFilter {
        let mut filter = BloomFilter::new(expected, rate).unwrap();
        for i in pairs {
            filter.insert("p", &Value::Integer(i)).unwrap();
        }
        filter
    }

    #[test]
    fn f63_parameters_are_those_of_the_formulas() {
        let sync = BloomFilter::for_sync(100).unwrap();
        assert_eq!((sync.bits(), sync.hashes(), sync.target_rate()), (959, 7, 0.01));
        for n in [1, 2, 7, 100, 1_000, 12_345, 100_000, 800_000] {
            for p in [1e-5, 1e-4, 0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9, 0.999_99] {
                let exact = -(n as f64) * f64::ln(p) / f64::ln(2.0).powi(2);
                match BloomFilter::new(n, p) {
                    Ok(filter) => {
                        assert_eq!(filter.bits(), (exact.ceil() as u64).max(64), "{n}, {p}");
                        let k = (filter.bits() as f64 / n as f64 * f64::ln(2.0)).round().clamp(1.0, 32.0);
                        assert_eq!(f64::from(filter.hashes()), k, "{n}, {p}");
                    }
                    Err(error) => {
                        assert_eq!(error, BloomError::TooLarge { bits: exact.ceil() as u64 });
                        assert!(exact > 8_388_608.0, "{n}, {p}");
                    }
                }
            }
        }
        for rate in [0.0, 0.000_009, 0.999_991, 1.0, -1.0, f64::INFINITY] {
            assert_eq!(BloomFilter::new(1, rate), Err(BloomError::Rate(rate)));
        }
        assert!(matches!(BloomFilter::new(1, f64::NAN), Err(BloomError::Rate(_))));
        assert_eq!(BloomFilter::new(0, 0.5).unwrap().expected(), 1);
        assert!(matches!(BloomFilter::new(u64::MAX, 0.5), Err(BloomError::TooLarge { .. })));
    }

    /// Of many filters, since one alone may be lucky; the hashes are fixed, and so is the outcome.
    #[test]
    fn f64_c9_the_measured_rate_is_within_1_2_of_the_target() {
        for (n, p, filters, asked) in [
            (100, 0.01, 40, 5_000),
            (1_000, 0.01, 8, 20_000),
            (1_000, 0.1, 8, 5_000),
            (20_000, 0.001, 2, 200_000),
        ] {
            let mut passed = 0;
            for i in 0..filters {
                let filter = filled(n as u64, p, i * n..(i + 1) * n);
                let others = -asked..0;
                passed +=
                    others.filter(|j| filter.might_contain("p", &Value::Integer(j - i * asked))).count();
                assert!((filter.rate_now() / p - 1.0).abs() < 0.15, "{n}, {p}: {}", filter.rate_now());
            }
            let rate = passed as f64 / (filters * asked) as f64;
            assert!(rate < 1.2 * p && rate > p / 1.5, "{n}, {p}: measured {rate}");
            let expected = BloomFilter::expected_rate(n as u64, p).unwrap();
            assert!((rate / expected - 1.0).abs() < 0.2, "{n}, {p}: measured {rate}, expected {expected}");
        }
    }

    #[test]
    fn f64_a_rebuild_is_due_at_twice_the_count_or_rate() {
        let mut filter = filled(1_000, 0.01, 0..1_000);
        assert!(!filter.needs_rebuild());
        assert!(filter.rate_now() < 0.02);
        let due = (1_000..).find(|i| {
            filter.insert("p", &Value::Integer(*i)).unwrap();
            filter.needs_rebuild()
        });
        assert!(filter.rate_now() > 0.02 && due.unwrap() < 1_300, "by rate, {due:?}");
        // Of many that pass anyway the rate never doubles: here the count decides.
        let filter = filled(50, 0.9, 0..100_000);
        assert!(filter.count() <= 100 || filter.needs_rebuild());
        let mut filter = BloomFilter::new(50, 0.6).unwrap();
        filter.count = 100;
        assert!(!filter.needs_rebuild());
        filter.count = 101;
        assert!(filter.needs_rebuild());
        assert_eq!(BloomFilter::from_bytes(&filter.to_bytes()).unwrap().count(), 100, "still well formed");
    }

    #[test]
    fn f64_what_can_be_no_fact_is_refused_and_never_in() {
        let mut filter = filled(10, 0.5, 0..1_000);
        let (long, large) = ("x".repeat(257), Value::Bytes(vec![0; 65_536]));
        for (predicate, value) in [("", &Value::Null), (long.as_str(), &Value::Null), ("p", &large)] {
            assert!(filter.insert(predicate, value).is_err());
            assert!(!filter.might_contain(predicate, value));
        }
    }

    proptest! {
        #[test]
        fn f64_no_pair_is_ever_denied_and_none_counted_twice(
            pairs in prop::collection::vec(("[a-c]{1,3}", -20..20_i64), 0..80),
            other in prop::collection::vec(("[a-c]{1,3}", -20..20_i64), 0..80),
            expected in 1..100_u64,
            rate in 1e-5..0.999_f64,
        ) {
            let empty = BloomFilter::new(expected, rate).unwrap();
            let insert = |pairs: &[(String, i64)]| {
                let mut filter = empty.clone();
                for (predicate, value) in pairs {
                    filter.insert(predicate, &Value::Integer(*value)).unwrap();
                    let count = filter.count();
                    prop_assert!(!filter.insert(predicate, &Value::Integer(*value)).unwrap());
                    prop_assert_eq!(filter.count(), count);
                }
                Ok(filter)
            };
            let (one, two) = (insert(&pairs)?, insert(&other)?);
            let distinct: std::collections::BTreeSet<_> = pairs.iter().collect();
            prop_assert!(one.count() <= distinct.len() as u64);
            let mut both = one.clone();
            both.merge(&two).unwrap();
            let mut same = two.clone();
            same.merge(&one).unwrap();
            prop_assert_eq!(&both, &same);
            let all: Vec<_> = pairs.iter().chain(&other).cloned().collect();
            prop_assert_eq!(&both.bits, &insert(&all)?.bits);
            prop_assert!(both.count() >= one.count().max(two.count()) && both.count() <= one.count() + two.count());
            let read = BloomFilter::from_bytes(&both.to_bytes()).unwrap();
            prop_assert_eq!(&read.to_bytes(), &both.to_bytes());
            for (predicate, value) in &all {
                prop_assert!(both.might_contain(predicate, &Value::Integer(*value)));
                prop_assert!(read.might_contain(predicate, &Value::Integer(*value)));
            }
        }
    }

    #[test]
    fn filters_of_other_parameters_are_not_merged() {
        let mut filter = filled(100, 0.01, 0..10);
        let before = filter.clone();
        for other in [filled(101, 0.01, 0..1), filled(100, 0.010_000_001, 0..1)] {
            assert!(matches!(filter.merge(&other), Err(BloomError::Different { .. })));
        }
        assert_eq!(filter, before);
    }

    /// The parts of a filter for 7 pairs, each of which can be made a lie.
    struct Parts {
        version: u64,
        expected: u64,
        rate: f64,
        bits: u64,
        hashes: u64,
        count: u64,
        bytes: Vec<u8>,
    }

    impl Parts {
        fn new() -> Self {
            let mut bytes = vec![0xFF; 9];
            bytes[8] = 0b1110_0000;
            Self { version: 1, expected: 7, rate: 0.01, bits: 67, hashes: 7, count: 14, bytes }
        }

        fn read(&self) -> Result<BloomFilter, BloomError> {
            let mut writer = Writer::new();
            writer.array(7).unsigned(self.version).unsigned(self.expected).float(self.rate);
            writer.unsigned(self.bits).unsigned(self.hashes).unsigned(self.count).bytes(&self.bytes);
            BloomFilter::from_bytes(writer.as_bytes())
        }
    }

    #[test]
    fn f65_each_malformed_field_has_an_error_of_its_own() {
        let lie = |lie: fn(&mut Parts)| {
            let mut parts = Parts::new();
            lie(&mut parts);
            parts.read().unwrap_err()
        };
        assert_eq!(Parts::new().read().map(|filter| (filter.count(), filter.bits())), Ok((14, 67)));
        assert_eq!(lie(|p| p.version = 2), BloomError::Version(2));
        assert_eq!(lie(|p| p.expected = 0), BloomError::Expected(0));
        assert_eq!(lie(|p| p.expected = 1 << 53), BloomError::Expected(1 << 53));
        for rate in [0.0, 1.0, 1.5] {
            let mut parts = Parts::new();
            parts.rate = rate;
            assert_eq!(parts.read(), Err(BloomError::Rate(rate)));
        }
        assert_eq!(lie(|p| p.rate = -0.5), BloomError::Rate(-0.5));
        assert!(matches!(lie(|p| p.rate = f64::NAN), BloomError::Rate(_)));
        assert_eq!(lie(|p| p.bits = 63), BloomError::Bits(63));
        assert_eq!(lie(|p| p.bits = 8_388_609), BloomError::Bits(8_388_609));
        assert_eq!(lie(|p| p.hashes = 0), BloomError::Hashes(0));
        assert_eq!(lie(|p| p.hashes = 33), BloomError::Hashes(33));
        assert_eq!(lie(|p| p.hashes = 1 << 32 | 1), BloomError::Hashes(1 << 32 | 1));
        assert_eq!(lie(|p| p.count = 15), BloomError::Count { count: 15, most: 14 });
        assert_eq!(lie(|p| p.bytes.push(0)), BloomError::Length { expected: 9, found: 10 });
        assert_eq!(lie(|p| p.bytes.truncate(8)), BloomError::Length { expected: 9, found: 8 });
        assert_eq!(lie(|p| p.bytes[8] |= 1 << 4), BloomError::Spare);
        assert_eq!(lie(|p| p.bytes[8] |= 1), BloomError::Spare);
        let whole = filled(100, 0.01, 0..100).to_bytes();
        for end in 0..whole.len() {
            assert!(matches!(BloomFilter::from_bytes(&whole[..end]), Err(BloomError::Form(_))), "{end}");
        }
        let trailing = BloomFilter::from_bytes(&[&whole[..], &[0]].concat());
        assert_eq!(trailing, Err(BloomError::Form(DecodeError::Trailing { count: 1 })));
    }

    #[test]
    fn f65_the_largest_filter_reads_back() {
        let mut filter = BloomFilter::new(875_000, 0.01).unwrap();
        filter.insert("p", &Value::Null).unwrap();
        assert!(filter.bits() > 8_386_000, "{}", filter.bits());
        assert_eq!(BloomFilter::from_bytes(&filter.to_bytes()), Ok(filter));
    }
}
