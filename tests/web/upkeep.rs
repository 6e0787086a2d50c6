//! Upkeep of the store: small packs are merged, whatever fails and whoever writes meanwhile (C11, C13).

use std::cell::Cell;
use std::rc::Rc;

use futures::future::join3;
use isoroot::platform::memory::PipeNetwork;
use isoroot::platform::{Durability, Store, StoreError, StoredRecord};
use isoroot::{Fact, LoadedFrom, Query};
use js_sys::{Array, Function, Object, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::database::{answer, opened, tamper};
use crate::patch::{Patch, get, global};
use crate::stores::{JOURNAL, all, append, fresh, open, record, records};
use crate::story::node;
use crate::timeouts::turn;

/// A pack as it is in the database.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    last: f64,
    first: f64,
    ids: Vec<u8>,
    lengths: Vec<u32>,
    bytes: Vec<u8>,
}

/// All packs of a store, read by hand.
pub async fn packs(name: &str) -> Vec<Pack> {
    let database = opened(name, 1, |_| panic!("it is there")).await;
    let transaction = database.transaction_with_str("packs").unwrap();
    let store = transaction.object_store("packs").unwrap();
    let (keys, values) = (store.get_all_keys().unwrap(), store.get_all().unwrap());
    let (keys, values): (Array, Array) =
        (answer(&keys).await.unwrap().unchecked_into(), answer(&values).await.unwrap().unchecked_into());
    database.close();
    let pack = |(key, value): (JsValue, JsValue)| Pack {
        last: key.unchecked_into::<Array>().get(1).as_f64().unwrap(),
        first: get(&value, "first").as_f64().unwrap(),
        ids: get(&value, "ids").unchecked_into::<Uint8Array>().to_vec(),
        lengths: get(&value, "lengths").unchecked_into::<Uint32Array>().to_vec(),
        bytes: get(&value, "bytes").unchecked_into::<Uint8Array>().to_vec(),
    };
    keys.iter().zip(values.iter()).map(pack).collect()
}

/// What the packs take.
pub fn size(packs: &[Pack]) -> usize {
    packs.iter().map(|pack| pack.ids.len() + 4 * pack.lengths.len() + pack.bytes.len()).sum()
}

/// A store with so many records of 100 bytes, each in a pack of its own, put there by hand: nobody has seen
/// them.
pub async fn scattered(count: u32) -> String {
    let name = fresh();
    drop(open(&name).await);
    let journal = Uint8Array::from([9; 32].as_slice());
    let mut added = Vec::new();
    for last in 1..=count {
        let StoredRecord { id, bytes } = record(u64::from(last) - 1, 100);
        let pack = object(&[
            ("first", last.into()),
            ("ids", Uint8Array::from(id.as_bytes().as_slice()).into()),
            ("lengths", Uint32Array::from([100].as_slice()).into()),
            ("bytes", Uint8Array::from(&*bytes).into()),
        ]);
        added.push((Array::of2(&journal, &last.into()), pack));
    }
    tamper(&name, "packs", |packs| {
        let mut request = packs.count()?;
        for (key, pack) in added {
            request = packs.put_with_key(&pack, &key)?;
        }
        Ok(request)
    })
    .await;
    let head = object(&[("head", count.into())]);
    tamper(&name, "journals", |journals| journals.put_with_key(&head, &journal)).await;
    name
}

fn object(properties: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        Reflect::set(&object, &JsValue::from_str(name), value).unwrap();
    }
    object
}

