//! A second implementation of the wire, in Python and written from docs/PROTOCOL.md alone (`tests/peer`), syncs with
//! the hub and the tool, in both roles and with each plan.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use tool::{Folder, PATIENCE, Run, Running, RunningHub};

/// The plans, by their numbers.
const FEED: [u64; 1] = [0];
const DESCEND: [u64; 1] = [1];
const SYMBOLS: [u64; 1] = [2];
const ACCEPTOR_LISTS: [u64; 1] = [3];
const OPENER_LISTS: [u64; 1] = [4];

/// A store of the peer: its name, and the seed of its device.
struct Peer<'a> {
    folder: &'a Folder,
    python: &'static str,
    journals: Vec<String>,
    name: &'static str,
}

/// A Python with what the peer needs.
async fn python() -> &'static str {
    for python in ["python3", "/usr/bin/python3"] {
        let mut command = Command::new(python);
        command.args(["-c", "import cbor2, cryptography"]).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return python;
        }
    }
    panic!("no python3 with the packages cbor2 and cryptography: run `make setup`");
}

/// Runs a script of the peer.
fn start(python: &str, script: &str, argument: &str) -> Running {
    let path = format!("{}/tests/peer/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.args([&path, argument]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::new(command.kill_on_drop(true).spawn().unwrap(), &[script, argument])
}

impl<'a> Peer<'a> {
    async fn new(folder: &'a Folder, links: &[&str], name: &'static str) -> Peer<'a> {
        let journals = links.iter().map(|link| link.strip_prefix("isoroot:").unwrap().to_owned()).collect();
        std::fs::create_dir(folder.path(name)).unwrap();
        Peer { folder, python: python().await, journals, name }
    }

    /// Starts it with these options, from a cursor if one is given.
    fn start(&self, more: &Value, cursor: &Value) -> Running {
        let journals: Value = self.journals.iter().map(|id| (id.clone(), cursor.clone())).collect();
        let seed = format!("{:0>64}", self.name.len());
        let mut options =
            json!({ "folder": self.folder.path(self.name), "seed": seed, "journals": journals });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        start(self.python, "peer.py", &options.to_string())
    }

    /// Dials a hub, with entries to write first; what it says at the end.
    async fn dial(&self, hub: &RunningHub, write: u64, cursor: &Value) -> Value {
        let run = self.start(&json!({ "url": hub.url, "write": write }), cursor).end(PATIENCE).await;
        let done = run.done().json();
        assert_eq!(done["event"], "done");
        assert_eq!(done["receipt"], done["root"], "{done}");
        done
    }

    /// Has the tool dial, with entries to write first; what both say at the end.
    async fn is_dialled_by(&self, store: &str, write: u64, plan: [u64; 1]) -> (Value, Value) {
        let mut peer = self.start(&json!({ "write": write, "plan": plan[0] }), &Value::Null);
        let url = peer.until(|said| said["event"] == "listening").await["url"].clone();
        let url = url.as_str().unwrap();
        let synced = self.folder.run(&["sync", url, "--store", store, "--json"]).await.done().json();
        let done = peer.end(PATIENCE).await.done().json();
        assert_eq!((&synced["event"], &done["event"]), (&json!("synced"), &json!("done")));
        assert_eq!(synced["root"], done["root"], "{synced} {done}");
        (synced, done)
    }
}

/// Imports so many facts, each an entry, with values of so many bytes.
async fn import(folder: &Folder, store: &str, name: &str, count: u64, size: usize) -> Run {
    let text = "x".repeat(size);
    let line = |n| format!("{{\"predicate\":\"{name}/{n}\",\"value\":\"{text}\"}}\n");
    let lines: String = (0..count).map(line).collect();
    folder.run_with(&["import", "-", "--batch", "1", "--store", store], lines.as_bytes()).await.done()
}

/// The values of the facts whose predicate begins so.
async fn values(folder: &Folder, store: &str, predicate: &str) -> Vec<Value> {
    let run = folder.run(&["log", "--json", "--store", store, "--predicate", predicate]).await.done();
    run.objects().into_iter().map(|fact| fact["value"].clone()).collect()
}

