//! The value of a fact: what it may be, its canonical bytes, its bounds.

use std::collections::{BTreeMap, BinaryHeap};

use crate::codec::cbor::{DecodeError, Kind, Number, Reader, Writer, integral};
use crate::limits::{VALUE_BYTES, VALUE_DEPTH};

/// What a fact says of its predicate.
///
/// One value has one byte string on every platform. So that this also holds for numbers, an integral
/// float within ±(2^53 − 1) is the integer: [`Value::from`] turns it into one, and so does a value
/// that was built by hand when it is encoded. Two values are equal if their bytes are.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer of 64 bits.
    Integer(i64),
    /// A number that is no integer within ±(2^53 − 1), an infinity, or the one NaN.
    Float(f64),
    /// Text, well-formed and not normalised.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by unique text keys. Encoded in the order of the keys' encodings: by length, then bytes.
    Map(BTreeMap<String, Value>),
}

/// A value that is too large to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The canonical encoding is over 65,536 bytes.
    #[error("the value takes {bytes} bytes, of at most {VALUE_BYTES}")]
    Size {
        /// Bytes of its encoding.
        bytes: usize,
    },
    /// Lists and maps are nested more than 16 deep.
    #[error("the value is nested more than {VALUE_DEPTH} deep")]
    Depth,
}

impl Value {
    /// Writes the canonical bytes; checks depth and size.
    pub(crate) fn encode(&self, writer: &mut Writer) -> Result<(), ValueError> {
        let start = writer.as_bytes().len();
        self.write(writer, VALUE_DEPTH)?;
        match writer.as_bytes().len().saturating_sub(start) {
            bytes if bytes <= VALUE_BYTES => Ok(()),
            bytes => Err(ValueError::Size { bytes }),
        }
    }

    fn write(&self, writer: &mut Writer, depth_left: usize) -> Result<(), ValueError> {
        match self {
            Value::Null => writer.null(),
            Value::Bool(value) => writer.bool(*value),
            Value::Integer(value) => writer.integer(*value),
            Value::Float(value) => writer.float(*value),
            Value::Text(value) => writer.text(value),
            Value::Bytes(value) => writer.bytes(value),
            Value::List(values) => {
                let depth_left = depth_left.checked_sub(1).ok_or(ValueError::Depth)?;
                writer.array(values.len());
                return values.iter().try_for_each(|value| value.write(writer, depth_left));
            }
            Value::Map(pairs) => {
                let depth_left = depth_left.checked_sub(1).ok_or(ValueError::Depth)?;
                writer.map(pairs.len());
                // The order of their encodings, whose heads put shorter texts first.
                let keys: BinaryHeap<_> = pairs.keys().map(|key| (key.len(), key)).collect();
                for (_, key) in keys.into_sorted_vec() {
                    writer.text(key);
                    pairs.get(key).map_or(Ok(()), |value| value.write(writer, depth_left))?;
                }
                return Ok(());
            }
        };
        Ok(())
    }

    /// Reads a value; the input was accepted by [`check`] or comes from [`Value::encode`].
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read(reader, VALUE_DEPTH)
    }

    fn read(reader: &mut Reader<'_>, depth_left: usize) -> Result<Self, DecodeError> {
        let position = reader.position();
        let too_deep = Reader::out_of_bounds(position, "depth of the value");
        Ok(match reader.kind()? {
            Kind::Null => reader.null().map(|()| Value::Null)?,
            Kind::Bool => Value::Bool(reader.bool()?),
            Kind::Number => match reader.number()? {
                Number::Integer(value) => Value::Integer(value),
                Number::Float(value) => Value::Float(value),
            },
            Kind::Text => Value::Text(reader.text()?.to_owned()),
            Kind::Bytes => Value::Bytes(reader.bytes()?.to_vec()),
            Kind::Array => {
                let depth_left = depth_left.checked_sub(1).ok_or(too_deep)?;
                let len = reader.array("items of the value", VALUE_BYTES)?;
                Value::List(reader.items(len, |reader| Self::read(reader, depth_left))?)
            }
            Kind::Map => {
                let depth_left = depth_left.checked_sub(1).ok_or(too_deep)?;
                let len = reader.map("pairs of the value", VALUE_BYTES)?;
                let mut keys = KeyOrder::default();
                let mut pairs = BTreeMap::new();
                for _ in 0..len {
                    let key = keys.next(reader)?.to_owned();
                    pairs.insert(key, Self::read(reader, depth_left)?);
                }
                Value::Map(pairs)
            }
        })
    }
}

/// Passes over one canonical value within its bounds, without building it.
pub(crate) fn check(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let start = reader.position();
    skip(reader, VALUE_DEPTH)?;
    if reader.since(start).len() > VALUE_BYTES {
        return Err(Reader::out_of_bounds(start, "size of the value"));
    }
    Ok(())
}

fn skip(reader: &mut Reader<'_>, depth_left: usize) -> Result<(), DecodeError> {
    let too_deep = Reader::out_of_bounds(reader.position(), "depth of the value");
    match reader.kind()? {
        Kind::Null => reader.null(),
        Kind::Bool => reader.bool().map(drop),
        Kind::Number => reader.number().map(drop),
        Kind::Text => reader.text().map(drop),
        Kind::Bytes => reader.bytes().map(drop),
        Kind::Array => {
            let depth_left = depth_left.checked_sub(1).ok_or(too_deep)?;
            let len = reader.array("items of the value", VALUE_BYTES)?;
            (0..len).try_for_each(|_| skip(reader, depth_left))
        }
        Kind::Map => {
            let depth_left = depth_left.checked_sub(1).ok_or(too_deep)?;
            let len = reader.map("pairs of the value", VALUE_BYTES)?;
            let mut keys = KeyOrder::default();
            (0..len).try_for_each(|_| {
                keys.next(reader)?;
                skip(reader, depth_left)
            })
        }
    }
}

/// Order of map keys: that of their encodings, whose heads put shorter texts first.
fn key_order(a: &str, b: &str) -> core::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// Reads a map's keys and holds them to strictly ascending order.
#[derive(Default)]
struct KeyOrder<'b> {
    last: Option<&'b str>,
}

impl<'b> KeyOrder<'b> {
    fn next(&mut self, reader: &mut Reader<'b>) -> Result<&'b str, DecodeError> {
        let position = reader.position();
        let key = reader.text()?;
        if self.last.is_some_and(|last| key_order(last, key).is_ge()) {
            let rule = "map keys sorted by their encoding, each once";
            return Err(DecodeError::NotCanonical { rule, position });
        }
        self.last = Some(key);
        Ok(key)
    }
}

impl PartialEq for Value {
    /// Whether both have the same canonical bytes: NaN is NaN, −0 is 0, 1.0 is 1, and 2^53 as a float
    /// is not 2^53 as an integer.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Value::Integer(a), Value::Float(b)) | (Value::Float(b), Value::Integer(a)) => {
                integral(*b) == Some(*a)
            }
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<f64> for Value {
    /// The integer, where the float equals one within ±(2^53 − 1).
    fn from(value: f64) -> Self {
        integral(value).map_or(Value::Float(value), Value::Integer)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Value::Bytes(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Value::List(value)
    }
}

impl From<BTreeMap<String, Value>> for Value {
    fn from(value: BTreeMap<String, Value>) -> Self {
        Value::Map(value)
    }
}
