//! The command line tool: every command, what it prints, and its exit codes.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use isoroot::platform::Store;
use isoroot::platform::native::RedbStore;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tool::{Folder, PATIENCE, fields, lines};

fn is_hex(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[tokio::test]
async fn a11_init_makes_journals_and_open_joins_them() {
    let folder = Folder::new();
    let made = folder.run(&["init"]).await.done();
    assert!(made.stdout.starts_with("isoroot:") && made.stdout.trim().len() == 72, "{made:#?}");
    assert!(folder.path("isoroot.redb").exists(), "the default store");

    let made = folder.run(&["init", "--hub", "wss://hub.example/sync", "--json"]).await.done();
    assert_eq!(fields(&made.stdout), ["journal", "link", "device", "store"]);
    let said = made.json();
    assert!(is_hex(&said["journal"]) && is_hex(&said["device"]));
    let link = said["link"].as_str().unwrap();
    let id = said["journal"].as_str().unwrap();
    assert_eq!(link, format!("isoroot:{id}?hub=wss%3A%2F%2Fhub.example%2Fsync"));

    for _ in 0..2 {
        let joined = folder.run(&["open", link, "--store", "other.redb", "--json"]).await.done();
        assert_eq!(joined.json()["journal"], said["journal"]);
        assert_ne!(joined.json()["device"], said["device"], "each store has its own key");
    }
    let listed = folder.run(&["journals", "--json"]).await.done().objects();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&json!({"journal": id, "entries": 0, "hub": "wss://hub.example/sync"})));
    let listed = folder.run(&["journals", "--store", "other.redb"]).await.done();
    assert_eq!(listed.stdout, format!("{id}  0 entries  wss://hub.example/sync\n"));

    folder.run(&["init", "--hub", "http://x"]).await.exits(2).says("ws://");
    folder.run(&["open", "http://x"]).await.exits(2).says("a link starts with \"isoroot:\"");
    folder.run(&["open", "isoroot:12"]).await.exits(2).says("64 hex digits");
}

#[tokio::test]
async fn a11_a_path_without_a_journal_is_an_error_that_names_init() {
    let folder = Folder::new();
    // A store, but nothing in it.
    RedbStore::open(folder.path("empty.redb")).unwrap().close().await;
    folder.write("facts.jsonl", lines(0, 1));
    for store in ["missing.redb", "empty.redb"] {
        let commands: [&[&str]; 6] = [
            &["append", "p", "1"],
            &["log"],
            &["root"],
            &["journals"],
            &["import", "facts.jsonl"],
            &["sync", "ws://127.0.0.1:1/sync"],
        ];
        for command in commands {
            let run = folder.run(&[command, &["--store", store]].concat()).await;
            run.exits(3).says("isoroot init").says(store);
            let run = folder.run(&[command, &["--store", store, "--json"]].concat()).await.exits(3);
            let error: Value = serde_json::from_str(&run.stderr).unwrap();
            assert_eq!(error["error"], "NO_JOURNAL");
            assert!(error["message"].as_str().unwrap().contains("isoroot init"));
        }
    }
    assert!(!folder.path("missing.redb").exists(), "a slip in the path makes nothing");
}

#[tokio::test]
async fn a11_the_device_key_is_never_printed() {
    let folder = Folder::new();
    let mut said = String::new();
    let mut run = async |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        let output = command.env("ISOROOT_LOG", "trace").output().await.unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    };
    run(&["init", "--json"]).await;
    run(&["append", "p", "1", "-v"]).await;
    run(&["log", "--json"]).await;
    run(&["sync", "ws://127.0.0.1:1/sync"]).await;
    let store = RedbStore::open(folder.path("isoroot.redb")).unwrap();
    let key = store.note("device").await.unwrap().unwrap();
    store.close().await;
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{key:?}");
    assert_eq!(key.len(), 32);
    assert!(
        said.contains("tracing") || said.contains("TRACE") || said.contains("INFO"),
        "it did log: {said}"
    );
    assert!(!said.to_lowercase().contains(&hex) && !said.contains(&list));
}

