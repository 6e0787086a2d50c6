//! The formats do not move: every golden file is rebuilt from its inputs and compared byte by byte
//! (C1, C2, C4; F-53, F-54). `tests/golden/confirm.py` rebuilds the same files without this crate, and
//! `tests/web/anywhere.rs` runs these very tests in browsers and Node (F-123).

mod forge;

use std::collections::BTreeMap;

use forge::{fact_bytes, key, value_bytes};
use isoroot::{
    AuthorityId, BloomError, BloomFilter, DeviceKey, Draft, Entry, EntryError, EntryId, Fact, FileChecker,
    FileHeader, FileStep, FileWriter, Genesis, JournalId, Link, MerkleMap, UncheckedEntry, Value,
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a moved byte means.
const FINAL: &str = "these bytes are final: they are on disks and on the wire, and ids and signatures are made \
    over them, so a device with other bytes would never agree with the rest. Undo the change. A new form is \
    a new version number in front of the fact, entry or genesis (see docs/FORMAT.md, Versions), read beside \
    this one, with golden files of its own; these stay as they are";

/// The text of a golden file, compiled in, since in a browser there are no files.
fn golden(file: &str) -> &'static str {
    match file {
        "values.json" => include_str!("golden/values.json"),
        "facts.json" => include_str!("golden/facts.json"),
        "genesis.json" => include_str!("golden/genesis.json"),
        "entries.json" => include_str!("golden/entries.json"),
        "zip215.json" => include_str!("golden/zip215.json"),
        other => panic!("there is no golden file {other}"),
    }
}

/// The cases of a golden file, by name.
fn cases(file: &str) -> Vec<(String, Json)> {
    let cases: Vec<Json> = serde_json::from_str(golden(file)).unwrap();
    assert!(!cases.is_empty());
    cases.into_iter().map(|case| (format!("{file}: {}", text(&case["name"])), case)).collect()
}

