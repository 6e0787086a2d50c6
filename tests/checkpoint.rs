//! Checkpoints: what is opened from one is what the records say, it is never trusted, and never waited for.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

#[path = "slow/wrapped.rs"]
mod wrapped;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{AppendOutcome, Cursor, Durability, Store, StoreError, StoredRecord};
use isoroot::sim::{SimPlatform, Simulation};
use isoroot::{
    AuthorityId, Config, DeviceKey, Draft, Entry, EntryId, Fact, Genesis, JournalId, JournalStatus,
    LoadedFrom, Query, StoreId, SyncNode, SyncService,
};
use sha2::{Digest, Sha256};
use wrapped::{Call, wrapped_store};

/// A store that counts the records it has read out, and can hold up the writing of checkpoints.
#[derive(Clone)]
struct Watched {
    store: MemoryStore,
    read: Arc<AtomicUsize>,
    holds: Arc<AtomicBool>,
    lie: Arc<Mutex<Option<Lie>>>,
}

/// What is wrong with the ids that a store gives, while its records are as they should be.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// The one in this place is another.
    Other(usize),
    /// They end early.
    Short,
    /// The store fails.
    None,
}

impl Watched {
    fn new() -> Self {
        let store = MemoryStore::new(StoreId::from_bytes([7; 16]));
        Self { store, read: Arc::default(), holds: Arc::default(), lie: Arc::default() }
    }

    async fn told(&self, call: Call<'_>) {
        match call {
            Call::Done(entries) => drop(self.read.fetch_add(entries, Ordering::Relaxed)),
            Call::SetNote(key) if key.starts_with("checkpoint/") && self.holds.load(Ordering::Relaxed) => {
                std::future::pending().await
            }
            Call::Append | Call::Read | Call::SetNote(_) => {}
        }
    }

    fn given(&self, mut ids: Vec<EntryId>) -> Result<Vec<EntryId>, StoreError> {
        match *self.lie.lock().unwrap() {
            None => {}
            Some(Lie::Other(place)) => {
                if let Some(id) = ids.get_mut(place) {
                    *id = EntryId::from_bytes([9; 32]);
                }
            }
            Some(Lie::Short) => ids.truncate(0),
            Some(Lie::None) => return Err(StoreError::Failed("no ids".into())),
        }
        Ok(ids)
    }
}

type Notes = Vec<(String, Vec<u8>)>;

wrapped_store!(Watched);

fn journal() -> JournalId {
    Genesis::named("checkpoint").journal()
}

async fn node(world: &Simulation, store: &Watched) -> SyncNode {
    let platform = SimPlatform::new(world, store.clone(), Vec::new());
    let service = SyncService::with_key(platform, Config::default(), DeviceKey::from_seed([1; 32])).await;
    service.unwrap().create(&Genesis::named("checkpoint")).await.unwrap()
}

async fn close(node: SyncNode) {
    node.service().close().await.unwrap();
}

/// Appends so many entries by three devices, with gaps and forks, authorities and several facts: some by
/// the node, the rest put into the store as from elsewhere.
async fn fill(world: &Simulation, node: &SyncNode, store: &Watched, entries: u64) {
    let own = (0..entries / 2).map(|n| {
        let by = AuthorityId::from_bytes([n as u8 % 3 + 1; 32]);
        let fact = Fact { authority: Some(by), ..Fact::new(format!("own/{}", n % 50), n as i64) };
        Draft::new(node.device(), &[fact, Fact::new("all", n as i64)]).unwrap()
    });
    node.append_all(own.collect()).await.unwrap();
    let head = store.head(journal()).await.unwrap().number;
    let mut at = head;
    for seed in [2, 3] {
        let key = DeviceKey::from_seed([seed; 32]);
        let mut last: Vec<EntryId> = Vec::new();
        let mut records = Vec::new();
        for n in 0..entries / 4 {
            let draft = Draft::new(key.device(), &[Fact::new(format!("other/{n}"), n as i64)]).unwrap();
            // Every tenth names the same one as the entry before it, every seventh is not there itself.
            let entry = Entry::sign(&journal(), &key, &last, 1_000 + head + n, &draft).unwrap();
            if n % 10 != 0 {
                last = vec![entry.id()];
            }
            if n % 7 != 3 {
                records.push(StoredRecord { id: entry.id(), bytes: entry.record().into() });
            }
        }
        let count = records.len() as u64;
        let appended = store.append(journal(), at, records, Durability::Strict).await.unwrap();
        assert!(matches!(appended, AppendOutcome::Done(_)), "{appended:?}");
        at += count;
    }
    while node.status().await.unwrap().cursor.number < at {
        world.sleep(Duration::from_millis(1)).await;
    }
}