/// These fields of what was said, as an array.
fn fields(said: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| said[name].clone()).collect()
}

#[tokio::test]
async fn d6_the_second_implementation_reads_and_writes_every_golden_message() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let said = start(python().await, "confirm.py", golden).end(PATIENCE).await.done().stdout;
    let passed: usize = said.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{said}"));
    assert!(passed > 200, "{said}");
}

#[tokio::test]
async fn d6_the_second_implementation_dials_a_hub_with_every_plan_that_it_chooses() {
    let folder = Folder::new();
    let link = folder.init("tool.redb").await;
    import(&folder, "tool.redb", "first", 300, 10).await;
    let hub = RunningHub::start(&folder, &[]).await;
    let sync = ["sync", &hub.url, "--store", "tool.redb", "--json"];
    folder.run(&sync).await.done();
    let outcome = ["plan", "rounds", "sent", "received", "count"];

    let one = Peer::new(&folder, &[&link], "one").await;
    let done = one.dial(&hub, 0, &Value::Null).await;
    assert_eq!(fields(&done, &outcome), json!([FEED, 1, 0, 300, 300]));
    let done = one.dial(&hub, 0, &Value::Null).await;
    assert_eq!(fields(&done, &outcome), json!(["same", 0, 0, 0, 300]));
    let done = one.dial(&hub, 40, &done["cursor"]).await;
    assert_eq!(fields(&done, &outcome), json!([FEED, 1, 40, 0, 340]), "it goes on where it was");

    let other = Peer::new(&folder, &[&link], "other").await;
    let done = other.dial(&hub, 3, &Value::Null).await;
    assert_eq!(fields(&done, &outcome), json!([OPENER_LISTS, 1, 3, 340, 343]));
    let done = other.dial(&hub, 400, &Value::Null).await;
    assert_eq!(fields(&done, &outcome), json!([ACCEPTOR_LISTS, 1, 400, 0, 743]));
    import(&folder, "tool.redb", "second", 2, 10).await;
    folder.run(&sync).await.done();
    let done = other.dial(&hub, 2, &Value::Null).await;
    assert_eq!(fields(&done, &outcome), json!([SYMBOLS, 1, 2, 2, 747]));

    let synced = folder.run(&sync).await.done().json();
    assert_eq!((&synced["root"], &synced["entries"]), (&done["root"], &json!(747)));
    let written = values(&folder, "tool.redb", "peer/*").await;
    assert_eq!(written.len(), 445);
    assert!([0, 2, 399].iter().all(|n| written.contains(&json!(format!("value {n}")))));
}

#[tokio::test]
async fn d6_the_tool_dials_the_second_implementation_with_every_plan() {
    let folder = Folder::new();
    let link = folder.init("tool.redb").await;
    import(&folder, "tool.redb", "common", 60, 10).await;
    let peer = Peer::new(&folder, &[&link], "peer").await;
    let outcome = ["plan", "rounds", "sent", "received", "count"];
    let (_, done) = peer.is_dialled_by("tool.redb", 0, DESCEND).await;
    assert_eq!(fields(&done, &outcome), json!([DESCEND, 1, 0, 60, 60]));
    let mut count = 60;
    for plan in [DESCEND, SYMBOLS, ACCEPTOR_LISTS, OPENER_LISTS] {
        import(&folder, "tool.redb", &format!("plan {plan:?}"), 3, 10).await;
        let (synced, done) = peer.is_dialled_by("tool.redb", 2, plan).await;
        count += 5;
        assert_eq!(fields(&done, &outcome), json!([plan, 1, 2, 3, count]));
        assert_eq!(synced["entries"], count);
    }
    // More than the symbols that come unasked can tell.
    import(&folder, "tool.redb", "many", 30, 10).await;
    let (synced, done) = peer.is_dialled_by("tool.redb", 20, SYMBOLS).await;
    assert_eq!(fields(&done, &outcome), json!([SYMBOLS, synced["rounds"], 20, 30, 130]));
    let (_, done) = peer.is_dialled_by("tool.redb", 0, FEED).await;
    assert_eq!(fields(&done, &outcome), json!(["same", 0, 0, 0, 130]));
    import(&folder, "tool.redb", "feed", 3, 10).await;
    let (_, done) = peer.is_dialled_by("tool.redb", 2, FEED).await;
    assert_eq!(fields(&done, &["plan", "rounds", "count"]), json!([FEED, 1, 135]));
    // Records that take several frames.
    import(&folder, "tool.redb", "large", 5, 65_000).await;
    let (synced, done) = peer.is_dialled_by("tool.redb", 0, DESCEND).await;
    assert_eq!((&synced["entries_sent"], &done["count"]), (&json!(5), &json!(140)));

    // And on to a hub: what one implementation wrote, and the other passes on, is what the first one reads.
    let hub = RunningHub::start(&folder, &[]).await;
    assert_eq!(peer.dial(&hub, 0, &Value::Null).await["sent"], 140);
    folder.run(&["open", &link, "--store", "fresh.redb"]).await.done();
    let synced = folder.run(&["sync", &hub.url, "--store", "fresh.redb", "--json"]).await.done().json();
    assert_eq!(synced["root"], done["root"]);
    assert_eq!(values(&folder, "fresh.redb", "large/*").await.len(), 5);
    assert_eq!(values(&folder, "fresh.redb", "peer/*").await.len(), 30);
}

