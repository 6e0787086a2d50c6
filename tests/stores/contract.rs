//! Both stores keep the contract that the library publishes.

use std::sync::atomic::{AtomicU8, Ordering};

use isoroot::StoreId;
use isoroot::platform::conformance;
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::native::RedbStore;

#[test]
fn c11_c13_the_memory_store_keeps_the_contract() {
    smol::block_on(conformance::store::all(|| async { MemoryStore::new(StoreId::from_bytes([7; 16])) }));
}

#[test]
fn c11_c13_the_redb_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicU8::new(0);
    let open = || async {
        let name = count.fetch_add(1, Ordering::Relaxed);
        RedbStore::open(folder.path().join(name.to_string())).unwrap()
    };
    smol::block_on(conformance::store::all(open));
    assert!(count.into_inner() > 10);
}

#[test]
fn c11_the_redb_store_keeps_the_contract_on_tokio() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = RedbStore::open(folder.path().join("store")).unwrap();
        let check = conformance::store::many_writers_lose_and_double_nothing(store);
        tokio::spawn(check).await.unwrap();
    });
}