/// All that a journal in memory says of itself.
async fn told(node: &SyncNode) -> (JournalStatus, usize, usize) {
    use futures::StreamExt;
    let status = node.status().await.unwrap();
    let some = node.facts(Query::all().predicate("own/7")).count().await;
    let all = node.facts(Query::all().prefix("other/")).count().await;
    (status, some, all)
}

/// The same, but for where it comes from and the time that goes by meanwhile.
fn same(a: &(JournalStatus, usize, usize), b: &(JournalStatus, usize, usize)) -> bool {
    let without = |told: &(JournalStatus, usize, usize)| {
        let position = a.0.position;
        let status = JournalStatus { loaded_from: LoadedFrom::Records, position, ..told.0 };
        (status, told.1, told.2)
    };
    without(a) == without(b)
}

async fn checkpoint_notes(store: &Watched) -> Notes {
    store.notes("checkpoint/").await.unwrap()
}

/// A copy with other checkpoint notes.
async fn copy(store: &Watched, notes: &[(String, Vec<u8>)]) -> Watched {
    let copy = Watched::new();
    let all = store.read(journal(), 1, usize::MAX).await.unwrap();
    let all = all.into_iter().map(|(_, record)| record).collect();
    copy.append(journal(), 0, all, Durability::Strict).await.unwrap();
    for (key, note) in notes {
        copy.set_note(key, None, Some(note.clone())).await.unwrap().unwrap();
    }
    copy
}

#[test]
fn f61_a_journal_opened_from_its_checkpoint_is_the_one_that_its_records_make() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let store = Watched::new();
        let first = node(&world, &store).await;
        fill(&world, &first, &store, 9_400).await;
        let expected = told(&first).await;
        assert_eq!(expected.0.loaded_from, LoadedFrom::Records);
        assert!(expected.0.missing > 100 && expected.0.forked == 2, "{expected:?}");
        close(first).await;
        let head = expected.0.cursor.number;

        // Nothing is decoded.
        store.read.store(0, Ordering::Relaxed);
        let second = node(&world, &store).await;
        let found = told(&second).await;
        assert_eq!(found.0.loaded_from, LoadedFrom::Checkpoint { number: head });
        assert_eq!(store.read.load(Ordering::Relaxed), 0);
        assert!(same(&found, &expected), "{found:?} for {expected:?}");
        // It goes on in the own chain and in time, and few entries more make no checkpoint more.
        let notes = checkpoint_notes(&store).await;
        second.append([Fact::new("all", 1)]).await.unwrap();
        let expected = told(&second).await;
        assert_eq!((expected.0.missing, expected.0.forked), (found.0.missing, found.0.forked));
        close(second).await;
        assert_eq!(checkpoint_notes(&store).await, notes);

        // The rest behind the checkpoint is read.
        store.read.store(0, Ordering::Relaxed);
        let third = node(&world, &store).await;
        let found = told(&third).await;
        assert_eq!(found.0.loaded_from, LoadedFrom::Checkpoint { number: head });
        assert_eq!(store.read.load(Ordering::Relaxed), 1);
        assert!(same(&found, &expected), "{found:?} for {expected:?}");
        // Enough of them go into it, in a chunk of their own.
        fill(&world, &third, &store, 600).await;
        let expected = told(&third).await;
        close(third).await;
        let more = checkpoint_notes(&store).await;
        assert_eq!(more.len(), notes.len() + 1);
        assert_eq!(more[1..notes.len()], notes[1..], "what is full does not change");

        let fourth = node(&world, &store).await;
        let found = told(&fourth).await;
        assert_eq!(found.0.loaded_from, LoadedFrom::Checkpoint { number: expected.0.cursor.number });
        assert!(same(&found, &expected), "{found:?} for {expected:?}");
        close(fourth).await;
        // And without any checkpoint it is the same.
        let bare = copy(&store, &[]).await;
        let found = told(&node(&world, &bare).await).await;
        assert_eq!(found.0.loaded_from, LoadedFrom::Records);
        assert!(same(&found, &expected), "{found:?} for {expected:?}");
    });
}

