//! What the documents say in numbers and bytes is what the code does.

#![cfg(not(target_arch = "wasm32"))]

mod forge;

use std::collections::BTreeMap;

use forge::SIGNATURE_BYTES;
use isoroot::{
    BloomFilter, DeviceKey, Draft, Entry, EntryId, Fact, FileHeader, FileWriter, Genesis, MerkleMap,
    UncheckedEntry, Value, limits,
};
use sha2::{Digest, Sha256};

fn document(name: &str) -> String {
    std::fs::read_to_string(format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The blocks that are fenced as `hex NAME`; in each line, what follows `#` is explanation.
fn hex_blocks(text: &str) -> BTreeMap<String, Vec<u8>> {
    let mut blocks = BTreeMap::new();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = info.strip_prefix("hex ").map(|name| (name.to_owned(), Vec::new()));
            }
            (Some(_), Some(_)) => {
                let (name, bytes) = open.take().unwrap();
                assert!(blocks.insert(name.clone(), bytes).is_none(), "{name} twice");
            }
            (Some((name, bytes)), None) => {
                let hex = line.split('#').next().unwrap_or_default();
                let byte = |word| u8::from_str_radix(word, 16).unwrap_or_else(|_| panic!("{name}: {word:?}"));
                bytes.extend(hex.split_whitespace().map(byte));
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_worked_example_of_the_format_is_what_the_code_does() {
    let mut blocks = hex_blocks(&document("FORMAT.md"));
    let mut block = |name: &str| blocks.remove(name).unwrap_or_else(|| panic!("no block `hex {name}`"));
    let sha256 = |bytes: &[u8]| Sha256::digest(bytes).to_vec();

    let genesis = Genesis::named("notes");
    let nonce = block("nonce");
    assert_eq!(sha256(&block("nonce-input")), nonce);
    assert_eq!(Genesis::open(nonce.try_into().unwrap()), genesis);
    assert_eq!(genesis.to_bytes(), block("genesis"));
    let journal = genesis.journal();
    assert_eq!(journal.as_bytes()[..], block("journal"));

    let key = DeviceKey::from_seed([1; 32]);
    assert_eq!(key.device().as_bytes()[..], block("device"));
    let fact = Fact::new("note/1/title", "Milk");
    assert_eq!(forge::fact_bytes(&key, &fact), block("fact"));

    let draft = Draft::new(key.device(), &[fact]).unwrap();
    let entry = Entry::sign(&journal, &key, &[], 1_767_225_600_000_000, &draft).unwrap();
    let record = block("record");
    assert_eq!(entry.record(), record);
    assert_eq!(UncheckedEntry::new(record.clone()).check(&journal), Ok(entry.clone()));
    let (body, signature) = record.split_at(record.len() - SIGNATURE_BYTES);
    assert_eq!((body, signature), (&block("body")[..], &block("signature")[..]));
    let message = block("message");
    assert_eq!(message, forge::message(&journal, body));
    assert_eq!(forge::sign(&journal, 1, body), record, "the signature is over that message");
    assert_eq!(entry.id().as_bytes()[..], block("id"));

    let leaf = sha256(&[&[0], &entry.id().as_bytes()[..]].concat());
    assert_eq!(leaf, block("leaf"));
    let root_input = block("root-input");
    assert_eq!(root_input, [&[2], &1u64.to_be_bytes()[..], &leaf].concat());
    let root = block("root");
    assert_eq!(sha256(&root_input), root);
    let map = MerkleMap::from_ids(vec![entry.id()]);
    assert_eq!((map.root().count, &map.root().hash[..]), (1, &root[..]));

    let pair = block("bloom-pair");
    let hash = block("bloom-hash");
    assert_eq!(sha256(&[b"isoroot/v1/bloom\0", &pair[..]].concat()), hash);
    let [x, y] = [0, 8].map(|at| u64::from_be_bytes(hash[at..at + 8].try_into().unwrap()) % 68);
    assert_eq!((x, y), (0, 59));
    let mut filter = BloomFilter::new(7, 0.01).unwrap();
    assert_eq!((filter.bits(), filter.hashes()), (68, 7));
    filter.insert("note/1/title", &Value::from("Milk")).unwrap();
    assert_eq!(filter.to_bytes(), block("bloom"));

    // That one is held by `tests/kept_peers.rs`, which has a store.
    assert!(blocks.remove("peers").is_some());
    assert!(blocks.is_empty(), "nobody holds {:?} to the code", blocks.keys());
    let lengths =
        [("163 bytes", message.len()), ("82 + 64", body.len()), ("39 bytes", genesis.to_bytes().len())];
    for (text, bytes) in lengths {
        assert!(document("FORMAT.md").contains(text) && text.starts_with(&bytes.to_string()), "{text}");
    }
}

/// The blocks that are fenced as this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .map(|block| format!("{block}\n"))
        .collect()
}

#[test]
fn c5_the_example_of_a_proof_can_be_followed_with_sha256sum() {
    let text = document("PROOFS.md");
    let [script, printed] = ["sh", "text"].map(|language| blocks(&text, language).concat());
    let ran = std::process::Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), printed);

    let id = |first: u8| EntryId::from_bytes(std::array::from_fn(|at| if at == 0 { first } else { 0 }));
    let map = MerkleMap::from_ids([0x10, 0x90, 0xd0].map(id).to_vec());
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let [c, d] = [0xd0, 0x20].map(|first| hex(map.prove(&[id(first)]).unwrap().to_bytes()));
    assert_eq!(printed, format!("root {}\nc    {c}\nc is in\nd    {d}\nd is not in\n", map.root()));
    assert_eq!(map.prove(&[id(0xd0)]).unwrap().verify_inclusion(&map.root().hash, &id(0xd0)), Ok(()));
    for bound in [limits::PROOF_IDS, limits::PROOF_TAGS, limits::EVIDENCE_BYTES] {
        let digits = bound.to_string();
        let groups: Vec<_> =
            digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
        assert!(text.contains(&groups.join(",")), "{bound}");
    }
}

