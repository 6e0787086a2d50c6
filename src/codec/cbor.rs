//! Deterministic CBOR (RFC 8949 §4.2.1), written canonically and read strictly, over `minicbor`.
//!
//! [`Reader`] accepts a token only if it is the one that [`Writer`] would have written for the same
//! content: shortest heads, definite lengths, shortest floats, no tags, no `undefined`. Nothing is
//! allocated for a length that the remaining input can't hold.

use core::convert::Infallible;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::limits::SAFE_INTEGER;

/// Why bytes are not canonical CBOR of the expected form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends too early, or holds another kind of item than expected.
    #[error("{expected} expected at byte {position}")]
    Expected {
        /// What should have stood there.
        expected: &'static str,
        /// Byte offset.
        position: usize,
    },
    /// The item has a shorter or otherwise preferred encoding.
    #[error("not canonical at byte {position}: {rule}")]
    NotCanonical {
        /// The rule broken.
        rule: &'static str,
        /// Byte offset.
        position: usize,
    },
    /// A bound of the format is exceeded.
    #[error("{what} out of bounds at byte {position}")]
    OutOfBounds {
        /// What exceeds its bound.
        what: &'static str,
        /// Byte offset.
        position: usize,
    },
    /// Bytes are left over behind the item.
    #[error("{count} bytes left over")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// Writes canonical CBOR to a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// The bytes written so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Appends bytes that are already canonical CBOR.
    pub(crate) fn canonical(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.put(|e| e.null().map(drop))
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.put(|e| e.bool(value).map(drop))
    }

    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.put(|e| e.u64(value).map(drop))
    }

    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.put(|e| e.i64(value).map(drop))
    }

    /// A number in its one form: an integral one within ±(2^53 − 1) as an integer (−0 as 0), others
    /// in the shortest float that keeps the value, NaN as `f97e00`.
    pub(crate) fn float(&mut self, value: f64) -> &mut Self {
        if let Some(integer) = integral(value) {
            return self.integer(integer);
        }
        if value.is_nan() {
            return self.canonical(&[0xf9, 0x7e, 0x00]);
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked by comparing back")]
        let single = value as f32;
        if f64::from(single) != value {
            return self.put(|e| e.f64(value).map(drop));
        }
        let start = self.out.len();
        self.put(|e| e.f16(single).map(drop));
        let half = self.out.get(start..).map(|bytes| Decoder::new(bytes).f16());
        if matches!(half, Some(Ok(half)) if half == single) {
            return self;
        }
        self.out.truncate(start);
        self.put(|e| e.f32(single).map(drop))
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.put(|e| e.bytes(value).map(drop))
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.put(|e| e.str(value).map(drop))
    }

    /// Head of an array of `len` items.
    pub(crate) fn array(&mut self, len: usize) -> &mut Self {
        self.put(|e| e.array(len as u64).map(drop))
    }

    /// Head of a map of `len` pairs.
    pub(crate) fn map(&mut self, len: usize) -> &mut Self {
        self.put(|e| e.map(len as u64).map(drop))
    }

    fn put(
        &mut self,
        write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>>,
    ) -> &mut Self {
        // Writing to a vector can't fail, and says so in its type.
        let written = write(&mut Encoder::new(&mut self.out));
        debug_assert!(written.is_ok());
        self
    }
}

/// The integer that a float equals, if it is integral and within ±(2^53 − 1).
pub(crate) fn integral(value: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 − 1 is exact")]
    let bound = SAFE_INTEGER as f64;
    #[expect(clippy::cast_possible_truncation, reason = "within ±(2^53 − 1)")]
    (value.abs() <= bound && value % 1.0 == 0.0).then_some(value as i64)
}

/// A number or simple value as found in the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

/// What kind of item comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Bytes,
    Array,
    Map,
}

