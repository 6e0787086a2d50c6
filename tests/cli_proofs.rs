//! `isoroot prove` and `isoroot verify`: evidence from a store, checked where there is none (C5, F5).

#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

mod tool;

use isoroot::{EntryId, Evidence, EvidenceError, ProofError};
use serde_json::{Value, json};
use tool::{Folder, Run};

const ABSENT: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

/// A store with these facts, each an entry; the ids.
async fn filled(folder: &Folder, count: u32) -> Vec<String> {
    folder.init("isoroot.redb").await;
    let mut ids = Vec::new();
    for number in 0..count {
        let value = number.to_string();
        let appended = folder.run(&["append", "note", &value, "more", "\"x\""]).await.done();
        ids.push(appended.stdout.trim().to_owned());
    }
    ids
}

async fn root(folder: &Folder) -> String {
    folder.root("isoroot.redb").await["root"].as_str().unwrap().to_owned()
}

/// Verifies in a folder where there is no store.
async fn verify(evidence: &[u8], arguments: &[&str]) -> Run {
    Folder::new().run_with(&[&["verify"], arguments].concat(), evidence).await
}

async fn prove(folder: &Folder, id: &str) -> Vec<u8> {
    folder.run(&["prove", id, "-o", "p"]).await.done();
    std::fs::read(folder.path("p")).unwrap()
}

#[tokio::test]
async fn c5_what_is_proved_here_is_verified_where_there_is_no_store() {
    let folder = Folder::new();
    let ids = filled(&folder, 5).await;
    let root = root(&folder).await;
    for (number, id) in ids.iter().enumerate() {
        let evidence = prove(&folder, id).await;
        let said = verify(&evidence, &["--root", &root]).await.done();
        let lines: Vec<_> = said.stdout.lines().collect();
        assert_eq!((lines[0], lines.len()), ("in", 3), "{said:#?}");
        assert!(lines[1].ends_with(&format!("  note  {number}")), "{said:#?}");
        assert!(lines[2].ends_with("  more  \"x\""));
        let said = verify(&evidence, &["--root", &root, "--json"]).await.done().json();
        assert_eq!((&said["in"], &said["entry"], &said["entries"]), (&json!(true), &json!(id), &json!(5)));
        let fact = json!({"predicate": "note", "value": number, "timestamp": null, "authority": null});
        assert_eq!(said["facts"][0], fact);
    }
    let evidence = prove(&folder, ABSENT).await;
    let said = verify(&evidence, &["-", "--root", &root]).await.done();
    assert_eq!(said.stdout, "not in\n");
    let said = verify(&evidence, &["--root", &root, "--json"]).await.done().json();
    assert_eq!((&said["in"], &said["entry"], said.get("facts")), (&json!(false), &json!(ABSENT), None));
}

#[tokio::test]
async fn c5_prove_writes_to_a_file_to_a_pipe_and_as_json() {
    let folder = Folder::new();
    let id = filled(&folder, 2).await.remove(0);
    let evidence = prove(&folder, &id).await;
    assert!(Evidence::from_bytes(&evidence).unwrap().claims_in());
    let piped = folder.command(&["prove", &id]).output().await.unwrap();
    assert!(piped.status.success());
    assert_eq!(piped.stdout, evidence);
    let note = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(note, format!("in, by root {}  2 entries\n", root(&folder).await));

    let said = folder.run(&["prove", &id, "--json"]).await.done();
    let hex: String = evidence.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said.json()["evidence"], json!(hex));
    assert_eq!(said.json()["root"], json!(root(&folder).await));
    assert_eq!((said.stderr.as_str(), said.json()["in"].clone()), ("", json!(true)));

    // A fact is proved by its whole entry; one that the entry has not can't be meant.
    assert_eq!(prove(&folder, &format!("{id}:1")).await, evidence);
    folder.run(&["prove", &format!("{id}:2"), "-o", "q"]).await.exits(2).says("has 2 facts");
    assert!(!folder.path("q").exists());
    for bad in ["", "12", &format!("{id}:"), &format!("{id}:+1"), &format!("{id}:65536")] {
        folder.run(&["prove", bad, "-o", "q"]).await.exits(2);
    }
    folder.run(&["prove", &id, "-o", "no/such/folder"]).await.exits(2).says("no/such/folder");
    folder.run(&["prove", &id, "--store", "missing.redb"]).await.exits(3).says("isoroot init");
}

