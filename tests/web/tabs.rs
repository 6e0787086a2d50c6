//! Several tabs on one database, as far as one page can play them: stores of one name that know nothing
//! of one another, and the lock that says who dials (C13; F-121).

use std::time::Duration;

use futures::future::{join, join_all};
use futures::{StreamExt, poll};
use isoroot::platform::memory::PipeNetwork;
use isoroot::platform::web::{IndexedDbStore, WebClock, WebTimer, hold};
use isoroot::platform::{AppendOutcome, Clock, Durability, Store, Timer};
use isoroot::{Fact, Query};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stores::{JOURNAL, all, append, fresh, open, record, records};
use crate::story::node;
use crate::timeouts::{Timeouts, turn};

/// Appends these records one by one, each behind whatever others have appended.
async fn write(store: &IndexedDbStore, numbers: std::ops::Range<u64>) {
    let mut at = 0;
    for n in numbers {
        loop {
            match store.append(JOURNAL, at, vec![record(n, 20)], Durability::Relaxed).await.unwrap() {
                AppendOutcome::Done(head) => {
                    at = head.number;
                    break;
                }
                AppendOutcome::Behind(head) => at = head.number,
            }
        }
    }
}

#[wasm_bindgen_test]
async fn c13_tabs_that_append_at_once_lose_and_double_nothing() {
    let name = fresh();
    let tabs = join_all((0..4).map(|_| open(&name))).await;
    join_all(tabs.iter().zip(0..).map(|(tab, no)| write(tab, no * 25..no * 25 + 25))).await;
    let mut expected = records(0..100, 20);
    expected.sort_by_key(|record| record.id);
    let first = all(&tabs[0]).await;
    for tab in &tabs {
        assert_eq!(all(tab).await, first);
    }
    let mut sorted = first;
    sorted.sort_by_key(|record| record.id);
    assert_eq!(sorted, expected);
    let stores: Vec<_> = join_all(tabs.iter().map(|tab| tab.head(JOURNAL))).await;
    assert!(stores.iter().all(|head| *head == stores[0]), "one store, one id");
}

#[wasm_bindgen_test]
async fn c13_an_append_is_seen_by_the_other_tabs_within_a_second() {
    let name = fresh();
    let (one, two) = (open(&name).await, open(&name).await);
    for n in 0..10 {
        let begun = WebClock.monotonic();
        let (changed, ()) = join(two.changed(JOURNAL, n), append(&one, n, records(n..n + 1, 20))).await;
        assert_eq!(changed.unwrap(), one.head(JOURNAL).await.unwrap());
        let took = WebClock.monotonic().since(begun);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[wasm_bindgen_test]
async fn c13_an_append_whose_tab_died_before_it_told_is_found_too() {
    let name = fresh();
    let (one, two) = (open(&name).await, open(&name).await);
    append(&one, 0, records(0..1, 20)).await;
    let mute = crate::patch::Patch::of_class("BroadcastChannel", "postMessage", |_, _, _| {
        Ok(wasm_bindgen::JsValue::UNDEFINED)
    });
    let mut changed = Box::pin(two.changed(JOURNAL, 1));
    assert!(poll!(&mut changed).is_pending());
    append(&one, 1, records(1..2, 20)).await;
    assert_eq!(changed.await.unwrap().number, 2);
    drop(mute);
}

#[wasm_bindgen_test]
async fn c13_nodes_on_one_database_are_one_device_and_follow_each_other() {
    let timeouts = Timeouts::counted();
    let (name, network) = (fresh(), PipeNetwork::new());
    let one = node(&network, open(&name).await).await;
    let two = node(&network, open(&name).await).await;
    assert_eq!(one.device(), two.device());
    let mut watch = two.watch(Query::all(), None);
    let writing = async |node: &isoroot::SyncNode, from: i64| {
        for n in from..from + 20 {
            node.append([Fact::new("n", n)]).await.unwrap();
        }
    };
    join(writing(&one, 0), writing(&two, 100)).await;
    let mut seen = Vec::new();
    while seen.len() < 40 {
        seen.push(watch.next().await.unwrap().unwrap().fact().unwrap().fact.value);
    }
    for n in (0..20).chain(100..120) {
        assert_eq!(seen.iter().filter(|value| **value == n.into()).count(), 1, "{n}");
    }
    while one.root().await.unwrap() != two.root().await.unwrap() {
        turn().await;
    }
    assert_eq!(one.root().await.unwrap().count, 40);
    // They look after their journal as long as they are there, and no longer.
    assert!(timeouts.live() > 0);
    drop((one, two, watch));
    for _ in 0..20 {
        turn().await;
    }
    assert_eq!(timeouts.live(), 0);
}

#[wasm_bindgen_test]
async fn f121_one_tab_holds_the_lock_and_the_next_takes_over() {
    let name = fresh();
    let first = hold(&name).await;
    // Of another store's name there is another lock.
    drop(hold(&fresh()).await);
    let mut second = Box::pin(hold(&name));
    let mut third = Box::pin(hold(&name));
    let mut given_up = Box::pin(hold(&name));
    for _ in 0..20 {
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut given_up).is_pending());
        assert!(poll!(&mut third).is_pending());
        turn().await;
    }
    // Who no longer waits does not get it.
    drop(given_up);
    drop(first);
    let second = second.await;
    for _ in 0..20 {
        assert!(poll!(&mut third).is_pending());
        turn().await;
    }
    drop(second);
    let third = third.await;
    // A future that is dropped with the lock already granted passes it on.
    let mut fourth = Box::pin(hold(&name));
    assert!(poll!(&mut fourth).is_pending());
    drop(third);
    WebTimer.sleep(Duration::from_millis(50)).await;
    drop(fourth);
    drop(hold(&name).await);
}
