//! Whether the browser may delete the origin's data of its own accord.

use js_sys::Promise;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use crate::platform::web::js::{call, get, global, says};

/// Asks the browser to keep the origin's data; whether it does.
pub(super) async fn persist() -> bool {
    let storage = global("navigator").and_then(|navigator| get(&navigator, "storage"));
    let Some(storage) = storage else { return false };
    // Only windows can ask, all can look.
    let method = if get(&storage, "persist").is_some() { "persist" } else { "persisted" };
    let answer = match call(&storage, method, &[]) {
        Ok(promise) => JsFuture::from(promise.unchecked_into::<Promise>()).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(agreed) => agreed.is_truthy(),
        Err(error) => {
            tracing::debug!(error = says(&error), "the browser does not say whether it keeps the data");
            false
        }
    }
}
