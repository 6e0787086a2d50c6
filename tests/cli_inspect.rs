//! `isoroot inspect`: a journal in numbers (C10, F-73).

#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

mod tool;

use isoroot::EntryId;
use serde_json::json;
use tool::Folder;

const FIELDS: [&str; 18] = [
    "journal",
    "device",
    "store",
    "store_id",
    "root",
    "entries",
    "facts",
    "predicates",
    "authorities",
    "devices",
    "depth",
    "bytes",
    "held_back",
    "missing",
    "forked",
    "bloom_rate",
    "loaded_from",
    "checkpoint",
];

#[tokio::test]
async fn f73_inspect_tells_what_a_journal_comes_to() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let empty = folder.run(&["inspect", "--json"]).await.done().json();
    for field in ["entries", "facts", "predicates", "authorities", "devices", "depth", "bytes", "held_back"] {
        assert_eq!(empty[field], json!(0), "{field}");
    }
    let mut ids = Vec::new();
    for (predicate, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        let appended = folder.run(&["append", predicate, value, "more", "x"]).await.done();
        ids.push(appended.stdout.trim().parse::<EntryId>().unwrap());
    }
    let run = folder.run(&["inspect", "--json"]).await.done();
    let said = run.json();
    let mut fields: Vec<_> = said.as_object().unwrap().keys().cloned().collect();
    fields.sort_by_key(|field| run.stdout.find(&format!("\"{field}\":")));
    assert_eq!(fields, FIELDS);
    let root = folder.root("isoroot.redb").await;
    assert_eq!((&said["journal"], &said["root"]), (&root["journal"], &root["root"]));
    assert_eq!((&said["entries"], &said["facts"], &said["predicates"]), (&json!(3), &json!(6), &json!(3)));
    assert_eq!((&said["authorities"], &said["devices"]), (&json!(1), &json!(1)));
    assert_eq!((&said["missing"], &said["forked"], &said["held_back"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!((&said["loaded_from"], &said["checkpoint"]), (&json!("records"), &json!(null)));
    assert_eq!(said["store"], json!("./isoroot.redb"));

    // Of three ids the two that are most alike part at the deepest fork.
    ids.sort();
    let part = |pair: &[EntryId]| {
        let differ = |at: &usize| {
            let bit = |id: &EntryId| id.as_bytes()[at / 8] << (at % 8) & 0x80;
            bit(&pair[0]) != bit(&pair[1])
        };
        (0..256).find(differ).unwrap() + 1
    };
    assert_eq!(said["depth"], json!(ids.windows(2).map(part).max().unwrap()));

    // A file of the journal holds its records and little else.
    let bytes = said["bytes"].as_u64().unwrap();
    folder.run(&["export", "-o", "file"]).await.done();
    let file = std::fs::metadata(folder.path("file")).unwrap().len();
    assert!(bytes > 3 * 150 && bytes < file && file < bytes + 400, "{bytes} of {file}");

    let text = folder.run(&["inspect"]).await.done().stdout;
    for line in [
        format!("root        {}", said["root"].as_str().unwrap()),
        format!("entries     3, {bytes} bytes"),
        format!("depth       {}", said["depth"]),
        "gaps        0 missing entries".to_owned(),
        "loaded from the records".to_owned(),
    ] {
        assert!(text.lines().any(|said| said == line), "{line} in {text}");
    }
    folder.run(&["inspect", "--store", "missing.redb"]).await.exits(3).says("isoroot init");
    folder.run(&["inspect", "--help"]).await.done();
}

#[tokio::test]
async fn f73_inspect_says_that_a_journal_came_from_its_checkpoint() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let lines: String = (0..600).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":{n}}}\n")).collect();
    std::fs::write(folder.path("facts"), lines).unwrap();
    folder.run(&["import", "facts", "--batch", "1"]).await.done();
    let said = folder.run(&["inspect", "--json"]).await.done().json();
    assert_eq!((&said["loaded_from"], &said["checkpoint"]), (&json!("checkpoint"), &json!(600)));
    assert_eq!((&said["entries"], &said["predicates"]), (&json!(600), &json!(600)));
    let text = folder.run(&["inspect"]).await.done().stdout;
    assert!(text.contains("a checkpoint up to entry 600, then the records"), "{text}");
}
