//! Facts and entries: from what was passed to drafts, and from the store to plain objects.

use js_sys::Array;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::bindings::convert::{self, ConvertError};
use crate::bindings::error::CallError;
use crate::bindings::object::{number, object, signed, text, whole};
use crate::driver::error::NodeError;
use crate::driver::facts::{FactPage, FactRecord};
use crate::error::StoreError;
use crate::fact::entry::{Draft, Entry};
use crate::fact::statement::Fact;
use crate::fact::value::Value;
use crate::ids::{DeviceId, FactId};
use crate::journal::held::{HeldBack, HeldEntry};
use crate::journal::query::Query;
use crate::limits::SAFE_INTEGER;
use crate::time::WallTime;

// Properties of a fact by name, without a string made for each; a getter of the caller's may throw.
#[wasm_bindgen]
extern "C" {
    type GivenFact;
    #[wasm_bindgen(method, getter, structural, catch)]
    fn predicate(this: &GivenFact) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, structural, catch)]
    fn value(this: &GivenFact) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, structural, catch)]
    fn authority(this: &GivenFact) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, structural, catch)]
    fn timestamp(this: &GivenFact) -> Result<JsValue, JsValue>;

    /// Which facts are meant, as the facade has put it together.
    pub type GivenQuery;
    #[wasm_bindgen(method, getter, structural)]
    fn predicate(this: &GivenQuery) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    fn prefix(this: &GivenQuery) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    fn authority(this: &GivenQuery) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    fn device(this: &GivenQuery) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    fn entry(this: &GivenQuery) -> Option<String>;
    /// Which of the entry's facts, if one is.
    #[wasm_bindgen(method, getter, structural)]
    fn index(this: &GivenQuery) -> Option<u16>;
    /// Least and greatest timestamp of entries, both or neither.
    #[wasm_bindgen(method, getter, structural, js_name = writtenFrom)]
    fn written_from(this: &GivenQuery) -> Option<f64>;
    #[wasm_bindgen(method, getter, structural, js_name = writtenTo)]
    fn written_to(this: &GivenQuery) -> Option<f64>;
    /// Likewise of facts.
    #[wasm_bindgen(method, getter, structural, js_name = timestampFrom)]
    fn timestamp_from(this: &GivenQuery) -> Option<f64>;
    #[wasm_bindgen(method, getter, structural, js_name = timestampTo)]
    fn timestamp_to(this: &GivenQuery) -> Option<f64>;

    type MadeFact;
    #[wasm_bindgen(method, setter, structural)]
    fn set_id(this: &MadeFact, id: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_entry(this: &MadeFact, id: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_number(this: &MadeFact, number: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_device(this: &MadeFact, id: &str);
    #[wasm_bindgen(method, setter, structural, js_name = entryTimestamp)]
    fn set_entry_timestamp(this: &MadeFact, micros: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_predicate(this: &MadeFact, predicate: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_value(this: &MadeFact, value: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_authority(this: &MadeFact, id: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_timestamp(this: &MadeFact, millis: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_position(this: &MadeFact, position: &str);
}

/// One entry for each array of facts.
pub(super) fn drafts(device: DeviceId, entries: &Array) -> Result<Vec<Draft>, CallError> {
    let mut drafts = Vec::new();
    for facts in entries.iter() {
        drafts.push(draft(device, facts.unchecked_ref())?);
    }
    Ok(drafts)
}

/// One entry of an array of facts, which the facade has seen to be one.
pub(super) fn draft(device: DeviceId, facts: &Array) -> Result<Draft, CallError> {
    let mut read = Vec::new();
    for (index, given) in (0..).zip(facts.iter()) {
        read.push(fact(&given, index)?);
    }
    Ok(Draft::new(device, &read).map_err(NodeError::from)?)
}

fn fact(given: &JsValue, index: u32) -> Result<Fact, CallError> {
    let wrong = |part, error| CallError::Fact { index, part, error };
    if !given.is_object() {
        return Err(wrong("the fact", ConvertError::Kind("what is not an object")));
    }
    let given: &GivenFact = given.unchecked_ref();
    let had = |part, got: Result<JsValue, JsValue>| got.map_err(|_| wrong(part, ConvertError::Thrown));

    let predicate = had("predicate", given.predicate())?;
    let value = had("value", given.value())?;
    let authority = had("authority", given.authority())?;
    let timestamp = had("timestamp", given.timestamp())?;
    Ok(Fact {
        predicate: convert::text(&predicate).map_err(|error| wrong("predicate", error))?,
        value: convert::from_js(&value).map_err(|error| wrong("value", error))?,
        authority: match authority {
            none if none.is_undefined() || none.is_null() => None,
            id => Some(convert::text(&id).map_err(|error| wrong("authority", error))?.parse()?),
        },
        timestamp: match timestamp {
            none if none.is_undefined() || none.is_null() => None,
            millis => Some(self::millis(&millis).map_err(|error| wrong("timestamp", error))?),
        },
    })
}

/// Whole milliseconds. Bounds are the fact's to check.
fn millis(value: &JsValue) -> Result<i64, ConvertError> {
    if let Value::Integer(millis) = convert::from_js(value)?
        && millis.unsigned_abs() <= SAFE_INTEGER
    {
        return Ok(millis);
    }
    Err(ConvertError::Kind("what is not a safe integer of milliseconds"))
}

/// Which facts are meant.
pub(super) fn query(given: &GivenQuery) -> Result<Query, CallError> {
    let mut query = Query {
        predicate: given.predicate(),
        prefix: given.prefix(),
        authority: given.authority().map(|id| id.parse()).transpose()?,
        device: given.device().map(|id| id.parse()).transpose()?,
        entry: given.entry().map(|id| id.parse()).transpose()?,
        ..Query::all()
    };
    if let (Some(entry), Some(index)) = (query.entry, given.index()) {
        query = query.fact(FactId { entry, index });
    }
    if let (Some(from), Some(to)) = (given.written_from(), given.written_to()) {
        // What ends before all time begins holds nothing; the other ends are the nearest that there are.
        let to = if to < 0.0 { None } else { Some(whole(to)) };
        query = match to {
            Some(to) => query.written(WallTime::from_micros(whole(from.ceil()))..=WallTime::from_micros(to)),
            None => query.written(..WallTime::from_micros(0)),
        };
    }
    if let (Some(from), Some(to)) = (given.timestamp_from(), given.timestamp_to()) {
        query = query.timestamp(signed(from.ceil())..=signed(to.floor()));
    }
    Ok(query)
}

/// `{ facts, next, more, behind }`.
pub(super) fn page(page: &FactPage) -> JsValue {
    let facts: Array = page.facts.iter().map(record).collect();
    object(&[
        ("facts", facts.into()),
        ("next", text(page.next)),
        ("more", JsValue::from_bool(page.more)),
        ("behind", number(page.behind)),
    ])
}

/// Entries that are held back.
pub(super) fn held(held: &[HeldEntry]) -> JsValue {
    let one = |held: &HeldEntry| {
        let HeldBack::Ahead { due } = held.reason;
        object(&[
            ("id", text(held.id)),
            ("number", number(held.number)),
            ("device", text(held.device)),
            ("timestamp", number(held.timestamp)),
            ("reason", "ahead".into()),
            ("due", number(due.as_micros())),
        ])
    };
    held.iter().map(one).collect::<Array>().into()
}

fn record(record: &FactRecord) -> JsValue {
    let made: MadeFact = js_sys::Object::new().unchecked_into();
    made.set_id(&record.id.to_string());
    made.set_entry(&record.id.entry.to_string());
    made.set_number(&number(record.number));
    made.set_device(&record.device.to_string());
    made.set_entry_timestamp(&number(record.entry_timestamp));
    state(&made, &record.fact);
    made.set_position(&record.position.to_string());
    made.into()
}

fn state(made: &MadeFact, fact: &Fact) {
    made.set_predicate(&fact.predicate);
    made.set_value(&convert::to_js(&fact.value));
    made.set_authority(&fact.authority.map_or(JsValue::NULL, text));
    made.set_timestamp(&fact.timestamp.map_or(JsValue::NULL, convert::integer));
}

/// An entry with its facts and its record's bytes.
pub(super) fn entry(entry: &Entry) -> Result<JsValue, CallError> {
    let facts = entry.facts().map_err(|error| StoreError::Damaged(error.to_string()))?;
    let plain = |fact: &Fact| {
        let made: MadeFact = js_sys::Object::new().unchecked_into();
        state(&made, fact);
        JsValue::from(made)
    };
    Ok(object(&[
        ("id", text(entry.id())),
        ("device", text(entry.device())),
        ("timestamp", number(entry.timestamp())),
        ("after", entry.after().iter().map(text).collect::<Array>().into()),
        ("facts", facts.iter().map(plain).collect::<Array>().into()),
        ("record", js_sys::Uint8Array::from(entry.record()).into()),
    ]))
}
