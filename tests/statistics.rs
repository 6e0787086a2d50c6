//! A journal in numbers, against a naive count of what its store holds.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::collections::BTreeSet;

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{Durability, Store, StoredRecord};
use isoroot::sim::{SimPlatform, Simulation};
use isoroot::{
    AuthorityId, BloomFilter, DeviceKey, Draft, Entry, EntryId, Fact, Genesis, LoadedFrom, MerkleMap,
    Statistics, StoreId, SyncNode,
};

fn genesis() -> Genesis {
    Genesis::named("statistics")
}

fn store(world: &Simulation) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()))
}

async fn open(world: &Simulation, store: &MemoryStore) -> SyncNode {
    SyncNode::create(SimPlatform::new(world, store.clone(), Vec::new()), &genesis()).await.unwrap()
}

/// An entry of up to four facts by one of three devices, with few predicates and authorities. One in ten is
/// ground so that its id begins with eight zeros.
fn random_entry(world: &Simulation) -> Entry {
    let key = DeviceKey::from_seed([world.below(3) as u8 + 1; 32]);
    let crowded = world.below(10) == 0;
    loop {
        let facts: Vec<_> = (0..=world.below(4))
            .map(|_| Fact {
                authority: (world.below(2) == 0).then(|| AuthorityId::from_bytes([world.below(3) as u8; 32])),
                ..Fact::new(format!("p/{}", world.below(5)), "x".repeat(world.below(200) as usize))
            })
            .collect();
        let draft = Draft::new(key.device(), &facts).unwrap();
        let timestamp = 1 + world.below(1 << 40);
        let entry = Entry::sign(&genesis().journal(), &key, &[], timestamp, &draft).unwrap();
        if !crowded || entry.id().as_bytes()[0] == 0 {
            return entry;
        }
    }
}

/// How deep the deepest leaf of a binary trie is, subtrees of one leaf collapsed.
fn depth(ids: &[EntryId], bit: usize) -> u16 {
    if ids.len() < 2 {
        return bit as u16;
    }
    let side = |id: &&EntryId| id.as_bytes()[bit / 8] >> (7 - bit % 8) & 1 == 1;
    let (ones, zeros): (Vec<EntryId>, Vec<EntryId>) = ids.iter().partition(side);
    [zeros, ones].iter().filter(|half| !half.is_empty()).map(|half| depth(half, bit + 1)).max().unwrap()
}

async fn check(node: &SyncNode, entries: &[Entry]) -> Statistics {
    let found = node.statistics().await.unwrap();
    let status = node.status().await.unwrap();
    assert_eq!(found.status, status);
    let ids: Vec<_> = entries.iter().map(Entry::id).collect();
    assert_eq!(status.root, MerkleMap::from_ids(ids.clone()).root());
    let (mut facts, mut predicates, mut authorities) = (0, BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        for fact in entry.facts().unwrap() {
            facts += 1;
            authorities.insert(fact.authority.map_or(*entry.device().as_bytes(), |id| *id.as_bytes()));
            predicates.insert(fact.predicate);
        }
    }
    let devices: BTreeSet<_> = entries.iter().map(Entry::device).collect();
    assert_eq!((status.root.count, status.facts), (entries.len() as u64, facts));
    assert_eq!((status.predicates, status.authorities), (predicates.len() as u64, authorities.len() as u64));
    assert_eq!(status.devices, devices.len() as u64);
    assert_eq!(found.depth, depth(&ids, 0));
    assert_eq!(found.bytes, entries.iter().map(|entry| entry.record().len() as u64).sum::<u64>());
    assert_eq!(found.bloom_rate, BloomFilter::expected_rate(facts, 0.01).ok());
    found
}

#[test]
fn f73_statistics_are_what_a_naive_count_says() {
    for seed in 0..8 {
        println!("seed {seed}");
        let world = Simulation::new(seed);
        world.clone().run(async move {
            let (kept, journal) = (store(&world), genesis().journal());
            let mut entries: Vec<Entry> = Vec::new();
            check(&open(&world, &kept).await, &entries).await;
            for more in [1, 1, 60, 300] {
                let node = open(&world, &kept).await;
                let new: Vec<_> = (0..more).map(|_| random_entry(&world)).collect();
                let records = new
                    .iter()
                    .map(|entry| StoredRecord { id: entry.id(), bytes: entry.record().to_vec().into() });
                kept.append(journal, entries.len() as u64, records.collect(), Durability::Strict)
                    .await
                    .unwrap();
                entries.extend(new);
                drop(node);
                check(&open(&world, &kept).await, &entries).await;
            }
            // What the node itself appends is counted as it comes, and the same after a start from a checkpoint.
            let node = open(&world, &kept).await;
            for _ in 0..3 {
                let id = node.append([Fact::new("own", "y".repeat(100))]).await.unwrap().id;
                entries.push(node.get(id).await.unwrap().unwrap());
                check(&node, &entries).await;
            }
            node.service().close().await.unwrap();
            drop(node);
            let again = check(&open(&world, &kept).await, &entries).await;
            assert!(matches!(again.status.loaded_from, LoadedFrom::Checkpoint { .. }), "{again:?}");
        });
    }
}

#[test]
fn f73_the_rate_of_the_largest_filter_and_beyond() {
    let largest = BloomFilter::expected_rate(875_000, 0.01).unwrap();
    assert!((largest / 0.01 - 1.0).abs() < 0.05, "{largest}");
    assert!(BloomFilter::expected_rate(880_000, 0.01).is_err());
    assert_eq!(BloomFilter::expected_rate(0, 0.01), BloomFilter::expected_rate(1, 0.01));
}
