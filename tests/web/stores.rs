//! The IndexedDB store: its contract, its durability, its packs (C11, C13; F-121).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use futures::poll;
use isoroot::platform::web::IndexedDbStore;
use isoroot::platform::{AppendOutcome, Durability, Store, StoredRecord, conformance};
use isoroot::{EntryId, Genesis, JournalId, Query};
use js_sys::Reflect;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::patch::Patch;
use crate::story::{node, story};
use crate::timeouts::{Timeouts, turn};

pub const JOURNAL: JournalId = JournalId::from_bytes([9; 32]);

/// A name that no store has.
pub fn fresh() -> String {
    format!("test-{}", js_sys::Math::random())
}

pub async fn open(name: &str) -> IndexedDbStore {
    IndexedDbStore::open(name).await.unwrap()
}

/// A record of its own for each number.
pub fn record(n: u64, length: usize) -> StoredRecord {
    let mut id = [1; 32];
    id[..8].copy_from_slice(&n.to_be_bytes());
    StoredRecord { id: EntryId::from_bytes(id), bytes: Arc::from(vec![n.to_le_bytes()[0]; length]) }
}

pub fn records(range: std::ops::Range<u64>, length: usize) -> Vec<StoredRecord> {
    range.map(|n| record(n, length)).collect()
}

pub async fn append(store: &IndexedDbStore, at: u64, entries: Vec<StoredRecord>) {
    let expected = at + entries.len() as u64;
    match store.append(JOURNAL, at, entries, Durability::Strict).await.unwrap() {
        AppendOutcome::Done(head) => assert_eq!(head.number, expected),
        AppendOutcome::Behind(head) => panic!("behind {head:?} at {at}"),
    }
}

/// All records, by one read.
pub async fn all(store: &IndexedDbStore) -> Vec<StoredRecord> {
    let read = store.read(JOURNAL, 1, usize::MAX).await.unwrap();
    let numbers: Vec<_> = read.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=read.len() as u64).collect::<Vec<_>>());
    read.into_iter().map(|(_, record)| record).collect()
}

#[wasm_bindgen_test]
async fn c11_c13_the_indexed_db_store_keeps_the_contract() {
    let opened = Cell::new(0);
    conformance::store::all(|| async {
        opened.set(opened.get() + 1);
        open(&fresh()).await
    })
    .await;
    assert!(opened.get() > 10);
}

#[wasm_bindgen_test]
async fn f121_what_was_appended_is_there_when_the_store_is_opened_again() {
    let name = fresh();
    let store = open(&name).await;
    append(&store, 0, records(0..3, 10)).await;
    store.set_note("device", None, Some(vec![1, 2])).await.unwrap().unwrap();
    let head = store.head(JOURNAL).await.unwrap();
    drop(store);
    let store = open(&name).await;
    assert_eq!(store.head(JOURNAL).await.unwrap(), head, "number and store id");
    assert_eq!(all(&store).await, records(0..3, 10));
    assert_eq!(store.note("device").await.unwrap(), Some(vec![1, 2]));
    let other = open(&fresh()).await;
    assert_ne!(other.head(JOURNAL).await.unwrap().store, head.store);
    assert_eq!(other.note("device").await.unwrap(), None);
}

#[wasm_bindgen_test]
async fn c11_appends_are_strict_unless_relaxed_is_asked_for_and_notes_always() {
    let store = open(&fresh()).await;
    let seen = Rc::new(RefCell::new(Vec::new()));
    let recorded = seen.clone();
    let patch = Patch::of_class("IDBDatabase", "transaction", move |transaction, this, arguments| {
        let transaction = transaction.apply(this, arguments)?;
        let part = |name| Reflect::get(&transaction, &JsValue::from_str(name)).unwrap().as_string().unwrap();
        if part("mode") == "readwrite" {
            recorded.borrow_mut().push(part("durability"));
        }
        Ok(transaction)
    });
    store.append(JOURNAL, 0, records(0..1, 10), Durability::Strict).await.unwrap();
    store.append(JOURNAL, 1, records(1..2, 10), Durability::Relaxed).await.unwrap();
    store.set_note("a", None, Some(vec![])).await.unwrap().unwrap();
    drop(patch);
    assert_eq!(seen.take(), ["strict", "relaxed", "strict"]);
}

