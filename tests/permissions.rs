//! Who may read and write a journal: held to at every message, by the key that was proved, before anything else.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation, Verdict};
use isoroot::{
    Admission, Config, DeviceId, Event, Fact, Genesis, JournalId, PeerError, Permission, PermissionPolicy,
    Permissions, StoreId, SyncNode, SyncService,
};

fn genesis() -> Genesis {
    Genesis::named("permissions")
}

/// A policy that changes its mind when it is told to.
#[derive(Clone, Debug, Default)]
struct Switch(Arc<Mutex<Permissions>>);

impl Switch {
    fn set(&self, device: DeviceId, permission: Permission) {
        self.0.lock().unwrap().set(None, Some(device), permission);
    }
}

impl PermissionPolicy for Switch {
    fn permission(&self, device: &DeviceId, journal: &JournalId) -> Permission {
        self.0.lock().unwrap().permission(device, journal)
    }
}

struct Scene {
    world: Simulation,
    network: SimNetwork,
    frames: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Scene {
    fn new(world: &Simulation) -> Self {
        let network = SimNetwork::new(world, Duration::from_millis(1), Duration::from_millis(5));
        let frames = Arc::new(Mutex::new(Vec::new()));
        let spy = frames.clone();
        network.judge(move |frame| {
            spy.lock().unwrap().push(frame.to_vec());
            Verdict::Deliver
        });
        Self { world: world.clone(), network, frames }
    }

    async fn service(&self, policy: impl PermissionPolicy + 'static, admission: Admission) -> SyncService {
        let store = MemoryStore::new(StoreId::from_bytes(u128::from(self.world.random()).to_be_bytes()));
        let platform = SimPlatform::new(&self.world, store, vec![Arc::new(self.network.transport())]);
        let config = Config { permissions: Arc::new(policy), admission, ..Config::default() };
        SyncService::new(platform, config).await.unwrap()
    }

    /// A node that is dialled as `sim:NAME`.
    async fn served(&self, name: &str, policy: impl PermissionPolicy + 'static) -> SyncNode {
        let service = self.service(policy, Admission::Opened).await;
        let node = service.create(&genesis()).await.unwrap();
        service.start().await.unwrap();
        let (listener, serving) = (self.network.listen(name), service.clone());
        self.world.spawn(async move { serving.serve(listener).await });
        node
    }

    /// A node that dials `sim:hub`.
    async fn dialling(&self, policy: impl PermissionPolicy + 'static) -> SyncNode {
        let node = self.service(policy, Admission::Opened).await.create(&genesis()).await.unwrap();
        node.add_peer("sim:hub").await.unwrap();
        node.start().await.unwrap();
        node
    }

    /// The types of all frames since the last call.
    fn types(&self) -> BTreeSet<u8> {
        std::mem::take(&mut *self.frames.lock().unwrap()).iter().map(|frame| frame[0]).collect()
    }

    async fn settle(&self) {
        self.world.sleep(Duration::from_secs(5)).await;
    }
}

const OPEN: u8 = 16;
const SAME: u8 = 17;
const DIFFER: u8 = 18;
const CLOSE: u8 = 19;
const ENTRIES: u8 = 23;
const HANDSHAKE: [u8; 3] = [0, 1, 2];

async fn write(node: &SyncNode, texts: &[&str]) {
    for text in texts {
        node.append([Fact::new("said", *text)]).await.unwrap();
    }
}

#[test]
fn f82_f89_who_is_denied_gets_a_reason_and_nothing_else() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let hub = scene.served("hub", Permissions::of_all(Permission::Denied)).await;
        write(&hub, &["secret"]).await;
        let node = scene.dialling(Permissions::default()).await;
        write(&node, &["mine"]).await;
        let denied = node.sync_with("sim:hub").await.unwrap().result.unwrap_err();
        assert!(matches!(&denied, PeerError::Refused { code, .. } if code == "DENIED"), "{denied}");
        scene.settle().await;
        // The opening and what it was told, no summary, no sketch, no entry.
        let expected: BTreeSet<u8> = HANDSHAKE.into_iter().chain([OPEN, CLOSE]).collect();
        assert_eq!(scene.types(), expected);
        assert_eq!((hub.root().await.unwrap().count, node.root().await.unwrap().count), (1, 1));
    });
}

