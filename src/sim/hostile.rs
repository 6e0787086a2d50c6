//! Peers that lie, against a real node: each ends with a typed reason and its own connection, and leaves
//! node and journal as they were.

use core::time::Duration;
use std::sync::Arc;

use crate::crypto::sign::DeviceKey;
use crate::driver::node::SyncNode;
use crate::driver::service::SyncService;
use crate::fact::entry::{Draft, Entry};
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::ids::{EntryId, JournalId, StoreId};
use crate::limits::{EMPTY_MESSAGES, FRAME_BYTES, FRUITLESS_ROUNDS, IDS_PER_ROUND, TURNED_AWAY};
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::Root;
use crate::platform::memory::MemoryStore;
use crate::platform::traits::{Connection, Transport};
use crate::reconcile::descent::Answer;
use crate::service::config::Config;
use crate::service::event::Event;
use crate::session::connection::ConnectionMachine;
use crate::session::failure::PeerError;
use crate::session::handshake::Dialler;
use crate::session::message::bundle::{Bundle, Bundler};
use crate::session::message::{ChannelMessage, Hello, Leading, Message, Plan, Summary};
use crate::sim::{SimNetwork, SimPlatform, Simulation};
use crate::symbols::mapping::ShortId;
use crate::symbols::sketch::Sketch;
use crate::time::Instant;

/// An honest node with some entries, and somebody who talks to it by hand.
pub(super) struct Scene {
    pub(super) world: Simulation,
    pub(super) network: SimNetwork,
    pub(super) honest: SyncNode,
    pub(super) root: Root,
    pub(super) events: async_channel::Receiver<Event>,
}

pub(super) fn journal() -> JournalId {
    Genesis::named("hostile").journal()
}

pub(super) fn liar_key() -> DeviceKey {
    DeviceKey::from_seed([0x66; 32])
}

pub(super) fn entry_of(journal: JournalId, value: i64) -> Entry {
    let draft = Draft::new(liar_key().device(), &[Fact::new("lie", value)]).unwrap();
    draft.sign(&journal, &liar_key(), &[], 1_767_225_600_000_000)
}

impl Scene {
    pub(super) async fn new(world: &Simulation) -> Self {
        let network = SimNetwork::new(world, Duration::from_millis(1), Duration::from_millis(1));
        let honest = Self::node(world, &network, 1).await;
        for value in 0..40 {
            honest.append([Fact::new("true", value)]).await.unwrap();
        }
        honest.start().await.unwrap();
        let (listener, service) = (network.listen("honest"), honest.service().clone());
        world.spawn(async move { service.serve(listener).await });
        let events = honest.events().await.unwrap();
        let root = honest.root().await.unwrap();
        Self { world: world.clone(), network, honest, root, events }
    }

    pub(super) async fn node(world: &Simulation, network: &SimNetwork, store: u8) -> SyncNode {
        let store = MemoryStore::new(StoreId::from_bytes([store; 16]));
        let platform = SimPlatform::new(world, store, vec![Arc::new(network.transport())]);
        let service = SyncService::new(platform, Config::default()).await.unwrap();
        service.create(&Genesis::named("hostile")).await.unwrap()
    }

    /// A connection of somebody who has been left alone for long enough.
    pub(super) async fn dial(&self) -> Liar {
        self.world.sleep(TURNED_AWAY).await;
        self.dial_at_once().await
    }

    pub(super) async fn dial_at_once(&self) -> Liar {
        Liar { connection: Transport::connect(&self.network.transport(), "sim:honest").await.unwrap() }
    }

    /// A liar that has authenticated and opened a channel for the journal.
    pub(super) async fn opened(&self) -> Liar {
        let mut liar = self.dial().await;
        liar.authenticate().await;
        let root = Root { count: 2, hash: [7; 32] };
        liar.say(open(root, Sketch::default())).await;
        // It has few entries, so it is to list them; it asks instead.
        let answer = liar.hear().await;
        let plan = Plan::OpenerLists;
        assert!(
            matches!(&answer, Some(Message::Channel { message: ChannelMessage::Differ { plan: to, .. }, .. }) if *to == plan),
            "{answer:?}"
        );
        liar.say(ChannelMessage::Ask { prefixes: vec![Prefix::ALL] }).await;
        let answer = liar.hear().await;
        let told = matches!(answer, Some(Message::Channel { message: ChannelMessage::Tell { .. }, .. }));
        assert!(told, "{answer:?}");
        liar
    }

    /// Why the honest node ended the last connection.
    pub(super) async fn verdict(&self) -> PeerError {
        loop {
            if let Event::Disconnected { error, .. } = self.events.recv().await.unwrap() {
                return error;
            }
        }
    }

