//! A store of every released format opens in the browser: dumps that are kept for it in `tests/golden/stores`.
//!
//! A new format gets a dump of its own, written by the version that introduces it: `write_the_dump`, which is
//! ignored otherwise, prints it.

use std::sync::Arc;

use futures::StreamExt;
use isoroot::platform::web::{WebPlatform, WebSocketTransport};
use isoroot::platform::{DynTransport, Store, StoreError};
use isoroot::{Config, Draft, Fact, Genesis, LoadedFrom, Query, SyncService, check};
use js_sys::{Array, ArrayBuffer, Function, JSON, Object, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

use crate::database::{answer, databases, opened, path};
use crate::patch::{get, global};
use crate::stores::{fresh, open};

/// The format that is written now.
const FORMAT: u32 = 1;

/// The dumps that are kept, from format 1 on.
const KEPT: [&str; 1] = [include_str!("../golden/stores/1.indexed_db.json")];

fn object(properties: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in properties {
        Reflect::set(&object, &JsValue::from_str(name), value).unwrap();
    }
    object.into()
}

fn call(name: &str, argument: &str) -> String {
    let function: Function = global(name).unchecked_into();
    function.call1(&JsValue::NULL, &argument.into()).unwrap().as_string().unwrap()
}

/// A key or value of IndexedDB as JSON has it: bytes in base64, with a name for what they are.
fn written(value: &JsValue) -> JsValue {
    // Bytes in a key are read as what is under them.
    let under = value.dyn_ref::<ArrayBuffer>().map(|bytes| Uint8Array::new(bytes));
    if let Some(bytes) = value.dyn_ref::<Uint8Array>().or(under.as_ref()) {
        let text: String = bytes.to_vec().into_iter().map(char::from).collect();
        return object(&[("bytes", call("btoa", &text).into())]);
    }
    if let Some(numbers) = value.dyn_ref::<Uint32Array>() {
        let numbers: Array = numbers.to_vec().into_iter().map(JsValue::from).collect();
        return object(&[("uint32", numbers.into())]);
    }
    if let Some(parts) = value.dyn_ref::<Array>() {
        return parts.iter().map(|part| written(&part)).collect::<Array>().into();
    }
    if value.is_object() {
        let fields: Array = Object::entries(value.unchecked_ref::<Object>());
        let fields = fields.iter().map(|field| {
            let field: Array = field.unchecked_into();
            Array::of2(&field.get(0), &written(&field.get(1)))
        });
        return object(&[("object", Object::from_entries(&fields.collect::<Array>()).unwrap().into())]);
    }
    value.clone()
}

/// The other way.
fn read(value: &JsValue) -> JsValue {
    let part = |name: &str| Some(get(value, name)).filter(|part| !part.is_undefined());
    if let Some(parts) = value.dyn_ref::<Array>() {
        return parts.iter().map(|part| read(&part)).collect::<Array>().into();
    }
    if !value.is_object() {
        return value.clone();
    }
    if let Some(text) = part("bytes") {
        let text = call("atob", &text.as_string().unwrap());
        let bytes: Vec<u8> = text.chars().map(|byte| u8::try_from(byte).unwrap()).collect();
        return Uint8Array::from(bytes.as_slice()).into();
    }
    if let Some(numbers) = part("uint32") {
        return Uint32Array::new(&numbers).into();
    }
    let fields: Array = Object::entries(part("object").unwrap().unchecked_ref::<Object>());
    let fields = fields.iter().map(|field| {
        let field: Array = field.unchecked_into();
        Array::of2(&field.get(0), &read(&field.get(1)))
    });
    Object::from_entries(&fields.collect::<Array>()).unwrap().into()
}

/// Puts a dump into a new database, record by record.
async fn load(name: &str, dump: &JsValue) {
    let stores = get(dump, "stores");
    let names: Vec<String> =
        Object::keys(stores.unchecked_ref::<Object>()).iter().map(|name| name.as_string().unwrap()).collect();
    let made = names.clone();
    let version = get(dump, "version").as_f64().unwrap();
    let database = opened(name, version as u32, move |database| {
        for name in &made {
            database.create_object_store(name).unwrap();
        }
    })
    .await;
    for store in names {
        let records: Array = get(&stores, &store).unchecked_into();
        for record in records.iter() {
            let record: Array = record.unchecked_into();
            let (key, value) = (read(&record.get(0)), read(&record.get(1)));
            let begin: Function = get(&database, "transaction").unchecked_into();
            let transaction = begin.call2(&database, &(&store).into(), &"readwrite".into()).unwrap();
            let transaction: web_sys::IdbTransaction = transaction.unchecked_into();
            let request = transaction.object_store(&store).unwrap().add_with_key(&value, &key).unwrap();
            answer(&request).await.unwrap();
        }
    }
    database.close();
}

/// All that is in a database.
async fn dump(name: &str) -> JsValue {
    let database = opened(name, FORMAT, |_| panic!("it is there")).await;
    let stores = Object::new();
    let names: Array = Array::from(&get(&database, "objectStoreNames"));
    for store in names.iter().map(|name| name.as_string().unwrap()) {
        let transaction = database.transaction_with_str(&store).unwrap();
        let objects = transaction.object_store(&store).unwrap();
        let (keys, values) = (objects.get_all_keys().unwrap(), objects.get_all().unwrap());
        let keys: Array = answer(&keys).await.unwrap().unchecked_into();
        let values: Array = answer(&values).await.unwrap().unchecked_into();
        let records = keys.iter().zip(values.iter());
        let records: Array =
            records.map(|(key, value)| Array::of2(&written(&key), &written(&value))).collect();
        Reflect::set(&stores, &store.into(), &records).unwrap();
    }
    database.close();
    object(&[("version", FORMAT.into()), ("stores", stores.into())])
}

/// What is told of a store, line by line.
async fn told(name: &str) -> Vec<String> {
    let store = open(name).await;
    let service =
        SyncService::new(WebPlatform::new(store.clone(), Vec::new()), Config::default()).await.unwrap();
    let mut lines = vec![format!("device {}", service.device())];
    for journal in service.journals().await.unwrap() {
        let node = service.open(journal).await.unwrap();
        let status = node.status().await.unwrap();
        let reaches = match status.loaded_from {
            LoadedFrom::Checkpoint { number } => number,
            _ => 0,
        };
        let facts = node.facts(Query::all()).map(|fact| fact.unwrap().fact.predicate);
        let last: Option<String> = facts.fold(None, |_, predicate| async { Some(predicate) }).await;
        assert!(check(&store, journal).await.unwrap().is_sound());
        let ids = store.ids(journal, 1, usize::MAX).await.unwrap();
        let (first, end) = (ids.first().unwrap(), ids.last().unwrap());
        lines.push(format!(
            "journal {journal} root {} entries {} facts {} checkpoint {reaches} last {}",
            status.root,
            status.root.count,
            status.facts,
            last.unwrap()
        ));
        lines.push(format!("ids {} from {first} to {end}", ids.len()));
    }
    for (key, note) in store.notes("").await.unwrap() {
        lines.push(format!("note {key} of {} bytes", note.len()));
    }
    lines.push(format!("store {}", store.head(Genesis::named("kept").journal()).await.unwrap().store));
    service.close().await.unwrap();
    lines
}

#[wasm_bindgen_test]
async fn c15_a_dump_of_every_released_format_opens_with_all_that_is_in_it() {
    assert_eq!(
        u32::try_from(KEPT.len()).unwrap(),
        FORMAT,
        "a format without a dump: the tests of web_browser, run in Chromium as pkg-config/run-web-tests.sh does, \
         with `--include-ignored --nocapture write_the_dump`, print one for \
         tests/golden/stores/{FORMAT}.indexed_db.json; then KEPT names it"
    );
    for (kept, format) in KEPT.iter().zip(1..) {
        let kept = JSON::parse(kept).unwrap();
        assert_eq!(get(&kept, "version"), format);
        let name = fresh();
        load(&name, &kept).await;
        let expected: Array = get(&kept, "told").unchecked_into();
        let expected: Vec<_> = expected.iter().map(|line| line.as_string().unwrap()).collect();
        assert_eq!(told(&name).await, expected, "format {format}");
        // It is not only there, it can be gone on with.
        let store = open(&name).await;
        let node = SyncService::new(WebPlatform::new(store.clone(), Vec::new()), Config::default()).await;
        let node = node.unwrap().create(&Genesis::named("kept")).await.unwrap();
        let before = node.root().await.unwrap().count;
        node.append([Fact::new("more", 1)]).await.unwrap();
        assert_eq!(node.root().await.unwrap().count, before + 1);
        assert_eq!(node.status().await.unwrap().forked, 0, "the device's chain goes on");
        store.tidy().await.unwrap();
        node.service().close().await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn c15_a_dump_that_says_a_newer_format_is_refused_and_not_touched() {
    // By the version of the database, and by what it says of itself.
    for (version, format) in [(FORMAT + 1, FORMAT), (FORMAT, FORMAT + 1)] {
        let kept = JSON::parse(KEPT[KEPT.len() - 1]).unwrap();
        Reflect::set(&kept, &"version".into(), &version.into()).unwrap();
        let meta: Array = get(&get(&kept, "stores"), "meta").unchecked_into();
        for record in meta.iter() {
            let record: Array = record.unchecked_into();
            if record.get(0) == "format" {
                record.set(1, format.into());
            }
        }
        let name = fresh();
        load(&name, &kept).await;
        let error = isoroot::platform::web::IndexedDbStore::open(&name).await.unwrap_err();
        assert_eq!(error, StoreError::TooNew { found: (FORMAT + 1).into(), known: FORMAT.into() });
        let found = databases().await.into_iter().find(|(found, _)| *found == path(&name));
        assert_eq!(found, Some((path(&name), version.into())));
        if version == FORMAT {
            let now = get(&dump(&name).await, "stores");
            assert_eq!(JSON::stringify(&now).unwrap(), JSON::stringify(&get(&kept, "stores")).unwrap());
        }
    }
}

#[wasm_bindgen_test]
#[ignore = "prints the dump that is kept, once for each format"]
async fn write_the_dump() {
    let name = fresh();
    let sockets: Arc<dyn DynTransport> = Arc::new(WebSocketTransport::new());
    let platform = WebPlatform::new(open(&name).await, vec![sockets]);
    let service = SyncService::new(platform, Config::default()).await.unwrap();
    let kept = service.create(&Genesis::named("kept")).await.unwrap();
    let draft = |n: i64| {
        let fact = Fact { timestamp: Some(n), ..Fact::new(format!("note/{}", n % 7), n) };
        Draft::new(kept.device(), &[fact]).unwrap()
    };
    for n in 0..10 {
        kept.append_all(vec![draft(n)]).await.unwrap();
    }
    kept.append_all((10..260).map(draft).collect()).await.unwrap();
    kept.keep_peer("ws://127.0.0.1:8080/sync", None).await.unwrap();
    let other = service.create(&Genesis::named("kept, another")).await.unwrap();
    other.append([Fact::new("only", true)]).await.unwrap();
    service.close().await.unwrap();
    let dumped = dump(&name).await;
    let lines: Array = told(&name).await.into_iter().map(JsValue::from).collect();
    Reflect::set(&dumped, &"told".into(), &lines).unwrap();
    console_log!("{}", JSON::stringify(&dumped).unwrap());
}
