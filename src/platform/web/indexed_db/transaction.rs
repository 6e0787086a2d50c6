//! One transaction of IndexedDB as a future: done when it is complete, not when its requests are.
//!
//! While it runs, nothing is awaited. What depends on what was read is decided in the very callback that
//! brings it, so that no other task of the page can make the transaction end early or hold it open; and
//! what writes is committed as soon as its last request is made, so that a page which the browser freezes
//! at that moment holds up no other tab. A future that is dropped takes its transaction back, unless it is
//! being committed already: then it happens whole.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::oneshot;
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbObjectStore, IdbRequest, IdbTransaction};

use super::failure::Failure;
use crate::error::StoreError;
use crate::platform::traits::Durability;
use crate::platform::web::js::{call, object};
use crate::platform::web::listener::Listener;

/// Makes requests that don't depend on one another; their results.
pub(super) async fn read(
    database: &IdbDatabase,
    stores: &[&str],
    ask: &dyn Fn(&IdbTransaction) -> Result<Vec<IdbRequest>, JsValue>,
) -> Result<Vec<JsValue>, Failure> {
    let stores = names(stores);
    let transaction = database.transaction_with_str_sequence(&stores).map_err(|error| Failure::of(&error))?;
    let running = Running::new(transaction);
    let requests = ask(&running.transaction).map_err(|error| Failure::of(&error))?;
    // Not committed by hand: Chromium 156 then says `complete` before large values have been loaded.
    running.complete().await?;
    let mut results = Vec::with_capacity(requests.len());
    for request in &requests {
        results.push(request.result().map_err(|error| Failure::of(&error))?);
    }
    Ok(results)
}

/// Writes by what was found, if it is as expected: whether it was. An error takes back what was written.
pub(super) type Decide = dyn Fn(&IdbTransaction, &JsValue) -> Result<Result<bool, StoreError>, JsValue>;

/// Reads what `ask` asks of the first of `stores`, decides by that what to write, and writes it: all or
/// nothing. Nothing when it is written, else what was found.
pub(super) async fn update(
    database: &IdbDatabase,
    stores: &[&str],
    durability: Durability,
    ask: &dyn Fn(&IdbObjectStore) -> Result<IdbRequest, JsValue>,
    decide: Rc<Decide>,
) -> Result<Option<JsValue>, Failure> {
    let durability = match durability {
        Durability::Strict => "strict",
        Durability::Relaxed => "relaxed",
    };
    // No stable binding takes the options.
    let options = object(&[("durability", &durability.into())]);
    let arguments = [names(stores).into(), "readwrite".into(), options.into()];
    let transaction = call(database, "transaction", &arguments).map_err(|error| Failure::of(&error))?;
    let running = Rc::new(Running::new(transaction.unchecked_into()));
    let first = stores.first().copied().unwrap_or_default();
    let store = running.transaction.object_store(first);
    let request = store.and_then(|store| ask(&store)).map_err(|error| Failure::of(&error))?;

    let decision = Rc::new(RefCell::new(None));
    let (deciding, decided) = (Rc::downgrade(&running), Rc::clone(&decision));
    let mut decide = Some(decide);
    let listener = Listener::new(&request, "success", move |event| {
        let (Some(running), Some(decide)) = (deciding.upgrade(), decide.take()) else { return };
        let request: Option<IdbRequest> = event.target().map(JsCast::unchecked_into);
        let result = request.map_or(Ok(JsValue::UNDEFINED), |request| request.result());
        let decision = match result.and_then(|found| Ok((decide(&running.transaction, &found)?, found))) {
            Ok((Ok(written), found)) => Ok((!written).then_some(found)),
            Ok((Err(error), _)) => Err(Failure::Store(error)),
            Err(error) => Err(Failure::of(&error)),
        };
        let accepted = decision.is_ok();
        decided.replace(Some(decision));
        if accepted {
            running.commit();
        } else {
            running.abort();
        }
    });
    let completed = running.complete().await;
    drop(listener);
    match (completed, decision.take()) {
        (Ok(()), Some(decision)) => decision,
        // Aborted here, for this reason.
        (Err(_), Some(Err(failure))) => Err(failure),
        (Err(failure), _) => Err(failure),
        (Ok(()), None) => Err(Failure::Disconnected("it ended before its request was answered".to_owned())),
    }
}

fn names(stores: &[&str]) -> Array {
    stores.iter().map(|name| JsValue::from_str(name)).collect()
}

/// A transaction whose end is listened for.
struct Running {
    transaction: IdbTransaction,
    outcome: RefCell<Option<oneshot::Receiver<Result<(), Failure>>>>,
    ended: Rc<Cell<bool>>,
    _listeners: [Listener; 2],
}

impl Running {
    fn new(transaction: IdbTransaction) -> Self {
        let (sender, outcome) = oneshot::channel();
        let sender = Rc::new(Cell::new(Some(sender)));
        let ended = Rc::new(Cell::new(false));
        let listen = |kind, outcome: fn(&IdbTransaction) -> Result<(), Failure>| {
            let (sender, ended, transaction) = (Rc::clone(&sender), Rc::clone(&ended), transaction.clone());
            Listener::new(&transaction.clone(), kind, move |_| {
                ended.set(true);
                if let Some(sender) = sender.take() {
                    // Nobody listens where the future was dropped just now.
                    drop(sender.send(outcome(&transaction)));
                }
            })
        };
        let listeners =
            [listen("complete", |_| Ok(())), listen("abort", |transaction| Err(end(transaction)))];
        Self { transaction, outcome: RefCell::new(Some(outcome)), ended, _listeners: listeners }
    }

    async fn complete(&self) -> Result<(), Failure> {
        let lost = || Failure::Disconnected("the transaction never ended".to_owned());
        let outcome = self.outcome.take().ok_or_else(lost)?;
        outcome.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Asks for the end without waiting for more requests. It would come anyway: that an old browser
    /// does not know the call, or that the transaction has failed meanwhile, changes nothing.
    fn commit(&self) {
        // The binding is marked as deprecated, for no reason that its text or the standard gives.
        drop(call(&self.transaction, "commit", &[]));
    }

    /// Takes it back, unless it is over or being committed.
    fn abort(&self) {
        drop(self.transaction.abort());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.abort();
        }
    }
}

/// Why a transaction was aborted.
fn end(transaction: &IdbTransaction) -> Failure {
    match transaction.error() {
        Some(error) => Failure::of(&error),
        // By `abort`, called here, or by a browser that closes the connection and does not say so.
        None => Failure::Disconnected("the transaction was aborted".to_owned()),
    }
}
