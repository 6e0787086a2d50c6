//! Stores and transports written in JavaScript.
//!
//! What is called here are the facade's functions (`custom.ts`): they never throw, run the application's code
//! on a stack of its own, and answer in the form that is read here, or reject with `{ kind, message }`.

use std::sync::Arc;

use js_sys::{Array, Function, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortController;

use crate::bindings::object::{number, text, whole};
use crate::error::{StoreError, TransportError};
use crate::ids::{Cursor, EntryId, JournalId, StoreId};
use crate::platform::send::BoxFuture;
use crate::platform::traits::{
    AppendOutcome, Connection, Durability, FrameReceiver, FrameSender, Store, StoredRecord, Transport,
};

#[wasm_bindgen]
extern "C" {
    /// A store or a connection, as the facade has tamed it.
    #[derive(Clone, Debug)]
    pub type Tame;
    #[wasm_bindgen(method, getter, structural)]
    fn id(this: &Tame) -> Uint8Array;
    #[wasm_bindgen(method, getter, structural)]
    fn call(this: &Tame) -> Function;
    #[wasm_bindgen(method, getter, structural)]
    fn binding(this: &Tame) -> Uint8Array;
    #[wasm_bindgen(method, getter, structural)]
    fn remote(this: &Tame) -> String;

    type Failure;
    #[wasm_bindgen(method, getter, structural)]
    fn kind(this: &Failure) -> String;
    #[wasm_bindgen(method, getter, structural)]
    fn message(this: &Failure) -> String;
}

/// Calls a method; what it will answer.
fn ask(function: &Function, method: &str, arguments: &[JsValue]) -> JsFuture {
    let given: Array = core::iter::once(JsValue::from_str(method)).chain(arguments.iter().cloned()).collect();
    let promise = function.apply(&JsValue::UNDEFINED, &given);
    JsFuture::from(promise.map_or_else(|error| Promise::reject(&error), JsCast::unchecked_into))
}

fn bytes(value: &JsValue) -> Vec<u8> {
    value.unchecked_ref::<Uint8Array>().to_vec()
}

fn note(value: &JsValue) -> Option<Vec<u8>> {
    (!value.is_undefined()).then(|| bytes(value))
}

fn note_to_js(note: Option<Vec<u8>>) -> JsValue {
    note.map_or(JsValue::UNDEFINED, |note| Uint8Array::from(note.as_slice()).into())
}

fn entry_id(value: &JsValue) -> EntryId {
    let mut id = [0; EntryId::LEN];
    value.unchecked_ref::<Uint8Array>().copy_to(&mut id);
    EntryId::from_bytes(id)
}

/// Aborts what was asked for when nobody wants it any more.
struct Wanted(Option<AbortController>);

impl Wanted {
    fn new() -> (Self, JsValue) {
        let controller = AbortController::new().ok();
        let signal = controller.as_ref().map_or(JsValue::UNDEFINED, |controller| controller.signal().into());
        (Self(controller), signal)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(controller) = &self.0 {
            // Its listener is the facade's, and leaves the application's for later.
            controller.abort();
        }
    }
}

/// A store of the application's.
#[derive(Clone, Debug)]
pub(super) struct JsStore {
    id: StoreId,
    call: Function,
}

impl JsStore {
    pub(super) fn new(tame: &Tame) -> Self {
        let mut id = [0; 16];
        tame.id().copy_to(&mut id);
        Self { id: StoreId::from_bytes(id), call: tame.call() }
    }

    fn cursor(&self, number: &JsValue) -> Cursor {
        Cursor { store: self.id, number: whole(number.as_f64().unwrap_or_default()) }
    }

    /// One for all methods, so that it is compiled once.
    fn ask(&self, method: &str, arguments: &[JsValue]) -> BoxFuture<'static, Result<JsValue, StoreError>> {
        let answer = ask(&self.call, method, arguments);
        Box::pin(async move {
            answer.await.map_err(|failure| {
                let failure: Failure = failure.unchecked_into();
                match failure.kind().as_str() {
                    "full" => StoreError::Full(failure.message()),
                    "evicted" => StoreError::Evicted(failure.message()),
                    _ => StoreError::Failed(failure.message()),
                }
            })
        })
    }

    async fn ask_list(&self, method: &str, arguments: &[JsValue]) -> Result<Array, StoreError> {
        Ok(self.ask(method, arguments).await?.unchecked_into())
    }

    async fn ask_records(
        &self,
        method: &str,
        arguments: &[JsValue],
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let flat = self.ask_list(method, arguments).await?;
        let record = |at: u32| {
            let number = whole(flat.get(at).as_f64().unwrap_or_default());
            let (id, bytes) =
                (entry_id(&flat.get(at.saturating_add(1))), bytes(&flat.get(at.saturating_add(2))));
            (number, StoredRecord { id, bytes: Arc::from(bytes) })
        };
        Ok((0..flat.length()).step_by(3).map(record).collect())
    }
}

