//! A platform inside a simulation: its clocks, timer, entropy and tasks are the world's.

use core::time::Duration;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::platform::send::{BoxFuture, MaybeSend};
use crate::platform::traits::{Clock, DynTransport, Entropy, EntropyError, Platform, Spawner, Store, Timer};
use crate::sim::executor::Simulation;
use crate::time::{Instant, WallTime};

/// The wall clock at the beginning of a world: 2026-01-01T00:00:00Z.
const BEGINNING: u64 = 1_767_225_600_000_000;

/// The world's time, and a wall clock that can be set apart from it.
#[derive(Clone)]
pub struct SimClock {
    simulation: Simulation,
    beginning: Arc<AtomicU64>,
    unreadable: Arc<AtomicBool>,
}

impl SimClock {
    /// Makes the wall clock one that can't be read for those who ask whether it can, or mends it.
    pub fn set_unreadable(&self, unreadable: bool) {
        self.unreadable.store(unreadable, Ordering::Relaxed);
    }

    /// Sets the wall clock as it would have been when the world began, in microseconds since 1970.
    pub fn set_beginning(&self, micros: u64) {
        self.beginning.store(micros, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn try_wall(&self) -> Option<WallTime> {
        (!self.unreadable.load(Ordering::Relaxed)).then(|| self.wall())
    }

    fn monotonic(&self) -> Instant {
        self.simulation.now()
    }

    fn wall(&self) -> WallTime {
        let beginning = self.beginning.load(Ordering::Relaxed);
        WallTime::from_micros(beginning.saturating_add(self.simulation.now().as_micros()))
    }
}

/// Sleeps in virtual time.
#[derive(Clone)]
pub struct SimTimer(Simulation);

impl Timer for SimTimer {
    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

/// Random bytes that only depend on the seed.
pub struct SimEntropy(Mutex<ChaCha8Rng>);

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
        Ok(())
    }
}

/// Runs tasks in the world.
#[derive(Clone)]
pub struct SimSpawner(Simulation);

impl Spawner for SimSpawner {
    fn spawn(&self, _name: &'static str, future: BoxFuture<'static, ()>) {
        self.0.spawn_boxed(future);
    }

    async fn compute<T: MaybeSend + 'static>(&self, work: impl FnOnce() -> T + MaybeSend + 'static) -> T {
        // Others may run before it is done, as they would beside a pool.
        self.0.sleep(Duration::from_micros(self.0.below(50))).await;
        work()
    }
}

/// A node's surroundings in a simulated world.
pub struct SimPlatform<S> {
    clock: SimClock,
    timer: SimTimer,
    entropy: SimEntropy,
    spawner: SimSpawner,
    store: S,
    transports: Vec<Arc<dyn DynTransport>>,
}

impl<S: Store> SimPlatform<S> {
    /// A platform in this world over a store.
    pub fn new(simulation: &Simulation, store: S, transports: Vec<Arc<dyn DynTransport>>) -> Self {
        let beginning = Arc::new(AtomicU64::new(BEGINNING));
        Self {
            clock: SimClock { simulation: simulation.clone(), beginning, unreadable: Arc::default() },
            timer: SimTimer(simulation.clone()),
            entropy: SimEntropy(Mutex::new(ChaCha8Rng::seed_from_u64(simulation.random()))),
            spawner: SimSpawner(simulation.clone()),
            store,
            transports,
        }
    }
}

impl<S: Store> Platform for SimPlatform<S> {
    type Clock = SimClock;
    type Timer = SimTimer;
    type Entropy = SimEntropy;
    type Spawner = SimSpawner;
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