#[tokio::test]
async fn f5_append_log_and_root_print_what_is_documented() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let run = folder.run(&["root", "--json"]).await.done();
    assert_eq!(fields(&run.stdout), ["journal", "root", "entries", "facts"]);
    assert_eq!((&run.json()["entries"], &run.json()["facts"]), (&json!(0), &json!(0)));
    let empty = run.json()["root"].clone();

    let run =
        folder.run(&["append", "note/1", "Milk", "n", "-5", "--timestamp", "-7", "--json"]).await.done();
    assert_eq!(fields(&run.stdout), ["journal", "entry", "number", "facts"]);
    let entry = run.json();
    assert!(is_hex(&entry["entry"]) && entry["number"] == 1 && entry["facts"] == 2);
    let run = folder.run(&["append", "note/2", r#"{"a":[1.5,null,{"$bytes":"00ff"}]}"#]).await.done();
    assert_eq!(run.stdout.trim().len(), 64);

    let run = folder.run(&["log", "--json"]).await.done();
    let names = [
        "predicate",
        "value",
        "timestamp",
        "authority",
        "entry",
        "index",
        "number",
        "device",
        "written",
        "position",
    ];
    assert!(run.stdout.lines().all(|line| fields(line) == names), "{run:#?}");
    let facts = run.objects();
    assert_eq!(facts.len(), 3);
    assert_eq!((&facts[0]["predicate"], &facts[0]["value"]), (&json!("note/1"), &json!("Milk")));
    assert_eq!((&facts[1]["value"], &facts[1]["timestamp"]), (&json!(-5), &json!(-7)));
    assert_eq!(facts[1]["entry"], entry["entry"]);
    assert_eq!((&facts[1]["index"], &facts[1]["number"]), (&json!(1), &json!(1)));
    assert_eq!(facts[2]["value"], json!({"a": [1.5, null, {"$bytes": "00ff"}]}));
    assert!(facts[0]["authority"].is_null() && is_hex(&facts[0]["device"]));
    assert!(facts[2]["written"].as_u64() > facts[0]["written"].as_u64());

    let count = async |predicate: &str| {
        folder.run(&["log", "--predicate", predicate, "--json"]).await.done().objects().len()
    };
    assert_eq!((count("note/1").await, count("note/*").await, count("note/").await), (1, 2, 0));
    let text = folder.run(&["log", "--predicate", "note/1"]).await.done().stdout;
    assert!(text.starts_with("20") && text.ends_with("  note/1  \"Milk\"  timestamp -7\n"), "{text:?}");

    let run = folder.run(&["root"]).await.done();
    let root = folder.root("isoroot.redb").await;
    assert_eq!(run.stdout, format!("{}  2 entries, 3 facts\n", root["root"].as_str().unwrap()));
    assert_ne!(root["root"], empty);

    folder.run(&["append", "p"]).await.exits(2);
    folder.run(&["append", "p", "1", "q"]).await.exits(2).says("has no value");
    folder.run(&["append", "", "1"]).await.exits(2).says("the predicate takes 0 bytes");
    folder.run(&["append", "p", r#"{"$bytes":"x"}"#]).await.exits(2).says("hex digits");
    assert_eq!(folder.root("isoroot.redb").await, root, "nothing was written");
}

#[tokio::test]
async fn f5_a_log_is_narrowed_by_each_part_and_goes_on_where_it_was() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let authority = "0a".repeat(32);
    let lines = (1..=6).map(|n| {
        let by = if n % 3 == 0 { format!(r#","authority":"{authority}""#) } else { String::new() };
        format!("{{\"predicate\":\"note/{n}\",\"value\":{n}{by}}}\n")
    });
    folder.write("facts.jsonl", lines.collect::<String>());
    folder.run(&["import", "facts.jsonl", "--batch", "2"]).await.done();
    let all = folder.run(&["log", "--json"]).await.done().objects();
    let text = |place: usize, name: &str| match &all[place][name] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let log = async |arguments: &[&str]| -> Vec<u64> {
        let facts = folder.run(&[&["log", "--json"], arguments].concat()).await.done().objects();
        facts.iter().map(|fact| fact["value"].as_u64().unwrap()).collect()
    };
    assert_eq!(log(&["--authority", &authority]).await, [3, 6]);
    assert_eq!(log(&["--authority", &text(0, "device")]).await, [1, 2, 4, 5], "implied");
    assert_eq!(
        log(&["--device", &text(0, "device"), "--predicate", "note/*", "--limit", "3"]).await,
        [1, 2, 3]
    );
    assert_eq!(log(&["--entry", &text(2, "entry")]).await, [3, 4]);
    assert_eq!(log(&["--entry", &text(2, "entry"), "--authority", &authority]).await, [3]);
    assert_eq!(log(&["--since", &text(2, "written")]).await, [3, 4, 5, 6]);
    assert_eq!(log(&["--until", &text(2, "written")]).await, [1, 2, 3, 4]);
    assert_eq!(log(&["--since", "2026-01-01", "--until", "2026-01-01"]).await, [0u64; 0]);
    assert_eq!(log(&["--since", "2026-01-01"]).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(log(&["--after", &text(2, "position"), "--limit", "2"]).await, [4, 5]);
    folder.run(&["log", "--since", "tomorrow"]).await.exits(2).says("a time is written as");
    folder.run(&["log", "--after", "5"]).await.exits(2).says("a position is written as");
    folder.run(&["log", "--device", "5"]).await.exits(2).says("64 hex digits");
}

#[tokio::test]
async fn f5_what_is_printed_neither_steers_the_terminal_nor_breaks_lines() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    folder.run(&["append", "a\nb\u{1b}[2J", "\"\u{9b}31m\u{202e}\""]).await.done();
    let text = folder.run(&["log"]).await.done().stdout;
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
}

#[tokio::test]
async fn f5_several_journals_are_told_apart() {
    let folder = Folder::new();
    let (one, two) = (folder.init("isoroot.redb").await, folder.init("isoroot.redb").await);
    let run = folder.run(&["append", "p", "1"]).await.exits(2).says("--journal");
    for link in [&one, &two] {
        assert!(run.stderr.contains(link.trim_start_matches("isoroot:")), "{run:#?}");
    }
    folder.run(&["append", "p", "1", "--journal", &one]).await.done();
    let id = two.trim_start_matches("isoroot:");
    let entries = async |journal: &str| {
        folder.run(&["root", "--journal", journal, "--json"]).await.done().json()["entries"].as_u64().unwrap()
    };
    assert_eq!((entries(&one).await, entries(id).await), (1, 0));
    let other = "0".repeat(64);
    folder.run(&["root", "--journal", &other]).await.exits(3).says(&other).says("isoroot open");
    folder.run(&["root", "--journal", "12"]).await.exits(2).says("64 hex digits");
}

#[tokio::test]
async fn f5_every_help_lists_the_exit_codes() {
    let folder = Folder::new();
    for command in [
        "init", "open", "import", "export", "append", "log", "watch", "root", "inspect", "sync", "journals",
        "hub", "",
    ] {
        let arguments: &[&str] = if command.is_empty() { &["--help"] } else { &[command, "--help"] };
        let help = folder.run(arguments).await.done();
        for line in ["0  done", "1  the answer is no", "2  usage", "3  the store", "4  the network"] {
            assert!(help.stdout.contains(line), "{line} in {help:#?}");
        }
        assert_eq!(help.stderr, "");
    }
    assert!(folder.run(&["--version"]).await.done().stdout.starts_with("isoroot 0."));
    folder.run(&[]).await.exits(2);
    folder.run(&["--nonsense"]).await.exits(2);
    folder.run(&["conquer"]).await.exits(2);
}

#[tokio::test]
async fn c15_a_store_that_is_in_use_or_no_store_says_so() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let store = RedbStore::open(folder.path("isoroot.redb")).unwrap();
    let run = folder.run(&["append", "p", "1"]).await.exits(3).says("is in use");
    run.says(&std::process::id().to_string());
    let run = folder.run(&["append", "p", "1", "--json"]).await.exits(3);
    assert!(run.stderr.starts_with("{\"error\":\"STORE_IN_USE\","), "{run:#?}");
    store.close().await;
    folder.run(&["append", "p", "1"]).await.done();

    folder.write("text.redb", "this is no store, whatever its name");
    folder.run(&["root", "--store", "text.redb"]).await.exits(3).says("cannot be opened");
    folder.run(&["init", "--store", "text.redb"]).await.exits(3).says("cannot be opened");
    folder.run(&["init", "--store", "."]).await.exits(3);
    folder.run(&["init", "--store", "text.redb/x.redb"]).await.exits(3);
    assert_eq!(
        std::fs::read_to_string(folder.path("text.redb")).unwrap(),
        "this is no store, whatever its name"
    );
}

#[tokio::test]
async fn f5_sync_without_a_peer_says_why() {
    let folder = Folder::new();
    let link = folder.init("isoroot.redb").await;
    // A port on which nobody listens.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("ws://127.0.0.1:{port}/sync");
    folder.run(&["sync", &url]).await.exits(4).says("nobody reached");
    let run = folder.run(&["sync", &url, "--json"]).await.exits(4);
    assert!(run.stderr.starts_with("{\"error\":\"UNREACHABLE\",") && run.stdout.is_empty(), "{run:#?}");
    folder.run(&["sync"]).await.exits(2).says("named no hub");
    folder.run(&["sync", "http://127.0.0.1/sync"]).await.exits(2);
    folder.run(&["sync", "ws://192.0.2.1/sync"]).await.exits(2).says("wss://");
    folder.run(&["open", &format!("{link}?hub=ws%3A%2F%2F127.0.0.1%3A{port}%2Fsync")]).await.done();
    folder.run(&["sync"]).await.exits(4).says(&port.to_string());
}

#[tokio::test]
async fn f5_a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    folder.write("facts.jsonl", lines(0, 20_000));
    folder.run(&["import", "facts.jsonl", "--batch", "1000"]).await.done();
    let mut child = folder.command(&["log"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).await.unwrap();
    drop(stdout);
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
