//! The command line tool: every command, what it prints, and its exit codes.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::process::Stdio;

use isoroot::platform::Store;
use isoroot::platform::native::RedbStore;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tool::{Folder, PATIENCE, signal};

/// So many good lines, numbered from `from`.
fn lines(from: u64, count: u64) -> String {
    (from..from + count).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":{n}}}\n")).collect()
}

fn is_hex(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The names of an object's fields, in order.
fn fields(line: &str) -> Vec<String> {
    // The parser sorts them, so they are looked for in the text.
    let object: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    let mut fields: Vec<_> = object.keys().cloned().collect();
    fields.sort_by_key(|field| line.find(&format!("\"{field}\":")));
    fields
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
async fn f5_import_gathers_lines_into_entries() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    folder.write("facts.jsonl", lines(0, 250) + "\n  \n");
    let run = folder.run(&["import", "facts.jsonl", "--json"]).await.done();
    assert_eq!(fields(&run.stdout), ["journal", "facts", "entries", "bad_lines", "last_line", "duration_ms"]);
    let said = run.json();
    assert_eq!((&said["facts"], &said["entries"], &said["bad_lines"]), (&json!(250), &json!(3), &json!(0)));
    assert_eq!(run.stderr, "", "no progress bar where there is no terminal");

    let run = folder.run(&["import", "facts.jsonl", "--batch", "1"]).await.done();
    assert_eq!(run.stdout, "imported 250 facts in 250 entries\n");
    assert!(
        run.stderr.starts_with("250 facts, 250 entries, ") && run.stderr.ends_with(" facts/s\n"),
        "{run:#?}"
    );
    let root = folder.root("isoroot.redb").await;
    assert_eq!((&root["entries"], &root["facts"]), (&json!(253), &json!(500)));
    let facts = folder.run(&["log", "--json"]).await.done().objects();
    let order: Vec<_> = facts.iter().map(|fact| fact["value"].as_u64().unwrap()).collect();
    assert!(order.iter().copied().eq((0..250).chain(0..250)), "the order of the lines");

    folder.write("empty.jsonl", "");
    let run = folder.run(&["import", "empty.jsonl"]).await.done();
    assert_eq!(run.stdout, "imported 0 facts in 0 entries\n");
    for batch in ["0", "1001", "x"] {
        folder.run(&["import", "facts.jsonl", "--batch", batch]).await.exits(2);
    }
    folder.run(&["import", "missing.jsonl"]).await.exits(2).says("missing.jsonl cannot be read");
    folder.run(&["import", "."]).await.exits(2).says("cannot be read");
    assert_eq!(folder.root("isoroot.redb").await, root);
}

#[tokio::test]
async fn f5_one_bad_line_and_nothing_is_written() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    // Lines 2, 4, … 202 are bad: 101 of them.
    let text: String = (1..=101).map(|n| lines(n, 1) + "{\"predicate\":\"\",\"value\":1}\n").collect();
    folder.write("facts.jsonl", &text);
    let before = folder.root("isoroot.redb").await;

    let run = folder.run(&["import", "facts.jsonl"]).await.exits(1);
    let listed: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(listed.len(), 100);
    assert_eq!(listed[0], "line 2: the predicate takes 0 bytes, of 1 to 256");
    assert!(listed[99].starts_with("line 200: "));
    let run = run.says("and 1 more bad line\n").says("101 bad lines: nothing was written");
    assert_eq!(run.stdout, "imported 0 facts in 0 entries\n");
    assert_eq!(folder.root("isoroot.redb").await, before, "nothing was written");

    let run = folder.run(&["import", "facts.jsonl", "--json"]).await.exits(1);
    let mut said = run.objects();
    let summary = said.pop().unwrap();
    assert_eq!(
        (&summary["facts"], &summary["entries"], &summary["bad_lines"]),
        (&json!(0), &json!(0), &json!(101))
    );
    assert_eq!(said.len(), 100);
    assert_eq!(said[0], json!({"line": 2, "error": "the predicate takes 0 bytes, of 1 to 256"}));

    let run = folder.run(&["import", "facts.jsonl", "--keep-going"]).await.exits(1);
    assert_eq!(run.stdout, "imported 101 facts in 2 entries\n");
    assert!(run.stderr.contains("line 2: ") && run.stderr.contains("and 1 more bad line\n"), "{run:#?}");
    assert_eq!(folder.root("isoroot.redb").await["facts"], 101);
}

#[tokio::test]
async fn f5_each_bad_line_says_why() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let mut text = lines(1, 1).into_bytes();
    for line in [
        &b"hello"[..],
        b"{\"predicate\":\"a\",\"value\":1,\"size\":2}",
        b"{\"predicate\":\"a\"}",
        b"{\"predicate\":\"\xff\",\"value\":1}",
        b"{\"predicate\":\"a\",\"value\":",
        &[b'x'; 1_200_000],
    ] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    folder.write("facts.jsonl", text);
    let run = folder.run(&["import", "facts.jsonl"]).await.exits(1);
    let run = run.says("line 2: not JSON: expected value (column 1)").says("line 3: unknown field \"size\"");
    let run =
        run.says("line 4: the field \"value\" is missing").says("line 5: byte 15 of the line is not UTF-8");
    run.says("line 6: the JSON ends too early")
        .says("line 7: the line is over 1048576 bytes")
        .says("6 bad lines");
}

