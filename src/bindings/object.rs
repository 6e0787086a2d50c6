//! Plain JavaScript objects, and numbers that JavaScript can hold.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

/// An object of these properties.
pub(super) fn object(properties: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in properties {
        // On a plain object this cannot fail.
        let _: Result<bool, JsValue> = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// What is counted here stays far below 2^53, up to which this is exact.
#[expect(clippy::cast_precision_loss, reason = "as documented")]
pub(super) fn number(count: u64) -> JsValue {
    JsValue::from_f64(count as f64)
}

/// The whole part of a number from JavaScript; below 0 and for NaN 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` keeps to the nearest end")]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}

/// The whole part of a number from JavaScript; for NaN 0.
#[expect(clippy::cast_possible_truncation, reason = "`as` keeps to the nearest end")]
pub(super) fn signed(number: f64) -> i64 {
    number as i64
}

/// The text of an id, or null where there is none.
pub(super) fn optional(id: Option<impl core::fmt::Display>) -> JsValue {
    id.map_or(JsValue::NULL, |id| JsValue::from_str(&id.to_string()))
}

/// The text of anything that is shown.
pub(super) fn text(shown: impl core::fmt::Display) -> JsValue {
    JsValue::from_str(&shown.to_string())
}