impl Store for JsStore {
    fn id(&self) -> StoreId {
        self.id
    }

    async fn head(&self, journal: JournalId) -> Result<Cursor, StoreError> {
        Ok(self.cursor(&self.ask("head", &[text(journal)]).await?))
    }

    async fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> Result<AppendOutcome, StoreError> {
        if entries.is_empty() {
            return self.head(journal).await.map(AppendOutcome::Done);
        }
        let ids: Array =
            entries.iter().map(|entry| Uint8Array::from(entry.id.as_bytes().as_slice())).collect();
        let records: Array = entries.iter().map(|entry| Uint8Array::from(&*entry.bytes)).collect();
        let relaxed = JsValue::from_bool(durability == Durability::Relaxed);
        let given = [text(journal), number(at), ids.into(), records.into(), relaxed];
        let answer = self.ask_list("append", &given).await?;
        let cursor = self.cursor(&answer.get(1));
        Ok(if answer.get(0).is_truthy() {
            AppendOutcome::Done(cursor)
        } else {
            AppendOutcome::Behind(cursor)
        })
    }

    async fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        self.ask_records("read", &[text(journal), number(from.max(1)), number(max_bytes as u64)]).await
    }

    async fn fetch(
        &self,
        journal: JournalId,
        numbers: Vec<u64>,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        let numbers: Array = numbers.into_iter().map(number).collect();
        self.ask_records("fetch", &[text(journal), numbers.into()]).await
    }

    async fn ids(&self, journal: JournalId, from: u64, max: usize) -> Result<Vec<EntryId>, StoreError> {
        let ids = self.ask_list("ids", &[text(journal), number(from.max(1)), number(max as u64)]).await?;
        Ok(ids.iter().map(|id| entry_id(&id)).collect())
    }

    async fn changed(&self, journal: JournalId, after: u64) -> Result<Cursor, StoreError> {
        let (_wanted, signal) = Wanted::new();
        Ok(self.cursor(&self.ask("changed", &[text(journal), number(after), signal]).await?))
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(note(&self.ask("note", &[key.into()]).await?))
    }

    async fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Result<(), Option<Vec<u8>>>, StoreError> {
        let given = [key.into(), note_to_js(expected), note_to_js(value)];
        let answer = self.ask_list("setNote", &given).await?;
        Ok(if answer.get(0).is_truthy() { Ok(()) } else { Err(note(&answer.get(1))) })
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let flat = self.ask_list("notes", &[prefix.into()]).await?;
        let pair =
            |at: u32| (flat.get(at).as_string().unwrap_or_default(), bytes(&flat.get(at.saturating_add(1))));
        Ok((0..flat.length()).step_by(2).map(pair).collect())
    }
}

/// A transport of the application's, for addresses that begin with its scheme.
pub(super) struct JsTransport {
    scheme: String,
    connect: Function,
}

