//! IndexedDB that fails: connections closed at any moment, transactions aborted after success, no room
//! (C11; reliability of the store).

use std::cell::Cell;
use std::rc::Rc;

use isoroot::platform::memory::PipeNetwork;
use isoroot::platform::web::IndexedDbStore;
use isoroot::platform::{AppendOutcome, Durability, Store, StoreError};
use isoroot::{Draft, Fact, LoadedFrom, Root};
use js_sys::{Array, Function, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::patch::{Patch, get, global};
use crate::stores::{JOURNAL, all, append, fresh, open, record, records};
use crate::story::node;

/// Closes the connection right before the `n`th transaction from now, counted from 1; how many there were.
fn closing(n: u32) -> (Patch, Rc<Cell<u32>>) {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let patch = Patch::of_class("IDBDatabase", "transaction", move |transaction, this, arguments| {
        counted.set(counted.get() + 1);
        if counted.get() == n {
            let close: Function = get(this, "close").unchecked_into();
            close.call0(this)?;
        }
        transaction.apply(this, arguments)
    });
    (patch, count)
}

/// Ten appends and notes; what is there at the end.
async fn session(store: &IndexedDbStore) {
    for n in 0..10 {
        append(store, n, records(n..n + 1, 50)).await;
        let before = n.checked_sub(1).map(|n| vec![n.to_le_bytes()[0]]);
        assert_eq!(store.note("n").await.unwrap(), before);
        store.set_note("n", before, Some(vec![n.to_le_bytes()[0]])).await.unwrap().unwrap();
        assert_eq!(store.head(JOURNAL).await.unwrap().number, n + 1);
    }
    assert_eq!(all(store).await, records(0..10, 50));
}

#[wasm_bindgen_test]
async fn c11_a_connection_that_is_closed_at_any_moment_is_opened_once_and_nothing_is_lost() {
    let (counting, count) = closing(0);
    session(&open(&fresh()).await).await;
    drop(counting);
    // Opening the store takes one as well.
    assert!(count.get() > 40);
    for n in 2..=count.get() {
        let (closing, after) = closing(n);
        session(&open(&fresh()).await).await;
        drop(closing);
        assert_eq!(after.get(), count.get() + 2, "closed at {n}: the reopening reads once, the call again");
    }
}

#[wasm_bindgen_test]
async fn c11_a_connection_that_closes_again_at_once_is_an_error_and_acknowledges_nothing() {
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..1, 10)).await;
    let patch = Patch::of_class("IDBDatabase", "transaction", |transaction, this, arguments| {
        // The reading of a reopened connection passes, whatever writes finds it closed.
        if arguments.get(1) == "readwrite" {
            let close: Function = get(this, "close").unchecked_into();
            close.call0(this)?;
        }
        transaction.apply(this, arguments)
    });
    let appended = store.append(JOURNAL, 1, records(1..2, 10), Durability::Strict).await;
    assert!(matches!(appended, Err(StoreError::Failed(_))), "{appended:?}");
    drop(patch);
    assert_eq!(all(&store).await, records(0..1, 10), "reading goes on");
    let appended = store.append(JOURNAL, 1, records(1..2, 10), Durability::Strict).await;
    assert!(matches!(appended, Err(StoreError::Failed(_))), "a failed write is final: {appended:?}");
    append(&open(&name).await, 1, records(1..2, 10)).await;
}

/// Aborts transactions that write when their last request has succeeded, the first `times` of them.
fn aborting_after_success(times: u32) -> [Patch; 2] {
    let left = Cell::new(times);
    // What is being committed cannot be aborted.
    let commit = Patch::of_class("IDBTransaction", "commit", |_, _, _| Ok(JsValue::UNDEFINED));
    let put = Patch::of_class("IDBObjectStore", "put", move |put, this, arguments| {
        let request = put.apply(this, arguments)?;
        if left.get() > 0 {
            left.set(left.get() - 1);
            let transaction = get(this, "transaction");
            let abort = Closure::once_into_js(move || {
                let abort: Function = get(&transaction, "abort").unchecked_into();
                abort.call0(&transaction).unwrap();
            });
            Reflect::set(&request, &"onsuccess".into(), &abort)?;
        }
        Ok(request)
    });
    [commit, put]
}

#[wasm_bindgen_test]
async fn c11_success_of_a_request_is_no_acknowledgement() {
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..1, 10)).await;
    // Once: it is tried again on a new connection.
    let patches = aborting_after_success(1);
    append(&store, 1, records(1..3, 10)).await;
    drop(patches);
    assert_eq!(all(&store).await, records(0..3, 10));
    // Again and again: told, and nothing of it is there.
    let patches = aborting_after_success(u32::MAX);
    let appended = store.append(JOURNAL, 3, records(3..5, 10), Durability::Strict).await;
    assert!(matches!(appended, Err(StoreError::Failed(_))), "{appended:?}");
    drop(patches);
    assert_eq!(all(&open(&name).await).await, records(0..3, 10));
}