    /// The node is as it was, and serves honest peers.
    pub(super) async fn unharmed(&self) {
        assert_eq!(self.honest.root().await.unwrap(), self.root);
        let other = Self::node(&self.world, &self.network, 2).await;
        other.add_peer("sim:honest").await.unwrap();
        other.start().await.unwrap();
        let sync = other.sync().await.unwrap().remove(0);
        assert_eq!(sync.result.unwrap().root, self.root);
        other.stop().await.unwrap();
    }
}

pub(super) fn open(root: Root, sketch: Sketch) -> ChannelMessage {
    let summary = Summary { at: root.count, count: root.count };
    ChannelMessage::Open { journal: journal(), summary, root: root.hash, sketch, cursor: None }
}

/// Whole ids, as far as a want can name them.
pub(super) fn leading(ids: &[EntryId]) -> Leading {
    let mut leading = Leading::new(8);
    ids.iter().for_each(|id| leading.push(ShortId::of(id)));
    leading
}

/// The first words of a liar.
pub(super) fn hello() -> Hello {
    Liar::dialler(1).hello
}

pub(super) struct Liar {
    connection: Connection,
}

impl Liar {
    pub(super) async fn send(&mut self, frame: Vec<u8>) {
        // The node may have hung up already.
        drop(self.connection.sender.send(frame).await);
    }

    pub(super) async fn say(&mut self, message: ChannelMessage) {
        self.send(Message::Channel { channel: 0, message }.encode()).await;
    }

    pub(super) async fn hear(&mut self) -> Option<Message> {
        let frame = self.connection.receiver.receive().await.ok()??;
        Some(Message::decode(&frame).unwrap())
    }

    fn dialler(nonce: u8) -> Dialler {
        let address = "sim:honest".to_owned();
        let store = StoreId::from_bytes([9; 16]);
        let hello = ConnectionMachine::hello(liar_key().device(), store, [nonce; 32], address);
        Dialler { hello, expected: None, binding: Vec::new() }
    }

    pub(super) async fn authenticate(&mut self) {
        let dialler = Self::dialler(1);
        self.send(Message::Hello(dialler.hello.clone()).encode()).await;
        let Some(Message::HelloAck(ack)) = self.hear().await else { panic!("no answer to the hello") };
        let signature = dialler.finish(&ack, &liar_key()).unwrap();
        self.send(Message::Auth { signature }.encode()).await;
    }

    /// What the node says last, before it hangs up.
    pub(super) async fn last_words(&mut self) -> Option<Message> {
        let mut last = None;
        while let Some(message) = self.hear().await {
            last = Some(message);
        }
        last
    }
}

/// One attack by a peer whose channel is open: what it says, and how the node must call it.
fn attack(seed: u64, frames: Vec<Vec<u8>>, code: &str) {
    let world = Simulation::new(seed);
    let code = code.to_owned();
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.opened().await;
        for frame in frames {
            liar.send(frame).await;
        }
        let last = liar.last_words().await;
        let error = scene.verdict().await;
        assert_eq!(error.code().as_str(), code, "{error}");
        assert!(matches!(&last, Some(Message::Goaway(reason)) if reason.code == code), "{last:?}");
        scene.unharmed().await;
    });
}

pub(super) fn in_channel(message: ChannelMessage) -> Vec<u8> {
    Message::Channel { channel: 0, message }.encode()
}

pub(super) fn entries(records: &[Vec<u8>]) -> Vec<u8> {
    let journal = journal();
    let mut bundler = Bundler::new(&journal);
    for (record, number) in records.iter().zip(1..) {
        assert!(bundler.push(number, record).is_none());
    }
    in_channel(ChannelMessage::Entries(bundler.take().unwrap_or_default()))
}

#[test]
fn d8_bad_entries_end_the_connection_with_their_reason() {
    let good = entry_of(journal(), 1);
    let foreign = entry_of(Genesis::named("another").journal(), 1);
    let mut forged = good.record().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut not_canonical = good.record().to_vec();
    // The version, 1, with a head of two bytes.
    not_canonical.splice(1..2, [0x18, 0x01]);
    let cut_short = good.record()[..good.record().len() - 1].to_vec();
    for (seed, bad) in
        [foreign.record().to_vec(), forged, not_canonical, cut_short, vec![]].into_iter().enumerate()
    {
        let frame = entries(&[good.record().to_vec(), bad]);
        attack(seed as u64, vec![frame], "BAD_ENTRY");
    }
}

#[test]
fn d6_frames_that_are_no_messages_end_the_connection() {
    let message =
        in_channel(ChannelMessage::Want { ids: leading(&[entry_of(journal(), 1).id()]), last: false });
    let mut frames = vec![vec![], vec![0xff; 40], vec![9], vec![0; FRAME_BYTES]];
    frames.extend((1..message.len()).map(|end| message[..end].to_vec()));
    let mut trailing = message.clone();
    trailing.push(0);
    frames.push(trailing);
    for (seed, frame) in frames.into_iter().enumerate() {
        attack(seed as u64, vec![frame], "BAD_MESSAGE");
    }
}

