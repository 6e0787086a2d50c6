//! The web adapters as one platform.

use core::fmt;
use std::sync::Arc;

use super::clock::WebClock;
use super::entropy::WebEntropy;
use super::spawner::WebSpawner;
use super::timer::WebTimer;
use crate::platform::traits::{DynTransport, Platform, Store};

/// Clocks, timer, entropy and tasks of a browser or of Node, with a store and transports of choice.
pub struct WebPlatform<S> {
    clock: WebClock,
    timer: WebTimer,
    entropy: WebEntropy,
    spawner: WebSpawner,
    store: S,
    transports: Vec<Arc<dyn DynTransport>>,
}

impl<S: Store> WebPlatform<S> {
    /// A platform of these parts. The first of `transports` that handles an address dials it.
    pub fn new(store: S, transports: Vec<Arc<dyn DynTransport>>) -> Self {
        let (clock, timer, entropy, spawner) = (WebClock, WebTimer, WebEntropy, WebSpawner);
        Self { clock, timer, entropy, spawner, store, transports }
    }
}

impl<S: fmt::Debug> fmt::Debug for WebPlatform<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("WebPlatform");
        debug.field("store", &self.store).field("transports", &self.transports.len());
        debug.finish_non_exhaustive()
    }
}

impl<S: Store> Platform for WebPlatform<S> {
    type Clock = WebClock;
    type Timer = WebTimer;
    type Entropy = WebEntropy;
    type Spawner = WebSpawner;
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
