//! Nodes that are handed entries: what is judged, what is applied, and that nothing else gets in.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::{Arc, Mutex};

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{BoxFuture, Platform};
use isoroot::sim::{SimPlatform, Simulation};
use isoroot::{
    Config, Entry, EntryId, Expected, Fact, FactClaim, FactId, Genesis, IndexedJournal, JournalId, MerkleMap,
    NodeError, PUSH_VERSION, Push, PushError, Rejection, Root, RootComparison, Shown, StoreId, Submission,
    SyncNode, SyncService, VerifyError,
};

fn genesis() -> Genesis {
    Genesis::named("verified")
}

fn platform(world: &Simulation, store: &MemoryStore) -> SimPlatform<MemoryStore> {
    SimPlatform::new(world, store.clone(), Vec::new())
}

fn store(world: &Simulation) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()))
}

async fn node(world: &Simulation) -> SyncNode {
    SyncNode::create(platform(world, &store(world)), &genesis()).await.unwrap()
}

/// A node with so many entries, and their records.
async fn writer(world: &Simulation, entries: i64) -> (SyncNode, Vec<Submission>) {
    let node = node(world).await;
    let mut submissions = Vec::new();
    for n in 0..entries {
        let id = node.append([Fact::new("n", n)]).await.unwrap().id;
        let record = node.get(id).await.unwrap().unwrap().record().to_vec();
        submissions.push(Submission { record, id: Some(id), proof: None });
    }
    (node, submissions)
}

#[test]
fn f86_what_is_verified_and_applied_is_there_also_after_a_restart() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 5).await;
        let (root, kept) = (a.root().await.unwrap(), store(&world));
        let b = SyncNode::create(platform(&world, &kept), &genesis()).await.unwrap();
        let judged = b.verifier().verify_entries(&root.hash, entries, Shown::FullSet).await.unwrap();
        assert_eq!(b.root().await.unwrap(), Root::EMPTY, "judging changes nothing");
        let applied = b.verifier().apply(judged.verified).await.unwrap();
        assert_eq!((applied.new, applied.root), (5, root));
        let facts = b.page(isoroot::Query::all(), None, 100).await.unwrap().facts;
        assert_eq!(facts.len(), 5, "and in the index");
        drop(b);
        let again = SyncNode::open(platform(&world, &kept), genesis().journal()).await.unwrap();
        assert_eq!(again.root().await.unwrap(), root);
    });
}

#[test]
fn f71_the_same_batch_again_is_known_and_applies_nothing() {
    let world = Simulation::new(2);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 3).await;
        let (b, root) = (node(&world).await, a.root().await.unwrap());
        for (round, new) in [(0, 3), (1, 0)] {
            let judged =
                b.verifier().verify_entries(&root.hash, entries.clone(), Shown::FullSet).await.unwrap();
            assert!(judged.verified.iter().all(|entry| entry.is_known() == (round == 1)));
            let applied = b.verifier().apply(judged.verified).await.unwrap();
            assert_eq!((applied.new, applied.root), (new, root));
        }
    });
}

#[test]
fn f67_nothing_of_a_rejected_entry_is_kept_and_the_root_tells() {
    let world = Simulation::new(3);
    world.clone().run(async move {
        let (a, mut entries) = writer(&world, 3).await;
        let (b, root) = (node(&world).await, a.root().await.unwrap());
        entries[1].record[80] ^= 1;
        let judged = b.verifier().verify_entries(&root.hash, entries.clone(), Shown::FullSet).await.unwrap();
        assert_eq!((judged.verified.len(), judged.rejected.len()), (0, 3), "not the set of that root");
        // Those that come with their own proof don't suffer from the bad one.
        let map = MerkleMap::from_ids(entries.iter().filter_map(|entry| entry.id).collect());
        for entry in &mut entries {
            entry.proof = Some(map.prove(&[entry.id.unwrap()]).unwrap().to_bytes());
        }
        let judged = b.verifier().verify_entries(&root.hash, entries.clone(), Shown::Each).await.unwrap();
        assert_eq!((judged.verified.len(), judged.rejected.len()), (2, 1));
        let applied = b.verifier().apply(judged.verified).await.unwrap();
        let good = [entries[0].id.unwrap(), entries[2].id.unwrap()];
        assert_eq!(applied.root, MerkleMap::from_ids(good.to_vec()).root());
        let differ = RootComparison::Differ { local: applied.root, remote: root };
        assert_eq!(b.verifier().compare_root(root).await.unwrap(), differ);
        assert_eq!(b.verifier().compare_root(applied.root).await.unwrap(), RootComparison::InSync);
    });
}

