//! What a peer can't do: other messages than frames, memory, time, and places that honest ones need.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use isoroot::TransportError;
use isoroot::limits::FRAME_BYTES;
use isoroot::platform::native::WebSocketTransport;
use isoroot::platform::{Listener, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[cfg(feature = "hub")]
use crate::axum_server::AxumServer;
#[cfg(feature = "hub")]
use crate::raw_client;
use crate::{UPGRADE, accept_nobody, listener, on_tokio, raw_pair};

/// Notes the largest piece of memory asked for, by any test of this program.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Watched = Watched;

// Passes everything on to the system's allocator, under the same contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// A frame as a client sends it: first byte, then up to 125 bytes under a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

fn refused(received: Result<Option<Vec<u8>>, TransportError>) -> String {
    match received {
        Err(TransportError::Frame(reason)) => reason,
        other => panic!("expected a refused frame, got {other:?}"),
    }
}

#[test]
fn d8_text_is_refused_with_a_type() {
    on_tokio(async {
        let (mut client, mut server) = raw_pair().await;
        client.write_all(&masked(0x82, b"fine")).await.unwrap();
        client.write_all(&masked(0x81, b"text")).await.unwrap();
        client.write_all(&masked(0x82, b"late")).await.unwrap();
        assert_eq!(server.receiver.receive().await, Ok(Some(b"fine".to_vec())));
        assert!(refused(server.receiver.receive().await).contains("text"));
        assert!(refused(server.receiver.receive().await).contains("text"), "nothing follows a refusal");
        assert!(server.sender.send(vec![1]).await.is_err());
    });
}

#[cfg(feature = "hub")]
#[test]
fn d8_text_is_refused_by_the_axum_adapter_and_the_close_code_says_so() {
    let server = AxumServer::start();
    on_tokio(async {
        let mut client = raw_client(server.address).await;
        let mut connection = server.accepted.recv().await.unwrap();
        client.write_all(&masked(0x81, b"text")).await.unwrap();
        assert!(refused(connection.receiver.receive().await).contains("text"));
        let reason = "é".repeat(100);
        let mut answer = Vec::new();
        let ((), read) = futures::join!(connection.sender.close(&reason), client.read_to_end(&mut answer));
        read.unwrap();
        assert_eq!(answer[..4], [0x88, 2 + 122, 0x03, 0xF0], "code 1008, as many whole characters as fit");
        assert_eq!(answer.len(), 2 + 2 + 122);
    });
}

#[test]
fn d8_announced_length_takes_no_memory() {
    // 4 GiB announced in one frame, 2^63 - 1 bytes in another, one over the limit in a third.
    let announced = [1 << 32, u64::MAX >> 1, FRAME_BYTES as u64 + 1].map(|length| {
        let mut bytes = vec![0x82, 0xFF];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0; 32]);
        bytes
    });
    on_tokio(async {
        for bytes in &announced {
            let (mut client, mut server) = raw_pair().await;
            client.write_all(bytes).await.unwrap();
            refused(server.receiver.receive().await);
        }
    });
    #[cfg(feature = "hub")]
    {
        let server = AxumServer::start();
        on_tokio(async {
            for bytes in &announced {
                let mut client = raw_client(server.address).await;
                let mut connection = server.accepted.recv().await.unwrap();
                client.write_all(bytes).await.unwrap();
                refused(connection.receiver.receive().await);
            }
        });
    }
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest < 4 * 1_024 * 1_024, "a piece of {largest} bytes was asked for");
}

#[test]
fn d8_message_in_endless_pieces_is_refused() {
    on_tokio(async {
        let (mut client, mut server) = raw_pair().await;
        let mut bytes = masked(0x02, &[0; 125]);
        bytes.extend_from_slice(&masked(0x00, &[0; 125]).repeat(FRAME_BYTES / 125));
        client.write_all(&bytes).await.unwrap();
        refused(server.receiver.receive().await);
    });
}

#[test]
fn d8_pings_are_answered_and_a_flood_of_them_is_refused() {
    on_tokio(async {
        let (mut client, mut server) = raw_pair().await;
        client.write_all(&masked(0x89, b"ping")).await.unwrap();
        client.write_all(&masked(0x82, b"data")).await.unwrap();
        assert_eq!(server.receiver.receive().await, Ok(Some(b"data".to_vec())));
        // The answer went out while reading, without anything being sent.
        let mut pong = [0; 6];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong, *b"\x8A\x04ping");

        let flood = masked(0x89, &[7; 125]).repeat(2_000);
        let (_, received) = futures::join!(client.write_all(&flood), server.receiver.receive());
        assert!(refused(received).contains("pings"));
    });
}

#[test]
fn d8_compressed_frames_are_refused() {
    on_tokio(async {
        let (mut client, mut server) = raw_pair().await;
        // The bit RSV1 is what permessage-deflate uses.
        client.write_all(&masked(0xC2, b"data")).await.unwrap();
        refused(server.receiver.receive().await);
    });
}

#[test]
fn d8_closing_does_not_wait_for_ever_for_a_peer_that_does_not_read() {
    on_tokio(async {
        let (_client, mut server) = raw_pair().await;
        // Filled up, so that not even the goodbye fits. Time limits here are the transport's own.
        while let Some(sent) = server.sender.send(vec![0; FRAME_BYTES]).now_or_never() {
            sent.unwrap();
        }
        server.sender.close("you do not read").await;
    });
}

#[test]
fn d8_silent_clients_hold_up_nobody() {
    on_tokio(async {
        let (mut listener, address) = listener().await;
        let fill = async {
            let mut silent = Vec::new();
            for number in 0..200 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                // Some say nothing at all, some stop in the middle.
                if number % 2 == 0 {
                    stream.write_all(&UPGRADE.as_bytes()[..number.min(UPGRADE.len() - 1)]).await.unwrap();
                }
                silent.push(stream);
            }
            silent
        };
        let _silent = accept_nobody(&mut listener, fill).await;
        let transport = WebSocketTransport::new();
        let address = format!("ws://{address}/sync");
        for _ in 0..3 {
            let (client, server) = futures::join!(transport.connect(&address), listener.accept());
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            client.sender.send(vec![1]).await.unwrap();
            assert_eq!(server.receiver.receive().await, Ok(Some(vec![1])));
        }
    });
}

#[test]
fn d8_more_handshakes_than_places_push_out_the_oldest() {
    on_tokio(async {
        let (mut listener, address) = listener().await;
        let fill = async {
            let mut silent = Vec::new();
            for _ in 0..1_100 {
                silent.push(TcpStream::connect(address).await.unwrap());
            }
            silent
        };
        let mut silent = accept_nobody(&mut listener, fill).await;
        let transport = WebSocketTransport::new();
        let address = format!("ws://{address}/sync");
        let (client, server) = futures::join!(transport.connect(&address), listener.accept());
        assert!(client.is_ok() && server.is_some());
        assert_eq!(silent[0].read(&mut [0]).await.unwrap(), 0, "the oldest was sent away");
    });
}