#[test]
fn d8_what_no_honest_peer_says_ends_the_connection() {
    let root = Root { count: 1, hash: [1; 32] };
    let summary = Summary { at: 1, count: 1 };
    let size = 310_000;
    let part = |number, length| ChannelMessage::Part { number, size, bytes: vec![0; length] };
    let below = Prefix::ALL.child(3).unwrap();
    let attacks: Vec<(Vec<ChannelMessage>, &str)> = vec![
        (vec![open(root, Sketch::default())], "PROTOCOL"),
        (vec![ChannelMessage::Tell { answers: vec![Answer::Ids(vec![])] }], "UNEXPECTED_MESSAGE"),
        (vec![ChannelMessage::Differ { summary, plan: Plan::Descend, takes: true }], "UNEXPECTED_MESSAGE"),
        (vec![ChannelMessage::Credit { bytes: 1, upto: 0 }], "PROTOCOL"),
        (vec![ChannelMessage::Ask { prefixes: vec![Prefix::ALL, Prefix::ALL] }], "PROTOCOL"),
        (vec![ChannelMessage::Ask { prefixes: vec![below, Prefix::ALL] }], "PROTOCOL"),
        (vec![ChannelMessage::Entries(Bundle::default())], "PROTOCOL"),
        (vec![ChannelMessage::Credit { bytes: 0, upto: 41 }], "PROTOCOL"),
        (vec![ChannelMessage::Sent, ChannelMessage::Sent], "UNEXPECTED_MESSAGE"),
        (vec![ChannelMessage::Root(root), ChannelMessage::Root(root)], "UNEXPECTED_MESSAGE"),
        (vec![part(1, 60_000), part(2, 60_000)], "PROTOCOL"),
        (vec![part(1, 60_000), ChannelMessage::Entries(Bundle::default())], "PROTOCOL"),
        (vec![part(1, 0)], "PROTOCOL"),
        ((0..6).map(|_| part(1, 60_000)).collect(), "PROTOCOL"),
    ];
    // One more than may come of what says nothing; each kind by itself.
    let empty = [
        ChannelMessage::Want { ids: leading(&[]), last: false },
        ChannelMessage::Ask { prefixes: vec![] },
        ChannelMessage::Refused { ids: vec![] },
        ChannelMessage::Upto { number: 0 },
        ChannelMessage::Credit { bytes: 0, upto: 0 },
    ];
    let floods = empty.map(|message| (vec![message; EMPTY_MESSAGES as usize + 1], "PROTOCOL"));
    for (seed, (messages, code)) in attacks.into_iter().chain(floods).enumerate() {
        attack(seed as u64, messages.into_iter().map(in_channel).collect(), code);
    }
    attack(100, vec![Message::Auth { signature: [0; 64] }.encode()], "UNEXPECTED_MESSAGE");
}

#[test]
fn d4_a_sync_never_ends_as_equal_when_the_roots_are_not() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.opened().await;
        let mut roots = 0;
        let last = loop {
            // It neither wants nor gives anything, and says that its root is another.
            liar.say(ChannelMessage::Want { ids: leading(&[]), last: true }).await;
            liar.say(ChannelMessage::Sent).await;
            liar.say(ChannelMessage::Root(Root { count: 2, hash: [7; 32] })).await;
            let answer = loop {
                match liar.hear().await {
                    Some(Message::Channel { message: ChannelMessage::Root(root), .. }) => {
                        assert_eq!(root, scene.root);
                        roots += 1;
                        break None;
                    }
                    Some(Message::Channel {
                        message: ChannelMessage::Sent | ChannelMessage::Upto { .. },
                        ..
                    }) => {}
                    other => break other,
                }
            };
            if answer.is_some() {
                break answer;
            }
        };
        assert!(matches!(&last, Some(Message::Goaway(reason)) if reason.code == "NO_PROGRESS"), "{last:?}");
        assert_eq!(roots, 1 + FRUITLESS_ROUNDS);
        assert_eq!(scene.verdict().await, PeerError::NoProgress);
        while let Ok(event) = scene.events.try_recv() {
            assert!(!matches!(event, Event::Synced { .. }));
        }
        scene.unharmed().await;
    });
}

#[test]
fn d8_wanting_more_than_a_round_may_hold_ends_the_connection() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let facts = scene.honest.page(crate::Query::all(), None, 10_000).await.unwrap().facts;
        let ids: Vec<_> = facts.iter().map(|fact| fact.id.entry).collect();
        let mut liar = scene.opened().await;
        for _ in 0..=2 * IDS_PER_ROUND / ids.len() {
            liar.say(ChannelMessage::Want { ids: leading(&ids), last: false }).await;
        }
        assert_eq!(scene.verdict().await.code().as_str(), "PROTOCOL");
        scene.unharmed().await;
    });
}

