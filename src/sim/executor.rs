//! The executor: one thread, virtual time, and a seed that decides which ready task runs next.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::platform::send::{BoxFuture, MaybeSend};
use crate::time::Instant;

/// A simulated world. Clones are the same world.
#[derive(Clone)]
pub struct Simulation {
    seed: u64,
    world: Arc<Mutex<World>>,
    ready: Arc<Ready>,
}

struct World {
    now: Instant,
    rng: ChaCha8Rng,
    tasks: BTreeMap<u64, BoxFuture<'static, ()>>,
    next_task: u64,
    timers: BTreeMap<(Instant, u64), Waker>,
    next_timer: u64,
    steps: u64,
}

/// Tasks that can go on. Apart from the world, since wakers are called from anywhere.
#[derive(Default)]
struct Ready {
    tasks: Mutex<BTreeSet<u64>>,
}

struct TaskWaker {
    task: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        lock(&self.ready.tasks).insert(self.task);
    }
}

/// A panic in a task leaves nothing half done under a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulation {
    /// A world that this seed decides.
    pub fn new(seed: u64) -> Self {
        let world = World {
            now: Instant::from_micros(0),
            rng: ChaCha8Rng::seed_from_u64(seed),
            tasks: BTreeMap::new(),
            next_task: 0,
            timers: BTreeMap::new(),
            next_timer: 0,
            steps: 0,
        };
        Self { seed, world: Arc::new(Mutex::new(world)), ready: Arc::default() }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Virtual time since the world began.
    pub fn now(&self) -> Instant {
        lock(&self.world).now
    }

    /// How often a task was polled: equal for equal runs.
    pub fn steps(&self) -> u64 {
        lock(&self.world).steps
    }

    /// Random bits of the world.
    pub fn random(&self) -> u64 {
        lock(&self.world).rng.next_u64()
    }

    /// A random number below `bound`, which is not 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.random() % bound.max(1)
    }

    /// Runs a task beside the others.
    pub fn spawn(&self, task: impl Future<Output = ()> + MaybeSend + 'static) {
        self.spawn_boxed(Box::pin(task));
    }

    pub(crate) fn spawn_boxed(&self, task: BoxFuture<'static, ()>) {
        let mut world = lock(&self.world);
        let number = world.next_task;
        world.next_task = number.saturating_add(1);
        world.tasks.insert(number, task);
        lock(&self.ready.tasks).insert(number);
    }

    /// Resolves when `duration` has passed in the world.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.now().after(duration);
        Sleep { simulation: self.clone(), until, timer: None }
    }

    /// Tasks that have not ended.
    pub fn tasks(&self) -> usize {
        lock(&self.world).tasks.len()
    }

    /// Timers that are set.
    pub fn timers(&self) -> usize {
        lock(&self.world).timers.len()
    }

    /// Runs the world until `main` has ended.
    ///
    /// # Panics
    /// When nothing can go on any more and `main` has not ended: a deadlock. Names the seed.
    pub fn run<T: MaybeSend + 'static>(&self, main: impl Future<Output = T> + MaybeSend + 'static) -> T {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.spawn(async move {
            let value = main.await;
            *lock(&slot) = Some(value);
        });
        loop {
            if let Some(value) = lock(&result).take() {
                return value;
            }
            assert!(self.step(), "deadlock in the simulation of seed {}", self.seed);
        }
    }

    /// Lets one ready task go on, or time pass to the next timer; false if there is neither.
    fn step(&self) -> bool {
        let Some(number) = self.pick() else { return self.pass_time() };
        let task = lock(&self.world).tasks.remove(&number);
        // A task may have been woken after it ended.
        let Some(mut task) = task else { return true };
        let waker = Waker::from(Arc::new(TaskWaker { task: number, ready: self.ready.clone() }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
            lock(&self.world).tasks.insert(number, task);
        }
        true
    }

    fn pick(&self) -> Option<u64> {
        let mut ready = lock(&self.ready.tasks);
        let mut world = lock(&self.world);
        let count = ready.len() as u64;
        if count == 0 {
            return None;
        }
        let place = usize::try_from(world.rng.next_u64() % count).unwrap_or(0);
        let number = ready.iter().nth(place).copied()?;
        ready.remove(&number);
        world.steps = world.steps.saturating_add(1);
        Some(number)
    }

    fn pass_time(&self) -> bool {
        let mut world = lock(&self.world);
        let Some(((until, _), waker)) = world.timers.pop_first() else { return false };
        world.now = world.now.max(until);
        drop(world);
        waker.wake();
        true
    }
}

/// See [`Simulation::sleep`].
pub struct Sleep {
    simulation: Simulation,
    until: Instant,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let simulation = self.simulation.clone();
        let mut world = lock(&simulation.world);
        if world.now >= self.until {
            return Poll::Ready(());
        }
        let timer = *self.timer.get_or_insert_with(|| {
            world.next_timer = world.next_timer.saturating_add(1);
            world.next_timer
        });
        world.timers.insert((self.until, timer), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            lock(&self.simulation.world).timers.remove(&(self.until, timer));
        }
    }
}
