//! The hub's web pages: which files it serves and how, and that nothing outside of the folder is reached.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::time::Duration;

use isoroot::Fault;
use isoroot::hub::{Hub, HubError, HubOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tool::{Folder, PATIENCE, RunningHub};

const INDEX: &str = "<!doctype html><title>Notes</title>";

/// An answer, its headers in lower case.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// Asks for a path just as it stands here, with these further lines of the head.
async fn ask(hub: &RunningHub, method: &str, path: &str, more: &str) -> Answer {
    let mut stream = TcpStream::connect(&hub.address).await.unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n", hub.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(key, value)| (key.to_lowercase(), value.into()));
    Answer { status, headers: headers.collect(), body: bytes[end + 4..].to_vec() }
}

async fn get(hub: &RunningHub, path: &str) -> Answer {
    ask(hub, "GET", path, "").await
}

/// A folder with a page in `www` and a secret beside it, and a hub that serves the page.
async fn served() -> (Folder, RunningHub) {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("www/assets")).unwrap();
    folder.write("secret.txt", "secret");
    folder.write("www/index.html", INDEX);
    folder.write("www/icon.svg", "<svg/>");
    for (name, text) in [("main-1.js", "run()"), ("main-1.css", "a{}"), ("isoroot-1.wasm", "\0asm")] {
        folder.write(&format!("www/assets/{name}"), text);
    }
    let hub = RunningHub::start(&folder, &["--www", "www"]).await;
    (folder, hub)
}

#[tokio::test]
async fn f4_a_hub_serves_the_pages_of_a_folder() {
    let (_folder, hub) = served().await;
    for (path, mime) in [
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/icon.svg", "image/svg+xml"),
        ("/assets/main-1.js", "text/javascript"),
        ("/assets/main-1.css", "text/css"),
        ("/assets/isoroot-1.wasm", "application/wasm"),
    ] {
        let answer = get(&hub, path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type").split(';').next(), Some(mime), "{path}");
        let keep =
            if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(answer.header("cache-control"), keep, "{path}");
        let head = ask(&hub, "HEAD", path, "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-length"), answer.body.len().to_string(), "{path}");
    }
    assert_eq!(get(&hub, "/?x=1").await.body, INDEX.as_bytes());
    let missing = get(&hub, "/assets/gone-1.js").await;
    assert_eq!((missing.status, missing.header("cache-control")), (404, "no-cache"), "may come yet");
    assert_eq!(ask(&hub, "POST", "/", "").await.status, 405);
    assert_eq!(ask(&hub, "DELETE", "/index.html", "").await.status, 405);
}

