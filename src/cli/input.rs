//! One line of JSON as a fact, or why it is none.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;

use crate::cli::json::FromJson;
use crate::cli::output::quoted;
use crate::fact::statement::Fact;
use crate::fact::value::Value;
use crate::ids::ParseIdError;

/// Bytes of a line at most: a value's 64 KiB fit in whatever way they are escaped.
pub(super) const LINE_BYTES: usize = 1_048_576;

/// The reason for a line over [`LINE_BYTES`].
pub(super) fn too_long() -> String {
    format!("the line is over {LINE_BYTES} bytes")
}

/// Reads and checks the fact of a line.
///
/// # Errors
/// A sentence that says what is wrong with the line.
pub(super) fn fact(line: &[u8]) -> Result<Fact, String> {
    if line.len() > LINE_BYTES {
        return Err(too_long());
    }
    let text = std::str::from_utf8(line).map_err(|error| {
        format!("byte {} of the line is not UTF-8", error.valid_up_to().saturating_add(1))
    })?;
    let Line(fact) = serde_json::from_str(text).map_err(|error| reason(&error))?;
    fact.validate().map_err(|error| error.to_string())?;
    Ok(fact)
}

/// A value as given on the command line: JSON, or else text. An object that looks like one of ours but
/// is none is an error rather than text.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn value(text: &str) -> Result<Value, String> {
    match serde_json::from_str::<FromJson>(text) {
        Ok(FromJson(value)) => Ok(value),
        Err(error) if error.classify() == Category::Data => Err(reason(&error)),
        Err(_) => Ok(text.into()),
    }
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // The place is one in this line alone, whatever the line's number.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    match error.classify() {
        Category::Data => text.to_owned(),
        Category::Eof => "the JSON ends too early".to_owned(),
        Category::Syntax | Category::Io => format!("not JSON: {text} (column {})", error.column()),
    }
}

struct Line(Fact);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(LineVisitor).map(Self)
    }
}

#[derive(Clone, Copy)]
enum Field {
    Predicate,
    Value,
    Timestamp,
    Authority,
}

impl Field {
    const ALL: [Self; 4] = [Self::Predicate, Self::Value, Self::Timestamp, Self::Authority];

    fn name(self) -> &'static str {
        match self {
            Self::Predicate => "predicate",
            Self::Value => "value",
            Self::Timestamp => "timestamp",
            Self::Authority => "authority",
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct FieldVisitor;
        impl Visitor<'_> for FieldVisitor {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
                Field::ALL.into_iter().find(|field| field.name() == name).ok_or_else(|| {
                    let known = Field::ALL.map(Field::name).join(", ");
                    E::custom(format_args!("unknown field {}: a line has {known}", quoted(name)))
                })
            }
        }
        input.deserialize_str(FieldVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Fact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with predicate and value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Fact, A::Error> {
        let mut fields: [Option<Value>; 4] = [None, None, None, None];
        let [predicate, value, timestamp, authority] = &mut fields;
        while let Some(field) = pairs.next_key::<Field>()? {
            let place = match field {
                Field::Predicate => &mut *predicate,
                Field::Value => &mut *value,
                Field::Timestamp => &mut *timestamp,
                Field::Authority => &mut *authority,
            };
            if place.is_some() {
                return Err(A::Error::custom(format_args!("the field \"{}\" stands twice", field.name())));
            }
            *place = Some(pairs.next_value::<FromJson>()?.0);
        }
        read(fields).map_err(A::Error::custom)
    }
}

