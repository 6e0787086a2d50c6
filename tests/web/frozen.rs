//! A tab that is frozen holds up no other: no transaction of the store stays open but for its own requests
//! (C13, F-121).

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use futures::poll;
use isoroot::platform::memory::PipeNetwork;
use isoroot::platform::{Durability, Store};
use isoroot::{Fact, Query};
use js_sys::Function;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::patch::{Patch, get};
use crate::stores::{JOURNAL, fresh, open, records};
use crate::story::node;
use crate::timeouts::turn;
use crate::upkeep::{packs, scattered};

/// Hears that a transaction is over.
type End = Closure<dyn FnMut()>;

/// Counts the transactions that have begun and not ended.
struct Transactions {
    active: Rc<Cell<i32>>,
    begun: Rc<Cell<u32>>,
    _ends: Rc<RefCell<Vec<End>>>,
    _patch: Patch,
}

impl Transactions {
    fn watched() -> Self {
        let (active, begun) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let ends = Rc::new(RefCell::new(Vec::new()));
        let (counted, all, kept) = (active.clone(), begun.clone(), ends.clone());
        let patch = Patch::of_class("IDBDatabase", "transaction", move |transaction, this, arguments| {
            let transaction = transaction.apply(this, arguments)?;
            counted.set(counted.get() + 1);
            all.set(all.get() + 1);
            let over = counted.clone();
            let end = End::new(move || over.set(over.get() - 1));
            let listen: Function = get(&transaction, "addEventListener").unchecked_into();
            for kind in ["complete", "abort"] {
                listen.call2(&transaction, &kind.into(), end.as_ref())?;
            }
            kept.borrow_mut().push(end);
            Ok(transaction)
        });
        Self { active, begun, _ends: ends, _patch: patch }
    }

    fn active(&self) -> i32 {
        self.active.get()
    }

    fn begun(&self) -> u32 {
        self.begun.get()
    }
}

/// Begins a call, and lets nobody go on with it: as in a tab that is frozen once its requests are made. Its
/// transaction ends all the same, and another tab can write.
async fn frozen<T>(transactions: &Transactions, name: &str, what: &str, call: impl Future<Output = T>) {
    while transactions.active() > 0 {
        turn().await;
    }
    let mut call: Pin<Box<_>> = Box::pin(call);
    let before = transactions.begun();
    assert!(poll!(&mut call).is_pending(), "{what}");
    assert_eq!((transactions.begun(), transactions.active()), (before + 1, 1), "{what}");
    let mut turns = 0;
    while transactions.active() > 0 {
        turn().await;
        turns += 1;
        assert!(turns < 1_000, "{what}: its transaction waits for somebody");
    }
    let other = open(name).await;
    other.set_note("other", None, Some(vec![1])).await.unwrap().unwrap();
    other.set_note("other", Some(vec![1]), None).await.unwrap().unwrap();
    // Thawed it comes to its end.
    call.await;
    assert_eq!(transactions.active(), 0, "{what}: settled, and a transaction is still open");
}

#[wasm_bindgen_test]
async fn c13_a_frozen_tab_holds_no_transaction() {
    let name = scattered(64).await;
    let store = open(&name).await;
    let seen = Transactions::watched();
    frozen(&seen, &name, "head", store.head(JOURNAL)).await;
    frozen(&seen, &name, "read", store.read(JOURNAL, 1, usize::MAX)).await;
    frozen(&seen, &name, "merge", store.tidy()).await;
    assert_eq!(packs(&name).await.len(), 1, "it was merged");
    frozen(&seen, &name, "append", store.append(JOURNAL, 64, records(64..66, 100), Durability::Strict)).await;
    frozen(&seen, &name, "behind", store.append(JOURNAL, 64, records(64..66, 100), Durability::Strict)).await;
    frozen(&seen, &name, "fetch", store.fetch(JOURNAL, vec![1, 65])).await;
    frozen(&seen, &name, "ids", store.ids(JOURNAL, 1, usize::MAX)).await;
    frozen(&seen, &name, "set_note", store.set_note("n", None, Some(vec![1]))).await;
    frozen(&seen, &name, "changed note", store.set_note("n", None, Some(vec![1]))).await;
    frozen(&seen, &name, "note", store.note("n")).await;
    frozen(&seen, &name, "notes", store.notes("")).await;
    assert_eq!(store.head(JOURNAL).await.unwrap().number, 66);
    assert_eq!(store.note("n").await.unwrap(), Some(vec![1]));

    // Who waits for others to append waits without one.
    let mut changed = Box::pin(store.changed(JOURNAL, 66));
    let mut turns = 0;
    while turns < 20 {
        assert!(poll!(&mut changed).is_pending());
        turns = if seen.active() == 0 { turns + 1 } else { 0 };
        turn().await;
    }
}

#[wasm_bindgen_test]
async fn c13_what_waits_for_the_network_or_a_timer_holds_no_transaction() {
    let (name, network) = (fresh(), PipeNetwork::new());
    let seen = Transactions::watched();
    let node = node(&network, open(&name).await).await;
    for n in 0..20 {
        node.append([Fact::new("n", n)]).await.unwrap();
    }
    // A peer that takes the connection and never says a word.
    let mut listener = network.listen("silent").unwrap();
    node.add_peer("pipe:silent").await.unwrap();
    node.start().await.unwrap();
    let connection = isoroot::platform::Listener::accept(&mut listener).await.unwrap();
    let mut sync = Box::pin(node.sync());
    let mut watch = Box::pin(node.watch(Query::all().prefix("never/"), None));
    let mut idle = 0;
    for _ in 0..200 {
        assert!(poll!(&mut sync).is_pending());
        assert!(poll!(futures::StreamExt::next(&mut watch)).is_pending());
        idle = if seen.active() == 0 { idle + 1 } else { 0 };
        turn().await;
    }
    assert!(idle > 20, "{idle}: nothing is going on, and a transaction is open");
    drop((sync, watch, connection));
    node.service().close().await.unwrap();
    assert_eq!(seen.active(), 0, "closed");
}