impl JsTransport {
    /// Of a pair of scheme and function.
    pub(super) fn new(pair: &JsValue) -> Self {
        let pair: &Array = pair.unchecked_ref();
        Self { scheme: pair.get(0).as_string().unwrap_or_default(), connect: pair.get(1).unchecked_into() }
    }
}

impl Transport for JsTransport {
    fn handles(&self, address: &str) -> bool {
        address.starts_with(&self.scheme)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        Ok(address.to_owned())
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let (mut wanted, signal) = Wanted::new();
        let opened = ask(&self.connect, "connect", &[address.into(), signal]).await.map_err(|failure| {
            let reason = failure.unchecked_into::<Failure>().message();
            TransportError::Unreachable { address: address.to_owned(), reason }
        })?;
        // It has an owner now, who ends it.
        wanted.0 = None;
        Ok(connection(&opened.unchecked_into()))
    }
}

/// A connection of the application's.
pub(super) fn connection(tame: &Tame) -> Connection {
    let half = || Half { call: tame.call(), receiving: None };
    Connection {
        sender: Box::new(half()),
        receiver: Box::new(half()),
        binding: tame.binding().to_vec(),
        remote: tame.remote(),
    }
}

/// One half of a connection, which ends it when it is dropped.
struct Half {
    call: Function,
    /// A frame that was asked for: whoever stopped waiting has not lost it.
    receiving: Option<JsFuture>,
}

impl Half {
    fn end(&self, reason: &str) -> JsFuture {
        ask(&self.call, "close", &[reason.into()])
    }
}

fn broken(failure: JsValue) -> TransportError {
    let failure: Failure = failure.unchecked_into();
    match failure.kind().as_str() {
        "frame" => TransportError::Frame(failure.message()),
        _ => TransportError::Broken(failure.message()),
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // Nobody waits for it.
        drop(self.end("dropped"));
    }
}

impl FrameSender for Half {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        let sent = ask(&self.call, "send", &[Uint8Array::from(frame.as_slice()).into()]);
        Box::pin(async move { sent.await.map(drop).map_err(broken) })
    }

    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()> {
        let closed = self.end(reason);
        // That it was closed before is as good.
        Box::pin(async move { drop(closed.await) })
    }
}

impl FrameReceiver for Half {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            let receiving = self.receiving.get_or_insert_with(|| ask(&self.call, "receive", &[]));
            let received = receiving.await;
            self.receiving = None;
            received.map(|frame| note(&frame)).map_err(broken)
        })
    }
}

/// Runs the checks that every store must pass; one that fails is a panic.
#[cfg(feature = "bindings-test")]
#[wasm_bindgen(js_name = checkStore)]
pub fn check_store(open: Function) -> Promise {
    wasm_bindgen_futures::future_to_promise(async move {
        let opened = || {
            let made = open.call0(&JsValue::UNDEFINED).unwrap_or_default();
            async move { JsStore::new(&made.unchecked_into()) }
        };
        crate::platform::conformance::store::all(opened).await;
        Ok(JsValue::UNDEFINED)
    })
}

/// Runs the checks that every transport must pass; `connect` gives both ends of a connection.
#[cfg(feature = "bindings-test")]
#[wasm_bindgen(js_name = checkTransport)]
pub fn check_transport(connect: Function, held: f64) -> Promise {
    wasm_bindgen_futures::future_to_promise(async move {
        let held = usize::try_from(whole(held)).unwrap_or(usize::MAX);
        let connected = async || {
            let ends: Array = connect.call0(&JsValue::UNDEFINED).unwrap_or_default().unchecked_into();
            (connection(&ends.get(0).unchecked_into()), connection(&ends.get(1).unchecked_into()))
        };
        crate::platform::conformance::transport::all(connected, held).await;
        Ok(JsValue::UNDEFINED)
    })
}
