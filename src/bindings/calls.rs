//! Calls of several steps: begun in order, and ended when their node is closed.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::{AbortHandle, Abortable, FutureExt};
use js_sys::Promise;
use litemap::LiteMap;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use crate::bindings::error::CallError;
use crate::platform::send::BoxFuture;

/// Calls of several steps that are under way.
#[derive(Default)]
pub(super) struct Calls {
    running: RefCell<LiteMap<u64, AbortHandle>>,
    next: Cell<u64>,
}

impl Calls {
    /// Ends them all, with `CLOSED`.
    pub(super) fn end(&self) {
        for (_, handle) in self.running.take() {
            handle.abort();
        }
    }
}

/// A promise of what a call comes to. They begin in the order in which they are made.
pub(super) fn begun(work: BoxFuture<'static, Result<JsValue, CallError>>, calls: Rc<Calls>) -> Promise {
    let (handle, registration) = AbortHandle::new_pair();
    let number = calls.next.get();
    calls.next.set(number.saturating_add(1));
    calls.running.borrow_mut().insert(number, handle);
    let mut work = Abortable::new(work, registration);
    let begun = (&mut work).now_or_never();
    promise(async move {
        let outcome = match begun {
            Some(outcome) => outcome,
            None => work.await,
        };
        calls.running.borrow_mut().remove(&number);
        outcome.unwrap_or(Err(CallError::CLOSED))
    })
}

/// A promise of what this comes to. Boxed, so that what drives it is compiled once for all calls.
pub(super) fn promise(work: impl Future<Output = Result<JsValue, CallError>> + 'static) -> Promise {
    let work: BoxFuture<'static, _> = Box::pin(work);
    future_to_promise(async move { work.await.map_err(JsValue::from) })
}
