//! A second implementation of the wire, in Python and written from docs/PROTOCOL.md alone (`tests/peer`), syncs with
//! the hub and the tool, in both roles and with each plan.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use tool::{Folder, PATIENCE, Run, Running, RunningHub};

/// A store of the peer: its name, and the seed of its device.
struct Peer<'a> {
    folder: &'a Folder,
    python: &'static str,
    journal: String,
    name: &'static str,
    seed: String,
}

/// A Python with what the peer needs.
async fn python() -> &'static str {
    for python in ["python3", "/usr/bin/python3"] {
        let mut command = Command::new(python);
        command.args(["-c", "import cryptography"]).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return python;
        }
    }
    panic!("no python3 with the package cryptography: run `make setup`");
}

fn command(python: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer/peer.py")).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl<'a> Peer<'a> {
    async fn new(folder: &'a Folder, link: &str, name: &'static str) -> Peer<'a> {
        let journal = link.strip_prefix("isoroot:").unwrap().to_owned();
        let seed = format!("{:0>64}", name.len());
        Peer { folder, python: python().await, journal, name, seed }
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let entries = self.folder.path(self.name);
        let same = ["--journal", &self.journal, "--seed", &self.seed, "--entries", entries.to_str().unwrap()];
        let arguments = [arguments, &same].concat();
        Running::new(command(self.python, &arguments).spawn().unwrap(), &arguments)
    }

    /// Dials a hub; what it says at the end.
    async fn dial(&self, hub: &RunningHub, more: &[&str]) -> Value {
        let run = self.start(&[&["dial", &hub.url], more].concat()).end(PATIENCE).await;
        let done = run.done().json();
        assert_eq!(done["event"], "done");
        // Signed for one nonce, the second for the first: that of what is now equal.
        let receipts = done["receipts"].as_array().unwrap();
        assert_eq!((receipts.len(), &receipts[1]["root"]), (2, &done["root"]), "{done}");
        done
    }

    /// Has the tool dial; what both say at the end.
    async fn is_dialled_by(&self, store: &str, more: &[&str]) -> (Value, Value) {
        let mut peer = self.start(&[&["listen"], more].concat());
        let url = peer.until(|said| said["event"] == "listening").await["url"].clone();
        let url = url.as_str().unwrap();
        let synced = self.folder.run(&["sync", url, "--store", store, "--json"]).await.done().json();
        let done = peer.end(PATIENCE).await.done().json();
        assert_eq!((&synced["event"], &done["event"]), (&json!("synced"), &json!("done")));
        assert_eq!(synced["root"], done["root"], "{synced} {done}");
        assert!(!done["receipts"].as_array().unwrap().is_empty(), "{done}");
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

#[tokio::test]
async fn d6_the_second_implementation_reads_and_writes_every_golden_message() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let arguments = ["confirm", golden];
    let running = Running::new(command(python().await, &arguments).spawn().unwrap(), &arguments);
    let said = running.end(PATIENCE).await.done().stdout;
    let passed: usize = said.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{said}"));
    assert!(passed > 150, "{said}");
}

#[tokio::test]
async fn d6_the_second_implementation_dials_a_hub_with_every_plan_that_it_chooses() {
    let folder = Folder::new();
    let link = folder.init("tool.redb").await;
    import(&folder, "tool.redb", "first", 300, 10).await;
    let hub = RunningHub::start(&folder, &[]).await;
    let sync = ["sync", &hub.url, "--store", "tool.redb", "--json"];
    folder.run(&sync).await.done();

    let one = Peer::new(&folder, &link, "one").await;
    let done = one.dial(&hub, &[]).await;
    assert_eq!((&done["plan"], &done["entries_received"]), (&json!("feed"), &json!(300)));
    let done = one.dial(&hub, &[]).await;
    assert_eq!((&done["plan"], &done["entries_received"]), (&json!("same"), &json!(0)));
    let cursor = done["cursor"].as_str().unwrap();
    let done = one.dial(&hub, &["--write", "40", "--cursor", cursor]).await;
    assert_eq!(
        (&done["plan"], &done["entries_sent"]),
        (&json!("feed"), &json!(40)),
        "it goes on where it was"
    );
    assert_eq!(done["durable_there"], 340);

    let other = Peer::new(&folder, &link, "other").await;
    let done = other.dial(&hub, &["--write", "3"]).await;
    assert_eq!((&done["plan"], &done["count"]), (&json!("opener-lists"), &json!(343)));
    let done = other.dial(&hub, &["--write", "400"]).await;
    assert_eq!((&done["plan"], &done["count"]), (&json!("acceptor-lists"), &json!(743)));
    import(&folder, "tool.redb", "second", 2, 10).await;
    folder.run(&sync).await.done();
    let done = other.dial(&hub, &["--write", "2"]).await;
    assert_eq!((&done["plan"], &done["rounds"], &done["asks"]), (&json!("symbols"), &json!(1), &json!(0)));
    assert_eq!((&done["entries_sent"], &done["entries_received"]), (&json!(2), &json!(2)));
    // The hub never begins with a descent; but it is asked, after a look at its symbols.
    import(&folder, "tool.redb", "third", 2, 10).await;
    folder.run(&sync).await.done();
    let done = other.dial(&hub, &["--write", "2", "--descend"]).await;
    // 750 entries are three steps deep, and where hashes are equal nothing is asked.
    assert!(matches!(done["asks"].as_u64(), Some(2 | 3)) && done["rounds"] == 1, "{done}");
    assert_eq!((&done["entries_sent"], &done["entries_received"]), (&json!(2), &json!(2)));

    let synced = folder.run(&sync).await.done().json();
    assert_eq!((&synced["root"], &synced["entries"]), (&done["root"], &json!(751)));
    let written = values(&folder, "tool.redb", "peer/*").await;
    assert_eq!(written.len(), 447);
    assert!([0, 2, 399].iter().all(|n| written.contains(&json!(format!("value {n}")))));
}