#[wasm_bindgen_test]
async fn f121_no_room_is_told_reading_goes_on_and_so_does_what_fits() {
    let store = open(&fresh()).await;
    append(&store, 0, records(0..2, 10)).await;
    let full = |_: &Function, _: &JsValue, _: &Array| -> Result<JsValue, JsValue> {
        let error: Function = global("DOMException").unchecked_into();
        let arguments = Array::of2(&"no room".into(), &"QuotaExceededError".into());
        Err(Reflect::construct(&error, &arguments)?)
    };
    let patch = Patch::of_class("IDBObjectStore", "add", full);
    let appended = store.append(JOURNAL, 2, records(2..4, 10), Durability::Strict).await;
    assert!(matches!(appended, Err(StoreError::Full(_))), "{appended:?}");
    assert_eq!(all(&store).await, records(0..2, 10));
    assert_eq!(store.fetch(JOURNAL, vec![2]).await.unwrap(), [(2, record(1, 10))]);
    drop(patch);
    append(&store, 2, records(2..4, 10)).await;
    let patch = Patch::of_class("IDBObjectStore", "put", full);
    let noted = store.set_note("a", None, Some(vec![1])).await;
    assert!(matches!(noted, Err(StoreError::Full(_))), "{noted:?}");
    drop(patch);
    store.set_note("a", None, Some(vec![1])).await.unwrap().unwrap();
}

#[wasm_bindgen_test]
async fn c11_an_unknown_failure_of_a_write_is_final() {
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..2, 10)).await;
    let patch = Patch::of_class("IDBObjectStore", "add", |_, _, _| {
        let error: Function = global("DOMException").unchecked_into();
        Err(Reflect::construct(&error, &Array::of2(&"the disk".into(), &"DataCloneError".into()))?)
    });
    let appended = store.append(JOURNAL, 2, records(2..4, 10), Durability::Strict).await;
    assert!(matches!(appended, Err(StoreError::Failed(_))), "{appended:?}");
    drop(patch);
    let appended = store.append(JOURNAL, 2, records(2..4, 10), Durability::Strict).await;
    assert!(matches!(appended, Err(StoreError::Failed(_))), "{appended:?}");
    assert!(store.set_note("a", None, Some(vec![1])).await.is_err());
    assert_eq!(all(&store).await, records(0..2, 10));
    let appended = open(&name).await.append(JOURNAL, 2, records(2..4, 10), Durability::Strict).await;
    assert!(matches!(appended, Ok(AppendOutcome::Done(_))));
}

/// Aborts the `n`th transaction that writes, counted from 1, while its first request is under way; how many
/// there were.
fn aborting(n: u32) -> ([Patch; 2], Rc<Cell<u32>>) {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    // What is being committed cannot be aborted.
    let commit = Patch::of_class("IDBTransaction", "commit", |_, _, _| Ok(JsValue::UNDEFINED));
    let begin = Patch::of_class("IDBDatabase", "transaction", move |begin, this, arguments| {
        let transaction = begin.apply(this, arguments)?;
        if arguments.get(1) == "readwrite" {
            counted.set(counted.get() + 1);
            if counted.get() == n {
                let aborted = transaction.clone();
                let abort = Closure::once_into_js(move || {
                    let abort: Function = get(&aborted, "abort").unchecked_into();
                    // It may be over already.
                    drop(abort.call0(&aborted));
                });
                // As soon as the store waits for it.
                let promise = js_sys::Promise::resolve(&JsValue::UNDEFINED);
                let then: Function = get(&promise, "then").unchecked_into();
                then.call1(&promise, &abort)?;
            }
        }
        Ok(transaction)
    });
    ([commit, begin], count)
}

#[wasm_bindgen_test]
async fn c11_a_transaction_that_is_aborted_at_any_moment_is_tried_again_and_nothing_is_lost() {
    let (counting, count) = aborting(0);
    session(&open(&fresh()).await).await;
    drop(counting);
    assert!(count.get() >= 20);
    for n in 1..=count.get() {
        let (aborting, after) = aborting(n);
        session(&open(&fresh()).await).await;
        drop(aborting);
        assert_eq!(after.get(), count.get() + 1, "aborted at {n}: it is tried once more");
    }
}

/// A node over the store `name` with 300 entries more, closed in good order. Its root, and where it was
/// loaded from.
async fn life(name: &str, append: usize) -> (Root, LoadedFrom) {
    let node = node(&PipeNetwork::new(), open(name).await).await;
    let status = node.status().await.unwrap();
    let fact = |n| Draft::new(node.device(), &[Fact::new(format!("p/{}", n % 7), i64::from(n))]).unwrap();
    let drafts = (0..u32::try_from(append).unwrap()).map(fact).collect();
    node.append_all(drafts).await.unwrap();
    let root = node.root().await.unwrap();
    node.service().close().await.unwrap();
    (root, status.loaded_from)
}

#[wasm_bindgen_test]
async fn f61_a_journal_in_indexed_db_opens_from_its_checkpoint_whatever_closes_while_it_is_kept() {
    let name = fresh();
    let (counting, count) = closing(0);
    let (root, from) = life(&name, 300).await;
    drop(counting);
    assert_eq!(from, LoadedFrom::Records);
    let again = life(&name, 0).await;
    assert_eq!(again, (root, LoadedFrom::Checkpoint { number: 300 }));
    for n in 2..=count.get() {
        let name = fresh();
        let (closing, _) = closing(n);
        let (root, _) = life(&name, 300).await;
        drop(closing);
        assert_eq!(life(&name, 0).await, (root, LoadedFrom::Checkpoint { number: 300 }), "closed at {n}");
    }
    // What is there and is none is told, and the records decide.
    let store = open(&name).await;
    for (key, note) in store.notes("checkpoint/").await.unwrap() {
        let mut wrong = note.clone();
        wrong[3] ^= 1;
        store.set_note(&key, Some(note.clone()), Some(wrong)).await.unwrap().unwrap();
        assert_eq!(life(&name, 0).await, (root, LoadedFrom::RecordsAgain), "{key}");
        assert_eq!(life(&name, 0).await, (root, LoadedFrom::Checkpoint { number: 300 }), "{key}");
    }
}