#[test]
fn f90_to_be_denied_tells_nothing_of_whether_the_journal_is_here() {
    let world = Simulation::new(2);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let service = scene.service(Permissions::of_all(Permission::Denied), Admission::Any).await;
        service.create(&genesis()).await.unwrap();
        service.start().await.unwrap();
        let (listener, serving) = (scene.network.listen("hub"), service.clone());
        world.spawn(async move { serving.serve(listener).await });
        let node = scene.dialling(Permissions::default()).await;
        node.service().create(&Genesis::named("elsewhere")).await.unwrap();
        scene.settle().await;
        let frames = std::mem::take(&mut *scene.frames.lock().unwrap());
        let closes: Vec<_> = frames.iter().filter(|frame| frame[0] == CLOSE).collect();
        assert!(closes.len() >= 2, "both were asked for");
        // Nothing differs but the channel's number, a byte here.
        assert!(closes.iter().all(|close| close[2..] == closes[0][2..]), "{closes:?}");
        assert_eq!(service.journals().await.unwrap(), [genesis().journal()], "nor is one made");
    });
}

#[test]
fn f89_the_device_is_the_one_that_proved_its_key_whoever_has_signed() {
    let world = Simulation::new(3);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let policy = Switch(Arc::new(Mutex::new(Permissions::of_all(Permission::Denied))));
        let hub = scene.served("hub", policy.clone()).await;
        let writer = scene.dialling(Permissions::default()).await;
        policy.set(writer.device(), Permission::Write);
        write(&writer, &["by the writer"]).await;
        writer.sync_with("sim:hub").await.unwrap().result.unwrap();
        // Another device may do nothing, then read.
        let other = scene.dialling(Permissions::default()).await;
        write(&other, &["by another"]).await;
        let denied = other.sync_with("sim:hub").await.unwrap().result.unwrap_err();
        assert!(matches!(&denied, PeerError::Refused { code, .. } if code == "DENIED"), "{denied}");
        assert_eq!(hub.root().await.unwrap().count, 1);
        policy.set(other.device(), Permission::Read);
        let report = other.sync_with("sim:hub").await.unwrap().result.unwrap();
        assert_eq!((report.entries_sent, report.entries_received, report.refused), (0, 1, 1));
        assert_eq!(report.root, hub.root().await.unwrap());
        assert_eq!(other.root().await.unwrap().count, 2);
        policy.set(other.device(), Permission::Write);
        let report = other.sync_with("sim:hub").await.unwrap().result.unwrap();
        assert_eq!(report.refused, 0);
        assert_eq!(hub.root().await, other.root().await);
    });
}

#[test]
fn f89_a_permission_that_is_taken_back_holds_from_the_next_message_on() {
    let world = Simulation::new(4);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let policy = Switch::default();
        let hub = scene.served("hub", policy.clone()).await;
        let (one, other) =
            (scene.dialling(Permissions::default()).await, scene.dialling(Permissions::default()).await);
        write(&hub, &["for all"]).await;
        scene.settle().await;
        assert_eq!(one.root().await, hub.root().await);
        policy.set(one.device(), Permission::Denied);
        scene.types();
        write(&hub, &["no longer for one"]).await;
        scene.settle().await;
        assert_eq!(other.root().await, hub.root().await, "others go on");
        assert_eq!(one.root().await.unwrap().count, 1);
        write(&one, &["not taken either"]).await;
        scene.settle().await;
        assert_eq!(hub.root().await.unwrap().count, 2);
        // By and by it asks again, and is answered as things are then.
        policy.set(one.device(), Permission::Write);
        scene.world.sleep(Duration::from_secs(700)).await;
        assert_eq!(hub.root().await.unwrap().count, 3);
        assert_eq!((one.root().await, other.root().await), (hub.root().await, hub.root().await));
    });
}

