//! IndexedDB that fails at each of its operations, once and for ever: what is told, what is there afterwards,
//! and that it goes on (C11, F-79, F-121).

use std::cell::Cell;
use std::rc::Rc;

use isoroot::platform::memory::PipeNetwork;
use isoroot::platform::web::IndexedDbStore;
use isoroot::platform::{AppendOutcome, Durability, Store, StoreError};
use isoroot::{Draft, Fact};
use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::patch::{Patch, get, global};
use crate::stores::{JOURNAL, all, fresh, open, record, records};
use crate::story::node;
use crate::upkeep::{packs, scattered, size};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// What writes finds no room, at once.
    Full,
    /// What writes is taken, and the transaction then finds no room for it.
    FullLater,
    /// Anything fails: the disk is gone.
    Broken,
}

/// What the fake does.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fault: Fault,
    /// From which operation on, counted from 1; none with 0.
    from: u32,
    /// Whether all that follow fail as well.
    for_ever: bool,
}

const WRITES: [&str; 3] = ["add", "put", "delete"];
const READS: [&str; 3] = ["get", "getAll", "getAllKeys"];

fn exception(name: &str) -> JsValue {
    let error: Function = global("DOMException").unchecked_into();
    Reflect::construct(&error, &Array::of2(&"on purpose".into(), &name.into())).unwrap()
}

/// IndexedDB that fails by plan, as long as this is there; how many operations there were of those that may.
fn failing(plan: Plan) -> (Vec<Patch>, Rc<Cell<u32>>) {
    let count = Rc::new(Cell::new(0));
    let patch = |class: &str, method: &str| {
        let count = count.clone();
        Patch::of_class(class, method, move |method, this, arguments| {
            count.set(count.get() + 1);
            let hit = if plan.for_ever { count.get() >= plan.from } else { count.get() == plan.from };
            if plan.from == 0 || !hit {
                return method.apply(this, arguments);
            }
            match plan.fault {
                Fault::Full => Err(exception("QuotaExceededError")),
                Fault::Broken => Err(exception("UnknownError")),
                Fault::FullLater => {
                    let transaction = get(this, "transaction");
                    let request = method.apply(this, arguments)?;
                    let abort = Closure::once_into_js(move || {
                        // As a browser tells of it: the error is the transaction's own.
                        let value = Object::new();
                        Reflect::set(&value, &"value".into(), &exception("QuotaExceededError")).unwrap();
                        Object::define_property(
                            transaction.unchecked_ref::<Object>(),
                            &"error".into(),
                            &value,
                        );
                        let abort: Function = get(&transaction, "abort").unchecked_into();
                        // Something else may have ended it.
                        drop(abort.call0(&transaction));
                    });
                    Reflect::set(&request, &"onsuccess".into(), &abort)?;
                    Ok(request)
                }
            }
        })
    };
    let mut patches: Vec<Patch> = WRITES.iter().map(|method| patch("IDBObjectStore", method)).collect();
    if plan.fault == Fault::Broken {
        patches.extend(READS.iter().map(|method| patch("IDBObjectStore", method)));
        patches.push(patch("IDBDatabase", "transaction"));
        patches.push(patch("IDBFactory", "open"));
    }
    if plan.fault == Fault::FullLater {
        // What is being committed cannot be aborted.
        patches.push(Patch::of_class("IDBTransaction", "commit", |_, _, _| Ok(JsValue::UNDEFINED)));
    }
    (patches, count)
}

/// What was acknowledged.
#[derive(Clone, Debug, PartialEq)]
struct Acknowledged {
    records: u64,
    notes: Vec<(String, Vec<u8>)>,
}

/// A step's error must be one of these.
fn typed(error: &StoreError, plan: Plan, step: &str) {
    let expected = match plan.fault {
        Fault::Full | Fault::FullLater => matches!(error, StoreError::Full(_)),
        Fault::Broken => matches!(error, StoreError::Failed(_) | StoreError::Open { .. }),
    };
    assert!(expected, "{plan:?}: {step}: {error:?}");
}

/// Opens, appends, notes, keeps what a checkpoint is, and merges; goes on whatever fails.
async fn session(name: &str, plan: Plan, done: &mut Acknowledged) -> Option<IndexedDbStore> {
    let store = match IndexedDbStore::open(name).await {
        Ok(store) => store,
        Err(error) => {
            typed(&error, plan, "opening");
            return None;
        }
    };
    let fails = |error: StoreError, step: &str| typed(&error, plan, step);
    match store.read(JOURNAL, 1, usize::MAX).await {
        Ok(read) => assert_eq!(read.len() as u64, done.records),
        Err(error) => fails(error, "reading"),
    }
    for count in [2, 1] {
        let entries = records(done.records..done.records + count, 100);
        match store.append(JOURNAL, done.records, entries, Durability::Strict).await {
            Ok(outcome) => {
                done.records += count;
                assert!(matches!(outcome, AppendOutcome::Done(head) if head.number == done.records));
            }
            Err(error) => fails(error, "appending"),
        }
    }
    // A chunk and the head over it, then the same again.
    for (key, value) in [("checkpoint/1", 1), ("checkpoint", 1), ("checkpoint/2", 2), ("checkpoint", 2)] {
        let at = done.notes.iter().position(|(found, _)| found == key);
        let before = at.map(|at| done.notes[at].1.clone());
        match store.set_note(key, before, Some(vec![value; 300])).await {
            Ok(set) => {
                assert_eq!(set, Ok(()));
                match at {
                    Some(at) => done.notes[at].1 = vec![value; 300],
                    None => done.notes.push((key.to_owned(), vec![value; 300])),
                }
            }
            Err(error) => fails(error, "noting"),
        }
    }
    if let Err(error) = store.tidy().await {
        fails(error, "merging");
    }
    if plan.fault != Fault::Broken {
        assert_eq!(all(&store).await.len() as u64, done.records, "reading goes on while nothing fits");
    }
    Some(store)
}