#[test]
fn f61_whatever_is_wrong_with_a_checkpoint_is_told_and_never_served() {
    let world = Simulation::new(2);
    world.clone().run(async move {
        let store = Watched::new();
        let first = node(&world, &store).await;
        fill(&world, &first, &store, 400).await;
        let early = checkpoint_notes(&store).await;
        assert!(early.is_empty());
        close(first).await;
        let early = checkpoint_notes(&store).await;
        // A full chunk, and one of what is left.
        let second = node(&world, &store).await;
        fill(&world, &second, &store, 4_800).await;
        fill(&world, &second, &store, 400).await;
        let expected = told(&second).await;
        close(second).await;
        let notes = checkpoint_notes(&store).await;
        assert_eq!((early.len(), notes.len()), (2, 3));

        let mut cases: Vec<(String, Notes)> = Vec::new();
        for at in 0..notes.len() {
            let mut without = notes.clone();
            without.remove(at);
            // Without its head there is none.
            if at > 0 {
                cases.push((format!("without note {at}"), without));
            }
            let len = notes[at].1.len();
            // Every byte of the head, and of the chunks those that a step hits.
            for place in (0..len).step_by(if at == 0 { 1 } else { len / 20 }) {
                let mut flipped = notes.clone();
                flipped[at].1[place] ^= 1 << (place % 8);
                cases.push((format!("byte {place} of note {at} flipped"), flipped));
            }
            for len in (0..len).step_by(len / 5) {
                let mut cut = notes.clone();
                cut[at].1.truncate(len);
                cases.push((format!("note {at} cut to {len}"), cut));
            }
        }
        let mut swapped = notes.clone();
        let chunk = swapped[1].1.clone();
        swapped[1].1 = std::mem::replace(&mut swapped[2].1, chunk);
        cases.push(("chunks swapped".into(), swapped));
        let count = cases.len();
        for (what, notes) in cases {
            let damaged = copy(&store, &notes).await;
            let opened = node(&world, &damaged).await;
            let found = told(&opened).await;
            assert_eq!(found.0.loaded_from, LoadedFrom::RecordsAgain, "{what}");
            assert!(same(&found, &expected), "{what}: {found:?} for {expected:?}");
            close(opened).await;
            // It was made anew.
            let found = told(&node(&world, &damaged).await).await;
            assert!(matches!(found.0.loaded_from, LoadedFrom::Checkpoint { .. }), "{what}: {found:?}");
            assert!(same(&found, &expected), "{what}: {found:?} for {expected:?}");
            assert_eq!(checkpoint_notes(&damaged).await.len(), 3, "{what}: the wrong chunks are gone");
        }
        assert!(count > 100, "{count}");
        // One of earlier is right as far as it goes, also beside a chunk that no head names.
        let stray = [early[0].clone(), early[1].clone(), notes[1].clone(), notes[2].clone()];
        let found = told(&node(&world, &copy(&store, &stray).await).await).await;
        assert!(matches!(found.0.loaded_from, LoadedFrom::Checkpoint { .. }), "{found:?}");
        assert!(same(&found, &expected));
    });
}

