//! `isoroot import` of lines: what becomes an entry, what is refused, and how far it came.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tool::{Folder, PATIENCE, fields, lines, signal};

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