/// Reads canonical CBOR from a slice, refusing everything else.
#[derive(Clone)]
pub(crate) struct Reader<'b> {
    decoder: Decoder<'b>,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { decoder: Decoder::new(bytes) }
    }

    /// Byte offset of the next item.
    pub(crate) fn position(&self) -> usize {
        self.decoder.position()
    }

    /// Bytes from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'b [u8] {
        self.decoder.input().get(start..self.position()).unwrap_or_default()
    }

    /// Fails unless the input ends here.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        match self.decoder.input().len().saturating_sub(self.position()) {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count }),
        }
    }

    /// An error that names the item at `position`.
    pub(crate) fn out_of_bounds(position: usize, what: &'static str) -> DecodeError {
        DecodeError::OutOfBounds { what, position }
    }

    pub(crate) fn kind(&self) -> Result<Kind, DecodeError> {
        let position = self.position();
        let not_canonical = |rule| Err(DecodeError::NotCanonical { rule, position });
        match self.decoder.datatype() {
            Ok(Type::Null) => Ok(Kind::Null),
            Ok(Type::Bool) => Ok(Kind::Bool),
            Ok(
                Type::U8
                | Type::U16
                | Type::U32
                | Type::U64
                | Type::I8
                | Type::I16
                | Type::I32
                | Type::I64
                | Type::Int
                | Type::F16
                | Type::F32
                | Type::F64,
            ) => Ok(Kind::Number),
            Ok(Type::Bytes) => Ok(Kind::Bytes),
            Ok(Type::String) => Ok(Kind::Text),
            Ok(Type::Array) => Ok(Kind::Array),
            Ok(Type::Map) => Ok(Kind::Map),
            Ok(Type::Tag) => not_canonical("no tags"),
            Ok(Type::Undefined | Type::Simple) => not_canonical("no simple values but null, true, false"),
            Ok(Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef | Type::Break) => {
                not_canonical("no indefinite lengths")
            }
            Ok(Type::Unknown(_)) | Err(_) => Err(DecodeError::Expected { expected: "an item", position }),
        }
    }

    pub(crate) fn null(&mut self) -> Result<(), DecodeError> {
        self.item("null", Decoder::null).map(drop)
    }

    /// Null, or what `read` reads.
    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.kind()? == Kind::Null { self.null().map(|()| None) } else { read(self).map(Some) }
    }

    pub(crate) fn bool(&mut self) -> Result<bool, DecodeError> {
        self.item("true or false", Decoder::bool).map(|(value, _)| value)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let (value, start) = self.item("an unsigned integer", Decoder::u64)?;
        self.shortest(start, head_len(value))?;
        Ok(value)
    }

    /// An unsigned integer of at most `max`.
    pub(crate) fn bounded(&mut self, what: &'static str, max: u64) -> Result<u64, DecodeError> {
        let position = self.position();
        match self.unsigned()? {
            value if value <= max => Ok(value),
            _ => Err(Self::out_of_bounds(position, what)),
        }
    }

    pub(crate) fn integer(&mut self) -> Result<i64, DecodeError> {
        let (value, start) = self.item("an integer of 64 bits", Decoder::i64)?;
        let head = if value < 0 { !value } else { value };
        self.shortest(start, head_len(head.unsigned_abs()))?;
        Ok(value)
    }

    pub(crate) fn number(&mut self) -> Result<Number, DecodeError> {
        let position = self.position();
        let float = match self.decoder.datatype() {
            Ok(Type::F16) => self.item("a float", Decoder::f16).map(|(value, _)| f64::from(value))?,
            Ok(Type::F32) => self.item("a float", Decoder::f32).map(|(value, _)| f64::from(value))?,
            Ok(Type::F64) => self.item("a float", Decoder::f64).map(|(value, _)| value)?,
            _ => return self.integer().map(Number::Integer),
        };
        let mut canonical = Writer::new();
        if canonical.float(float).as_bytes() == self.since(position) {
            Ok(Number::Float(float))
        } else {
            let rule = "integral numbers as integers, floats in the shortest form, one NaN";
            Err(DecodeError::NotCanonical { rule, position })
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        let (value, start) = self.item("a byte string", Decoder::bytes)?;
        self.shortest(start, head_len(value.len() as u64).saturating_add(value.len()))?;
        Ok(value)
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn array_of_bytes<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let position = self.position();
        let bytes = self.bytes()?;
        bytes.try_into().map_err(|_| DecodeError::Expected { expected, position })
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, DecodeError> {
        let (value, start) = self.item("a text string in UTF-8", Decoder::str)?;
        self.shortest(start, head_len(value.len() as u64).saturating_add(value.len()))?;
        Ok(value)
    }

    /// Head of an array: its length, at most `max`, and no more than the input can hold.
    pub(crate) fn array(&mut self, what: &'static str, max: usize) -> Result<usize, DecodeError> {
        let (len, start) = self.item("an array", Decoder::array)?;
        self.container(len, start, what, max)
    }

    /// So many items, each by `read`; the head with their number was read before.
    pub(crate) fn items<T>(
        &mut self,
        len: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// Head of an array of exactly `len` items.
    pub(crate) fn array_of(&mut self, what: &'static str, len: usize) -> Result<(), DecodeError> {
        let position = self.position();
        match self.array(what, len)? {
            found if found == len => Ok(()),
            _ => Err(Self::out_of_bounds(position, what)),
        }
    }

    /// Head of a map: its number of pairs, at most `max`, and no more than the input can hold.
    pub(crate) fn map(&mut self, what: &'static str, max: usize) -> Result<usize, DecodeError> {
        let (len, start) = self.item("a map", Decoder::map)?;
        self.container(len, start, what, max)
    }

    fn container(
        &self,
        len: Option<u64>,
        position: usize,
        what: &'static str,
        max: usize,
    ) -> Result<usize, DecodeError> {
        let rule = "no indefinite lengths";
        let len = len.ok_or(DecodeError::NotCanonical { rule, position })?;
        self.shortest(position, head_len(len))?;
        let left = self.decoder.input().len().saturating_sub(self.position());
        let out_of_bounds = Self::out_of_bounds(position, what);
        let len = usize::try_from(len).map_err(|_| out_of_bounds)?;
        if len > max || len > left {
            return Err(out_of_bounds);
        }
        Ok(len)
    }

    /// Reads one item; the second value is where it started.
    fn item<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<(T, usize), DecodeError> {
        self.kind()?;
        let position = self.position();
        let value = read(&mut self.decoder).map_err(|_| DecodeError::Expected { expected, position })?;
        Ok((value, position))
    }

    /// Fails unless the item that began at `position` took `len` bytes.
    fn shortest(&self, position: usize, len: usize) -> Result<(), DecodeError> {
        if self.position().checked_sub(position) == Some(len) {
            Ok(())
        } else {
            Err(DecodeError::NotCanonical { rule: "shortest head", position })
        }
    }
}

/// Bytes of the shortest head with this argument.
fn head_len(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.float(value);
        writer.into_bytes()
    }

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(float(1.0), [0x01]);
        assert_eq!(float(-0.0), [0x00]);
        assert_eq!(float(1.5), [0xf9, 0x3e, 0x00]);
        assert_eq!(float(-1.5), [0xf9, 0xbe, 0x00]);
        assert_eq!(float(f64::from(0.1f32)), [0xfa, 0x3d, 0xcc, 0xcc, 0xcd]);
        assert_eq!(float(0.1)[0], 0xfb);
        assert_eq!(float(5.960_464_477_539_063e-8), [0xf9, 0x00, 0x01], "least half");
        assert_eq!(float(f64::INFINITY), [0xf9, 0x7c, 0x00]);
        assert_eq!(float(f64::NEG_INFINITY), [0xf9, 0xfc, 0x00]);
        assert_eq!(float(-f64::NAN), [0xf9, 0x7e, 0x00]);
        assert_eq!(float(9_007_199_254_740_991.0).len(), 9);
        assert_eq!(float(9_007_199_254_740_991.0)[0], 0x1b);
        assert_eq!(float(9_007_199_254_740_992.0), [0xfa, 0x5a, 0x00, 0x00, 0x00]);
        assert_eq!(float(-9_007_199_254_740_991.0)[0], 0x3b);
    }

    #[test]
    fn other_forms_are_refused() {
        let refused: [&[u8]; 12] = [
            &[0x18, 0x17],                         // 23 in two bytes
            &[0x19, 0x00, 0xff],                   // 255 in three
            &[0x38, 0x17],                         // −24 in two
            &[0xf9, 0x3c, 0x00],                   // 1.0 as a float
            &[0xf9, 0x80, 0x00],                   // −0.0
            &[0xfa, 0x3f, 0xc0, 0x00, 0x00],       // 1.5 as a single
            &[0xf9, 0x7e, 0x01],                   // another NaN
            &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], // NaN as a double
            &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0],    // 2^63
            &[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0],    // −2^63 − 1
            &[0xc1, 0x01],                         // a tag
            &[0xf7],                               // undefined
        ];
        for bytes in refused {
            assert!(Reader::new(bytes).number().is_err(), "{bytes:x?}");
        }
        assert!(Reader::new(&[0x5f, 0x41, 0x00, 0xff]).bytes().is_err(), "indefinite");
        assert!(Reader::new(&[0x9f, 0xff]).array("items", 9).is_err(), "indefinite");
        assert!(Reader::new(&[0x58, 0x01, 0x00]).bytes().is_err(), "long head");
        assert!(Reader::new(&[0x62, 0xc3, 0x28]).text().is_err(), "not UTF-8");
    }

    #[test]
    fn an_announced_length_takes_no_memory() {
        let mut reader = Reader::new(&[0x9a, 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(reader.array("items", usize::MAX), Err(DecodeError::OutOfBounds { .. })));
        let mut reader = Reader::new(&[0x5a, 0xff, 0xff, 0xff, 0xff]);
        assert!(reader.bytes().is_err());
    }

    #[test]
    fn extremes_of_i64_are_integers() {
        for value in [i64::MIN, i64::MAX, -1, 0, 23, 24, -24, -25, 255, 256, 65_535, 65_536] {
            let mut writer = Writer::new();
            writer.integer(value);
            assert_eq!(Reader::new(writer.as_bytes()).number(), Ok(Number::Integer(value)));
        }
    }
}
