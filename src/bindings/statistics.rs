//! A journal in numbers, as a plain object.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bindings::node::Node;
use crate::bindings::object::{number, object, text};
use crate::driver::statistics::Statistics;

#[wasm_bindgen]
impl Node {
    /// Counts, and what takes work to find out.
    pub fn statistics(&self) -> Promise {
        self.call(async |open| {
            let Statistics { status, depth, bytes, bloom_rate } = open.node().statistics().await?;
            Ok(object(&[
                ("root", text(status.root)),
                ("entries", number(status.root.count)),
                ("facts", number(status.facts)),
                ("predicates", number(status.predicates)),
                ("authorities", number(status.authorities)),
                ("devices", number(status.devices)),
                ("heldBack", number(status.held_back)),
                ("missing", number(status.missing)),
                ("forked", number(status.forked)),
                ("depth", number(depth.into())),
                ("bytes", number(bytes)),
                ("bloomRate", bloom_rate.map_or(JsValue::NULL, JsValue::from_f64)),
            ]))
        })
    }
}