#[test]
fn the_worked_example_of_files_is_what_the_code_does() {
    let example = hex_blocks(&document("FORMAT.md"));
    let genesis = Genesis::named("notes");
    let entry = UncheckedEntry::new(example["record"].clone()).check(&genesis.journal()).unwrap();
    let mut file = Vec::new();
    let mut writer = FileWriter::begin(&FileHeader::of(genesis), &mut file);
    writer.entry(&entry, &mut file);
    writer.end(&MerkleMap::from_ids(vec![entry.id()]).root(), &mut file).unwrap();
    let blocks = hex_blocks(&document("FILES.md"));
    assert_eq!(blocks.into_iter().collect::<Vec<_>>(), [("file".to_owned(), file.clone())]);
    assert_eq!(file.len(), 310, "as the text says");
    for text in ["1,024 (`GENESIS_BYTES`)", "1,048,576 (`RECORD_BYTES`)", "at most 512 entries"] {
        assert!(document("FILES.md").contains(text), "{text}");
    }
    assert_eq!(
        (limits::GENESIS_BYTES, limits::RECORD_BYTES, limits::FILE_BATCH_ENTRIES),
        (1_024, 1_048_576, 512)
    );
}

/// Holds each block of a document to the bytes of the same name in a golden file; how many there are.
fn blocks_are_golden(name: &str, golden: &str) -> usize {
    let golden = format!("{}/tests/golden/{golden}", env!("CARGO_MANIFEST_DIR"));
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    let blocks = hex_blocks(&document(name));
    for (name, bytes) in &blocks {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(Some(hex.as_str()), golden[name.as_str()].as_str(), "{name}");
    }
    blocks.len()
}

#[test]
fn the_example_of_a_checkpoint_is_the_golden_one() {
    assert_eq!(blocks_are_golden("STORES.md", "checkpoint.json"), 2);
}

#[test]
fn d6_the_worked_frames_of_the_wire_are_golden_messages() {
    assert_eq!(blocks_are_golden("PROTOCOL.md", "messages.json"), 9);
}

#[test]
fn the_bounds_of_the_format_are_those_of_the_code() {
    let document = document("FORMAT.md");
    let bounds = [
        ("RECORD_BYTES", limits::RECORD_BYTES as u64),
        ("FACTS_PER_ENTRY", limits::FACTS_PER_ENTRY as u64),
        ("PREDICATE_BYTES", limits::PREDICATE_BYTES as u64),
        ("VALUE_BYTES", limits::VALUE_BYTES as u64),
        ("VALUE_DEPTH", limits::VALUE_DEPTH as u64),
        ("AFTER", limits::AFTER as u64),
        ("SAFE_INTEGER", limits::SAFE_INTEGER),
    ];
    for (name, bound) in bounds {
        let row = document.lines().find(|line| line.ends_with(&format!("| `{name}` |")));
        let number = row.and_then(|row| row.rsplit(" | ").nth(1)).map(|number| number.replace(',', ""));
        assert_eq!(number, Some(bound.to_string()), "{name}");
    }
}

