//! The command line tool's files of journals: written whole or not at all, checked before they count (C12, F5).

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tool::{Folder, PATIENCE, signal};

/// A folder with a journal of so many entries in `isoroot.redb`, and its file.
async fn journal(entries: u64) -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    folder.init("isoroot.redb").await;
    let lines: String =
        (0..entries).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":{n}}}\n")).collect();
    folder.write("facts.jsonl", lines);
    folder.run(&["import", "facts.jsonl", "--batch", "1"]).await.done();
    folder.run(&["export", "-o", "notes.isoroot"]).await.done();
    let file = std::fs::read(folder.path("notes.isoroot")).unwrap();
    (folder, file)
}

/// What lies in a folder, without the store's lock.
fn names(folder: &Folder) -> Vec<String> {
    let names = std::fs::read_dir(folder.path(".")).unwrap();
    let mut names: Vec<_> = names.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with(".lock"));
    names.sort();
    names
}

/// The bytes that the tool writes to standard output.
async fn stdout(folder: &Folder, arguments: &[&str]) -> Vec<u8> {
    let output = folder.command(arguments).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[tokio::test]
async fn c12_a_journal_goes_into_a_new_store_by_its_file() {
    let (folder, file) = journal(25).await;
    let root = folder.root("isoroot.redb").await;
    assert_eq!(names(&folder), ["facts.jsonl", "isoroot.redb", "notes.isoroot"], "nothing else is left");
    assert_eq!(stdout(&folder, &["export"]).await, file, "standard output gets the same bytes");
    assert_eq!(stdout(&folder, &["export", "-o", "-"]).await, file);

    let run = folder.run(&["export", "-o", "notes.isoroot", "--json"]).await.done();
    let said = run.json();
    assert_eq!((&said["journal"], &said["root"]), (&root["journal"], &root["root"]));
    assert_eq!((&said["entries"], &said["bytes"]), (&json!(25), &json!(file.len())));
    assert_eq!(said["file"], "notes.isoroot");

    let run = folder.run(&["import", "notes.isoroot", "--store", "new.redb"]).await.done();
    let hash = root["root"].as_str().unwrap();
    let text = format!(
        "imported 25 entries, 25 new\nroot in the file  {hash}  25 entries\nroot here         {hash}  25 entries\n"
    );
    assert_eq!(run.stdout, text);
    run.says("The journal is new in new.redb.");
    let again = folder.run(&["import", "notes.isoroot", "--store", "new.redb", "--json"]).await.done();
    let said = again.json();
    assert_eq!((&said["entries"], &said["new"], &said["root_entries"]), (&json!(25), &json!(0), &json!(25)));
    assert_eq!((&said["file_root"], &said["root"]), (&root["root"], &root["root"]));
    assert_eq!(again.stderr, "");

    // Its facts, its order and its genesis came along.
    assert_eq!(stdout(&folder, &["export", "--store", "new.redb"]).await, file);
    // By standard input, into a store that has entries of its own.
    folder.run(&["append", "p", "1", "--store", "new.redb"]).await.done();
    let run = folder.run_with(&["import", "-", "--store", "new.redb", "--json"], &file).await.done();
    assert_eq!((&run.json()["new"], &run.json()["root_entries"]), (&json!(0), &json!(26)));
    assert_eq!(run.json()["file_root"], root["root"]);
}

#[tokio::test]
async fn c12_a_file_that_is_wrong_is_refused_whole_and_makes_no_store() {
    let (folder, file) = journal(3).await;
    let mut unsigned = file.clone();
    unsigned[file.len() - 80] ^= 1;
    let mut version = file.clone();
    version[8] = 9;
    let cases: [(&str, Vec<u8>, i32, &str); 5] = [
        ("cut off", file[..file.len() - 1].to_vec(), 1, "FILE_INCOMPLETE"),
        ("a signature", unsigned, 1, "FILE_ENTRY"),
        ("longer", [&file[..], &[0]].concat(), 1, "FILE_DAMAGED"),
        ("version", version, 2, "FILE_VERSION"),
        ("another file", b"\x89PNG\r\n\x1a\n".to_vec(), 2, "NOT_A_JOURNAL_FILE"),
    ];
    for (what, bytes, code, name) in cases {
        folder.write("bad.isoroot", bytes);
        let arguments = ["import", "bad.isoroot", "--store", "none.redb", "--json"];
        let run = folder.run(&arguments).await.exits(code);
        let error: Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!(error["error"], name, "{what}");
        assert_eq!(run.stdout, "", "{what}");
        assert!(!folder.path("none.redb").exists(), "{what}");
    }
}

#[tokio::test]
async fn c12_standard_input_is_imported_as_it_comes_and_says_how_far() {
    let (folder, file) = journal(3).await;
    let cut = &file[..file.len() - 100];
    let run = folder.run_with(&["import", "-", "--store", "new.redb"], cut).await.exits(1);
    let run = run
        .says("the file is incomplete")
        .says("2 entries before that were right and are imported, 2 of them new");
    assert!(run.stdout.starts_with("imported 2 entries, 2 new\nroot here "), "{run:#?}");
    let run = folder.run_with(&["import", "-", "--store", "new.redb", "--json"], cut).await.exits(1);
    let said = run.json();
    assert_eq!((&said["entries"], &said["new"], &said["file_root"]), (&json!(2), &json!(0), &Value::Null));
    let error: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(error["error"], "FILE_INCOMPLETE");
    let run = folder.run_with(&["import", "-", "--store", "new.redb", "--json"], &file).await.done();
    assert_eq!((&run.json()["new"], &run.json()["root_entries"]), (&json!(1), &json!(3)));
    // Nothing that says which journal it is: nothing is made.
    for cut in [1, 40, 83] {
        let run = folder.run_with(&["import", "-", "--store", "none.redb"], &file[..cut]).await.exits(1);
        run.says("cut off");
        assert!(!folder.path("none.redb").exists());
    }
}

#[tokio::test]
async fn c12_a_file_of_another_journal_than_asked_for_is_refused() {
    let (folder, file) = journal(1).await;
    let other = "1".repeat(64);
    for arguments in [["import", "notes.isoroot"], ["import", "-"]] {
        let arguments = [&arguments[..], &["--store", "none.redb", "--journal", &other, "--json"]].concat();
        let run = folder.run_with(&arguments, &file).await.exits(2);
        let error: Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!(error["error"], "OTHER_JOURNAL");
        assert!(!folder.path("none.redb").exists());
    }
    // Beside another journal in one store, each is exported by its id.
    folder.init("two.redb").await;
    folder.run(&["import", "notes.isoroot", "--store", "two.redb"]).await.done();
    folder.run(&["export", "-o", "x.isoroot", "--store", "two.redb"]).await.exits(2).says("--journal ID");
    let id = folder.root("isoroot.redb").await["journal"].as_str().unwrap().to_owned();
    assert_eq!(stdout(&folder, &["export", "--store", "two.redb", "--journal", &id]).await, file);
}

#[tokio::test]
async fn c12_an_export_replaces_a_file_whole_or_not_at_all() {
    let (folder, file) = journal(2).await;
    folder.write("kept.isoroot", "what was there before");
    folder.run(&["export", "-o", "kept.isoroot"]).await.done();
    assert_eq!(std::fs::read(folder.path("kept.isoroot")).unwrap(), file);

    folder.write("kept.isoroot", "what was there before");
    let run = folder.run(&["export", "-o", "kept.isoroot", "--store", "missing.redb"]).await.exits(3);
    run.says("isoroot init");
    assert_eq!(std::fs::read(folder.path("kept.isoroot")).unwrap(), b"what was there before");
    folder
        .run(&["export", "-o", "nowhere/x.isoroot"])
        .await
        .exits(2)
        .says("nowhere/x.isoroot cannot be written");
    // What is no ordinary file is written to, not replaced.
    folder.run(&["export", "-o", "/dev/null"]).await.done();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    // A link stays one.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("kept.isoroot", folder.path("link")).unwrap();
        folder.run(&["export", "-o", "link"]).await.done();
        assert!(std::fs::symlink_metadata(folder.path("link")).unwrap().is_symlink());
        assert_eq!(std::fs::read(folder.path("kept.isoroot")).unwrap(), file);
    }
    // A reader who leaves early has no whole file, and the tool says so.
    let mut child = folder.command(&["export"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let names = names(&folder);
    assert!(names.iter().all(|name| !name.contains(".part")), "{names:?}");
}

#[tokio::test]
async fn c12_an_import_that_is_interrupted_says_how_far_it_came() {
    let (folder, file) = journal(600).await;
    let mut child = folder.command(&["import", "-", "--store", "new.redb", "--json"]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&file[..file.len() * 9 / 10]).await.unwrap();
    stdin.flush().await.unwrap();
    // The first batch of 512 is being committed, or is: the store is there.
    let begun = async {
        while !folder.path("new.redb").exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, begun).await.unwrap();
    signal(&child, "INT").await;
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"], "INTERRUPTED");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let here = folder.root("new.redb").await;
    assert_eq!((&said["new"], &said["root"]), (&here["entries"], &here["root"]));
}
