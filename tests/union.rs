//! Merging journals is the union of their sets: order, grouping and repetition do not matter, and nothing is
//! ever lost by it (F-60, F-75).

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::collections::BTreeSet;

use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimPlatform, Simulation};
use isoroot::{
    DeviceKey, Draft, Entry, EntryId, Fact, Genesis, MerkleMap, Query, Shown, StoreId, Submission, SyncNode,
};
use proptest::prelude::*;

fn genesis() -> Genesis {
    Genesis::named("union")
}

/// Entries of four devices; with ties: one time, one predicate, other values, and values of other types.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for n in 0..24u8 {
        let key = DeviceKey::from_seed([n % 4 + 1; 32]);
        let predicate = format!("p/{}", n % 3);
        let fact = if n % 2 == 0 { Fact::new(predicate, i64::from(n)) } else { Fact::new(predicate, "text") };
        let draft = Draft::new(key.device(), &[fact]).unwrap();
        let timestamp = 1_767_225_600_000_000 + u64::from(n / 6);
        entries.push(Entry::sign(&genesis().journal(), &key, &[], timestamp, &draft).unwrap());
    }
    entries
}

async fn node(world: &Simulation) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    SyncNode::create(SimPlatform::new(world, store, Vec::new()), &genesis()).await.unwrap()
}

/// Merges a set into a journal.
async fn merge(node: &SyncNode, all: &[Entry], set: &BTreeSet<usize>) {
    let submission =
        |place: &usize| Submission { record: all[*place].record().to_vec(), id: None, proof: None };
    let handed = set.iter().map(submission).collect();
    let judged = node.verifier().verify_entries(&[0; 32], handed, Shown::Not).await.unwrap();
    assert_eq!(judged.unproved.len(), set.len());
    node.verifier().apply_unproved(judged.unproved).await.unwrap();
}

/// What a journal holds, whatever the order: its facts by their names.
async fn facts(node: &SyncNode) -> BTreeSet<String> {
    let page = node.page(Query::all(), None, 1_000).await.unwrap();
    page.facts.iter().map(|fact| format!("{} {:?}", fact.id, fact.fact)).collect()
}

#[test]
fn f60_a_further_fact_with_the_same_predicate_changes_the_root() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let node = node(&world).await;
        let mut roots = BTreeSet::from([node.root().await.unwrap()]);
        // Another value, another type, and the same statement once more, which is another entry.
        for fact in [Fact::new("p", 1i64), Fact::new("p", 2i64), Fact::new("p", "2"), Fact::new("p", "2")] {
            node.append([fact]).await.unwrap();
            assert!(roots.insert(node.root().await.unwrap()));
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn f75_merging_commutes_is_associative_idempotent_and_loses_nothing(
        sets in prop::collection::vec(prop::collection::btree_set(0usize..24, 0..16), 3),
        order in Just(vec![0usize, 1, 2]).prop_shuffle(), seed in any::<u64>(),
    ) {
        let world = Simulation::new(seed);
        let all = entries();
        let (inner, sets, order) = (world.clone(), sets.clone(), order.clone());
        world.run(async move {
            let [plain, shuffled, grouped] = [node(&inner).await, node(&inner).await, node(&inner).await];
            let mut before = BTreeSet::new();
            for set in &sets {
                merge(&plain, &all, set).await;
                let after = facts(&plain).await;
                assert!(after.is_superset(&before), "monotone");
                before = after;
            }
            for place in &order {
                merge(&shuffled, &all, &sets[*place]).await;
            }
            // (b ∪ c) first as one, then a, then all of it once more.
            merge(&grouped, &all, &sets[1].union(&sets[2]).copied().collect()).await;
            merge(&grouped, &all, &sets[0]).await;
            for set in &sets {
                merge(&grouped, &all, set).await;
            }
            let union: BTreeSet<EntryId> = sets.iter().flatten().map(|place| all[*place].id()).collect();
            let root = MerkleMap::from_ids(union.into_iter().collect()).root();
            for node in [&plain, &shuffled, &grouped] {
                assert_eq!(node.root().await.unwrap(), root);
                assert_eq!(facts(node).await, before);
            }
        });
    }
}