#[test]
fn d6_the_bounds_of_the_wire_are_those_of_the_code() {
    let document = document("PROTOCOL.md");
    let bounds = [
        ("FRAME_BYTES", limits::FRAME_BYTES as u64),
        ("HANDSHAKE_FRAME_BYTES", limits::HANDSHAKE_FRAME_BYTES as u64),
        ("CHANNELS", limits::CHANNELS as u64),
        ("PREFIXES_PER_ASK", limits::PREFIXES_PER_ASK as u64),
        ("IDS_PER_FRAME", limits::IDS_PER_FRAME as u64),
        ("IDS_PER_NODE", limits::IDS_PER_NODE),
        ("IDS_PER_ROUND", limits::IDS_PER_ROUND as u64),
        ("LISTED_IDS", limits::LISTED_IDS),
        ("CELLS_PER_FRAME", limits::CELLS_PER_FRAME as u64),
        ("CELLS_PER_ROUND", limits::CELLS_PER_ROUND),
        ("CELLS_PER_ROW", limits::CELLS_PER_ROW as u64),
        ("DIFFERENCES_PER_PART", limits::DIFFERENCES_PER_PART),
        ("WANTED_PER_ROUND", limits::WANTED_PER_ROUND as u64),
        ("ENTRIES_PER_FRAME", limits::ENTRIES_PER_FRAME as u64),
        ("CREDIT_BYTES", limits::CREDIT_BYTES),
        ("CONNECTION_CREDIT_BYTES", limits::CONNECTION_CREDIT_BYTES),
        ("OPENINGS", u64::from(limits::OPENINGS)),
        ("OPENINGS_PER_SECOND", u64::from(limits::OPENINGS_PER_SECOND)),
        ("ASKED_PER_ROUND", limits::ASKED_PER_ROUND),
        ("STEPS", limits::STEPS),
        ("STEPS_PER_SECOND", limits::STEPS_PER_SECOND),
        ("REPEATED_ENTRIES", limits::REPEATED_ENTRIES),
        ("HANDSHAKE_FRAME_BYTES", limits::HANDSHAKE_FRAME_BYTES as u64),
        ("EMPTY_MESSAGES", u64::from(limits::EMPTY_MESSAGES)),
        ("FRUITLESS_ROUNDS", limits::FRUITLESS_ROUNDS as u64),
        ("ROUNDS", limits::ROUNDS as u64),
    ];
    // A number, then its name: in brackets, or in the next cell of a table.
    let named = |name: &str| {
        let places = [format!(" (`{name}`"), format!(" | `{name}` |")];
        let before = places.iter().flat_map(|place| document.match_indices(place.as_str()));
        let number = |at: usize| {
            let digits = document[..at].rsplit(|c: char| !c.is_ascii_digit() && c != ',').next().unwrap();
            digits.replace(',', "")
        };
        before.map(|(at, _)| number(at)).filter(|number| !number.is_empty()).collect::<Vec<_>>()
    };
    for (name, bound) in bounds {
        let numbers = named(name);
        assert!(
            !numbers.is_empty() && numbers.iter().all(|number| *number == bound.to_string()),
            "{name}: {numbers:?}"
        );
    }
    let names =
        document.split('`').skip(1).step_by(2).filter(|name| {
            name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        });
    for name in names.filter(|name| !named(name).is_empty()) {
        assert!(bounds.iter().any(|(held, _)| *held == name), "nobody holds {name} to the code");
    }
}

/// All Rust sources and stories of pages of a folder and those below it, one after the other.
fn sources(folder: &str) -> String {
    let mut all = String::new();
    let mut folders = vec![format!("{}/{folder}", env!("CARGO_MANIFEST_DIR")).into()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
            let path = item.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.extend((name != "node_modules").then_some(path));
            } else if name.ends_with(".rs") || name.ends_with(".test.mjs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

#[test]
fn tests_that_the_checklist_calls_done_exist() {
    let checklist = format!("{}/tests/CHECKLIST.md", env!("CARGO_MANIFEST_DIR"));
    let checklist = std::fs::read_to_string(checklist).unwrap();
    let sources = sources("src") + &sources("tests");
    let rows = checklist.lines().filter(|line| line.starts_with("| ")).skip(2);
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, tests, state] = cells[..] else { panic!("four cells in {row}") };
        assert!(["done", "native", "planned"].contains(&state), "{name}: {state}");
        // Every other part of a text cut at its backticks stood between two.
        for test in tests.split('`').skip(1).step_by(2).filter(|test| !test.contains([' ', '/'])) {
            let defined = ["fn {}(", "story(\"{}\"", "test(\"{}\""].map(|form| form.replace("{}", test));
            let exists = defined.iter().any(|text| sources.contains(text));
            assert!(exists || state == "planned", "{name}: there is no test {test}");
            assert!(!exists || state != "planned", "{name}: {test} is there, so it is no longer planned");
        }
    }
}
