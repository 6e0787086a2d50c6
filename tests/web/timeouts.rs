//! The event loop as tests see it: a turn of it, and the timeouts that are live.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use isoroot::platform::Timer;
use isoroot::platform::web::WebTimer;
use js_sys::{Array, Map};
use wasm_bindgen::JsValue;

use crate::patch::Patch;

/// Lets timers and events have their turn.
pub async fn turn() {
    WebTimer.sleep(Duration::ZERO).await;
}

/// Counts the timeouts that are set and neither cleared nor over.
pub struct Timeouts {
    live: Map,
    set: Rc<Cell<u32>>,
    _patches: [Patch; 2],
}

impl Timeouts {
    pub fn counted() -> Self {
        let (live, set) = (Map::new(), Rc::new(Cell::new(0)));
        let (added, counted) = (live.clone(), set.clone());
        let setting = Patch::new(&js_sys::global(), "setTimeout", move |set_timeout, this, arguments| {
            counted.set(counted.get() + 1);
            // What fires is over: forgotten before what it was set for is called.
            let forget = js_sys::Function::new_with_args(
                "live, key, handler",
                "return () => { live.delete(key); handler(); }",
            );
            let (key, handler) = (JsValue::from(Array::new()), arguments.get(0));
            let handler = forget.apply(&JsValue::NULL, &Array::of3(&added, &key, &handler))?;
            let id = set_timeout.call2(this, &handler, &arguments.get(1))?;
            added.set(&key, &id);
            Ok(id)
        });
        let cleared = live.clone();
        let clearing =
            Patch::new(&js_sys::global(), "clearTimeout", move |clear_timeout, this, arguments| {
                let id = arguments.get(0);
                let pairs: Vec<JsValue> = cleared.entries().into_iter().map(Result::unwrap).collect();
                for pair in pairs {
                    let pair = Array::from(&pair);
                    if pair.get(1) == id {
                        cleared.delete(&pair.get(0));
                    }
                }
                clear_timeout.call1(this, &id)
            });
        Self { live, set, _patches: [setting, clearing] }
    }

    pub fn live(&self) -> u32 {
        self.live.size()
    }

    pub fn set(&self) -> u32 {
        self.set.get()
    }
}
