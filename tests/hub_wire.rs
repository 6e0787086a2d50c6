//! The hub on a raw socket: what somebody who has not said who they are costs it, and what it never takes.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use isoroot::hub::{Hub, HubOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tool::{Folder, PATIENCE};

/// Counts the bytes that the whole program holds.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

// Passes everything on to the system's allocator, under the same contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The tests run one by one: some count what the whole program holds.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A hub within this process, and what ends it.
struct Inside {
    address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    running: tokio::task::JoinHandle<()>,
    _folder: Folder,
}

impl Inside {
    async fn start() -> Self {
        let folder = Folder::new();
        let mut options = HubOptions::new("127.0.0.1:0".parse().unwrap(), folder.path("hub"));
        options.connections = 2_000;
        let hub = Hub::bind(options).await.unwrap();
        let address = hub.local_addr();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let running = tokio::spawn(hub.run(async move { drop(stopped.await) }));
        Self { address, stop, running, _folder: folder }
    }

    async fn end(self) {
        drop(self.stop);
        self.running.await.unwrap();
    }

    fn request(&self, more: &str) -> String {
        format!(
            "GET /sync HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
            self.address
        )
    }

    /// A socket that has become a WebSocket; the head of the request and of the answer.
    async fn upgraded(&self, more: &str) -> (TcpStream, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = self.request(more);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
        }
        (stream, request, String::from_utf8(head).unwrap())
    }
}