/// Compares what was built with what the file holds.
#[track_caller]
fn hold(name: &str, built: impl AsRef<[u8]>, golden: &Json) {
    let built: String = built.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(built, text(golden), "{name}: {FINAL}");
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn unhex(json: &Json) -> Vec<u8> {
    let hex = text(json);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn unhex_32(json: &Json) -> [u8; 32] {
    unhex(json).try_into().unwrap()
}

fn journal(json: &Json) -> JournalId {
    JournalId::from_bytes(unhex_32(json))
}

/// A value as the golden files write it: what JSON can't say is an object of one member.
fn value(json: &Json) -> Value {
    let object = match json {
        Json::Null => return Value::Null,
        Json::Bool(value) => return Value::Bool(*value),
        Json::String(value) => return Value::Text(value.clone()),
        Json::Array(items) => return Value::List(items.iter().map(value).collect()),
        Json::Object(object) => object,
        Json::Number(_) => panic!("is {json} an integer or a float?"),
    };
    let (kind, content) = object.iter().next().unwrap();
    match kind.as_str() {
        "integer" => Value::Integer(text(content).parse().unwrap()),
        // By hand, not by `From`: that an integral one becomes an integer is for the encoding to do.
        "float" => Value::Float(text(content).parse().unwrap()),
        "bytes" => Value::Bytes(unhex(content)),
        "map" => {
            let pairs = content.as_array().unwrap();
            let map: BTreeMap<_, _> =
                pairs.iter().map(|pair| (text(&pair[0]).to_owned(), value(&pair[1]))).collect();
            assert_eq!(map.len(), pairs.len());
            Value::Map(map)
        }
        "repeat" => {
            let count = usize::try_from(content[1].as_u64().unwrap()).unwrap();
            match &content[0] {
                Json::String(text) => Value::Text(text.repeat(count)),
                item => Value::List(vec![value(item); count]),
            }
        }
        other => panic!("unknown kind of value {other}"),
    }
}

fn fact(json: &Json) -> Fact {
    let authority = json.get("authority").map(|id| AuthorityId::from_bytes(unhex_32(id)));
    let timestamp = json.get("timestamp").map(|ms| ms.as_i64().unwrap());
    Fact {
        predicate: text(&json["predicate"]).to_owned(),
        value: value(&json["value"]),
        authority,
        timestamp,
    }
}

#[test]
fn c1_values() {
    for (name, case) in cases("values.json") {
        hold(&name, value_bytes(&value(&case["value"])), &case["hex"]);
    }
}

#[test]
fn c1_facts() {
    for (name, case) in cases("facts.json") {
        let author = (1..4).map(key).find(|key| key.device().to_string() == text(&case["author"]));
        hold(&name, fact_bytes(&author.unwrap(), &fact(&case)), &case["hex"]);
    }
}

#[test]
fn genesis_journals_and_links() {
    for (name, case) in cases("genesis.json") {
        let genesis = match case.get("named") {
            Some(named) => Genesis::named(text(named)),
            None => Genesis::open(unhex_32(&case["nonce"])),
        };
        hold(&name, genesis.to_bytes(), &case["hex"]);
        hold(&name, genesis.journal().as_bytes(), &case["journal"]);
        assert_eq!(Genesis::from_bytes(&unhex(&case["hex"])).as_ref(), Ok(&genesis), "{name}");
        let link = Link { journal: genesis.journal(), hub: case["hub"].as_str().map(str::to_owned) };
        assert_eq!(link.to_string(), text(&case["link"]), "{name}: {FINAL}");
        assert_eq!(text(&case["link"]).parse(), Ok(link), "{name}");
    }
}

#[test]
fn c2_entries() {
    for (name, case) in cases("entries.json") {
        let (journal, key) = (journal(&case["journal"]), DeviceKey::from_seed(unhex_32(&case["seed"])));
        let facts: Vec<_> = case["facts"].as_array().unwrap().iter().map(fact).collect();
        let after: Vec<_> =
            case["after"].as_array().unwrap().iter().map(|id| EntryId::from_bytes(unhex_32(id))).collect();
        let timestamp = case["timestamp"].as_u64().unwrap();
        let draft = Draft::new(key.device(), &facts).unwrap();
        let entry = Entry::sign(&journal, &key, &after, timestamp, &draft).unwrap();
        hold(&name, entry.record(), &case["record"]);
        hold(&name, entry.id().as_bytes(), &case["id"]);
        assert_eq!(UncheckedEntry::new(unhex(&case["record"])).check(&journal), Ok(entry), "{name}");
    }
}

#[test]
fn c12_file_of_a_journal() {
    let golden = include_bytes!("golden/journal.isoroot");
    let genesis = Genesis::named("notes");
    let mut built = Vec::new();
    let mut writer = FileWriter::begin(&FileHeader::of(genesis.clone()), &mut built);
    let mut ids = Vec::new();
    for (_, case) in cases("entries.json") {
        if journal(&case["journal"]) == genesis.journal() {
            let entry = UncheckedEntry::new(unhex(&case["record"])).check(&genesis.journal()).unwrap();
            writer.entry(&entry, &mut built);
            ids.push(entry.id());
        }
    }
    let root = MerkleMap::from_ids(ids).root();
    writer.end(&root, &mut built).unwrap();
    assert!(
        built == golden,
        "files of version 1 are kept for years. Undo the change, or make a new version of files: its number \
         behind the magic, a golden file journal-2.isoroot, a section in docs/FILES.md, and a reader of both; \
         journal.isoroot stays as it is and is still read"
    );
    // It is read, whatever is written by then.
    let (mut checker, mut input) = (FileChecker::new(), &golden[..]);
    let step = |step| match step {
        FileStep::Header(header) => {
            assert_eq!(header.genesis(), Some(&genesis));
            None
        }
        FileStep::Check(batch) => Some(Err(batch)),
        FileStep::End(root) => Some(Ok(root)),
    };
    while let Some(next) = checker.read(&mut input).unwrap() {
        assert!(step(next).is_none());
    }
    let Some(Err(batch)) = step(checker.finish().unwrap()) else { panic!("thirteen entries are one batch") };
    assert_eq!(checker.settle(batch.check()).len(), 13);
    assert!(matches!(step(checker.finish().unwrap()), Some(Ok(end)) if end == root));
}

/// Signatures on which other rules than ZIP-215's would give another verdict, among others.
#[test]
fn c2_zip_215_verdicts() {
    let mut records = Vec::new();
    let mut verdicts = Vec::new();
    for (name, case) in cases("zip215.json") {
        let journal = journal(&case["journal"]);
        let checked = UncheckedEntry::new(unhex(&case["record"])).check(&journal);
        let valid = case["valid"].as_bool().unwrap();
        assert_eq!(checked.is_ok(), valid, "{name}: {FINAL}");
        assert!(valid || checked == Err(EntryError::BadSignature), "{name}");
        records.push(UncheckedEntry::new(unhex(&case["record"])));
        verdicts.push(valid);
        // Each in a batch with an honest one, where the batch equation itself gives the verdict.
        let pair = vec![records[0].clone(), UncheckedEntry::new(unhex(&case["record"]))];
        let pair: Vec<_> = UncheckedEntry::check_all(&journal, pair).iter().map(Result::is_ok).collect();
        assert_eq!(pair, [true, valid], "{name}, in a batch");
    }
    let batch = UncheckedEntry::check_all(&forge::journal(), records);
    assert_eq!(batch.iter().map(Result::is_ok).collect::<Vec<_>>(), verdicts);
}

/// How a root comes about is held by `tests/merkle.rs`; here it is the same on every platform.
#[test]
fn c4_roots() {
    let golden: Json = serde_json::from_str(include_str!("golden/roots.json")).unwrap();
    for case in golden["roots"].as_array().unwrap() {
        let ids = match &case["ids"] {
            Json::Array(ids) => ids.iter().map(|id| EntryId::from_bytes(unhex_32(id))).collect(),
            count => {
                let count: u32 = count["sha256_of_u32_be_up_to"].as_u64().unwrap().try_into().unwrap();
                let id = |n: u32| EntryId::from_bytes(Sha256::digest(n.to_be_bytes()).into());
                (0..count).map(id).collect()
            }
        };
        let root = MerkleMap::from_ids(ids).root().to_string();
        assert_eq!(root, text(&case["root"]), "{}: {FINAL}", case["name"]);
    }
}

/// How filters come about is held by `src/fact/bloom.rs`; here sizes and bytes are the same everywhere.
#[test]
fn c9_filters() {
    let golden: Json = serde_json::from_str(include_str!("golden/bloom.json")).unwrap();
    let new = |case: &Json| {
        BloomFilter::new(case["expected"].as_u64().unwrap(), text(&case["rate"]).parse().unwrap())
    };
    for case in golden["sizes"].as_array().unwrap() {
        let bits = case["bits"].as_u64().unwrap();
        match (new(case), case["hashes"].as_u64()) {
            (Ok(filter), Some(hashes)) => {
                assert_eq!((filter.bits(), u64::from(filter.hashes())), (bits, hashes), "{case}: {FINAL}");
            }
            (filter, None) => assert_eq!(filter, Err(BloomError::TooLarge { bits }), "{case}"),
            (filter, _) => panic!("{case}: {filter:?}"),
        }
    }
    for case in golden["filters"].as_array().unwrap() {
        let mut filter = new(case).unwrap();
        for pair in case["pairs"].as_array().unwrap() {
            filter.insert(text(&pair[0]), &value(&pair[1])).unwrap();
        }
        hold(&case["name"].to_string(), filter.to_bytes(), &case["hex"]);
        assert_eq!(BloomFilter::from_bytes(&unhex(&case["hex"])), Ok(filter), "{}", case["name"]);
    }
}