#[wasm_bindgen_test]
async fn c11_f79_any_operation_may_fail_once_or_for_ever_and_nothing_acknowledged_is_lost() {
    for fault in [Fault::Full, Fault::FullLater, Fault::Broken] {
        let nothing = Plan { fault, from: 0, for_ever: false };
        let begun = Acknowledged { records: 64, notes: Vec::new() };
        let name = scattered(64).await;
        let (counting, counted) = failing(nothing);
        let mut done = begun.clone();
        session(&name, nothing, &mut done).await.unwrap();
        drop(counting);
        let operations = counted.get();
        assert_eq!(done.records, 67);
        assert!(packs(&name).await.len() < 10, "it was merged");
        assert!(operations >= if fault == Fault::Broken { 30 } else { 10 }, "{operations}");
        for (from, for_ever) in (1..=operations).flat_map(|from| [(from, false), (from, true)]) {
            let plan = Plan { fault, from, for_ever };
            let name = scattered(64).await;
            let mut done = begun.clone();
            let (spoiled, _) = failing(plan);
            let store = session(&name, plan, &mut done).await;
            drop(spoiled);
            let expected = records(0..done.records, 100);
            if let Some(store) = store {
                // The handle that failed reads on. It writes if only room was wanting.
                assert!(all(&store).await == expected, "{plan:?}");
                if fault != Fault::Broken {
                    let one = vec![record(done.records, 100)];
                    store.append(JOURNAL, done.records, one, Durability::Strict).await.unwrap();
                    done.records += 1;
                }
            }
            // Opened anew, it has what was acknowledged, no more and no less, and goes on.
            let expected = records(0..done.records, 100);
            let again = open(&name).await;
            assert!(all(&again).await == expected, "{plan:?}");
            done.notes.sort();
            assert_eq!(again.notes("").await.unwrap(), done.notes, "{plan:?}");
            assert_eq!(
                size(&packs(&name).await) as u64,
                done.records * 136,
                "nothing half, nothing twice: {plan:?}"
            );
            let one = vec![record(done.records, 100)];
            again.append(JOURNAL, done.records, one, Durability::Strict).await.unwrap();
            again.tidy().await.unwrap();
            assert!(all(&again).await == records(0..done.records + 1, 100), "{plan:?}");
        }
    }
}

#[wasm_bindgen_test]
async fn f121_a_node_finds_no_room_at_any_write_and_opens_again_with_what_it_had() {
    /// A node that appends and is closed; how many entries were acknowledged.
    async fn life(name: &str) -> Result<u64, String> {
        let store = IndexedDbStore::open(name).await.map_err(|error| error.code().to_string())?;
        let platform = isoroot::platform::web::WebPlatform::new(store, Vec::new());
        let opened = isoroot::SyncNode::create(platform, &isoroot::Genesis::named("web")).await;
        let node = opened.map_err(|error| error.code().to_string())?;
        let draft = |n: i64| Draft::new(node.device(), &[Fact::new("p", n)]).unwrap();
        let appended = node.append_all((0..300).map(draft).collect()).await;
        let count = node.root().await.unwrap().count;
        assert_eq!(count, if appended.is_ok() { 300 } else { 0 }, "all or none");
        if let Err(error) = appended {
            assert_eq!(error.code().as_str(), "STORE_FULL");
        }
        node.service().close().await.unwrap();
        Ok(count)
    }
    let nothing = Plan { fault: Fault::Full, from: 0, for_ever: false };
    let (counting, count) = failing(nothing);
    assert_eq!(life(&fresh()).await, Ok(300));
    drop(counting);
    let operations = count.get();
    assert!(operations >= 8, "{operations}");
    for (from, for_ever) in (1..=operations).flat_map(|from| [(from, false), (from, true)]) {
        let plan = Plan { fault: Fault::Full, from, for_ever };
        let name = fresh();
        let (spoiled, _) = failing(plan);
        let lived = life(&name).await;
        drop(spoiled);
        if let Err(code) = &lived {
            assert!(["STORE_FULL", "STORE_OPEN"].contains(&code.as_str()), "{plan:?}: {code}");
        }
        let again = node(&PipeNetwork::new(), open(&name).await).await;
        assert_eq!(again.root().await.unwrap().count, lived.unwrap_or(0), "{plan:?}");
        again.append([Fact::new("more", 1)]).await.unwrap();
        assert_eq!(again.status().await.unwrap().forked, 0, "{plan:?}: the device's chain goes on");
    }
}