/// A WebSocket frame of a client: first byte, the length that is announced, and what comes of it, not masked
/// by a mask of zeros.
fn frame(first: u8, announced: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match announced {
        0..126 => frame.push(0x80 | announced as u8),
        126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(announced as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&announced.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload.len() as u64, payload)
}

/// A hello with these versions, to this address: it is one, whoever sent it.
fn hello(versions: [u8; 2], address: &str) -> Vec<u8> {
    let key = isoroot::DeviceKey::from_seed([7; 32]);
    let mut hello = vec![0, versions[0], versions[1], 0, 0x58, 32];
    hello.extend_from_slice(&[1; 32]);
    hello.extend_from_slice(&[0x58, 32]);
    hello.extend_from_slice(key.device().as_bytes());
    match address.len() {
        length @ 0..24 => hello.push(0x60 | length as u8),
        length => hello.extend_from_slice(&[0x78, length as u8]),
    }
    hello.extend_from_slice(address.as_bytes());
    hello
}

/// All that still comes until the other side ends the connection.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it hangs up");
    rest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row17_the_hub_takes_no_extension_and_no_frame_that_would_need_one() {
    let _alone = ALONE.lock().await;
    let hub = Inside::start().await;
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate",
    ] {
        let (mut stream, _, answer) = hub.upgraded(&format!("Sec-WebSocket-Extensions: {offer}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("extensions"), "{answer}");
        // The bit that says that a message is compressed; and the other two that nobody has agreed on.
        let bit = [0x40, 0x20, 0x10][offer.len() % 3];
        let address = hub.address.to_string();
        let good = hello([1, 1], &address);
        stream.write_all(&frame(0x82 | bit, good.len() as u64, &good)).await.unwrap();
        let answer = rest(stream).await;
        // At most a goodbye: never what a hello is answered with.
        assert!(answer.is_empty() || answer[0] == 0x88 || answer[2] == 5, "{answer:?}");
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d8_a_frame_announced_as_4_gb_is_refused_by_the_hub_before_memory_is_taken() {
    let _alone = ALONE.lock().await;
    let hub = Inside::start().await;
    for announced in [1 << 32, u64::MAX >> 1, 65_537] {
        let (mut stream, _, _) = hub.upgraded("").await;
        LARGEST.store(0, Ordering::Relaxed);
        stream.write_all(&frame(0x82, announced, &[0; 100])).await.unwrap();
        rest(stream).await;
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest <= 1 << 20, "{announced} announced: a piece of {largest} bytes was asked for");
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row28_who_drips_a_byte_and_does_not_say_who_they_are_is_hung_up_on_in_time() {
    let _alone = ALONE.lock().await;
    let hub = Inside::start().await;
    let drip = async |upgraded: bool, bytes: &[u8]| {
        let mut stream = match upgraded {
            true => hub.upgraded("").await.0,
            false => TcpStream::connect(hub.address).await.unwrap(),
        };
        stream.write_all(bytes).await.unwrap();
        let began = tokio::time::Instant::now();
        rest(stream).await;
        began.elapsed()
    };
    let whole = binary(&hello([1, 1], &hub.address.to_string()));
    let half = &whole[..whole.len() / 2];
    // The limits are of 10 s each, from when it was connected, and from when it was a WebSocket: bytes that come
    // in a drip do not put them off, nor does a hello without a proof.
    let waited = futures::future::join_all([
        drip(false, b""),
        drip(false, b"G"),
        drip(false, b"GET /sync HTTP/1.1\r\nHost"),
        drip(true, b""),
        drip(true, &[0x82]),
        drip(true, half),
        drip(true, &whole),
    ])
    .await;
    for waited in waited {
        assert!(waited < Duration::from_secs(10) + PATIENCE / 4, "{waited:?}");
    }
    hub.end().await;
}

/// Connections of one kind.
const CONNECTIONS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row28_who_has_not_said_who_they_are_takes_at_most_16_kb() {
    let _alone = ALONE.lock().await;
    // What the first ones take stays: tables and pools. So it is about the second half.
    let held = async |bytes: &[u8], upgraded: bool| {
        let hub = Inside::start().await;
        let (mut all, mut held) = (Vec::with_capacity(2 * CONNECTIONS), 0);
        for number in 0..2 * CONNECTIONS {
            if number == CONNECTIONS {
                drop(hub.upgraded("").await);
                held = HELD.load(Ordering::Relaxed);
            }
            let mut stream = match upgraded {
                true => hub.upgraded("").await.0,
                false => TcpStream::connect(hub.address).await.unwrap(),
            };
            let bytes =
                if bytes == b"hello" { &binary(&hello([1, 1], &hub.address.to_string())) } else { bytes };
            stream.write_all(bytes).await.unwrap();
            all.push(stream);
        }
        // Whoever is accepted last has been looked at once one more is answered.
        drop(hub.upgraded("").await);
        let more = HELD.load(Ordering::Relaxed).saturating_sub(held);
        drop(all);
        hub.end().await;
        more / CONNECTIONS
    };
    let mut too_much = Vec::new();
    for (what, bytes, upgraded, most) in [
        ("connected", &b""[..], false, 16 * 1_024),
        // Two buffers of 8 KB are the HTTP library's own, which has no fewer, and only while it reads the head.
        ("in the head of a request", b"GET /sync HTTP/1.1\r\nHost: a", false, 20 * 1_024),
        ("a WebSocket", b"", true, 16 * 1_024),
        ("in a hello", &[0x82, 0xfe, 0, 200, 0, 0, 0, 0, 0, 1], true, 16 * 1_024),
        ("behind a hello", b"hello", true, 16 * 1_024),
    ] {
        let each = held(bytes, upgraded).await;
        println!("{each} bytes for each that is {what}");
        too_much.extend((each > most).then_some((what, each)));
    }
    assert!(too_much.is_empty(), "{too_much:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row28_before_anybody_has_said_who_they_are_at_most_three_times_their_bytes_go_back() {
    let _alone = ALONE.lock().await;
    let hub = Inside::start().await;
    let address = hub.address.to_string();
    let good = binary(&hello([1, 1], &address));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing of a message", binary(&[])),
        ("one byte", binary(&[0xff])),
        ("an unknown type", binary(&[63, 0])),
        ("a text", frame(0x81, 1, b"x")),
        ("a ping", frame(0x89, 0, b"")),
        ("a frame of another form", frame(0xC2, 1, b"x")),
        ("a close", frame(0x88, 0, b"")),
        ("a version of the future", binary(&hello([9, 9], &address))),
        ("another address", binary(&hello([1, 1], "elsewhere:443"))),
        ("a hello twice", [good.clone(), good.clone()].concat()),
        (
            "a hello and a proof that is none",
            [good.clone(), binary(&[&[2, 0x58, 64][..], &[0; 64]].concat())].concat(),
        ),
        ("a goodbye", binary(&[5, 0x61, b'X', 0x61, b'x'])),
        ("more than is taken yet", frame(0x82, 2_000, &[0; 2_000])),
    ];
    for (what, bytes) in cases {
        let (mut stream, request, answer) = hub.upgraded("").await;
        stream.write_all(&bytes).await.unwrap();
        // Nothing more is said.
        stream.write_all(&frame(0x88, 0, b"")).await.unwrap();
        let back = answer.len() + rest(stream).await.len();
        let sent = request.len() + bytes.len() + 6;
        assert!(back <= 3 * sent, "{what}: {back} bytes went back for {sent}");
        // What comes over the WebSocket alone, but for the one word that says why.
        println!("{what}: {back} for {sent}");
    }
    hub.end().await;
}
