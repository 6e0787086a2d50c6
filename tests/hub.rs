//! The hub: what it serves and to whom, how it starts and stops, and that what it acknowledges is kept.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::sync::Arc;
use std::time::Duration;

use isoroot::hub::{Hub, HubError, HubOptions};
use isoroot::platform::native::{
    NativePlatform, RedbStore, TokioSpawner, WebSocketListener, WebSocketTransport,
};
use isoroot::{Fact, Genesis, NodeError, Query, SyncNode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tool::{Folder, PATIENCE, RunningHub};

/// How long a hub may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// So many lines of some `size` bytes, numbered from `from`.
fn lines(from: u64, count: u64, size: usize) -> String {
    let text = "x".repeat(size);
    (from..from + count).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":\"{text}\"}}\n")).collect()
}

/// Makes stores of one journal, each with so many entries of its own.
async fn stores(folder: &Folder, entries: &[(&str, u64, usize)]) {
    let link = folder.init(entries[0].0).await;
    let mut from = 0;
    for (store, count, size) in entries {
        folder.run(&["open", &link, "--store", store]).await.done();
        let text = lines(from, *count, *size);
        folder.run_with(&["import", "-", "--batch", "1", "--store", store], text.as_bytes()).await.done();
        from += count;
    }
}

/// Sends these bytes, and reads until the other side closes.
async fn raw(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // One who has heard enough may close before it has taken all.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// One request, and the answer to it.
async fn ask(address: &str, head: &str) -> String {
    raw(address, format!("{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).await
}

/// The head of the answer to a WebSocket handshake with these further headers.
async fn handshake(address: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /sync HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn health(address: &str) -> Value {
    let answer = ask(address, "GET /healthz HTTP/1.1").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(body).unwrap()
}

/// A port that was free a moment ago.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn f126_two_stores_synced_through_a_hub_have_one_root() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &[]).await;
    stores(&folder, &[("a.redb", 3, 10), ("b.redb", 2, 10)]).await;
    let differs = folder.root("a.redb").await["root"] != folder.root("b.redb").await["root"];
    assert!(differs);
    let sync = async |store: &str| folder.run(&["sync", &hub.url, "--store", store, "--json"]).await;

    let said = sync("a.redb").await.done().json();
    assert_eq!((&said["entries_sent"], &said["entries_received"]), (&json!(3), &json!(0)));
    let said = sync("b.redb").await.done().json();
    assert_eq!((&said["entries_sent"], &said["entries_received"]), (&json!(2), &json!(3)));
    let said = sync("a.redb").await.done().json();
    assert_eq!(
        (&said["entries_sent"], &said["entries_received"], &said["refused"]),
        (&json!(0), &json!(2), &json!(0))
    );
    for field in ["bytes_received", "wire_sent", "wire_received", "duration_ms", "rounds"] {
        assert!(said[field].is_number(), "{field} in {said}");
    }
    let root = folder.root("a.redb").await;
    assert_eq!(root, folder.root("b.redb").await);
    assert_eq!((&root["entries"], &root["root"]), (&json!(5), &said["root"]));

    let text = folder.run(&["sync", &hub.url, "--store", "b.redb"]).await.done().stdout;
    let root = root["root"].as_str().unwrap();
    for line in [format!("root here   {root}  5 entries"), format!("root there  {root}  5 entries")] {
        assert!(text.contains(&line), "{text}");
    }

    hub.running.signal("TERM").await;
    hub.running.end(STOP).await.done();
    sync("a.redb").await.exits(4).says("UNREACHABLE");
}

/// A node of its own store, for tests within this process.
async fn node(folder: &Folder, store: &str) -> (SyncNode, RedbStore) {
    let store = RedbStore::open(folder.path(store)).unwrap();
    let spawner = TokioSpawner::current().unwrap();
    let platform = NativePlatform::new(spawner, store.clone(), vec![Arc::new(WebSocketTransport::new())]);
    (SyncNode::create(platform, &Genesis::named("hub test")).await.unwrap(), store)
}

async fn append(node: &SyncNode, from: i64, count: i64) {
    for n in from..from + count {
        node.append([Fact::new("n", n)]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f36_disjoint_journals_hold_the_union_after_one_sync_over_websocket() {
    let folder = Folder::new();
    let ((a, _), (b, _)) = (node(&folder, "a.redb").await, node(&folder, "b.redb").await);
    append(&a, 0, 3).await;
    append(&b, 100, 5).await;
    let listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/sync", listener.local_addr().unwrap());
    b.start().await.unwrap();
    let service = b.service().clone();
    let serving = tokio::spawn(async move { service.serve(listener).await });
    a.add_peer(&url).await.unwrap();
    assert_eq!(a.sync_with(&url).await, Err(NodeError::NotStarted));
    a.start().await.unwrap();
    let report = a.sync_with(&url).await.unwrap().result.unwrap();
    assert_eq!((report.entries_sent, report.entries_received), (3, 5));
    assert_eq!(a.root().await.unwrap(), report.root);
    assert_eq!(b.root().await.unwrap(), report.root);
    let facts = futures::StreamExt::collect::<Vec<_>>(a.facts(Query::all())).await;
    assert_eq!(facts.len(), 8);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_a_hub_is_embedded_and_lets_go_of_everything_when_it_stops() {
    let folder = Folder::new();
    let options = HubOptions::new(([127, 0, 0, 1], 0).into(), folder.path("deep/hub"));
    let hub = Hub::bind(options.clone()).await.unwrap();
    let address = hub.local_addr();
    let url = format!("ws://{address}/sync");
    assert!(hub.names().contains(&format!("localhost:{}", address.port())));
    let refused = Hub::bind(HubOptions { listen: address, ..options.clone() }).await.unwrap_err();
    assert!(matches!(refused, HubError::Listen { .. }), "{refused}");
    let refused = Hub::bind(options.clone()).await.unwrap_err();
    assert!(matches!(refused, HubError::Store(_)), "{refused}");

    let (stop, stopped) = async_channel::bounded::<()>(1);
    let running = tokio::spawn(hub.run(async move {
        let _ = stopped.recv().await;
    }));
    let (node, store) = node(&folder, "a.redb").await;
    append(&node, 0, 20).await;
    node.add_peer(&url).await.unwrap();
    node.start().await.unwrap();
    node.sync_with(&url).await.unwrap().result.unwrap();
    assert_eq!(health(&address.to_string()).await["connections"], 1);
    drop(stop);
    timeout(STOP, running).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it no longer listens");
    let again = RedbStore::open(folder.path("deep/hub/hub.redb")).expect("the store is free");
    assert_eq!(again.journals(), [(node.journal(), 20)]);
    drop(node);
    store.close().await;
}

#[tokio::test]
async fn b7_a_hub_is_open_only_where_that_is_meant() {
    let folder = Folder::new();
    let start =
        async |more: &[&str]| folder.run(&[&["hub", "--data", "hub", "--listen"], more].concat()).await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let open: [&[&str]; 3] = [&[address], &[address, "--open"], &[address, "--public"]];
        for more in open {
            start(more).await.exits(2).says("--open --public").says("--journals FILE");
        }
    }
    assert!(!folder.path("hub").exists(), "nothing was made");
    start(&["127.0.0.1:0", "--open", "--journals", "x"]).await.exits(2);
    start(&["127.0.0.1:0", "--journals", "missing"]).await.exits(2).says("missing cannot be read");
    folder.write("list", format!("# team\n{}\nnonsense\n", "0".repeat(64)));
    start(&["127.0.0.1:0", "--journals", "list"]).await.exits(2).says("list: line 3: ");
    folder.write("list", "# nobody\n");
    start(&["127.0.0.1:0", "--journals", "list"]).await.exits(2).says("it lists no journal");
    start(&["127.0.0.1:0", "--name", "hub.example"]).await.exits(2).says("no port");
    start(&["127.0.0.1:0", "--origin", "app.example"]).await.exits(2).says("no scheme");
    start(&["hub.example:80"]).await.exits(2).says("127.0.0.1:8080");

    let mut public = folder.start(&["hub", "--listen", "0.0.0.0:0", "--open", "--public", "--data", "hub"]);
    let line = public.line().await.unwrap();
    assert!(line.starts_with("isoroot hub listening on ws://0.0.0.0:"), "{line}");
    public.signal("INT").await;
    public.end(STOP).await.done().says("--name HOST:PORT");
}

#[tokio::test]
async fn f4_the_first_line_says_where_it_listens() {
    let folder = Folder::new();
    let mut hub = folder.start(&["hub", "--listen", "127.0.0.1:0", "--data", "hub"]);
    let line = hub.line().await.unwrap();
    let url = line.strip_prefix("isoroot hub listening on ").unwrap();
    assert!(url.starts_with("ws://127.0.0.1:") && url.ends_with("/sync") && !url.contains(":0/"), "{line}");
    let address = url.trim_start_matches("ws://").trim_end_matches("/sync");
    assert_eq!(health(address).await, json!({"status": "ok", "journals": 0, "entries": 0, "connections": 0}));
    hub.signal("TERM").await;
    let run = hub.end(STOP).await.done();
    assert_eq!((run.stdout, run.stderr), (String::new(), String::new()));
}

#[tokio::test]
async fn f4_a_port_or_folder_that_cannot_be_had_is_an_error() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &[]).await;
    let start =
        async |address: &str, data: &str| folder.run(&["hub", "--listen", address, "--data", data]).await;
    start(&hub.address, "other").await.exits(4).says("cannot listen on").says(&hub.address);
    let run = start("127.0.0.1:0", "hub").await.exits(3).says("is in use");
    run.says(&hub.running.child.id().unwrap().to_string());
    start("192.0.2.1:0", "other").await.exits(2);
    folder.write("file", "");
    start("127.0.0.1:0", "file").await.exits(3).says("file");
    start("127.0.0.1:0", "file/below").await.exits(3).says("file/below");
    // Where not even the superuser may write.
    start("127.0.0.1:0", "/proc/isoroot").await.exits(3).says("/proc/isoroot");
    assert_eq!(health(&hub.address).await["status"], "ok");
}

#[tokio::test]
async fn f4_plain_http_gets_a_proper_answer() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &[]).await;
    let answers = async |head: &str, status: &str| {
        let answer = ask(&hub.address, head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
        answer.to_lowercase()
    };
    for head in ["GET /sync HTTP/1.1", "POST /sync HTTP/1.1", "GET /sync?x=1 HTTP/1.1"] {
        assert!(answers(head, "426").await.contains("\r\nupgrade: websocket\r\n"));
    }
    answers("GET / HTTP/1.1", "404").await;
    answers("GET /sync/ HTTP/1.1", "404").await;
    answers("POST /healthz HTTP/1.1", "405").await;
    answers("GET /healthz HTTP/1.1", "200").await;
    answers("GET /sync HTTP/1.1\r\nUpgrade: websocket", "400").await;
    let version =
        "GET /sync HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: x";
    answers(version, "400").await;
    let answer =
        handshake(&hub.address, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 101 ") && !answer.contains("extensions"), "{answer}");
}

#[tokio::test]
async fn f4_garbage_is_turned_away_and_hurts_nobody() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &[]).await;
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(1_000));
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let noise: Vec<u8> = (0..65_536u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let garbage: [&[u8]; 9] = [
        // A TLS greeting.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and what follows it\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        &noise,
        long.as_bytes(),
        many.as_bytes(),
        path.as_bytes(),
    ];
    for bytes in garbage {
        let answer = raw(&hub.address, bytes).await;
        let refused =
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5");
        assert!(refused, "{answer}");
    }
    // Garbage where frames should be.
    let mut stream = TcpStream::connect(&hub.address).await.unwrap();
    let request = "GET /sync HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let _ = stream.write_all(&noise).await;
    let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("it closes");

    stores(&folder, &[("a.redb", 1, 10)]).await;
    folder.run(&["sync", &hub.url, "--store", "a.redb"]).await.done();
    assert_eq!(health(&hub.address).await["entries"], 1);
}

#[tokio::test]
async fn f4_who_sends_no_request_is_cut_off() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &[]).await;
    let silent = async |bytes: &[u8]| raw(&hub.address, bytes).await;
    tokio::join!(silent(b""), silent(b"GET /healthz HTTP/1.1\r\nHost:"), silent(b"\x16"));
    health(&hub.address).await;
}