#[test]
fn d7_every_flipped_bit_and_truncation_of_a_handshake_is_turned_away() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let hello = Message::Hello(Liar::dialler(1).hello).encode();
        let mut frames: Vec<_> = (0..hello.len()).map(|end| hello[..end].to_vec()).collect();
        frames.push(vec![0; 2_000]);
        for frame in frames {
            let mut liar = scene.dial().await;
            liar.send(frame).await;
            assert!(matches!(liar.last_words().await, Some(Message::Goaway(_))));
            assert_eq!(scene.verdict().await.code().as_str(), "BAD_MESSAGE");
        }
        // A hello with any bit flipped is another hello, or none: its sender is not who it claims to be.
        for bit in 0..hello.len() * 8 {
            let mut flipped = hello.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut liar = scene.dial().await;
            liar.send(flipped).await;
            let dialler = Liar::dialler(1);
            if let Some(Message::HelloAck(ack)) = liar.hear().await {
                assert_eq!(dialler.finish(&ack, &liar_key()), Err(PeerError::Unauthenticated), "bit {bit}");
                let signature = liar_key().sign(&[0; 32]);
                liar.send(Message::Auth { signature }.encode()).await;
                assert!(matches!(liar.last_words().await, Some(Message::Goaway(_))), "bit {bit}");
            }
            let code = scene.verdict().await.code();
            let codes = ["BAD_MESSAGE", "VERSION", "SUITE", "UNEXPECTED_MESSAGE", "UNAUTHENTICATED"];
            assert!(codes.contains(&code.as_str()), "bit {bit}: {code}");
        }
        scene.unharmed().await;
    });
}

#[test]
fn d6_random_frames_never_harm() {
    let world = Simulation::new(5);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        for round in 0..400 {
            let mut liar = if round % 2 == 0 { scene.dial().await } else { scene.opened().await };
            for _ in 0..scene.world.below(4) + 1 {
                let length = scene.world.below(600) as usize;
                let mut frame: Vec<u8> = (0..length).map(|_| scene.world.random() as u8).collect();
                if let Some(first) = frame.first_mut() {
                    // Mostly of a type that exists.
                    *first %= 36;
                }
                liar.send(frame).await;
            }
            drop(liar);
        }
        scene.unharmed().await;
    });
}

/// How long after the dial the node hangs up on a peer that stops at some point.
fn silence(until: &'static str) -> (Duration, PeerError) {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = match until {
            "opened" => scene.opened().await,
            _ => scene.dial().await,
        };
        if until == "authenticated" {
            liar.authenticate().await;
        }
        let began: Instant = scene.world.now();
        let error = scene.verdict().await;
        let waited = scene.world.now().since(began);
        assert!(matches!(liar.last_words().await, Some(Message::Goaway(_))));
        scene.unharmed().await;
        (waited, error)
    })
}

#[test]
fn f40_a_silent_peer_is_hung_up_on_in_time() {
    let about = |seconds: u64, waited: Duration| {
        let (least, most) = (seconds * 1_000 - 20, seconds * 1_000 + 20);
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        assert!((least..=most).contains(&waited), "{waited:?}");
    };
    let timeout = |error: &PeerError| assert_eq!(error.code().as_str(), "TIMEOUT", "{error}");
    let (waited, error) = silence("dialled");
    about(10, waited);
    timeout(&error);
    let (waited, error) = silence("authenticated");
    about(45, waited);
    timeout(&error);
    // The channel ends after 30 s; the connection, of which nothing more is heard, after 45.
    let (waited, error) = silence("opened");
    about(45, waited);
    timeout(&error);
}

#[test]
fn d7_a_foreign_address_is_refused() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
        let store = MemoryStore::new(StoreId::from_bytes([1; 16]));
        let platform = SimPlatform::new(&world, store, vec![]);
        let config = Config { names: Some(vec!["sim:other".into()]), ..Config::default() };
        let service = SyncService::new(platform, config).await.unwrap();
        let honest = service.create(&Genesis::named("hostile")).await.unwrap();
        honest.start().await.unwrap();
        let listener = network.listen("honest");
        world.spawn(async move { service.serve(listener).await });
        let other = Scene::node(&world, &network, 2).await;
        other.add_peer("sim:honest").await.unwrap();
        other.start().await.unwrap();
        let error = other.sync().await.unwrap().remove(0).result.unwrap_err();
        let PeerError::Refused { code, .. } = error else { panic!("{error}") };
        assert_eq!(code, "WRONG_ADDRESS");
    });
}
