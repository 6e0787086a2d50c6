//! Several nodes in a world that loses, repeats and reorders frames, breaks connections, parts them and lets them
//! crash (F-87). No entry is ever lost, and once the world is whole and all connections are made anew all end with
//! one root.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{BoxFuture, Connection, FrameReceiver, FrameSender, Transport, TransportError};
use isoroot::sim::{SimListener, SimNetwork, SimPlatform, SimTransport, Simulation, Verdict};
use isoroot::{EntryId, Fact, Genesis, Query, StoreId, SyncNode};

/// How often something happens to a frame, in thousandths; each is off in half of the worlds.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    lost: u64,
    repeated: u64,
    reordered: u64,
    cut: u64,
}

impl Rates {
    fn draw(world: &Simulation) -> Self {
        let rate = |most: u64| if world.below(2) == 0 { 0 } else { 1 + world.below(most) };
        Self { lost: rate(500), repeated: rate(300), reordered: rate(300), cut: rate(60) }
    }
}

/// What the world does, as of now. Clones are the same.
#[derive(Clone, Default)]
struct Weather(Arc<Mutex<(Rates, BTreeMap<String, usize>)>>);

impl Weather {
    fn rates(&self) -> Rates {
        self.0.lock().unwrap().0
    }

    /// Sets the rates, and in which part each node is.
    fn set(&self, rates: Rates, parts: BTreeMap<String, usize>) {
        *self.0.lock().unwrap() = (rates, parts);
    }

    fn are_together(&self, one: &str, other: &str) -> bool {
        let parts = &self.0.lock().unwrap().1;
        parts.get(one) == parts.get(other)
    }
}

/// How one node dials others through the weather.
struct Dialler {
    name: String,
    inner: SimTransport,
    world: Simulation,
    weather: Weather,
}

impl Transport for Dialler {
    fn handles(&self, address: &str) -> bool {
        self.inner.handles(address)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        self.inner.canonical(address)
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let there = address.trim_start_matches("sim:").to_owned();
        if !self.weather.are_together(&self.name, &there) {
            let (address, reason) = (address.to_owned(), "parted".to_owned());
            return Err(TransportError::Unreachable { address, reason });
        }
        let mut connection = self.inner.connect(address).await?;
        let between = [self.name.clone(), there];
        let way = |sender| Way {
            sender,
            world: self.world.clone(),
            weather: self.weather.clone(),
            between: between.clone(),
            held: None,
        };
        connection.sender = Box::new(way(connection.sender));
        connection.receiver = Box::new(Back {
            receiver: connection.receiver,
            world: self.world.clone(),
            weather: self.weather.clone(),
            between,
            again: None,
        });
        Ok(connection)
    }
}

fn parted() -> TransportError {
    TransportError::Broken("parted".into())
}

/// Frames of the dialling side.
struct Way {
    sender: Box<dyn FrameSender>,
    world: Simulation,
    weather: Weather,
    between: [String; 2],
    held: Option<Vec<u8>>,
}

impl FrameSender for Way {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let rates = self.weather.rates();
            let happens = |rate: u64| self.world.below(1_000) < rate;
            if !self.weather.are_together(&self.between[0], &self.between[1]) || happens(rates.cut) {
                return Err(parted());
            }
            if happens(rates.lost) {
                return Ok(());
            }
            if self.held.is_none() && happens(rates.reordered) {
                self.held = Some(frame);
                return Ok(());
            }
            if happens(rates.repeated) {
                self.sender.send(frame.clone()).await?;
            }
            self.sender.send(frame).await?;
            match self.held.take() {
                Some(held) => self.sender.send(held).await,
                None => Ok(()),
            }
        })
    }

    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()> {
        self.sender.close(reason)
    }
}

/// Frames of the accepting side.
struct Back {
    receiver: Box<dyn FrameReceiver>,
    world: Simulation,
    weather: Weather,
    between: [String; 2],
    again: Option<Vec<u8>>,
}

impl FrameReceiver for Back {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            if let Some(again) = self.again.take() {
                return Ok(Some(again));
            }
            loop {
                let frame = self.receiver.receive().await?;
                let rates = self.weather.rates();
                let happens = |rate: u64| self.world.below(1_000) < rate;
                if !self.weather.are_together(&self.between[0], &self.between[1]) {
                    return Err(parted());
                }
                if frame.is_some() && happens(rates.lost) {
                    continue;
                }
                if happens(rates.repeated) {
                    self.again = frame.clone();
                }
                return Ok(frame);
            }
        })
    }
}

/// A node that can crash: its store stays.
struct Place {
    name: String,
    dials: Vec<String>,
    store: MemoryStore,
    /// Nothing while it is down.
    node: Option<SyncNode>,
    /// Entries that it had when it was last looked at, and its own that were acknowledged.
    count: u64,
    own: BTreeSet<EntryId>,
}

impl Place {
    fn node(&self) -> &SyncNode {
        self.node.as_ref().expect("it is up")
    }
}

/// All nodes, and what is known of them.
struct Group {
    world: Simulation,
    network: SimNetwork,
    weather: Weather,
    places: Vec<Place>,
    written: i64,
}

