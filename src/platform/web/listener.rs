//! An event listener that is there as long as it is held.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventTarget};

/// Calls a function at each event of one kind. Dropping it removes the listener and frees what the
/// function holds; it may be dropped while it runs.
pub(super) struct Listener {
    target: EventTarget,
    kind: &'static str,
    callback: Closure<dyn FnMut(Event)>,
}

impl Listener {
    pub(super) fn new(
        target: &EventTarget,
        kind: &'static str,
        callback: impl FnMut(Event) + 'static,
    ) -> Self {
        let callback = Closure::<dyn FnMut(Event)>::new(callback);
        if target.add_event_listener_with_callback(kind, callback.as_ref().unchecked_ref()).is_err() {
            tracing::error!(kind, "no event listener could be added");
        }
        Self { target: target.clone(), kind, callback }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let callback = self.callback.as_ref().unchecked_ref();
        // It only fails where adding has failed.
        drop(self.target.remove_event_listener_with_callback(self.kind, callback));
    }
}