#[tokio::test]
async fn f4_connections_are_bounded() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &["--connections", "2"]).await;
    let one = TcpStream::connect(&hub.address).await.unwrap();
    let mut two = TcpStream::connect(&hub.address).await.unwrap();
    // Answered, so both have been accepted by now.
    two.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    two.read_u8().await.unwrap();
    let third = raw(&hub.address, b"").await;
    assert!(third.is_empty() || third.starts_with("HTTP/1.1 503 "), "{third}");
    drop(one);
    // The hub hears of it soon.
    let free = async {
        while !raw(&hub.address, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .contains(" 404 ")
        {}
    };
    timeout(PATIENCE, free).await.unwrap();
}

#[tokio::test]
async fn b7_web_pages_connect_only_from_origins_that_are_let_in() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &["--origin", "https://App.example/"]).await;
    let port = hub.address.rsplit(':').next().unwrap();
    let own = [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://[::1]:{port}"),
    ];
    for origin in own.iter().map(String::as_str).chain(["https://app.example"]) {
        let answer = handshake(&hub.address, &format!("Origin: {origin}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{origin}: {answer}");
    }
    assert!(handshake(&hub.address, "").await.starts_with("HTTP/1.1 101 "), "no page");
    for origin in
        ["https://evil.example", "http://localhost", "null", "https://app.example.evil", "http://app.example"]
    {
        let answer = handshake(&hub.address, &format!("Origin: {origin}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
        let answer = ask(&hub.address, &format!("GET /sync HTTP/1.1\r\nOrigin: {origin}")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
    }
}

#[tokio::test]
async fn b7_a_hub_that_lists_journals_serves_no_others() {
    let folder = Folder::new();
    let (listed, other) = (folder.init("a.redb").await, folder.init("b.redb").await);
    assert_ne!(listed, other);
    folder.write("list", format!("{listed} # ours\n"));
    let hub = RunningHub::start(&folder, &["--journals", "list"]).await;
    let sync = async |store: &str| {
        folder.run(&["append", "p", "1", "--store", store]).await.done();
        folder.run(&["sync", &hub.url, "--store", store, "--json"]).await
    };
    sync("a.redb").await.done();
    let run = sync("b.redb").await.exits(1);
    assert!(run.stderr.contains("NOT_SERVED"), "{run:#?}");
    let watch = folder.start(&["sync", &hub.url, "--store", "b.redb", "--watch"]);
    watch.end(PATIENCE).await.exits(1).says("not served here");
    assert_eq!(health(&hub.address).await["journals"], 1);
}

#[tokio::test]
async fn d7_a_hub_answers_to_its_names_alone() {
    let folder = Folder::new();
    folder.init("a.redb").await;
    let port = free_port().await;
    let name = format!("127.0.0.3:{port}");
    let more = ["--open", "--public", "--name", &name];
    let hub = RunningHub::start_on(&folder, &format!("0.0.0.0:{port}"), &more).await;
    let sync = async |host: &str| {
        let url = format!("ws://{host}:{port}/sync");
        folder.run(&["sync", &url, "--store", "a.redb"]).await
    };
    sync("127.0.0.1").await.done();
    sync("localhost").await.done();
    sync("127.0.0.3").await.done();
    sync("127.0.0.2").await.exits(1).says("no name of this node");
    drop(hub);
}

#[tokio::test]
async fn f4_what_was_acknowledged_is_there_after_sigterm() {
    for (signal, entries) in [("TERM", 300), ("INT", 20)] {
        let folder = Folder::new();
        stores(&folder, &[("a.redb", entries, 500)]).await;
        let hub = RunningHub::start(&folder, &[]).await;
        folder.run(&["sync", &hub.url, "--store", "a.redb"]).await.done();
        hub.running.signal(signal).await;
        hub.running.end(STOP).await.done();
        assert_eq!(folder.root("hub/hub.redb").await, folder.root("a.redb").await);
    }
}

#[tokio::test]
async fn f4_sigterm_ends_a_hub_with_peers_in_the_middle_of_a_sync() {
    let folder = Folder::new();
    stores(&folder, &[("a.redb", 3_000, 2_000), ("b.redb", 0, 0)]).await;
    let hub = RunningHub::start(&folder, &[]).await;
    let watch = |store: &str| folder.start(&["sync", &hub.url, "--store", store, "--watch", "--json"]);
    let mut b = watch("b.redb");
    b.until(|said| said["event"] == "synced").await;
    let a = watch("a.redb");
    // What has come here was durable at the hub before.
    let seen = b.until(|said| said["event"] == "grew").await["entries"].as_u64().unwrap();
    // One who is silent, and one who reads nothing.
    let silent = TcpStream::connect(&hub.address).await.unwrap();
    hub.running.signal("TERM").await;
    let gone = b.until(|said| said["event"] == "disconnected").await;
    assert!(["REFUSED", "DISCONNECTED"].contains(&gone["error"].as_str().unwrap()), "{gone}");
    hub.running.end(STOP).await.done();
    let kept = folder.root("hub/hub.redb").await["entries"].as_u64().unwrap();
    assert!(kept >= seen, "{kept} of {seen}");
    drop((a, b, silent));
}

#[tokio::test]
async fn f4_a_hub_that_is_killed_and_started_again_loses_nothing_and_all_converge() {
    let folder = Folder::new();
    stores(
        &folder,
        &[("a.redb", 2_000, 2_000), ("b.redb", 1_000, 2_000), ("c.redb", 0, 0), ("d.redb", 0, 0)],
    )
    .await;
    let mut hub = RunningHub::start(&folder, &[]).await;
    let watch = |store: &str| folder.start(&["sync", &hub.url, "--store", store, "--watch", "--json"]);
    let mut c = watch("c.redb");
    c.until(|said| said["event"] == "synced").await;
    let (mut a, mut b) = (watch("a.redb"), watch("b.redb"));
    let seen = c.until(|said| said["event"] == "grew").await["entries"].as_u64().unwrap();
    hub.running.kill().await;
    c.until(|said| said["event"] == "disconnected").await;
    let kept = folder.root("hub/hub.redb").await["entries"].as_u64().unwrap();
    assert!(kept >= seen, "what was passed on is kept: {kept} of {seen}");

    let hub = RunningHub::start_on(&folder, &hub.address, &[]).await;
    for node in [&mut a, &mut b, &mut c] {
        node.entries(3_000).await;
    }
    // A fourth writes while they follow.
    folder.run(&["sync", &hub.url, "--store", "d.redb"]).await.done();
    let more = lines(9_000, 10, 10);
    folder.run_with(&["import", "-", "--batch", "1", "--store", "d.redb"], more.as_bytes()).await.done();
    folder.run(&["sync", &hub.url, "--store", "d.redb"]).await.done();
    for node in [&mut a, &mut b, &mut c] {
        node.entries(3_010).await;
    }
    for node in [a, b, c] {
        node.signal("INT").await;
        node.end(PATIENCE).await.done();
    }
    hub.running.signal("TERM").await;
    hub.running.end(STOP).await.done();
    let root = folder.root("a.redb").await;
    assert_eq!((&root["entries"], &root["facts"]), (&json!(3_010), &json!(3_010)));
    for store in ["b.redb", "c.redb", "d.redb", "hub/hub.redb"] {
        assert_eq!(folder.root(store).await, root, "{store}");
    }
}

#[tokio::test]
async fn d9_saying_goodbye_takes_no_time() {
    let folder = Folder::new();
    folder.init("a.redb").await;
    let hub = RunningHub::start(&folder, &[]).await;
    let mut slow = 0;
    for _ in 0..10 {
        let began = tokio::time::Instant::now();
        folder.run(&["sync", &hub.url, "--store", "a.redb"]).await.done();
        // One that waits in vain for the other's goodbye waits for a second.
        slow += usize::from(began.elapsed() >= Duration::from_secs(1));
    }
    assert!(slow <= 2, "{slow} of 10");
}

#[tokio::test]
async fn f5_watching_a_hub_that_never_answers_ends_with_code_4() {
    let folder = Folder::new();
    folder.init("a.redb").await;
    let url = format!("ws://127.0.0.1:{}/sync", free_port().await);
    let mut watch = folder.start(&["sync", &url, "--store", "a.redb", "--watch", "--json"]);
    let said = watch.until(|said| said["event"] == "disconnected").await;
    assert_eq!(said["error"], "UNREACHABLE");
    watch.signal("INT").await;
    watch.end(PATIENCE).await.exits(4).says("never synced");
}

#[tokio::test]
async fn f5_watch_prints_what_others_write_and_goes_on_where_it_was_ended() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &[]).await;
    let made = folder.run(&["init", "--store", "a.redb", "--hub", &hub.url, "--json"]).await.done().json();
    folder.run(&["open", made["link"].as_str().unwrap(), "--store", "b.redb"]).await.done();
    let write = async |predicate: &str| {
        folder.run(&["append", predicate, "1", "--store", "a.redb"]).await.done();
        folder.run(&["sync", "--store", "a.redb"]).await.done();
    };
    let arguments = ["watch", "--store", "b.redb", "--predicate", "note/*", "--json"];
    let mut watch = folder.start(&arguments);
    write("note/1").await;
    write("other").await;
    write("note/2").await;
    watch.until(|said| said["predicate"] == "note/1").await;
    let last = watch.until(|said| said["predicate"] == "note/2").await;
    watch.signal("INT").await;
    watch.end(PATIENCE).await.done();
    write("note/3").await;
    let position = last["position"].as_str().unwrap();
    let mut watch = folder.start(&[&arguments[..], &["--after", position]].concat());
    let next = watch.until(|said| !said["predicate"].is_null()).await;
    assert_eq!(next["predicate"], "note/3", "not what was seen before");
    watch.signal("TERM").await;
    watch.end(PATIENCE).await.done();
}