impl Group {
    async fn new(world: &Simulation) -> Self {
        let network = SimNetwork::new(world, Duration::from_micros(100), Duration::from_millis(30));
        network.judge(|_| Verdict::Deliver);
        let mut group = Self {
            world: world.clone(),
            network,
            weather: Weather::default(),
            places: Vec::new(),
            written: 0,
        };
        let nodes = 3 + world.below(5);
        for place in 0..nodes {
            let name = format!("n{place}");
            // A chain at least, and some more.
            let dials = (0..place).filter(|other| *other + 1 == place || world.below(3) == 0);
            let dials: Vec<_> = dials.map(|other| format!("n{other}")).collect();
            let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
            let node = group.start(&name, &dials, &store).await;
            let (node, count, own) = (Some(node), 0, BTreeSet::new());
            group.places.push(Place { name, dials, store, node, count, own });
        }
        group
    }

    async fn start(&self, name: &str, dials: &[String], store: &MemoryStore) -> SyncNode {
        let inner = self.network.transport();
        let dialler =
            Dialler { name: name.into(), inner, world: self.world.clone(), weather: self.weather.clone() };
        let platform = SimPlatform::new(&self.world, store.clone(), vec![Arc::new(dialler)]);
        let node = SyncNode::create(platform, &Genesis::named("partitions")).await.unwrap();
        node.start().await.unwrap();
        for other in dials {
            node.add_peer(&format!("sim:{other}")).await.unwrap();
        }
        let listener: SimListener = self.network.listen(name);
        let service = node.service().clone();
        self.world.spawn(async move { service.serve(listener).await });
        node
    }

    async fn append(&mut self, place: usize) {
        self.written += 1;
        let written = self.written;
        let place = &mut self.places[place];
        let appended = place.node().append([Fact::new("n", written)]).await.unwrap();
        place.own.insert(appended.id);
    }

    /// It ends at once, and is started again over what its store has.
    async fn crash(&mut self, place: usize) {
        let (name, dials, store) = {
            let place = &self.places[place];
            (place.name.clone(), place.dials.clone(), place.store.clone())
        };
        // Nobody reaches it any more, and nobody is told.
        drop(self.network.listen(&name));
        drop(self.places[place].node.take());
        self.network.cut_all();
        self.world.sleep(Duration::from_millis(self.world.below(3_000))).await;
        self.places[place].node = Some(self.start(&name, &dials, &store).await);
    }

    /// No node has less than before, and each has all that it wrote.
    async fn check(&mut self) {
        for place in &mut self.places {
            let count = place.node().root().await.unwrap().count;
            assert!(count >= place.count, "seed {}: {} has lost entries", self.world.seed(), place.name);
            assert!(count >= place.own.len() as u64, "seed {}", self.world.seed());
            place.count = count;
        }
    }

    /// The world is whole; resolves when all have one root, and checks what they have.
    async fn heal(&mut self) {
        self.weather.set(Rates::default(), BTreeMap::new());
        // A connection whose frames were lost is none that keeps its promise: with it goes what nobody can notice.
        self.network.cut_all();
        let began = self.world.now();
        loop {
            self.world.sleep(Duration::from_secs(5)).await;
            let mut roots = Vec::new();
            for place in &self.places {
                roots.push(place.node().root().await.unwrap());
            }
            if roots.iter().all(|root| *root == roots[0]) && roots[0].count == self.written as u64 {
                break;
            }
            // The longest that one leaves another alone, and a sync along the chain.
            let waited = self.world.now().since(began);
            assert!(waited < Duration::from_secs(1_000), "seed {}: {roots:?}", self.world.seed());
        }
        let written: BTreeSet<_> = self.places.iter().flat_map(|place| place.own.iter().copied()).collect();
        let facts = self.places[0].node().facts(Query::all()).map(|fact| fact.unwrap().id.entry);
        let found: BTreeSet<_> = facts.collect().await;
        assert_eq!(found, written, "seed {}: what each wrote, and nothing else", self.world.seed());
    }
}

/// One world: how many nodes, what happens to frames, who is parted and who crashes is drawn by the seed.
fn history(seed: u64) {
    let world = Simulation::new(seed);
    world.clone().run(async move {
        let mut group = Group::new(&world).await;
        let rates = Rates::draw(&world);
        let nodes = group.places.len() as u64;
        for _ in 0..12 {
            let place = world.below(nodes) as usize;
            match world.below(8) {
                0 => group.crash(place).await,
                1 => {
                    // Each somewhere; one alone; or all together.
                    let parts = match world.below(3) {
                        0 => group
                            .places
                            .iter()
                            .map(|place| (place.name.clone(), world.below(2) as usize))
                            .collect(),
                        1 => BTreeMap::from([(group.places[place].name.clone(), 1)]),
                        _ => BTreeMap::new(),
                    };
                    group.weather.set(rates, parts);
                    group.network.cut_all();
                }
                2 => group.network.cut_all(),
                _ => {
                    for _ in 0..1 + world.below(6) {
                        group.append(place).await;
                    }
                }
            }
            world.sleep(Duration::from_millis(world.below(4_000))).await;
            group.check().await;
        }
        group.heal().await;
    });
}

#[test]
fn f87_three_to_seven_nodes_that_are_parted_and_crash_end_with_one_root_whatever_happens_to_frames() {
    let seeds = if std::env::var_os("ISOROOT_TEST_FULL").is_some() { 10_000 } else { 300 };
    for seed in 0..seeds {
        history(seed);
    }
}
