//! One holder among the tabs that share a store, by the Web Locks of the origin.

use core::cell::RefCell;

use futures::channel::oneshot;
use js_sys::{Function, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::AbortController;

use super::js::{call, get, global, object, says};

/// Says that this tab holds the lock of a store. Dropping it passes the lock on; so does the end of
/// the tab, however it comes.
#[must_use = "the lock is passed on when this is dropped"]
#[derive(Debug)]
pub struct TabLock {
    /// Settles the promise that the browser keeps the lock for; nothing where it has no locks.
    release: Option<Function>,
}

impl Drop for TabLock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            // The resolve function of a promise does not throw.
            let _: Result<JsValue, JsValue> = release.call0(&JsValue::UNDEFINED);
        }
    }
}

/// Resolves when this tab is the one that holds the lock of the store `name`. Tabs get it in the order
/// in which they asked. Dropping the future takes the request back.
///
/// Where there are no locks (Node, and pages that were not loaded safely) every tab is a holder: all that
/// it costs is connections.
pub async fn hold(name: &str) -> TabLock {
    let Some(locks) = global("navigator").and_then(|navigator| get(&navigator, "locks")) else {
        return TabLock { release: None };
    };
    // Where it is dropped without having been used, the answer below fails.
    let (sender, granted) = oneshot::channel();
    let granting = Closure::once(move |_lock: JsValue| {
        let release = RefCell::new(None);
        let held = Promise::new(&mut |resolve, _| drop(release.replace(Some(resolve))));
        // If nobody waits any more, the lock comes back and is dropped, which passes it on.
        drop(sender.send(TabLock { release: release.take() }));
        held
    });
    let request = Request(AbortController::new().ok());
    let signal = request.0.as_ref().map(AbortController::signal);
    let options = object(&[("signal", &signal.into())]);
    let arguments = [format!("isoroot:{name}").into(), options.into(), granting.as_ref().clone()];
    match call(&locks, "request", &arguments) {
        // The browser calls back as long as this promise is not settled.
        Ok(promise) => spawn_local(async move {
            if let Err(error) = JsFuture::from(promise.unchecked_into::<Promise>()).await {
                tracing::debug!(error = says(&error), "the lock was not had");
            }
            drop(granting);
        }),
        Err(error) => {
            tracing::warn!(error = says(&error), "no Web Locks here");
            drop(granting);
        }
    }
    let lock = granted.await.unwrap_or(TabLock { release: None });
    request.done();
    lock
}

/// A request for a lock, taken back when it is dropped.
struct Request(Option<AbortController>);

impl Request {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(controller) = &self.0 {
            controller.abort();
        }
    }
}