#[test]
fn f61_small_chunks_become_one_and_strays_go() {
    let world = Simulation::new(7);
    world.clone().run(async move {
        let store = Watched::new();
        let mut written: Vec<Notes> = Vec::new();
        for round in 0..6 {
            let opened = node(&world, &store).await;
            fill(&world, &opened, &store, 400).await;
            if round == 2 {
                // What a writer left that was cut off: it goes with the next chunk, and harms nobody until then.
                let stray = (format!("checkpoint/{}/{:016}", journal(), 77), vec![1, 2, 3]);
                store.set_note(&stray.0, None, Some(stray.1)).await.unwrap().unwrap();
            }
            let expected = told(&opened).await;
            close(opened).await;
            let notes = checkpoint_notes(&store).await;
            assert_eq!(notes.len(), if round == 2 { 3 } else { 2 }, "a head and a chunk, round {round}");
            let again = node(&world, &store).await;
            let found = told(&again).await;
            assert_eq!(found.0.loaded_from, LoadedFrom::Checkpoint { number: found.0.cursor.number });
            assert!(same(&found, &expected), "{found:?} for {expected:?}");
            // Without news nothing is written.
            close(again).await;
            assert_eq!(checkpoint_notes(&store).await, notes);
            written.push(notes);
        }
        // All that there is is in the chunk, as if it had been written at once.
        let bare = copy(&store, &[]).await;
        close(node(&world, &bare).await).await;
        assert_eq!(checkpoint_notes(&bare).await, written.pop().unwrap());
    });
}

#[test]
fn f61_records_have_the_last_word_on_ids() {
    let world = Simulation::new(8);
    world.clone().run(async move {
        let store = Watched::new();
        let first = node(&world, &store).await;
        fill(&world, &first, &store, 3_000).await;
        let expected = told(&first).await;
        close(first).await;
        assert!(expected.0.cursor.number > 2_048);
        // Ids of which some are others, or are missing, or can't be had.
        for lie in [Lie::Other(0), Lie::Other(2_500), Lie::Short, Lie::None] {
            let bare = copy(&store, &[]).await;
            *bare.lie.lock().unwrap() = Some(lie);
            let opened = node(&world, &bare).await;
            let found = told(&opened).await;
            assert!(same(&found, &expected), "{lie:?}: {found:?} for {expected:?}");
            close(opened).await;
            *bare.lie.lock().unwrap() = None;
            let found = told(&node(&world, &bare).await).await;
            assert!(matches!(found.0.loaded_from, LoadedFrom::Checkpoint { .. }), "{lie:?}: {found:?}");
        }
    });
}

#[test]
fn f61_a_checkpoint_of_other_entries_is_not_believed() {
    let world = Simulation::new(3);
    world.clone().run(async move {
        let store = Watched::new();
        let first = node(&world, &store).await;
        fill(&world, &first, &store, 400).await;
        close(first).await;
        let notes = checkpoint_notes(&store).await;
        // The same entries in another order, and fewer of them than it is about.
        let records = store.read(journal(), 1, usize::MAX).await.unwrap();
        let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
        let turned: Vec<_> = records.iter().rev().cloned().collect();
        for records in [turned, records[..100].to_vec()] {
            let other = Watched::new();
            other.append(journal(), 0, records, Durability::Strict).await.unwrap();
            let expected = told(&node(&world, &other).await).await;
            for (key, note) in &notes {
                let left = other.note(key).await.unwrap();
                other.set_note(key, left, Some(note.clone())).await.unwrap().unwrap();
            }
            let found = told(&node(&world, &other).await).await;
            assert_eq!(found.0.loaded_from, LoadedFrom::RecordsAgain);
            assert!(same(&found, &expected), "{found:?} for {expected:?}");
        }
    });
}

/// These bytes with the hash that fits them, over the ids of a chunk's entries.
fn sealed(body: &[u8], ids: &[EntryId]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(b"isoroot/v1/checkpoint\0");
    hasher.update(journal().as_bytes());
    ids.iter().for_each(|id| hasher.update(id.as_bytes()));
    hasher.update(body);
    [body, &hasher.finalize()[..]].concat()
}