#[tokio::test]
async fn d6_two_channels_share_a_connection_in_both_roles() {
    let folder = Folder::new();
    let links = [folder.init("one.redb").await, folder.init("two.redb").await];
    let hub = RunningHub::start(&folder, &[]).await;
    for (store, count) in [("one.redb", 5), ("two.redb", 7)] {
        import(&folder, store, "first", count, 10).await;
        folder.run(&["sync", &hub.url, "--store", store]).await.done();
    }
    let peer = Peer::new(&folder, &[&links[0], &links[1]], "peer").await;
    let counts = |run: Run| -> Vec<Value> {
        let said = run.done().objects().into_iter().filter(|said| said["event"] == "done");
        let mut counts: Vec<_> = said.map(|done| fields(&done, &["received", "count"])).collect();
        counts.sort_by_key(|counts| counts[1].as_u64());
        counts
    };
    let run = peer.start(&json!({ "url": hub.url }), &Value::Null).end(PATIENCE).await;
    assert_eq!(counts(run), [json!([5, 5]), json!([7, 7])]);

    let mut listening = peer.start(&json!({}), &Value::Null);
    let url = listening.until(|said| said["event"] == "listening").await["url"].clone();
    let other = Peer::new(&folder, &[&links[0], &links[1]], "other").await;
    let run = other.start(&json!({ "url": url, "write": 1 }), &Value::Null).end(PATIENCE).await;
    assert_eq!(counts(run), [json!([5, 6]), json!([7, 8])]);
    assert_eq!(counts(listening.end(PATIENCE).await), [json!([1, 6]), json!([1, 8])]);
}

#[tokio::test]
async fn d6_live_entries_go_both_ways_between_the_implementations() {
    let folder = Folder::new();
    let link = folder.init("tool.redb").await;
    let hub = RunningHub::start(&folder, &[]).await;
    let sync = ["sync", &hub.url, "--store", "tool.redb", "--json"];
    import(&folder, "tool.redb", "first", 3, 10).await;
    folder.run(&sync).await.done();

    let peer = Peer::new(&folder, &[&link], "peer").await;
    let live = json!({ "url": hub.url, "write_live": 2, "until": 6 });
    let mut dialled = peer.start(&live, &Value::Null);
    let live = dialled.until(|said| said["event"] == "live").await;
    assert_eq!(live["count"], 3);
    import(&folder, "tool.redb", "second", 1, 10).await;
    folder.run(&sync).await.done();
    let done = dialled.end(PATIENCE).await.done().json();
    assert_eq!(fields(&done, &["count", "received", "rounds"]), json!([6, 4, 1]));

    let synced = folder.run(&sync).await.done().json();
    assert_eq!(synced["root"], done["root"]);
    assert_eq!(values(&folder, "tool.redb", "peer/*").await, ["live 0", "live 1"]);
}
