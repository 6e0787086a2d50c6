//! Values as JSON, both ways without loss.
//!
//! What JSON lacks is an object with one key that begins with `$`: `{"$bytes":"00ff"}`,
//! `{"$float":"nan"}` (or `inf`, `-inf`), and `{"$map":{…}}` for a map that itself has such a key alone.
//! A number with a point or an exponent is a float, which is an integer where it equals one within
//! ±(2^53 − 1); any other number is an integer if it fits 64 bits, else a float.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::cli::output::quoted;
use crate::fact::value::Value;

/// What begins the one key of an object that stands for something else.
const MARK: char = '$';
const BYTES: &str = "$bytes";
const FLOAT: &str = "$float";
const MAP: &str = "$map";

/// A value read from JSON.
pub(super) struct FromJson(pub(super) Value);

impl<'de> Deserialize<'de> for FromJson {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Read::deserialize(input)?.value().map(Self).map_err(D::Error::custom)
    }
}

/// What was read, before it is known what the object around it makes of it.
enum Read {
    Value(Value),
    /// An object with one key, which begins with the mark.
    Marked(String, Box<Read>),
}

impl Read {
    /// The value that it stands for.
    fn value(self) -> Result<Value, String> {
        let (key, inner) = match self {
            Self::Value(value) => return Ok(value),
            Self::Marked(key, inner) => (key, *inner),
        };
        match (key.as_str(), inner) {
            (BYTES, Self::Value(Value::Text(hex))) => {
                let bytes = from_hex(&hex).map(Value::Bytes);
                bytes.ok_or_else(|| format!("{BYTES} is followed by pairs of hex digits as text"))
            }
            (FLOAT, Self::Value(Value::Text(name))) => match name.as_str() {
                "nan" => Ok(Value::Float(f64::NAN)),
                "inf" => Ok(Value::Float(f64::INFINITY)),
                "-inf" => Ok(Value::Float(f64::NEG_INFINITY)),
                _ => Err(format!("{FLOAT} is followed by \"nan\", \"inf\" or \"-inf\"")),
            },
            (MAP, Self::Value(map @ Value::Map(_))) => Ok(map),
            (MAP, Self::Marked(key, inner)) => Ok(Value::Map([(key, inner.value()?)].into())),
            (BYTES | FLOAT, _) => Err(format!("{key} is followed by text")),
            (MAP, _) => Err(format!("{MAP} is followed by an object")),
            _ => Err(format!(
                "an object whose only key is {} stands for something that is not known here; if it is meant \
                 as it stands, write {{\"{MAP}\":{{…}}}}",
                quoted(&key)
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(ReadVisitor)
    }
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Read, E> {
        Ok(Read::Value(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Read, E> {
        Ok(Read::Value(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Read, E> {
        Ok(Read::Value(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Read, E> {
        Ok(Read::Value(i64::try_from(value).map_or_else(|_| Value::from(value as f64), Value::from)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Read, E> {
        Ok(Read::Value(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Read, E> {
        Ok(Read::Value(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Read, A::Error> {
        let mut list = Vec::new();
        while let Some(FromJson(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Read::Value(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Read, A::Error> {
        let Some((key, first)) = pairs.next_entry::<String, Read>()? else {
            return Ok(Read::Value(Value::Map(BTreeMap::new())));
        };
        let mut next = pairs.next_key::<String>()?;
        if next.is_none() && key.starts_with(MARK) {
            return Ok(Read::Marked(key, Box::new(first)));
        }
        let mut map = BTreeMap::from([(key, first.value().map_err(A::Error::custom)?)]);
        while let Some(key) = next {
            let FromJson(value) = pairs.next_value()?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {} stands twice", quoted(&key))));
            }
            map.insert(key, value);
            next = pairs.next_key()?;
        }
        Ok(Read::Value(Value::Map(map)))
    }
}

/// A value as JSON on one line.
pub(super) fn to_json(value: &Value) -> String {
    let mut json = String::new();
    write(value, &mut json);
    json
}

fn write(value: &Value, json: &mut String) {
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => json.push_str(&value.to_string()),
        Value::Float(value) => match serde_json::Number::from_f64(*value) {
            Some(number) => json.push_str(&number.to_string()),
            None if value.is_nan() => write_marked(FLOAT, "nan", json),
            None => write_marked(FLOAT, if *value > 0.0 { "inf" } else { "-inf" }, json),
        },
        Value::Text(value) => json.push_str(&quoted(value)),
        Value::Bytes(value) => write_marked(BYTES, &to_hex(value), json),
        Value::List(values) => {
            json.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write(value, json);
            }
            json.push(']');
        }
        Value::Map(map) if map.len() == 1 && map.keys().all(|key| key.starts_with(MARK)) => {
            json.push_str(&format!("{{\"{MAP}\":"));
            write_map(map, json);
            json.push('}');
        }
        Value::Map(map) => write_map(map, json),
    }
}

fn write_map(map: &BTreeMap<String, Value>, json: &mut String) {
    json.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&quoted(key));
        json.push(':');
        write(value, json);
    }
    json.push('}');
}

fn write_marked(mark: &str, text: &str, json: &mut String) {
    json.push_str(&format!("{{\"{mark}\":\"{text}\"}}"));
}

/// Bytes as lower-case hex.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<Value, String> {
        serde_json::from_str::<FromJson>(json).map(|read| read.0).map_err(|error| error.to_string())
    }

    fn map(pairs: &[(&str, Value)]) -> Value {
        Value::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn f5_values_are_read_as_documented() {
        let cases = [
            ("null", Value::Null),
            ("true", true.into()),
            ("-5", Value::Integer(-5)),
            ("9223372036854775807", Value::Integer(i64::MAX)),
            ("9223372036854775808", Value::Float(9_223_372_036_854_775_808.0)),
            ("100000000000000000000", Value::Float(1e20)),
            ("1.0", Value::Integer(1)),
            ("-0.0", Value::Integer(0)),
            ("9007199254740992.0", Value::Float(9_007_199_254_740_992.0)),
            ("9007199254740992", Value::Integer(9_007_199_254_740_992)),
            ("0.1", Value::Float(0.1)),
            ("\"a\\u00e9\"", "aé".into()),
            ("[1,[]]", Value::List(vec![1.into(), Value::List(vec![])])),
            ("{}", map(&[])),
            ("{\"a\":{\"b\":1}}", map(&[("a", map(&[("b", 1.into())]))])),
            ("{\"$bytes\":\"00fF\"}", Value::Bytes(vec![0, 255])),
            ("{\"$float\":\"-inf\"}", Value::Float(f64::NEG_INFINITY)),
            ("{\"$map\":{\"$bytes\":\"00\"}}", map(&[("$bytes", "00".into())])),
            ("{\"$map\":{\"$map\":{\"$float\":\"nan\"}}}", map(&[("$map", Value::Float(f64::NAN))])),
            ("{\"$map\":{\"a\":1,\"b\":2}}", map(&[("a", 1.into()), ("b", 2.into())])),
            ("{\"$bytes\":\"00\",\"x\":1}", map(&[("$bytes", "00".into()), ("x", 1.into())])),
            (
                "{\"$map\":{\"$bytes\":\"00\"},\"x\":1}",
                map(&[("$map", Value::Bytes(vec![0])), ("x", 1.into())]),
            ),
        ];
        for (json, value) in cases {
            assert_eq!(read(json), Ok(value), "{json}");
        }
    }

    #[test]
    fn f5_other_values_say_why() {
        for (json, why) in [
            ("{\"$bytes\":\"0\"}", "pairs of hex"),
            ("{\"$bytes\":\"0g\"}", "pairs of hex"),
            ("{\"$bytes\":1}", "$bytes is followed by text"),
            ("{\"$float\":\"x\"}", "\"nan\""),
            ("{\"$map\":1}", "followed by an object"),
            ("{\"$date\":1}", "not known here"),
            ("{\"a\":1,\"a\":2}", "the key \"a\" stands twice"),
            ("{\"a\":1,\"b\":{\"$x\":1}}", "not known here"),
            ("\"\\udc00\"", "surrogate"),
            ("1e999", "out of range"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let keys =
            || prop_oneof!["[a$]{0,2}", Just("$bytes".to_owned()), Just("$map".to_owned()), any::<String>()];
        let scalars = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1.8e19), Just(-9.3e18)]
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            any::<Vec<u8>>().prop_map(Value::from),
        ];
        scalars.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(keys(), inner, 0..3).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn f5_every_value_comes_back_from_its_json(value in values()) {
            let json = to_json(&value);
            prop_assert!(!json.contains('\n'));
            prop_assert_eq!(read(&json), Ok(value), "{}", json);
        }
    }
}
