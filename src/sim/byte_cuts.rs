//! Tests: two nodes over real WebSockets over a stream in memory, which is cut behind every byte.
//!
//! A frame is one message of a WebSocket: cut in the middle it never arrives. So what a cut at a byte comes to is
//! a cut at a frame; that it is so, and that nothing else is lost or kept of it, is what this shows.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use futures::io::{AsyncRead, AsyncWrite};

use crate::driver::node::SyncNode;
use crate::error::TransportError;
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::ids::StoreId;
use crate::platform::memory::MemoryStore;
use crate::platform::native::websocket_over;
use crate::platform::traits::{Connection, Listener, Transport};
use crate::sim::{SimPlatform, Simulation};

/// Bytes one way.
#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    /// Bytes that have gone in.
    all: usize,
    reader: Option<Waker>,
}

#[derive(Default)]
struct Link {
    ways: [Way; 2],
    is_cut: bool,
    /// Behind how many bytes of which way it is cut.
    cut_behind: Option<(usize, usize)>,
    /// Whether what has gone in still comes out of the other way.
    lets_out: bool,
}

impl Link {
    fn cut(&mut self) {
        self.is_cut = true;
        for way in &mut self.ways {
            if let Some(reader) = way.reader.take() {
                reader.wake();
            }
        }
    }
}

/// One end of a stream: writes one way, reads the other.
struct End {
    link: Arc<Mutex<Link>>,
    way: usize,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let from = 1 - self.way;
        let mut link = self.lock();
        let cut_here = link.cut_behind.is_some_and(|(way, _)| way == from);
        if link.is_cut && !link.lets_out && !cut_here {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let is_cut = link.is_cut;
        let way = &mut link.ways[from];
        if way.bytes.is_empty() {
            if is_cut {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = into.len().min(way.bytes.len());
        for (place, byte) in into.iter_mut().zip(way.bytes.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut link = self.lock();
        if link.is_cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let before = link.ways[self.way].all;
        let room = link.cut_behind.filter(|(way, _)| *way == self.way).map(|(_, behind)| behind - before);
        let taken = bytes.len().min(room.unwrap_or(usize::MAX));
        let way = &mut link.ways[self.way];
        way.bytes.extend(&bytes[..taken]);
        way.all += taken;
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        if room == Some(taken) {
            link.cut();
        }
        // What goes nowhere is noticed with the next.
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().cut();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.lock().cut();
    }
}

/// Makes streams from one side to the other; the first is cut, then none is made until that is allowed.
#[derive(Clone)]
struct Streams {
    accept: Sender<Connection>,
    made: Arc<Mutex<Vec<Arc<Mutex<Link>>>>>,
    cut: (Option<(usize, usize)>, bool),
    allowed: Arc<Mutex<usize>>,
}

impl Transport for Streams {
    fn handles(&self, address: &str) -> bool {
        address.starts_with("stream:")
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        Ok(address.to_owned())
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let number = self.made.lock().unwrap().len();
        if number >= *self.allowed.lock().unwrap() {
            let (address, reason) = (address.to_owned(), "not yet".to_owned());
            return Err(TransportError::Unreachable { address, reason });
        }
        let (cut_behind, lets_out) = if number == 0 { self.cut } else { (None, true) };
        let link = Arc::new(Mutex::new(Link { cut_behind, lets_out, ..Link::default() }));
        if cut_behind.is_some_and(|(_, behind)| behind == 0) {
            link.lock().unwrap().cut();
        }
        self.made.lock().unwrap().push(link.clone());
        let end = |way| End { link: link.clone(), way };
        let (dialler, acceptor) = (websocket_over(end(0), true).await, websocket_over(end(1), false).await);
        drop(self.accept.send(acceptor).await);
        Ok(dialler)
    }
}

struct Accepting(Receiver<Connection>);

impl Listener for Accepting {
    async fn accept(&mut self) -> Option<Connection> {
        self.0.recv().await.ok()
    }
}

/// Entries of each side, and of both together.
const MINE: u64 = 3;
const THEIRS: u64 = 4;

/// One sync, cut behind a byte, and gone on with; how many bytes went each way before.
fn cut(behind: Option<(usize, usize)>, lets_out: bool) -> [usize; 2] {
    let world = Simulation::new(46);
    world.clone().run(async move {
        let (accept, accepted) = async_channel::unbounded();
        let streams = Streams {
            accept,
            made: Arc::default(),
            cut: (behind, lets_out),
            allowed: Arc::new(Mutex::new(1)),
        };
        let node = async |store: u8, transport: Streams| {
            let store = MemoryStore::new(StoreId::from_bytes([store; 16]));
            let platform = SimPlatform::new(&world, store, vec![Arc::new(transport)]);
            SyncNode::create(platform, &Genesis::named("bytes")).await.unwrap()
        };
        let (a, b) = (node(1, streams.clone()).await, node(2, streams.clone()).await);
        for (node, entries) in [(&a, MINE), (&b, THEIRS)] {
            for number in 0..entries {
                node.append([Fact::new("n", number as i64)]).await.unwrap();
            }
        }
        b.start().await.unwrap();
        let service = b.service().clone();
        world.spawn(async move { service.serve(Accepting(accepted)).await });
        a.add_peer("stream:b").await.unwrap();
        a.start().await.unwrap();
        world.sleep(Duration::from_secs(1)).await;
        let went = {
            let link = streams.made.lock().unwrap()[0].clone();
            let link = link.lock().unwrap();
            [link.ways[0].all, link.ways[1].all]
        };
        if behind.is_none() {
            assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());
        }
        let durable = [a.root().await.unwrap().count, b.root().await.unwrap().count];
        *streams.allowed.lock().unwrap() = usize::MAX;
        let report = a.sync().await.unwrap().remove(0).result.unwrap();
        let all = MINE + THEIRS;
        assert_eq!(report.root.count, all, "{behind:?}");
        assert_eq!((a.root().await.unwrap(), b.root().await.unwrap()), (report.root, report.root));
        // What is durable does not travel again, and all else does once.
        let travelled = (report.entries_received, report.entries_sent);
        assert_eq!(travelled, (all - durable[0], all - durable[1]), "{behind:?}, {lets_out}");
        went
    })
}

#[test]
fn f46_row1_a_stream_cut_behind_any_byte_of_either_way_goes_on_and_sends_nothing_twice() {
    let whole = cut(None, true);
    assert!(whole.iter().all(|bytes| (500..3_000).contains(bytes)), "{whole:?}");
    for (way, bytes) in whole.into_iter().enumerate() {
        for behind in 0..bytes {
            // In turn: what went the other way comes out, or is lost with the stream.
            cut(Some((way, behind)), behind % 2 == 0);
        }
    }
}