/// Bytes into a terminal would be of no use to anybody.
#[tokio::test]
async fn c5_evidence_is_not_written_to_a_terminal() {
    let folder = Folder::new();
    let id = filled(&folder, 1).await.remove(0);
    // `script` runs a command in a terminal of its own.
    let tool = env!("CARGO_BIN_EXE_isoroot");
    let mut script = tokio::process::Command::new("script");
    script.args(["-qec", &format!("{tool} prove {id}"), "/dev/null"]).current_dir(folder.path(""));
    let Ok(said) = script.stdin(std::process::Stdio::null()).output().await else {
        panic!("`script`, of util-linux, is needed");
    };
    let said = (said.status.code(), String::from_utf8_lossy(&said.stdout).into_owned());
    assert!(said.0 == Some(2) && said.1.contains("add -o FILE"), "{said:?}");
}

#[tokio::test]
async fn c5_false_evidence_exits_with_1_and_no_evidence_with_2() {
    let folder = Folder::new();
    let ids = filled(&folder, 4).await;
    let evidence = prove(&folder, &ids[0]).await;
    let (root, other) = (root(&folder).await, "ab".repeat(32));
    verify(&evidence, &["--root", &other]).await.exits(1).says("the proof is for another root, ").says(&root);
    let said = verify(&evidence, &["--root", &other, "--json"]).await.exits(1);
    let error: Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!((said.stdout.as_str(), &error["error"]), ("", &json!("PROOF_FALSE")));

    // Every byte, one at a time in turn of what there is to break, by the library; some by the tool.
    let root_hash = *root.parse::<EntryId>().unwrap().as_bytes();
    let judge = |bytes: &[u8]| Evidence::from_bytes(bytes).and_then(|read| read.verify(&root_hash));
    assert!(judge(&evidence).is_ok());
    for at in 0..evidence.len() {
        let mut broken = evidence.clone();
        broken[at] ^= 0x10;
        let error = judge(&broken).unwrap_err();
        if at % 97 == 0 {
            let malformed = error.code().as_str() == "PROOF_MALFORMED";
            verify(&broken, &["--root", &root])
                .await
                .exits(if malformed { 2 } else { 1 })
                .says(&error.to_string());
        }
    }
    let record = evidence.windows(4).position(|at| at == b"note").unwrap();
    let mut forged = evidence.clone();
    forged[record] ^= 1;
    verify(&forged, &["--root", &root]).await.exits(1).says("signature");
    for bad in [&b""[..], b"isoroot", &evidence[1..], &evidence[..evidence.len() - 1], &[0x85; 2_000_000]] {
        verify(bad, &["--root", &root]).await.exits(2);
    }
    folder.run(&["verify", "missing", "--root", &root]).await.exits(2).says("missing");
    verify(&evidence, &[]).await.exits(2).says("--root");
    verify(&evidence, &["--root", "12"]).await.exits(2).says("a root is written as 64 hex digits");
    let grown = folder.run(&["append", "p", "1"]).await.done();
    assert_eq!(grown.code, 0);
    verify(&evidence, &["--root", &self::root(&folder).await]).await.exits(1);
    assert_eq!(judge(&prove(&folder, &ids[0]).await), Err(other_root(&folder).await), "of the new root");
}

async fn other_root(folder: &Folder) -> EvidenceError {
    let found = *root(folder).await.parse::<EntryId>().unwrap().as_bytes();
    ProofError::OtherRoot { found }.into()
}

#[tokio::test]
async fn c5_verify_can_demand_the_journal() {
    let folder = Folder::new();
    let id = filled(&folder, 1).await.remove(0);
    let root = root(&folder).await;
    let journal = folder.root("isoroot.redb").await["journal"].as_str().unwrap().to_owned();
    let evidence = prove(&folder, &id).await;
    verify(&evidence, &["--root", &root, "--journal", &journal]).await.done();
    verify(&evidence, &["--root", &root, "--journal", &format!("isoroot:{journal}")]).await.done();
    let said = verify(&evidence, &["--root", &root, "--journal", ABSENT]).await;
    said.exits(1).says("is about the journal");
}
