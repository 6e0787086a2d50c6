//! The database under the store: newer formats, deletion, upgrades by others, and what is damaged
//! (C11, C15).

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::{StreamExt, poll};
use isoroot::platform::memory::PipeNetwork;
use isoroot::platform::web::IndexedDbStore;
use isoroot::platform::{Durability, Store, StoreError};
use isoroot::{Fact, Fault, Query};
use js_sys::{Array, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbRequest};

use crate::patch::{get, global};
use crate::stores::{JOURNAL, all, append, fresh, open, records};
use crate::timeouts::turn;

pub fn factory() -> IdbFactory {
    global("indexedDB").unchecked_into()
}

pub fn path(name: &str) -> String {
    format!("isoroot:{name}")
}

/// The result of a request.
pub async fn answer(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let (sender, receiver) = oneshot::channel();
    let sender = Rc::new(RefCell::new(Some(sender)));
    let done = Closure::<dyn FnMut()>::new(move || {
        if let Some(sender) = sender.take() {
            sender.send(()).unwrap();
        }
    });
    request.set_onsuccess(Some(done.as_ref().unchecked_ref()));
    request.set_onerror(Some(done.as_ref().unchecked_ref()));
    receiver.await.unwrap();
    request.result()
}

/// The database of a store, opened by hand, with what is done while it is brought to `version`.
pub async fn opened(name: &str, version: u32, upgrade: impl FnMut(&IdbDatabase) + 'static) -> IdbDatabase {
    let request: IdbOpenDbRequest = factory().open_with_u32(&path(name), version).unwrap();
    let mut upgrade = upgrade;
    let upgraded = request.clone();
    let upgrade = Closure::<dyn FnMut()>::new(move || upgrade(&upgraded.result().unwrap().unchecked_into()));
    request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
    answer(&request).await.unwrap().unchecked_into()
}

/// Deletes the database of a store; resolves when it is gone.
pub async fn delete(name: &str) {
    let request = factory().delete_database(&path(name)).unwrap();
    answer(&request).await.unwrap();
}

/// Runs one change in a transaction of its own, by hand.
pub async fn tamper(
    name: &str,
    store: &str,
    change: impl FnOnce(&web_sys::IdbObjectStore) -> Result<IdbRequest, JsValue>,
) {
    let database = opened(name, 1, |_| panic!("it is there")).await;
    let arguments = Array::of2(&store.into(), &"readwrite".into());
    let begin: js_sys::Function = get(&database, "transaction").unchecked_into();
    let transaction: web_sys::IdbTransaction = begin.apply(&database, &arguments).unwrap().unchecked_into();
    answer(&change(&transaction.object_store(store).unwrap()).unwrap()).await.unwrap();
    database.close();
}

/// Names and versions of all databases.
pub async fn databases() -> Vec<(String, f64)> {
    let list: js_sys::Function = get(&factory(), "databases").unchecked_into();
    let list: Promise = list.call0(&factory()).unwrap().unchecked_into();
    let list: Array = JsFuture::from(list).await.unwrap().unchecked_into();
    let database =
        |one: JsValue| (get(&one, "name").as_string().unwrap(), get(&one, "version").as_f64().unwrap());
    list.iter().map(database).collect()
}

#[wasm_bindgen_test]
async fn c15_a_newer_format_is_too_new_and_is_not_touched() {
    let name = fresh();
    let newer = opened(&name, 7, |database| {
        database.create_object_store("future").unwrap();
    })
    .await;
    newer.close();
    let error = IndexedDbStore::open(&name).await.unwrap_err();
    assert_eq!(error, StoreError::TooNew { found: 7, known: 1 });
    let again = opened(&name, 7, |_| panic!("it was changed")).await;
    assert_eq!(get(&get(&again, "objectStoreNames"), "length"), 1);
    again.close();

    // Said by the content alone.
    let name = fresh();
    drop(open(&name).await);
    tamper(&name, "meta", |meta| meta.put_with_key(&3.into(), &"format".into())).await;
    let error = IndexedDbStore::open(&name).await.unwrap_err();
    assert_eq!(error, StoreError::TooNew { found: 3, known: 1 });
}

#[wasm_bindgen_test]
async fn c15_a_tab_lets_a_newer_version_upgrade_and_is_told_that_it_is_too_old() {
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..2, 10)).await;
    // It does not have to wait for the store to be dropped.
    opened(&name, 2, |_| {}).await.close();
    let too_new = StoreError::TooNew { found: 2, known: 1 };
    assert_eq!(store.head(JOURNAL).await, Err(too_new.clone()));
    let appended = store.append(JOURNAL, 2, records(2..3, 10), Durability::Strict).await;
    assert_eq!(appended, Err(too_new));
}

#[wasm_bindgen_test]
async fn c11_a_database_deleted_under_a_store_is_an_error_and_does_not_come_back_empty() {
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..2, 10)).await;
    delete(&name).await;
    let deleted = |error: &StoreError| matches!(error, StoreError::Evicted(why) if why.contains("deleted"));
    assert!(store.head(JOURNAL).await.is_err_and(|error| deleted(&error)));
    let appended = store.append(JOURNAL, 2, records(2..3, 10), Durability::Strict).await;
    assert!(appended.is_err_and(|error| deleted(&error)));
    assert!(databases().await.iter().all(|(found, _)| *found != path(&name)), "it was made anew");

    // Another store in its place is not taken for it.
    let other = open(&name).await;
    append(&other, 0, records(7..8, 10)).await;
    let error = store.read(JOURNAL, 1, 100).await.unwrap_err();
    assert!(matches!(&error, StoreError::Evicted(why) if why.contains("another")), "{error}");
    assert_eq!(error.code().as_str(), "STORE_EVICTED");
    assert_eq!(all(&other).await, records(7..8, 10));
}

