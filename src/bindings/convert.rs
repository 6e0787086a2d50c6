//! Values of JavaScript and of facts, one into the other.
//!
//! | JavaScript | fact |
//! | --- | --- |
//! | `null`, `true`, `false` | the same |
//! | number | an integer where it is one within ±(2^53 − 1), else a float |
//! | bigint | an integer; refused outside 64 bits |
//! | string | text; refused with lone surrogates |
//! | `Uint8Array` | bytes |
//! | array, plain object | list, map |
//!
//! Everything else is refused, not bent: `undefined`, holes, functions, symbols, dates, maps, class
//! instances, and what is nested more than 16 deep, which all cycles are. On the way back an integer is a
//! number within ±(2^53 − 1) and a bigint outside.

use std::collections::BTreeMap;

use js_sys::{Array, ArrayBuffer, BigInt, Object, Reflect, Symbol, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::bindings::object::{number, whole};
use crate::fact::value::Value;
use crate::limits::{SAFE_INTEGER, VALUE_BYTES, VALUE_DEPTH};

#[wasm_bindgen]
extern "C" {
    /// Throws where it is asked of a revoked proxy.
    #[wasm_bindgen(js_namespace = Array, js_name = isArray, catch)]
    fn is_array(value: &JsValue) -> Result<bool, JsValue>;
}

/// A JavaScript value that no fact can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConvertError {
    /// Of a kind that facts don't know.
    #[error("{0} is no value of a fact")]
    Kind(&'static str),
    /// A bigint outside 64 bits.
    #[error("a bigint has 64 bits, from −2^63 to 2^63 − 1")]
    BigInt,
    /// Text that is not well-formed.
    #[error("the text has a surrogate without its other half")]
    Surrogate,
    /// Nested too deep, or into itself.
    #[error("the value is nested more than {VALUE_DEPTH} deep, or contains itself")]
    Depth,
    /// More parts than any value within its size has.
    #[error("the value takes more than {VALUE_BYTES} bytes")]
    Size,
    /// The value's own code has thrown, such as a getter.
    #[error("reading the value has thrown")]
    Thrown,
}

/// The fact's value.
pub(super) fn from_js(value: &JsValue) -> Result<Value, ConvertError> {
    read(value, VALUE_DEPTH, &mut VALUE_BYTES.clone())
}

/// `parts_left` bounds the work where one object stands in many places. Each part takes a byte or more.
fn read(value: &JsValue, depth_left: usize, parts_left: &mut usize) -> Result<Value, ConvertError> {
    *parts_left = parts_left.checked_sub(1).ok_or(ConvertError::Size)?;
    if let Some(number) = value.as_f64() {
        return Ok(Value::from(number));
    }
    if value.is_string() {
        return text(value).map(Value::Text);
    }
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(value) = value.as_bool() {
        return Ok(Value::Bool(value));
    }
    if value.is_bigint() {
        let integer = i64::try_from(BigInt::unchecked_from_js_ref(value).clone());
        return integer.map(Value::Integer).map_err(|_| ConvertError::BigInt);
    }
    if !value.is_object() {
        return Err(ConvertError::Kind(match value {
            value if value.is_undefined() => "undefined",
            value if value.is_symbol() => "a symbol",
            _ => "a function",
        }));
    }
    if let Some(bytes) = bytes(value) {
        return Ok(Value::Bytes(bytes.to_vec()));
    }
    let depth_left = depth_left.checked_sub(1).ok_or(ConvertError::Depth)?;
    if is_array(value).map_err(|_| ConvertError::Thrown)? {
        return list(value, depth_left, parts_left);
    }
    map(value, depth_left, parts_left)
}

/// Well-formed text.
pub(super) fn text(value: &JsValue) -> Result<String, ConvertError> {
    let text = value.as_string().ok_or(ConvertError::Kind("what is not a string"))?;
    // A lone surrogate arrives as the replacement character. If there is one, see whether it is genuine.
    if text.contains('\u{FFFD}') && JsValue::from_str(&text) != *value {
        return Err(ConvertError::Surrogate);
    }
    Ok(text)
}

/// The bytes, if it is a `Uint8Array` of whatever realm, or a Node buffer, which is one.
pub(super) fn bytes(value: &JsValue) -> Option<&Uint8Array> {
    // Only a genuine view passes the first test, whatever it says of itself; then it says which.
    let view = ArrayBuffer::is_view(value);
    let tag = view.then(|| Reflect::get(value, &Symbol::to_string_tag()))?;
    (tag.ok()?.as_string()? == "Uint8Array").then(|| value.unchecked_ref())
}

fn list(value: &JsValue, depth_left: usize, parts_left: &mut usize) -> Result<Value, ConvertError> {
    // What passes for an array may still be a proxy of one, whose code throws.
    let length = Reflect::get(value, &"length".into()).map_err(|_| ConvertError::Thrown)?;
    let mut values = Vec::new();
    for index in 0..whole(length.as_f64().unwrap_or_default()) {
        let item = Reflect::get(value, &number(index)).map_err(|_| ConvertError::Thrown)?;
        values.push(read(&item, depth_left, parts_left)?);
    }
    Ok(Value::List(values))
}

fn map(value: &JsValue, depth_left: usize, parts_left: &mut usize) -> Result<Value, ConvertError> {
    if !is_plain(value).map_err(|_| ConvertError::Thrown)? {
        return Err(ConvertError::Kind("an object that is not plain"));
    }
    let keys = Reflect::own_keys(value).map_err(|_| ConvertError::Thrown)?;
    let mut pairs = BTreeMap::new();
    for key in keys.iter() {
        if key.is_symbol() {
            return Err(ConvertError::Kind("an object with a symbol as key"));
        }
        let item = Reflect::get(value, &key).map_err(|_| ConvertError::Thrown)?;
        pairs.insert(text(&key)?, read(&item, depth_left, parts_left)?);
    }
    Ok(Value::Map(pairs))
}

/// Whether it has no prototype, or that of `{}`, of whatever realm: the one that has none itself.
fn is_plain(value: &JsValue) -> Result<bool, JsValue> {
    let prototype: JsValue = Reflect::get_prototype_of(value)?.into();
    if prototype.is_null() {
        return Ok(true);
    }
    let above: JsValue = Reflect::get_prototype_of(&prototype)?.into();
    Ok(above.is_null() && Reflect::has(&prototype, &"hasOwnProperty".into())?)
}

/// The JavaScript value.
pub(super) fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(value) => JsValue::from_bool(*value),
        Value::Integer(value) => integer(*value),
        Value::Float(value) => JsValue::from_f64(*value),
        Value::Text(value) => JsValue::from_str(value),
        Value::Bytes(value) => Uint8Array::from(value.as_slice()).into(),
        Value::List(values) => values.iter().map(to_js).collect::<Array>().into(),
        Value::Map(pairs) => {
            let object = Object::new();
            for (key, value) in pairs {
                set(&object, key, &to_js(value));
            }
            object.into()
        }
    }
}

/// A number where that is exact for all its neighbours too, else a bigint.
pub(super) fn integer(value: i64) -> JsValue {
    let magnitude = value.unsigned_abs();
    if magnitude > SAFE_INTEGER {
        return JsValue::from(value);
    }
    let number = number(magnitude);
    if value < 0 { JsValue::from_f64(-number.as_f64().unwrap_or_default()) } else { number }
}

/// Sets an own property, also one that is called `__proto__`, which to assign would change the prototype.
fn set(object: &Object, key: &str, value: &JsValue) {
    let key = JsValue::from_str(key);
    // On a plain object neither can fail.
    let _: Result<bool, JsValue> = if key == "__proto__" {
        let descriptor = Object::new();
        for (name, value) in [
            ("value", value),
            ("writable", &JsValue::TRUE),
            ("enumerable", &JsValue::TRUE),
            ("configurable", &JsValue::TRUE),
        ] {
            let _: Result<bool, JsValue> = Reflect::set(&descriptor, &JsValue::from_str(name), value);
        }
        Reflect::define_property(object, &key, &descriptor)
    } else {
        Reflect::set(object, &key, value)
    };
}