#[tokio::test]
async fn f5_facts_too_large_for_one_entry_make_several() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let value = "x".repeat(65_000);
    let text: String =
        (0..40).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":\"{value}\"}}\n")).collect();
    folder.write("facts.jsonl", text);
    let run = folder.run(&["import", "facts.jsonl", "--json"]).await.done();
    assert_eq!((&run.json()["facts"], &run.json()["entries"]), (&json!(40), &json!(4)));
}

#[tokio::test]
async fn f5_standard_input_goes_batch_by_batch_and_says_how_far_it_came() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let run =
        folder.run_with(&["import", "-", "--batch", "10", "--json"], lines(0, 25).as_bytes()).await.done();
    let said = run.json();
    assert_eq!((&said["facts"], &said["entries"], &said["last_line"]), (&json!(25), &json!(3), &json!(25)));

    let broken = lines(0, 25) + "x\n" + &lines(26, 25);
    let run = folder.run_with(&["import", "-", "--batch", "10"], broken.as_bytes()).await.exits(1);
    let run = run.says("line 26: not JSON").says("1 bad line: stopped; what is written goes up to line 20");
    assert_eq!(run.stdout, "imported 20 facts in 2 entries\n");
    let run =
        folder.run_with(&["import", "-", "--batch", "10", "--keep-going"], broken.as_bytes()).await.exits(1);
    assert_eq!(run.stdout, "imported 50 facts in 5 entries\n");
    assert_eq!(folder.root("isoroot.redb").await["facts"], 95);
    let run = folder.run_with(&["import", "-", "--batch", "10"], b"x\n").await.exits(1);
    run.says("1 bad line: nothing was written");
}

#[tokio::test]
async fn f5_a_bad_line_ends_an_import_whose_input_stays_open() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let mut child = folder.command(&["import", "-", "--batch", "1"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all((lines(0, 1) + "x\n").as_bytes()).await.unwrap();
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    drop(stdin);
    assert_eq!(folder.root("isoroot.redb").await["facts"], 1);
}

#[tokio::test]
async fn f5_an_import_that_is_interrupted_says_how_far_it_came() {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let mut child = folder.command(&["import", "-", "--batch", "2"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than the pipe holds, so that some of it has been taken when all of it has been sent.
    stdin.write_all(lines(0, 10_001).as_bytes()).await.unwrap();
    signal(&child, "INT").await;
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("isoroot: interrupted"), "{said}");
    let facts = folder.root("isoroot.redb").await["facts"].as_u64().unwrap();
    // What was read need not have been written yet.
    let far = if facts == 0 { "nothing was written".to_owned() } else { format!("up to line {facts}\n") };
    assert!(facts.is_multiple_of(2) && said.contains(&far), "{facts}: {said}");
    drop(stdin);
}

#[tokio::test]
async fn f5_a_log_can_be_imported_again_without_loss() {
    let folder = Folder::new();
    folder.init("a.redb").await;
    folder.init("b.redb").await;
    let values = [
        "null",
        "true",
        "-1",
        "9007199254740993",
        "9007199254740992.0",
        "0.1",
        "1e300",
        "\"é\\n\\u0000\"",
        "[[],{}]",
        r#"{"$bytes":"00ff"}"#,
        r#"{"$float":"nan"}"#,
        r#"{"$float":"-inf"}"#,
        r#"{"$map":{"$bytes":"x"}}"#,
        r#"{"b":1,"aa":{"$map":{"$map":null}}}"#,
        "2.2250738585072011e-308",
    ];
    let authority = "0a".repeat(32);
    let text: String = values
        .iter()
        .map(|value| {
            format!(
                "{{\"predicate\":\"p\",\"value\":{value},\"timestamp\":5,\"authority\":\"{authority}\"}}\n"
            )
        })
        .collect();
    folder.write("facts.jsonl", text);
    folder.run(&["import", "facts.jsonl", "--store", "a.redb"]).await.done();
    let first = folder.run(&["log", "--store", "a.redb", "--json"]).await.done();
    // What a fact is, without where it came from.
    let again = |stdout: &str| -> Vec<String> {
        stdout.lines().map(|line| line.split(",\"entry\":").next().unwrap().to_owned() + "}").collect()
    };
    let facts = again(&first.stdout);
    assert_eq!(facts.len(), values.len());
    let run =
        folder.run_with(&["import", "-", "--store", "b.redb"], (facts.join("\n") + "\n").as_bytes()).await;
    run.done();
    let second = folder.run(&["log", "--store", "b.redb", "--json"]).await.done();
    assert_eq!(again(&second.stdout), facts);
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
