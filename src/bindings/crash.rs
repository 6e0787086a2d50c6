//! The end of an instance: a panic's message reaches JavaScript before the instance stops for good.

use core::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static HANDLER: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Calls `handler` with the message and place of a panic. What it does must not come back here: nothing
/// of this instance may be used again.
#[wasm_bindgen(js_name = onCrash)]
pub fn on_crash(handler: Function) {
    HANDLER.with(|kept| drop(kept.replace(Some(handler))));
    std::panic::set_hook(Box::new(|panic| {
        // Taken out, so that a panic inside of this one does not end up here again.
        let handler = HANDLER.with(|kept| kept.try_borrow_mut().ok().and_then(|mut kept| kept.take()));
        if let Some(handler) = handler {
            // There is nobody left to tell that the handler has thrown.
            let _: Result<JsValue, JsValue> =
                handler.call1(&JsValue::UNDEFINED, &JsValue::from_str(&panic.to_string()));
        }
    }));
}

/// Panics, so that tests see what becomes of it.
#[cfg(feature = "bindings-test")]
#[wasm_bindgen(js_name = panicOnPurpose)]
#[expect(clippy::panic, reason = "that is what it is for")]
pub fn panic_on_purpose(message: &str) {
    panic!("{message}");
}