#[test]
fn c6_what_is_unproved_is_applied_only_by_that_name() {
    let world = Simulation::new(4);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 2).await;
        let (b, root) = (node(&world).await, a.root().await.unwrap());
        let judged = b.verifier().verify_entries(&root.hash, entries, Shown::Not).await.unwrap();
        assert_eq!((judged.verified.len(), judged.unproved.len()), (0, 2));
        let applied = b.verifier().apply(judged.verified).await.unwrap();
        assert_eq!((applied.new, applied.root), (0, Root::EMPTY));
        let applied = b.verifier().apply_unproved(judged.unproved).await.unwrap();
        assert_eq!((applied.new, applied.root), (2, root));
    });
}

#[test]
fn f70_a_push_goes_from_node_to_node_once() {
    let world = Simulation::new(5);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 4).await;
        let b = node(&world).await;
        let nonce = b.verifier().challenge().unwrap();
        assert_ne!(nonce, b.verifier().challenge().unwrap());
        let signed = a.sign_root(nonce, None).await.unwrap();
        assert_eq!((signed.device, signed.root), (a.device(), a.root().await.unwrap()));
        let push = Push {
            version: PUSH_VERSION,
            journal: b.journal(),
            claimed: signed.root,
            signed,
            entries,
            shown: Shown::FullSet,
        };
        let expected = Expected { peer: a.device(), nonce };
        let judged = b.verifier().verify_push(push.clone(), &expected).await.unwrap();
        assert_eq!(judged.verified.len(), 4);
        let later = Expected { peer: a.device(), nonce: b.verifier().challenge().unwrap() };
        let replayed = b.verifier().verify_push(push.clone(), &later).await;
        assert_eq!(replayed, Err(NodeError::Push(PushError::NotFresh)));
        let other = Expected { peer: b.device(), nonce };
        let relayed = b.verifier().verify_push(push, &other).await;
        assert!(matches!(relayed, Err(NodeError::Push(PushError::Peer { .. }))));
    });
}

#[test]
fn f72_a_clock_that_cannot_be_read_is_an_error_of_its_own() {
    let world = Simulation::new(6);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 1).await;
        let platform = platform(&world, &store(&world));
        let clock = platform.clock().clone();
        let b = SyncNode::create(platform, &genesis()).await.unwrap();
        clock.set_unreadable(true);
        let hash = a.root().await.unwrap().hash;
        let judged = b.verifier().verify_entries(&hash, entries.clone(), Shown::FullSet).await;
        assert_eq!(judged, Err(NodeError::Verify(VerifyError::Clock)));
        assert_eq!(judged.unwrap_err().code().as_str(), "CLOCK");
        clock.set_unreadable(false);
        let judged = b.verifier().verify_entries(&hash, entries, Shown::FullSet).await;
        assert_eq!(judged.unwrap().verified.len(), 1);
    });
}