#[wasm_bindgen_test]
async fn c11_a_thousand_appends_of_one_entry_end_as_few_packs_and_read_the_same() {
    let name = fresh();
    let store = open(&name).await;
    for n in 0..1_000 {
        store.append(JOURNAL, n, records(n..n + 1, 100), Durability::Relaxed).await.unwrap();
    }
    store.tidy().await.unwrap();
    let merged = packs(&name).await;
    // Fewer than 64 that are left, and some that came of merging.
    assert!(merged.len() < 70, "{} packs", merged.len());
    assert_eq!(size(&merged), 1_000 * 136, "it has not grown");

    for store in [store, open(&name).await] {
        assert!(all(&store).await == records(0..1_000, 100));
        let ids = store.ids(JOURNAL, 1, usize::MAX).await.unwrap();
        assert!(ids.into_iter().eq(records(0..1_000, 0).into_iter().map(|record| record.id)));
        let ids = store.ids(JOURNAL, 700, 5).await.unwrap();
        assert!(ids.into_iter().eq(records(699..704, 0).into_iter().map(|record| record.id)));
        let asked = vec![1_000, 1, 64, 65, 500, 1_001];
        let fetched = store.fetch(JOURNAL, asked.clone()).await.unwrap();
        assert!(fetched.into_iter().eq(asked[..5].iter().map(|n| (*n, record(n - 1, 100)))));
        assert_eq!(store.head(JOURNAL).await.unwrap().number, 1_000);
        append(&store, 1_000, vec![]).await;
    }
}

#[wasm_bindgen_test]
async fn c11_packs_fill_up_to_a_quarter_of_a_megabyte_and_no_further() {
    let name = fresh();
    let store = open(&name).await;
    // 2,100 records of 1,036 bytes, which are some 2.1 MB; then what is large already.
    for n in 0..2_100 {
        store.append(JOURNAL, n, records(n..n + 1, 1_000), Durability::Relaxed).await.unwrap();
    }
    for n in 2_100..2_110 {
        store.append(JOURNAL, n, records(n..n + 1, 150_000), Durability::Relaxed).await.unwrap();
    }
    store.tidy().await.unwrap();
    let merged = packs(&name).await;
    assert!(merged.len() < 9 + 10 + 10, "{} packs", merged.len());
    assert!(merged.iter().all(|pack| size(std::slice::from_ref(pack)) <= 262_144));
    // But for the first, which the last small ones were merged with.
    assert!(merged.iter().filter(|pack| pack.lengths == [150_000]).count() >= 9, "left as they are");
    assert_eq!(all(&store).await.len(), 2_110);
}

#[wasm_bindgen_test]
async fn c11_merging_goes_on_in_the_background_and_where_an_opened_journal_was_left() {
    let name = scattered(300).await;
    let store = open(&name).await;
    assert_eq!(packs(&name).await.len(), 300, "nothing happens unseen");
    store.ids(JOURNAL, 1, usize::MAX).await.unwrap();
    let mut turns = 0;
    while packs(&name).await.len() > 70 {
        turn().await;
        turns += 1;
        assert!(turns < 10_000, "it never comes to an end");
    }
    assert!(all(&store).await == records(0..300, 100));
}

/// Keeps the background from merging anything: the pause before that never ends.
fn no_background() -> Patch {
    Patch::new(&js_sys::global(), "setTimeout", |set_timeout, this, arguments| {
        let delay = if arguments.get(1) == 20 { 1_000_000.into() } else { arguments.get(1) };
        set_timeout.call2(this, &arguments.get(0), &delay)
    })
}

/// Lets everything that asks for, puts or deletes packs pass, until the `n`th request of transactions that
/// write; that one and all later ones are spoiled. How many requests there were.
fn spoiling(n: u32, spoil: fn(&JsValue) -> Result<(), JsValue>) -> ([Patch; 4], Rc<Cell<u32>>) {
    let count = Rc::new(Cell::new(0));
    let patch = |method: &str| {
        let count = count.clone();
        Patch::of_class("IDBObjectStore", method, move |method, this, arguments| {
            let transaction = get(this, "transaction");
            if get(&transaction, "mode") == "readwrite" {
                count.set(count.get() + 1);
                if n > 0 && count.get() >= n {
                    let request = method.apply(this, arguments)?;
                    spoil(&transaction)?;
                    return Ok(request);
                }
            }
            method.apply(this, arguments)
        })
    };
    // What is being committed cannot be aborted.
    let commit = Patch::of_class("IDBTransaction", "commit", |_, _, _| Ok(JsValue::UNDEFINED));
    ([patch("getAll"), patch("put"), patch("delete"), commit], count)
}