#[tokio::test]
async fn d6_the_tool_dials_the_second_implementation_with_every_plan() {
    let folder = Folder::new();
    let link = folder.init("tool.redb").await;
    import(&folder, "tool.redb", "common", 60, 10).await;
    let peer = Peer::new(&folder, &link, "peer").await;
    let (_, done) = peer.is_dialled_by("tool.redb", &[]).await;
    assert_eq!((&done["plan"], &done["count"]), (&json!("feed"), &json!(60)), "by its own choice");

    let plans = ["feed", "descend", "symbols", "acceptor-lists", "opener-lists"];
    for plan in plans {
        import(&folder, "tool.redb", plan, 3, 10).await;
        let (synced, done) = peer.is_dialled_by("tool.redb", &["--write", "2", "--plan", plan]).await;
        assert_eq!((&done["plan"], &done["rounds"]), (&json!(plan), &json!(1)), "{done}");
        assert_eq!(synced["entries"], done["count"]);
        if plan != "feed" {
            assert_eq!((&done["entries_sent"], &done["entries_received"]), (&json!(2), &json!(3)), "{plan}");
        }
    }
    // Records that take several frames.
    import(&folder, "tool.redb", "large", 5, 65_000).await;
    let (synced, done) = peer.is_dialled_by("tool.redb", &[]).await;
    assert_eq!((&synced["entries_sent"], &done["count"]), (&json!(5), &json!(90)));
    let (_, done) = peer.is_dialled_by("tool.redb", &["--plan", "descend"]).await;
    let nothing = (&json!("same"), &json!(0), &json!(0));
    assert_eq!((&done["plan"], &done["entries_sent"], &done["entries_received"]), nothing);

    // And on to a hub: what one implementation wrote, and the other passes on, is what the first one reads.
    let hub = RunningHub::start(&folder, &[]).await;
    assert_eq!(peer.dial(&hub, &[]).await["entries_sent"], 90);
    folder.run(&["open", &link, "--store", "fresh.redb"]).await.done();
    let synced = folder.run(&["sync", &hub.url, "--store", "fresh.redb", "--json"]).await.done().json();
    assert_eq!(synced["root"], done["root"]);
    assert_eq!(values(&folder, "fresh.redb", "large/*").await.len(), 5);
    assert_eq!(values(&folder, "fresh.redb", "peer/*").await.len(), 10);
}

#[tokio::test]
async fn d6_live_entries_go_both_ways_between_the_implementations() {
    let folder = Folder::new();
    let link = folder.init("tool.redb").await;
    let hub = RunningHub::start(&folder, &[]).await;
    let sync = ["sync", &hub.url, "--store", "tool.redb", "--json"];
    import(&folder, "tool.redb", "first", 3, 10).await;
    folder.run(&sync).await.done();

    let peer = Peer::new(&folder, &link, "peer").await;
    let patience = PATIENCE.as_secs().to_string();
    let mut dialled =
        peer.start(&["dial", &hub.url, "--write-live", "2", "--live", &patience, "--until", "6"]);
    let live = dialled.until(|said| said["event"] == "live").await;
    assert_eq!(live["count"], 3);
    import(&folder, "tool.redb", "second", 1, 10).await;
    folder.run(&sync).await.done();
    let done = dialled.end(PATIENCE).await.done().json();
    assert_eq!(
        (&done["count"], &done["entries_received"], &done["rounds"]),
        (&json!(6), &json!(4), &json!(1))
    );

    let synced = folder.run(&sync).await.done().json();
    assert_eq!(synced["root"], done["root"]);
    assert_eq!(values(&folder, "tool.redb", "peer/*").await, ["live 0", "live 1"]);
}
