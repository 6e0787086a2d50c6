//! A network inside a simulation: frames take time, and connections break when the test says so.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};

use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::send::{BoxFuture, MaybeSend};
use crate::platform::traits::{Connection, FrameReceiver, FrameSender, Listener, Transport};
use crate::sim::executor::Simulation;
use crate::time::Instant;

/// What starts an address of this network.
const SCHEME: &str = "sim:";
/// Frames on their way in one direction; a sender waits beyond.
const WINDOW: usize = 16;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Deliver,
    /// The connection breaks before it arrives; what is on its way is lost.
    Cut,
    /// It is lost, and nobody notices: the connection goes on.
    Lose,
}

/// Decides what becomes of a frame.
trait Judge: FnMut(&[u8]) -> Verdict + MaybeSend {}
impl<T: FnMut(&[u8]) -> Verdict + MaybeSend> Judge for T {}

struct State {
    listeners: BTreeMap<String, Sender<Connection>>,
    judge: Box<dyn Judge>,
    links: Vec<std::sync::Weak<Link>>,
}

/// A network of named nodes. Clones are the same network.
#[derive(Clone)]
pub struct SimNetwork {
    simulation: Simulation,
    state: Arc<Mutex<State>>,
    /// Bounds of a frame's delay in microseconds.
    delay: (u64, u64),
    bytes: Arc<AtomicU64>,
}

/// One connection, seen from neither side.
struct Link {
    cut: AtomicBool,
    ends: [Sender<(Instant, Vec<u8>)>; 2],
}

impl Link {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for end in &self.ends {
            end.close();
        }
    }
}

impl SimNetwork {
    /// A network in which each frame takes a random time between these bounds.
    pub fn new(simulation: &Simulation, least: Duration, most: Duration) -> Self {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let state =
            State { listeners: BTreeMap::new(), judge: Box::new(|_| Verdict::Deliver), links: Vec::new() };
        Self {
            simulation: simulation.clone(),
            state: Arc::new(Mutex::new(state)),
            delay: (micros(least), micros(most)),
            bytes: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides from now on what becomes of each frame, by its bytes.
    pub fn judge(&self, judge: impl FnMut(&[u8]) -> Verdict + MaybeSend + 'static) {
        self.lock().judge = Box::new(judge);
    }

    /// Breaks all connections.
    pub fn cut_all(&self) {
        for link in self.lock().links.drain(..).filter_map(|link| link.upgrade()) {
            link.cut();
        }
    }

    /// Bytes of all frames sent so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Accepts connections to `sim:NAME`, until it is dropped.
    pub fn listen(&self, name: &str) -> SimListener {
        let (sender, accepted) = async_channel::unbounded();
        self.lock().listeners.insert(name.to_owned(), sender);
        SimListener(accepted)
    }

    /// The transport that dials nodes of this network.
    pub fn transport(&self) -> SimTransport {
        SimTransport(self.clone())
    }

    fn connection(&self, link: &Arc<Link>, end: usize, from: Receiver<(Instant, Vec<u8>)>) -> Connection {
        let (network, link) = (self.clone(), link.clone());
        let receiver = Half { link: link.clone(), simulation: self.simulation.clone(), from, next: None };
        let sender = OtherHalf { network, link, end, arrival: Instant::default() };
        Connection {
            sender: Box::new(sender),
            receiver: Box::new(receiver),
            binding: Vec::new(),
            remote: format!("{SCHEME}end-{end}"),
        }
    }
}

/// Accepts connections in a simulation.
pub struct SimListener(Receiver<Connection>);

impl Listener for SimListener {
    async fn accept(&mut self) -> Option<Connection> {
        self.0.recv().await.ok()
    }
}

/// Dials nodes in a simulation.
pub struct SimTransport(SimNetwork);

impl Transport for SimTransport {
    fn handles(&self, address: &str) -> bool {
        address.starts_with(SCHEME)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        Ok(address.to_owned())
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let unreachable =
            || TransportError::Unreachable { address: address.to_owned(), reason: "nobody listens".into() };
        let network = &self.0;
        network.simulation.sleep(Duration::from_micros(network.delay.1)).await;
        let name = address.strip_prefix(SCHEME).unwrap_or_default();
        let listener = network.lock().listeners.get(name).cloned().ok_or_else(unreachable)?;
        let (to_dialler, dialler_from) = async_channel::bounded(WINDOW);
        let (to_acceptor, acceptor_from) = async_channel::bounded(WINDOW);
        let link = Arc::new(Link { cut: AtomicBool::new(false), ends: [to_acceptor, to_dialler] });
        let accepted = network.connection(&link, 1, acceptor_from);
        listener.send(accepted).await.map_err(|_| unreachable())?;
        network.lock().links.push(Arc::downgrade(&link));
        Ok(network.connection(&link, 0, dialler_from))
    }
}

/// The receiving half.
struct Half {
    link: Arc<Link>,
    simulation: Simulation,
    from: Receiver<(Instant, Vec<u8>)>,
    /// Taken from the channel, not yet due: kept here so that no dropped future loses it.
    next: Option<(Instant, Vec<u8>)>,
}

fn broken() -> TransportError {
    TransportError::Broken("cut".into())
}

impl FrameReceiver for Half {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async {
            if self.next.is_none() {
                self.next = self.from.recv().await.ok();
            }
            let arrival = self.next.as_ref().map_or(Instant::default(), |(arrival, _)| *arrival);
            self.simulation.sleep(arrival.since(self.simulation.now())).await;
            if self.link.cut.load(Ordering::SeqCst) {
                return Err(broken());
            }
            Ok(self.next.take().map(|(_, frame)| frame))
        })
    }
}

/// The sending half.
struct OtherHalf {
    network: SimNetwork,
    link: Arc<Link>,
    end: usize,
    /// When the last frame arrives: none overtakes it.
    arrival: Instant,
}

impl FrameSender for OtherHalf {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async {
            if self.link.cut.load(Ordering::SeqCst) {
                return Err(broken());
            }
            if frame.len() > FRAME_BYTES {
                return Err(TransportError::Frame(format!("{} bytes", frame.len())));
            }
            let verdict = (self.network.lock().judge)(&frame);
            if verdict == Verdict::Cut {
                self.link.cut();
                return Err(broken());
            }
            if verdict == Verdict::Lose {
                return Ok(());
            }
            self.network.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
            let (least, most) = self.network.delay;
            let spread = most.saturating_sub(least).saturating_add(1);
            let delay = least.saturating_add(self.network.simulation.below(spread));
            let arrival = self.network.simulation.now().after(Duration::from_micros(delay));
            self.arrival = self.arrival.max(arrival);
            let end = self.link.ends.get(self.end).ok_or_else(broken)?;
            end.send((self.arrival, frame)).await.map_err(|_| broken())
        })
    }

    fn close<'a>(&'a mut self, _reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {
            if let Some(end) = self.link.ends.get(self.end) {
                end.close();
            }
        })
    }
}

impl Drop for OtherHalf {
    fn drop(&mut self) {
        if let Some(end) = self.link.ends.get(self.end) {
            end.close();
        }
    }
}