fn abort(transaction: &JsValue) -> Result<(), JsValue> {
    get(transaction, "abort").unchecked_into::<Function>().call0(transaction).map(drop)
}

fn no_room(_: &JsValue) -> Result<(), JsValue> {
    let error: Function = global("DOMException").unchecked_into();
    Err(Reflect::construct(&error, &Array::of2(&"no room".into(), &"QuotaExceededError".into()))?)
}

#[wasm_bindgen_test]
async fn c11_a_merge_that_fails_at_any_request_leaves_all_as_it_was() {
    let name = scattered(64).await;
    let _alone = no_background();
    let before = packs(&name).await;
    let (counting, count) = spoiling(0, abort);
    let trial = scattered(64).await;
    let store = open(&trial).await;
    all(&store).await;
    count.set(0);
    store.tidy().await.unwrap();
    drop(counting);
    let requests = count.get();
    assert_eq!(requests, 3, "one merge: get, put, delete");
    for (spoil, full) in [(abort as fn(&JsValue) -> _, false), (no_room, true)] {
        for n in 1..=requests {
            let store = open(&name).await;
            all(&store).await;
            let (spoiled, count) = spoiling(n, spoil);
            let error = store.tidy().await.unwrap_err();
            assert_eq!(matches!(error, StoreError::Full(_)), full, "{n}: {error}");
            assert!(full || matches!(error, StoreError::Failed(_)), "{n}: {error}");
            assert!(count.get() >= n);
            drop(spoiled);
            assert!(packs(&name).await == before, "spoiled at {n}");
            // Neither reading nor appending minds.
            assert!(all(&store).await == records(0..64, 100));
            store.set_note("n", None, Some(vec![])).await.unwrap().unwrap();
            store.set_note("n", Some(vec![]), None).await.unwrap().unwrap();
        }
    }
    let store = open(&name).await;
    all(&store).await;
    store.tidy().await.unwrap();
    assert_eq!(packs(&name).await.len(), 1);
    append(&store, 64, records(64..65, 100)).await;
    assert!(all(&open(&name).await).await == records(0..65, 100));
}

#[wasm_bindgen_test]
async fn c13_a_tab_appends_and_another_reads_while_one_merges() {
    let name = scattered(200).await;
    let (writing, reading, merging) = (open(&name).await, open(&name).await, open(&name).await);
    let done = Cell::new(false);
    let write = async {
        for n in 200..400 {
            append(&writing, n, records(n..n + 1, 100)).await;
        }
        done.set(true);
    };
    let read = async {
        let mut seen = 200;
        while !done.get() {
            let found = all(&reading).await;
            assert!(found.len() as u64 >= seen);
            seen = found.len() as u64;
            assert!(found == records(0..seen, 100));
            let ids = reading.ids(JOURNAL, 1, usize::MAX).await.unwrap();
            assert!(ids.into_iter().zip(records(0..400, 0)).all(|(id, record)| id == record.id));
            let asked: Vec<u64> = (1..=seen).step_by(7).collect();
            assert_eq!(reading.fetch(JOURNAL, asked.clone()).await.unwrap().len(), asked.len());
        }
    };
    let merge = async {
        while !done.get() {
            all(&merging).await;
            merging.tidy().await.unwrap();
        }
    };
    join3(write, read, merge).await;
    let store = open(&name).await;
    assert!(all(&store).await == records(0..400, 100));
    let left = packs(&name).await;
    assert_eq!(size(&left), 400 * 136, "none is there twice");
    assert!(left.len() < 100, "{} packs", left.len());
}

