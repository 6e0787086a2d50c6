//! The native adapters as one platform.

use std::fmt;
use std::sync::Arc;

use crate::platform::native::clock::SystemClock;
use crate::platform::native::entropy::OsEntropy;
#[cfg(feature = "smol")]
use crate::platform::native::spawner::SmolSpawner;
#[cfg(feature = "tokio")]
use crate::platform::native::spawner::TokioSpawner;
use crate::platform::native::timer::IoTimer;
#[cfg(any(feature = "smol", feature = "tokio"))]
use crate::platform::native::websocket::WebSocketTransport;
use crate::platform::traits::{DynTransport, Platform, Spawner, Store};

/// The system's clocks, timer and entropy, with a spawner, a store and transports of choice.
pub struct NativePlatform<P, S> {
    clock: SystemClock,
    timer: IoTimer,
    entropy: OsEntropy,
    spawner: P,
    store: S,
    transports: Vec<Arc<dyn DynTransport>>,
}

impl<P: Spawner, S: Store> NativePlatform<P, S> {
    /// A platform of these parts. The first of `transports` that handles an address dials it.
    pub fn new(spawner: P, store: S, transports: Vec<Arc<dyn DynTransport>>) -> Self {
        Self { clock: SystemClock, timer: IoTimer, entropy: OsEntropy, spawner, store, transports }
    }
}

#[cfg(feature = "tokio")]
impl<S: Store> NativePlatform<TokioSpawner, S> {
    /// A platform on a tokio runtime that dials WebSocket addresses; plain ones on loopback only.
    pub fn tokio(runtime: tokio::runtime::Handle, store: S) -> Self {
        Self::new(TokioSpawner::new(runtime), store, vec![Arc::new(WebSocketTransport::new())])
    }
}

#[cfg(feature = "smol")]
impl<S: Store> NativePlatform<SmolSpawner, S> {
    /// A platform on smol that dials WebSocket addresses; plain ones on loopback only.
    pub fn smol(store: S) -> Self {
        Self::new(SmolSpawner, store, vec![Arc::new(WebSocketTransport::new())])
    }
}

impl<P: fmt::Debug, S: fmt::Debug> fmt::Debug for NativePlatform<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spawner, store, transports, .. } = self;
        let mut debug = f.debug_struct("NativePlatform");
        debug.field("spawner", spawner).field("store", store).field("transports", &transports.len());
        debug.finish_non_exhaustive()
    }
}

impl<P: Spawner, S: Store> Platform for NativePlatform<P, S> {
    type Clock = SystemClock;
    type Timer = IoTimer;
    type Entropy = OsEntropy;
    type Spawner = P;
    type Store = S;

    fn clock(&self) -> &Self::Clock {
        &self.clock
    }

    fn timer(&self) -> &Self::Timer {
        &self.timer
    }

    fn entropy(&self) -> &Self::Entropy {
        &self.entropy
    }

    fn spawner(&self) -> &Self::Spawner {
        &self.spawner
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    fn transports(&self) -> &[Arc<dyn DynTransport>] {
        &self.transports
    }
}