/// The fact with these fields: predicate, value, timestamp, authority.
fn read([predicate, value, timestamp, authority]: [Option<Value>; 4]) -> Result<Fact, String> {
    let missing = |field: Field| format!("the field \"{}\" is missing", field.name());
    let predicate = predicate.ok_or_else(|| missing(Field::Predicate))?;
    let Value::Text(predicate) = predicate else {
        return Err(format!("the predicate is text, not {}", kind(&predicate)));
    };
    let value = value.ok_or_else(|| missing(Field::Value))?;
    let timestamp = match timestamp {
        None | Some(Value::Null) => None,
        Some(Value::Integer(timestamp)) => Some(timestamp),
        Some(other) => return Err(format!("the timestamp is an integer or null, not {}", kind(&other))),
    };
    let authority = match authority {
        None | Some(Value::Null) => None,
        Some(Value::Text(hex)) => {
            Some(hex.parse().map_err(|error: ParseIdError| format!("the authority: {error}"))?)
        }
        Some(other) => return Err(format!("the authority is text or null, not {}", kind(&other))),
    };
    Ok(Fact { predicate, value, authority, timestamp })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AuthorityId;

    #[test]
    fn f5_lines_are_read_as_documented() {
        let plain = fact(br#"{"predicate":"a","value":1}"#).unwrap();
        assert_eq!(plain, Fact::new("a", 1));
        assert_eq!(
            fact(b" {\"value\":1.0,\"timestamp\":null,\"authority\":null,\"predicate\":\"a\"} \r"),
            Ok(plain)
        );
        let hex = "0A".repeat(32);
        let full = format!(r#"{{"predicate":"a","value":null,"timestamp":-5,"authority":"{hex}"}}"#);
        let authority = Some(AuthorityId::from_bytes([10; 32]));
        let expected = Fact { predicate: "a".into(), value: Value::Null, authority, timestamp: Some(-5) };
        assert_eq!(fact(full.as_bytes()), Ok(expected));
    }

    #[test]
    fn f5_bad_lines_say_why() {
        let long = format!(r#"{{"predicate":"{}","value":1}}"#, "a".repeat(257));
        let cases: [(&[u8], &str); 22] = [
            (b"[]", "expected an object with predicate and value"),
            (b"5", "expected an object with predicate and value"),
            (b"{", "the JSON ends too early"),
            (b"{\"predicate\":\"a\",\"value\":", "the JSON ends too early"),
            (b"hello", "not JSON"),
            (b"{\"predicate\":\"a\" \"value\":1}", "column"),
            (b"{\"predicate\":\"a\",\"value\":1} x", "not JSON: trailing characters"),
            (b"{\"predicate\":\"a\",\"value\":1,\"size\":2}", "unknown field \"size\""),
            (b"{\"value\":1}", "\"predicate\" is missing"),
            (b"{\"predicate\":\"a\"}", "\"value\" is missing"),
            (b"{\"predicate\":\"a\",\"value\":1,\"value\":1}", "\"value\" stands twice"),
            (b"{\"predicate\":5,\"value\":1}", "the predicate is text, not an integer"),
            (b"{\"predicate\":\"\",\"value\":1}", "the predicate takes 0 bytes"),
            (long.as_bytes(), "the predicate takes 257 bytes"),
            (
                b"{\"predicate\":\"a\",\"value\":1,\"timestamp\":\"x\"}",
                "the timestamp is an integer or null, not text",
            ),
            (b"{\"predicate\":\"a\",\"value\":1,\"timestamp\":1.5}", "not a float"),
            (b"{\"predicate\":\"a\",\"value\":1,\"timestamp\":9007199254740992}", "outside"),
            (
                b"{\"predicate\":\"a\",\"value\":1,\"authority\":\"00\"}",
                "the authority: an id is written as 64",
            ),
            (b"{\"predicate\":\"a\",\"value\":1,\"authority\":5}", "the authority is text or null"),
            (b"{\"predicate\":\"a\",\"value\":{\"b\":1,\"b\":2}}", "the key \"b\" stands twice"),
            (b"{\"predicate\":\"a\",\"value\":{\"$bytes\":\"x\"}}", "hex digits"),
            (b"{\"predicate\":\"\xff\",\"value\":1}", "byte 15 of the line is not UTF-8"),
        ];
        for (line, why) in cases {
            let reason = fact(line).unwrap_err();
            let shown = String::from_utf8_lossy(line);
            assert!(reason.contains(why) && !reason.contains("at line"), "{shown}: {reason}");
        }
        assert!(fact(&vec![b' '; LINE_BYTES + 1]).unwrap_err().contains("over 1048576 bytes"));
        let deep = format!("{{\"predicate\":\"a\",\"value\":{}{}}}", "[".repeat(17), "]".repeat(17));
        assert!(fact(deep.as_bytes()).unwrap_err().contains("more than 16 deep"));
        let large = format!("{{\"predicate\":\"a\",\"value\":\"{}\"}}", "x".repeat(65_536));
        assert!(fact(large.as_bytes()).unwrap_err().contains("65541 bytes, of at most 65536"));
    }

    #[test]
    fn f5_values_on_the_command_line_are_json_or_text() {
        assert_eq!(value("5"), Ok(5.into()));
        assert_eq!(value("milk"), Ok("milk".into()));
        assert_eq!(value("\"5\""), Ok("5".into()));
        assert_eq!(value("{\"a\":"), Ok("{\"a\":".into()));
        assert_eq!(value(""), Ok("".into()));
        assert_eq!(value("{\"$bytes\":\"00\"}"), Ok(Value::Bytes(vec![0])));
        assert!(value("{\"$bytes\":\"0\"}").is_err());
    }
}