#[wasm_bindgen_test]
async fn c13_two_tabs_that_merge_the_same_do_it_once() {
    let name = scattered(200).await;
    let (one, two) = (open(&name).await, open(&name).await);
    all(&one).await;
    all(&two).await;
    let (first, second) = futures::future::join(one.tidy(), two.tidy()).await;
    first.unwrap();
    second.unwrap();
    let left = packs(&name).await;
    assert!(left.len() < 70, "{} packs", left.len());
    assert_eq!(size(&left), 200 * 136);
    // What a tab planned, and another has merged with more, is left alone.
    let _alone = no_background();
    let name = scattered(64).await;
    let (one, two) = (open(&name).await, open(&name).await);
    all(&one).await;
    for n in 64..200 {
        append(&two, n, records(n..n + 1, 100)).await;
    }
    let three = open(&name).await;
    all(&three).await;
    three.tidy().await.unwrap();
    let merged = packs(&name).await;
    one.tidy().await.unwrap();
    assert!(packs(&name).await == merged);
    assert!(all(&one).await == records(0..200, 100));
}

#[wasm_bindgen_test]
async fn c11_what_is_damaged_is_not_merged_away() {
    for part in ["lengths", "bytes", "first"] {
        let name = scattered(100).await;
        let _alone = no_background();
        let store = open(&name).await;
        all(&store).await;
        let key: JsValue = Array::of2(&Uint8Array::from([9; 32].as_slice()), &20.into()).into();
        let good = &packs(&name).await[19];
        let damaged = object(&[
            ("first", good.first.into()),
            ("ids", Uint8Array::from(good.ids.as_slice()).into()),
            ("lengths", Uint32Array::from(good.lengths.as_slice()).into()),
            ("bytes", Uint8Array::from(good.bytes.as_slice()).into()),
        ]);
        let wrong: JsValue = match part {
            "lengths" => Uint32Array::from([99].as_slice()).into(),
            "bytes" => Uint8Array::from([0; 101].as_slice()).into(),
            _ => 19.into(),
        };
        Reflect::set(&damaged, &part.into(), &wrong).unwrap();
        tamper(&name, "packs", move |packs| packs.put_with_key(&damaged, &key)).await;
        let before = packs(&name).await;
        // It is told where that is seen at once; in any case nothing is touched.
        let told = store.tidy().await;
        assert_eq!(matches!(told, Err(StoreError::Damaged(_))), part != "first", "{told:?}");
        assert!(packs(&name).await == before, "{part}");
        assert!(matches!(store.read(JOURNAL, 1, usize::MAX).await, Err(StoreError::Damaged(_))));
    }
}

#[wasm_bindgen_test]
async fn f61_a_node_whose_packs_were_merged_opens_from_its_checkpoint_with_the_same_root() {
    let (name, network) = (fresh(), PipeNetwork::new());
    let store = open(&name).await;
    let first = node(&network, store.clone()).await;
    for n in 0..400 {
        first.append([Fact::new("n", n)]).await.unwrap();
    }
    let root = first.root().await.unwrap();
    first.service().close().await.unwrap();
    drop(first);
    store.tidy().await.unwrap();
    drop(store);
    assert!(packs(&name).await.len() < 70);
    let again = node(&network, open(&name).await).await;
    assert_eq!(again.root().await.unwrap(), root);
    assert_eq!(again.status().await.unwrap().loaded_from, LoadedFrom::Checkpoint { number: 400 });
    assert_eq!(futures::StreamExt::count(again.facts(Query::all())).await, 400);
}

#[wasm_bindgen_test]
async fn c11_there_is_nothing_to_tidy_where_nothing_was_seen() {
    let name = scattered(100).await;
    let store = open(&name).await;
    store.tidy().await.unwrap();
    assert_eq!(packs(&name).await.len(), 100);
}