#[wasm_bindgen_test]
async fn c11_large_appends_are_cut_into_packs_and_read_in_pages() {
    let store = open(&fresh()).await;
    // Some 3 MB in one append, single records, and one that is larger than a pack.
    append(&store, 0, records(0..3_000, 1_000)).await;
    for n in 3_000..3_050 {
        append(&store, n, records(n..n + 1, 500)).await;
    }
    append(&store, 3_050, records(3_050..3_051, 1_000_000)).await;
    append(&store, 3_051, records(3_051..3_060, 0)).await;
    let mut expected = records(0..3_000, 1_000);
    expected.extend(records(3_000..3_050, 500));
    expected.extend(records(3_050..3_051, 1_000_000));
    expected.extend(records(3_051..3_060, 0));
    assert!(all(&store).await == expected);

    let mut pages = 0;
    let mut read = Vec::new();
    loop {
        let page = store.read(JOURNAL, read.len() as u64 + 1, 60_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        let bytes = page.iter().map(|(_, record)| record.bytes.len());
        let (all, first): (usize, _) = (bytes.clone().sum(), bytes.clone().next().unwrap());
        // One in any case, and behind one that is too large only what takes nothing.
        assert!(all <= 60_000 || all == first);
        read.extend(page.into_iter().map(|(_, record)| record));
        pages += 1;
    }
    assert!(read == expected && pages > 50);

    // Every third backwards, and some that are not there.
    let asked: Vec<u64> = (0..3_100).rev().step_by(3).collect();
    let fetched = store.fetch(JOURNAL, asked.clone()).await.unwrap();
    let wanted: Vec<u64> = asked.into_iter().filter(|n| (1..=3_060).contains(n)).collect();
    assert_eq!(fetched.iter().map(|(number, _)| *number).collect::<Vec<_>>(), wanted);
    for (number, record) in fetched {
        assert!(record == expected[usize::try_from(number).unwrap() - 1]);
    }
    let ids = store.ids(JOURNAL, 1, usize::MAX).await.unwrap();
    assert!(ids.iter().eq(expected.iter().map(|record| &record.id)));
}

#[wasm_bindgen_test]
async fn c11_a_dropped_append_happens_whole_or_not_at_all() {
    let name = fresh();
    let store = open(&name).await;
    let mut head = 0;
    for round in 0..40_u64 {
        {
            let entries = records(round * 3..round * 3 + 3, 100);
            let mut appending = Box::pin(store.append(JOURNAL, head, entries, Durability::Relaxed));
            // Dropped in every stage, from before its transaction begins to after it was committed.
            for _ in 0..round / 4 {
                if poll!(&mut appending).is_ready() {
                    break;
                }
                turn().await;
            }
        }
        let now = all(&store).await.len() as u64;
        assert!(now == head || now == head + 3, "{now} after {head}");
        head = now;
    }
    assert!(head > 0 && head < 120, "{head}: it was never dropped in time, or always");
    drop(store);
    assert_eq!(open(&name).await.head(JOURNAL).await.unwrap().number, head);
}

#[wasm_bindgen_test]
async fn f124_nodes_on_indexed_db_sync_and_keep_what_they_have() {
    let timeouts = Timeouts::counted();
    let (names, network) = ([fresh(), fresh()], isoroot::platform::memory::PipeNetwork::new());
    let (a, b) = story(open(&names[0]).await, open(&names[1]).await).await;
    let (root, device) = (a.root().await.unwrap(), a.device());
    drop((a, b));
    let a = node(&network, open(&names[0]).await).await;
    assert_eq!((a.root().await.unwrap(), a.device()), (root, device));
    assert_eq!(a.service().journals().await.unwrap(), [Genesis::named("web").journal()]);
    assert_eq!(futures::StreamExt::count(a.facts(Query::all())).await, 803);
    drop(a);
    for _ in 0..20 {
        turn().await;
    }
    assert_eq!(timeouts.live(), 0);
}

#[wasm_bindgen_test]
async fn c11_whether_the_browser_keeps_the_data_is_told() {
    // A fresh profile is rarely granted it: that it answers is what matters.
    let _: bool = IndexedDbStore::persist().await;
    // And that it says what the browser says. A worker can only look.
    let storage = crate::patch::get(&crate::patch::global("navigator"), "storage");
    let method = if Reflect::has(&storage, &"persist".into()).unwrap() { "persist" } else { "persisted" };
    for (answer, expected) in [(JsValue::TRUE, true), (JsValue::FALSE, false)] {
        let answered =
            Patch::new(&storage, method, move |_, _, _| Ok(js_sys::Promise::resolve(&answer).into()));
        assert_eq!(IndexedDbStore::persist().await, expected);
        drop(answered);
    }
    let refused = Patch::new(&storage, method, |_, _, _| Ok(js_sys::Promise::reject(&"no".into()).into()));
    assert!(!IndexedDbStore::persist().await);
    drop(refused);
    let thrown = Patch::new(&storage, method, |_, _, _| Err("no".into()));
    assert!(!IndexedDbStore::persist().await);
    drop(thrown);
}