#[test]
fn f61_a_checkpoint_whose_hashes_fit_is_held_to_root_and_numbers_all_the_same() {
    let world = Simulation::new(6);
    world.clone().run(async move {
        let store = Watched::new();
        let first = node(&world, &store).await;
        fill(&world, &first, &store, 400).await;
        let expected = told(&first).await;
        close(first).await;
        let notes = checkpoint_notes(&store).await;
        let ids = store.ids(journal(), 1, usize::MAX).await.unwrap();
        let body = |at: usize| notes[at].1[..notes[at].1.len() - 32].to_vec();
        let with = |at: usize, note: Vec<u8>| {
            let mut notes = notes.clone();
            notes[at].1 = note;
            notes
        };
        assert_eq!((sealed(&body(0), &[]), sealed(&body(1), &ids)), (notes[0].1.clone(), notes[1].1.clone()));
        // The root ends the head, the first number follows the version of the chunk.
        let mut other_root = body(0);
        *other_root.last_mut().unwrap() ^= 1;
        let mut other_number = body(1);
        assert_eq!(other_number[..3], [0x83, 1, 1]);
        other_number[2] = 2;
        for (what, notes) in
            [("root", with(0, sealed(&other_root, &[]))), ("number", with(1, sealed(&other_number, &ids)))]
        {
            let found = told(&node(&world, &copy(&store, &notes).await).await).await;
            assert_eq!(found.0.loaded_from, LoadedFrom::RecordsAgain, "{what}");
            assert!(same(&found, &expected), "{what}");
        }
        // One of a newer version is left alone.
        let newer = with(0, sealed(&[0x84, 2, 0x81, 1, 1, 0x40], &[]));
        let store = copy(&store, &newer).await;
        let opened = node(&world, &store).await;
        let found = told(&opened).await;
        assert_eq!(found.0.loaded_from, LoadedFrom::Records);
        assert!(same(&found, &expected));
        fill(&world, &opened, &store, 600).await;
        close(opened).await;
        assert_eq!(checkpoint_notes(&store).await, newer);
    });
}

#[test]
fn f61_nobody_waits_for_a_checkpoint_and_none_is_needed() {
    let world = Simulation::new(4);
    world.clone().run(async move {
        let store = Watched::new();
        store.holds.store(true, Ordering::Relaxed);
        let first = node(&world, &store).await;
        // A full chunk, which is never written; and appends go on.
        fill(&world, &first, &store, 9_400).await;
        first.append([Fact::new("all", 1)]).await.unwrap();
        let expected = told(&first).await;
        // Its end is waited for no longer than for other tasks.
        let before = world.now();
        close(first).await;
        assert!(world.now().since(before).as_secs() <= 3);
        assert!(checkpoint_notes(&store).await.is_empty());
        store.holds.store(false, Ordering::Relaxed);
        // A store that takes no more notes loses nothing either.
        store.store.set_capacity(store.store.size() + 10_000);
        let second = node(&world, &store).await;
        assert!(same(&told(&second).await, &expected));
        second.append([Fact::new("all", 1)]).await.unwrap();
        close(second).await;
        store.store.set_capacity(usize::MAX);
        let third = node(&world, &store).await;
        assert_eq!(third.root().await.unwrap().count, expected.0.root.count + 1);
        close(third).await;
        let fourth = node(&world, &store).await;
        let status = fourth.status().await.unwrap();
        assert_eq!(status.loaded_from, LoadedFrom::Checkpoint { number: status.cursor.number });
    });
}

#[test]
fn c13_handles_of_one_store_make_one_checkpoint_that_is_right() {
    for seed in 0..10 {
        let world = Simulation::new(seed);
        world.clone().run(async move {
            let store = Watched::new();
            let nodes = [node(&world, &store).await, node(&world, &store).await];
            for round in 0..4 {
                let drafts = |node: &SyncNode| -> Vec<Draft> {
                    let fact = |n: i64| Draft::new(node.device(), &[Fact::new(format!("p/{round}"), n)]);
                    (0..900).map(|n| fact(n).unwrap()).collect()
                };
                let appends = nodes.iter().map(|node| node.append_all(drafts(node)));
                futures::future::join_all(appends).await.into_iter().for_each(|done| drop(done.unwrap()));
            }
            let [a, b] = nodes;
            futures::future::join(close(a), close(b)).await;
            let third = node(&world, &store).await;
            let found = told(&third).await;
            assert!(matches!(found.0.loaded_from, LoadedFrom::Checkpoint { .. }), "seed {seed}: {found:?}");
            let bare = copy(&store, &[]).await;
            let expected = told(&node(&world, &bare).await).await;
            assert!(same(&found, &expected), "seed {seed}: {found:?} for {expected:?}");
        });
    }
}