#[tokio::test]
async fn f4_pages_come_with_a_policy_that_keeps_them_harmless() {
    let (_folder, hub) = served().await;
    for path in ["/", "/assets/main-1.js", "/missing"] {
        let answer = get(&hub, path).await;
        let policy: Vec<_> = answer.header("content-security-policy").split("; ").collect();
        for rule in [
            "default-src 'self'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "connect-src 'self' ws: wss:",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(&rule), "{path}: {rule} in {policy:?}");
        }
        assert!(!answer.header("content-security-policy").contains("unsafe-inline"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn f4_no_path_leads_out_of_the_folder_of_pages() {
    let (folder, hub) = served().await;
    folder.write("www/assets/%2e%2e", "a file of that name");
    for path in [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/.%2e/secret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "//etc/passwd",
        "//assets",
        "/%2fetc/passwd",
        "/....//secret.txt",
        "/index.html%00.txt",
        "/%ff%fe",
        "/hub/hub.redb",
    ] {
        let answer = get(&hub, path).await;
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        let body = String::from_utf8_lossy(&answer.body);
        assert!(!body.contains("secret") && !body.contains("root:"), "{path}: {body}");
    }
    assert_eq!(get(&hub, "/").await.status, 200);
}

#[tokio::test]
async fn f4_sync_and_health_are_what_they_are_without_pages() {
    let (folder, hub) = served().await;
    // Files of these names are not reached.
    folder.write("www/sync", "a file");
    folder.write("www/healthz", "a file");
    assert_eq!(get(&hub, "/sync").await.status, 426);
    let health = get(&hub, "/healthz").await;
    assert_eq!((health.status, health.header("content-type")), (200, "application/json"));
    assert_eq!(health.header("content-security-policy"), "");
    folder.init("a.redb").await;
    folder.run(&["append", "p", "1", "--store", "a.redb"]).await.done();
    folder.run(&["sync", &hub.url, "--store", "a.redb"]).await.done();

    let other = Folder::new();
    let plain = RunningHub::start(&other, &[]).await;
    assert_eq!((get(&plain, "/").await.status, get(&plain, "/index.html").await.status), (404, 404));
}

#[tokio::test]
async fn f4_pages_compressed_beforehand_and_known_ones_are_sent_as_such() {
    let (folder, hub) = served().await;
    folder.write("www/assets/main-1.js.br", "brotli");
    folder.write("www/assets/main-1.js.gz", "gzip");
    for (accepted, encoding, body) in
        [("gzip, deflate, br", "br", "brotli"), ("gzip", "gzip", "gzip"), ("identity", "", "run()")]
    {
        let answer = ask(&hub, "GET", "/assets/main-1.js", &format!("Accept-Encoding: {accepted}\r\n")).await;
        assert_eq!((answer.header("content-encoding"), &*answer.body), (encoding, body.as_bytes()));
        assert!(answer.headers.contains(&("content-type".into(), "text/javascript".into())), "{accepted}");
    }
    let answer = get(&hub, "/").await;
    let since = format!("If-Modified-Since: {}\r\n", answer.header("last-modified"));
    let again = ask(&hub, "GET", "/", &since).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[tokio::test]
async fn f4_a_folder_without_an_index_is_an_error_at_the_start() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("empty")).unwrap();
    std::fs::create_dir_all(folder.path("odd/index.html")).unwrap();
    folder.write("file", "");
    for (www, why) in [
        ("empty", "it has no index.html"),
        ("odd", "its index.html is no file"),
        ("missing", "missing"),
        ("file", "file"),
    ] {
        let start = ["hub", "--listen", "127.0.0.1:0", "--data", "hub", "--www", www];
        folder.run(&start).await.exits(2).says("no web pages can be served from").says(why);
        let run = folder.run(&[&start[..], &["--json"]].concat()).await.exits(2);
        assert!(run.stderr.contains("\"error\":\"HUB_WWW\""), "{run:?}");
    }
    assert!(!folder.path("hub").exists(), "nothing was made");

    let mut options = HubOptions::new(([127, 0, 0, 1], 0).into(), folder.path("hub"));
    options.www = Some(folder.path("empty"));
    let refused = Hub::bind(options).await.unwrap_err();
    assert!(matches!(refused, HubError::Www { .. }), "{refused}");
    assert_eq!((refused.code().as_str(), refused.fault()), ("HUB_WWW", Fault::Caller));
}

#[tokio::test]
async fn f4_a_hub_with_pages_says_where_they_are() {
    let (folder, hub) = served().await;
    drop(hub);
    let start = ["hub", "--listen", "127.0.0.1:0", "--data", "other", "--www", "www"];
    let mut running = folder.start(&[&start[..], &["--json"]].concat());
    let said = running.until(|said| said["event"] == "listening").await;
    assert_eq!(said["page"], format!("http://{}/", said["address"].as_str().unwrap()));
    running.signal("TERM").await;
    running.end(Duration::from_secs(5)).await.done();

    let mut running = folder.start(&start);
    let line = running.line().await.unwrap();
    assert!(line.starts_with("isoroot hub listening on ws://127.0.0.1:"), "{line}");
    running.signal("INT").await;
    running.end(Duration::from_secs(5)).await.done().says("The page is at http://127.0.0.1:");
}