#[test]
fn d7_who_dials_holds_the_other_side_to_its_policy_too() {
    let world = Simulation::new(5);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let hub = scene.served("hub", Permissions::default()).await;
        write(&hub, &["of the hub"]).await;
        let policy = Switch(Arc::new(Mutex::new(Permissions::of_all(Permission::Denied))));
        let node = scene.dialling(policy.clone()).await;
        write(&node, &["mine"]).await;
        let denied = node.sync_with("sim:hub").await.unwrap().result;
        assert_eq!(denied.unwrap_err(), PeerError::Denied);
        scene.settle().await;
        assert_eq!(scene.types(), HANDSHAKE.into(), "not even the journal's id is told");
        policy.set(hub.device(), Permission::Read);
        let report = node.sync_with("sim:hub").await.unwrap().result.unwrap();
        assert_eq!((report.entries_sent, report.refused, report.root.count), (1, 1, 1));
        assert_eq!((node.root().await.unwrap().count, hub.root().await.unwrap().count), (1, 2));
        let types = scene.types();
        assert!(types.contains(&DIFFER) && types.contains(&ENTRIES) && !types.contains(&SAME), "{types:?}");
    });
}

#[test]
fn f82_one_side_answers_many_at_once_and_each_as_far_as_it_may() {
    let world = Simulation::new(6);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let policy = Switch::default();
        let hub = scene.served("hub", policy.clone()).await;
        write(&hub, &["here"]).await;
        let mut nodes = Vec::new();
        for text in ["a", "b", "c", "d", "e", "f"] {
            let node = scene.service(Permissions::default(), Admission::Opened).await;
            let node = node.create(&genesis()).await.unwrap();
            write(&node, &[text]).await;
            nodes.push(node);
        }
        policy.set(nodes[0].device(), Permission::Denied);
        policy.set(nodes[1].device(), Permission::Read);
        for node in &nodes {
            node.add_peer("sim:hub").await.unwrap();
            node.start().await.unwrap();
        }
        let events = hub.events().await.unwrap();
        scene.settle().await;
        let root = hub.root().await.unwrap();
        assert_eq!(root.count, 5, "its own and those of four");
        let mut counts = Vec::new();
        for node in &nodes {
            counts.push(node.root().await.unwrap().count);
        }
        assert_eq!(counts, [1, 6, 5, 5, 5, 5], "nothing, all and its own, all");
        let mut seen = BTreeSet::new();
        while let Ok(event) = events.try_recv() {
            if let Event::Connected { device, .. } = event {
                seen.insert(device);
            }
        }
        assert_eq!(seen.len(), nodes.len(), "also who is denied has proved who it is");
    });
}

#[test]
fn f90_no_receipt_is_asked_of_or_given_to_who_is_denied() {
    let world = Simulation::new(7);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (theirs, mine) = (Switch::default(), Switch::default());
        let hub = scene.served("hub", theirs.clone()).await;
        write(&hub, &["here"]).await;
        let node = scene.dialling(mine.clone()).await;
        node.sync_with("sim:hub").await.unwrap().result.unwrap();
        node.request_receipt("sim:hub", None).await.unwrap();
        scene.types();
        mine.set(hub.device(), Permission::Denied);
        let denied = node.request_receipt("sim:hub", None).await.unwrap_err();
        assert_eq!(denied.code().as_str(), "DENIED");
        assert!(scene.types().is_empty(), "it was not asked for");
        mine.set(hub.device(), Permission::Write);
        theirs.set(node.device(), Permission::Denied);
        let denied = node.request_receipt("sim:hub", None).await.unwrap_err();
        assert_eq!(denied.code().as_str(), "REFUSED");
        assert!(!scene.types().contains(&34), "none was given");
    });
}