#[test]
fn f03_a_service_without_a_journal_answers_with_nothing_and_one_with_a_journal_judges() {
    let world = Simulation::new(7);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 2).await;
        let root = a.root().await.unwrap();
        let fact = FactClaim {
            id: FactId { entry: entries[0].id.unwrap(), index: 0 },
            says: Some(Fact::new("n", 0i64)),
            record: entries[0].record.clone(),
            proof: None,
        };
        let bare = SyncService::new(platform(&world, &store(&world)), Config::default()).await.unwrap();
        for running in [false, true, false] {
            if running {
                bare.start().await.unwrap()
            } else {
                drop(bare.stop().await.unwrap())
            }
            assert_eq!(bare.is_running().await, Ok(running), "all else works");
            assert!(!bare.has_merkle_verification() && bare.verifier().is_none());
            assert_eq!(bare.merkle_root().await, None);
            assert_eq!(bare.compare_root(root).await, None);
            assert!(bare.verify_entries(&root.hash, entries.clone(), Shown::FullSet).await.is_none());
            assert!(bare.verify_facts(&root.hash, vec![fact.clone()]).await.is_none());
        }
        // The same answers, whatever the service does, over a journal of the application's own.
        let journal = Arc::new(OwnJournal::default());
        let service = bare.with_journal(journal.clone());
        for running in [false, true, false] {
            if running {
                service.start().await.unwrap()
            } else {
                drop(service.stop().await.unwrap())
            }
            assert!(service.has_merkle_verification() && !bare.has_merkle_verification());
            assert_eq!(service.merkle_root().await, Some(Ok(Root::EMPTY)));
            let differ = RootComparison::Differ { local: Root::EMPTY, remote: root };
            assert_eq!(service.compare_root(root).await, Some(Ok(differ)), "f66");
            assert_eq!(service.compare_root(Root::EMPTY).await, Some(Ok(RootComparison::InSync)));
            let judged = service.verify_entries(&root.hash, entries.clone(), Shown::FullSet).await;
            assert_eq!(judged.unwrap().unwrap().verified.len(), 2);
            let judged = service.verify_facts(&root.hash, vec![fact.clone()]).await.unwrap().unwrap();
            assert_eq!((judged.verified.len(), judged.unproved.len()), (0, 1));
        }
        let judged = service.verify_entries(&root.hash, entries, Shown::FullSet).await.unwrap().unwrap();
        let applied = service.verifier().unwrap().apply(judged.verified).await.unwrap();
        assert_eq!((applied.new, applied.root), (2, root));
        assert_eq!(journal.0.lock().unwrap().len(), 2);
    });
}

/// A journal that is nothing but a set in memory.
#[derive(Default)]
struct OwnJournal(Mutex<Vec<Entry>>);

impl OwnJournal {
    fn map(&self) -> MerkleMap {
        MerkleMap::from_ids(self.0.lock().unwrap().iter().map(Entry::id).collect())
    }
}

impl IndexedJournal for OwnJournal {
    fn id(&self) -> JournalId {
        genesis().journal()
    }

    fn root(&self) -> BoxFuture<'_, Result<Root, NodeError>> {
        Box::pin(async { Ok(self.map().root()) })
    }

    fn contains(&self, entries: Vec<EntryId>) -> BoxFuture<'_, Result<Vec<bool>, NodeError>> {
        let map = self.map();
        Box::pin(async move { Ok(entries.iter().map(|id| map.contains(id)).collect()) })
    }

    fn admit(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<u64, NodeError>> {
        let map = self.map();
        let new: Vec<_> = entries.into_iter().filter(|entry| !map.contains(&entry.id())).collect();
        let count = new.len() as u64;
        self.0.lock().unwrap().extend(new);
        Box::pin(async move { Ok(count) })
    }
}

#[test]
fn f77_entries_of_another_journal_are_rejected_and_reach_nobody() {
    let world = Simulation::new(8);
    world.clone().run(async move {
        let (a, entries) = writer(&world, 2).await;
        let other =
            SyncNode::create(platform(&world, &store(&world)), &Genesis::named("other")).await.unwrap();
        let hash = a.root().await.unwrap().hash;
        let judged = other.verifier().verify_entries(&hash, entries, Shown::Not).await.unwrap();
        assert_eq!(judged.rejected.len(), 2);
        assert!(judged.rejected.iter().all(|rejected| rejected.reason == Rejection::WrongJournal));
    });
}
