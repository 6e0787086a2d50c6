//! JavaScript's untyped side: what web-sys has no stable binding for, what is thrown, and its numbers.

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// The global of this name, if this environment has it.
pub(super) fn global(name: &str) -> Option<JsValue> {
    get(&js_sys::global(), name)
}

/// The property of this name, unless it is missing or null.
pub(super) fn get(target: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(target, &JsValue::from_str(name)).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// Calls a method. That there is none is an error as what it throws.
pub(super) fn call(target: &JsValue, method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let function = Reflect::get(target, &JsValue::from_str(method))?;
    let function: Function = function.dyn_into().map_err(|_| JsValue::from(format!("no method {method}")))?;
    function.apply(target, &arguments.iter().collect::<Array>())
}

/// An object of these properties.
pub(super) fn object(properties: &[(&str, &JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        // On a plain object this cannot fail.
        let _: Result<bool, JsValue> = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object
}

/// What kind of thing was thrown, as in `QuotaExceededError`; empty where it has no name.
pub(super) fn error_name(error: &JsValue) -> String {
    get(error, "name").and_then(|name| name.as_string()).unwrap_or_default()
}

/// What was thrown, in words.
pub(super) fn says(error: &JsValue) -> String {
    let message = get(error, "message").and_then(|message| message.as_string()).unwrap_or_default();
    match (error_name(error), error.as_string()) {
        (_, Some(text)) => text,
        (name, None) if name.is_empty() => format!("{error:?}"),
        (name, None) if message.is_empty() => name,
        (name, None) => format!("{name}: {message}"),
    }
}

/// The whole part of a number; below 0 and for NaN 0, above all `u64` the greatest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` keeps to the nearest end")]
pub(super) fn to_u64(number: f64) -> u64 {
    number as u64
}

/// The number nearest to it: itself up to 2^53, which is beyond all that is counted here.
#[expect(clippy::cast_precision_loss, reason = "as documented")]
pub(super) fn to_f64(number: u64) -> f64 {
    number as f64
}
