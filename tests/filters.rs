//! A Bloom filter over the facts of a journal (C9).

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{Durability, Store, StoredRecord};
use isoroot::sim::{SimPlatform, Simulation};
use isoroot::{
    BloomFilter, DeviceKey, Draft, Entry, Fact, Genesis, NodeError, Query, StoreId, SyncNode, Value,
};

fn genesis() -> Genesis {
    Genesis::named("filters")
}

async fn open(world: &Simulation, store: &MemoryStore) -> SyncNode {
    SyncNode::create(SimPlatform::new(world, store.clone(), Vec::new()), &genesis()).await.unwrap()
}

#[test]
fn c9_a_filter_over_a_journal_denies_no_fact_and_few_others_pass() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let store = MemoryStore::new(StoreId::from_bytes([1; 16]));
        let node = open(&world, &store).await;
        let empty = node.bloom(0.01).await.unwrap();
        assert_eq!((empty.count(), empty.expected()), (0, 1));
        assert!(!empty.might_contain("p", &Value::Null));
        // Entries of one fact to many, so that pages end inside of entries.
        let sizes = [1, 3, 700, 255, 256, 257, 1, 1_000, 27];
        let mut drafts = Vec::new();
        let mut n = 0i64;
        for size in sizes {
            let facts: Vec<_> = (n..n + size).map(|n| Fact::new(format!("p/{}", n % 7), n)).collect();
            drafts.push(Draft::new(node.device(), &facts).unwrap());
            n += size;
        }
        node.append_all(drafts).await.unwrap();
        for rate in [0.01, 0.1, 0.001] {
            let filter = node.bloom(rate).await.unwrap();
            assert_eq!((filter.expected(), filter.target_rate()), (2_500, rate));
            assert!((0..n).all(|n| filter.might_contain(&format!("p/{}", n % 7), &Value::from(n))));
            assert!(filter.count() > 2_500 - 125 && filter.count() <= 2_500, "{}", filter.count());
            let asked = 100_000;
            let passed = (n..n + asked)
                .filter(|n| filter.might_contain(&format!("p/{}", n % 7), &Value::from(*n)))
                .count();
            assert!((passed as f64) < 1.2 * rate * asked as f64, "{passed} of {asked} at {rate}");
            assert_eq!(BloomFilter::from_bytes(&filter.to_bytes()), Ok(filter));
        }
        assert_eq!(node.bloom(0.0).await, Err(NodeError::FilterRate));
        assert_eq!(node.bloom(f64::NAN).await, Err(NodeError::FilterRate));
    });
}

/// What no query shows is not in, and comes in once it is due.
#[test]
fn c9_what_is_held_back_is_in_no_filter() {
    let world = Simulation::new(2);
    world.clone().run(async move {
        let store = MemoryStore::new(StoreId::from_bytes([2; 16]));
        let key = DeviceKey::from_seed([7; 32]);
        let mut records = Vec::new();
        // The last is far beyond the clock of any simulation.
        for timestamp in [1, (1 << 53) - 1] {
            let draft = Draft::new(key.device(), &[Fact::new("at", timestamp)]).unwrap();
            let entry = Entry::sign(&genesis().journal(), &key, &[], timestamp as u64, &draft).unwrap();
            records.push(StoredRecord { id: entry.id(), bytes: entry.record().to_vec().into() });
        }
        store.append(genesis().journal(), 0, records, Durability::Strict).await.unwrap();
        let node = open(&world, &store).await;
        assert_eq!(node.page(Query::all(), None, 10).await.unwrap().facts.len(), 1);
        let filter = node.bloom(0.000_01).await.unwrap();
        assert_eq!((filter.count(), filter.expected()), (1, 2));
        assert!(filter.might_contain("at", &Value::from(1)));
        assert!(!filter.might_contain("at", &Value::from((1i64 << 53) - 1)));
    });
}

#[test]
fn c9_filters_of_two_nodes_are_merged_if_they_were_made_for_the_same() {
    let world = Simulation::new(3);
    world.clone().run(async move {
        let mut filters = Vec::new();
        for id in [1, 2] {
            let node = open(&world, &MemoryStore::new(StoreId::from_bytes([id; 16]))).await;
            node.append((0..50).map(|n| Fact::new(format!("of/{id}"), n))).await.unwrap();
            filters.push(node.bloom_for(200, 0.01).await.unwrap());
            assert_ne!(node.bloom(0.01).await.unwrap().bits(), filters[0].bits());
        }
        let [mut both, two]: [_; 2] = filters.try_into().unwrap();
        assert!(!(0..50).all(|n| both.might_contain("of/2", &Value::from(n))));
        both.merge(&two).unwrap();
        for (id, n) in [1, 2].into_iter().flat_map(|id| (0..50).map(move |n| (id, n))) {
            assert!(both.might_contain(&format!("of/{id}"), &Value::from(n)));
        }
    });
}