#[wasm_bindgen_test]
async fn c11_a_journal_that_is_gone_is_not_taken_for_an_empty_one() {
    let evicted = |error: &StoreError| matches!(error, StoreError::Evicted(_));
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..3, 10)).await;
    let other = open(&name).await;
    let id: JsValue = js_sys::Uint8Array::from([9; 32].as_slice()).into();
    tamper(&name, "journals", move |journals| journals.delete(&id)).await;
    tamper(&name, "packs", |packs| packs.clear()).await;
    // Who had seen its entries knows, and does not begin it anew.
    assert!(store.head(JOURNAL).await.is_err_and(|error| evicted(&error)));
    assert!(store.changed(JOURNAL, 3).await.is_err_and(|error| evicted(&error)));
    for at in [0, 3] {
        let appended = store.append(JOURNAL, at, records(3..4, 10), Durability::Strict).await;
        assert!(appended.is_err_and(|error| evicted(&error)));
    }
    // Who had not cannot know.
    append(&other, 0, records(7..8, 10)).await;
    assert!(store.head(JOURNAL).await.is_err_and(|error| evicted(&error)), "one is not three");
}

#[wasm_bindgen_test]
async fn c11_a_node_whose_database_was_deleted_says_so_by_a_code_of_its_own() {
    let name = fresh();
    let node = crate::story::node(&PipeNetwork::new(), open(&name).await).await;
    node.append([Fact::new("a", 1)]).await.unwrap();
    delete(&name).await;
    for _ in 0..2 {
        let error = node.append([Fact::new("a", 2)]).await.unwrap_err();
        assert_eq!((error.code().as_str(), error.fault()), ("STORE_EVICTED", Fault::Store));
    }
    let read: Vec<_> = node.facts(Query::all()).collect().await;
    assert!(matches!(&read[..], [Err(error)] if error.code().as_str() == "STORE_EVICTED"), "{read:?}");
    drop(node);
    // Opened again it begins anew.
    let again = crate::story::node(&PipeNetwork::new(), open(&name).await).await;
    assert_eq!(again.root().await.unwrap().count, 0);
    again.append([Fact::new("a", 3)]).await.unwrap();
}

#[wasm_bindgen_test]
async fn c11_a_store_that_is_dropped_while_it_opens_holds_up_nobody() {
    let name = fresh();
    for turns in 0..6 {
        let mut opening = Box::pin(IndexedDbStore::open(&name));
        for _ in 0..turns {
            if poll!(&mut opening).is_ready() {
                break;
            }
            turn().await;
        }
        drop(opening);
        // It would wait for a connection that nobody closes.
        delete(&name).await;
    }
}

#[wasm_bindgen_test]
async fn c11_damage_is_told_and_not_served() {
    let damaged = |error: StoreError| matches!(error, StoreError::Damaged(_));
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..2, 10)).await;
    append(&store, 2, records(2..4, 10)).await;
    let key = |last: u32| -> JsValue {
        Array::of2(&js_sys::Uint8Array::from([9; 32].as_slice()), &last.into()).into()
    };
    let gone = key(2);
    tamper(&name, "packs", move |packs| packs.delete(&gone)).await;
    assert!(damaged(store.read(JOURNAL, 1, usize::MAX).await.unwrap_err()));
    assert!(damaged(store.fetch(JOURNAL, vec![4, 1]).await.unwrap_err()));
    assert!(damaged(store.ids(JOURNAL, 1, 10).await.unwrap_err()));
    assert_eq!(store.read(JOURNAL, 3, usize::MAX).await.unwrap().len(), 2, "what is whole can be read");
    let half = key(4);
    tamper(&name, "packs", move |packs| packs.put_with_key(&js_sys::Object::new(), &half)).await;
    assert!(damaged(store.read(JOURNAL, 3, usize::MAX).await.unwrap_err()));

    // A head that lies: the pack that would be written over stays, and nothing is written any more.
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..2, 10)).await;
    tamper(&name, "journals", |journals| journals.delete(&js_sys::Uint8Array::from([9; 32].as_slice())))
        .await;
    let known = store.append(JOURNAL, 0, records(5..7, 10), Durability::Strict).await.unwrap_err();
    assert!(matches!(known, StoreError::Evicted(_)), "it had entries: {known}");
    let store = open(&name).await;
    let error = store.append(JOURNAL, 0, records(5..7, 10), Durability::Strict).await.unwrap_err();
    assert!(damaged(error));
    assert_eq!(all(&store).await, records(0..2, 10));
    let after = store.append(JOURNAL, 0, records(5..6, 10), Durability::Strict).await;
    assert!(damaged(after.unwrap_err()));

    let name = fresh();
    drop(open(&name).await);
    tamper(&name, "meta", |meta| meta.delete(&"store".into())).await;
    assert!(damaged(IndexedDbStore::open(&name).await.unwrap_err()));
}
