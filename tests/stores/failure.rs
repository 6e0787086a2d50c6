//! Writes that fail: they are final, say why, and leave what was acknowledged readable.

use isoroot::StoreId;
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::native::RedbStore;
use isoroot::platform::{AppendOutcome, Durability, Store, StoreError};

use super::disk::{Disk, Fault};
use super::{append_one, journal, record, records, verified_head};

/// Appends one record and sets one note, and returns the errors.
async fn refusals(store: &impl Store) -> Vec<StoreError> {
    let head = store.head(journal(1)).await.unwrap().number;
    let append = store.append(journal(1), head, vec![record(journal(1), head + 1)], Durability::Strict).await;
    let note = store.set_note("another", None, Some(vec![])).await;
    append.err().into_iter().chain(note.err()).collect()
}

#[test]
fn c11_a_failed_write_to_memory_is_final_until_reopened() {
    smol::block_on(async {
        for n in 1..4 {
            let store = MemoryStore::new(StoreId::from_bytes([1; 16]));
            append_one(&store, journal(1), 0).await;
            store.fail_after(n);
            for at in 1..n {
                append_one(&store, journal(1), at).await;
                // Neither of these is a write.
                assert!(matches!(append_one(&store, journal(1), 0).await, AppendOutcome::Behind(_)));
                store.set_note("key", Some(vec![]), None).await.unwrap().unwrap_err();
            }
            for _ in 0..3 {
                let refusals = refusals(&store).await;
                assert!(
                    matches!(refusals[..], [StoreError::Failed(_), StoreError::Failed(_)]),
                    "{refusals:?}"
                );
            }
            assert_eq!(verified_head(&store, journal(1)).await, n);
            assert_eq!(store.note("another").await, Ok(None));
            store.reopen();
            append_one(&store, journal(1), n).await;
            assert_eq!(verified_head(&store, journal(1)).await, n + 1);
        }
    });
}

#[test]
fn c11_a_full_memory_store_goes_on_reading() {
    smol::block_on(async {
        let store = MemoryStore::new(StoreId::from_bytes([1; 16]));
        append_one(&store, journal(1), 0).await;
        store.set_note("key", None, Some(vec![0; 100])).await.unwrap().unwrap();
        let size = store.size();
        assert_eq!(size, record(journal(1), 1).bytes.len() + 32 + 103);
        store.set_capacity(size + 5);
        let refused = store.append(journal(1), 1, records(journal(1), 2..=3), Durability::Strict).await;
        assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
        assert_eq!(verified_head(&store, journal(1)).await, 1);
        // What makes no more room is welcome.
        store.set_note("key", Some(vec![0; 100]), Some(vec![0; 10])).await.unwrap().unwrap();
        store.set_note("new", None, Some(vec![0; 50])).await.unwrap().unwrap();
        store.set_capacity(usize::MAX);
        append_one(&store, journal(1), 1).await;
        assert_eq!(verified_head(&store, journal(1)).await, 2);
    });
}

/// Some appends on a disk of which the `n`th operation goes wrong. The head that was acknowledged,
/// and the error, if that operation was reached.
async fn run(store: &RedbStore, disk: &Disk, n: u64, fault: Fault) -> (u64, Option<StoreError>) {
    let mut at = store.head(journal(1)).await.unwrap().number;
    disk.fail_at(n, fault);
    for _ in 0..5 {
        let entries = records(journal(1), at + 1..=at + 40);
        match store.append(journal(1), at, entries, Durability::Strict).await {
            Ok(outcome) => {
                assert!(matches!(outcome, AppendOutcome::Done(head) if head.number == at + 40));
                at += 40;
            }
            Err(error) => return (at, Some(error)),
        }
    }
    (at, None)
}

#[test]
fn c11_row10_a_failed_write_to_disk_is_final_until_reopened() {
    for fault in [Fault::Once, Fault::PowerCut, Fault::Full] {
        let mut failures = 0;
        for n in 0.. {
            let disk = Disk::default();
            let done = smol::block_on(async {
                let store = RedbStore::with_backend(disk.clone(), n % 2 == 1).unwrap();
                append_one(&store, journal(1), 0).await;
                store.set_note("key", None, Some(vec![5; 9_000])).await.unwrap().unwrap();
                let (acknowledged, error) = run(&store, &disk, n, fault).await;
                let Some(error) = error else { return true };
                failures += 1;
                match fault {
                    Fault::Full => assert!(matches!(error, StoreError::Full(_)), "{error:?}"),
                    Fault::Once | Fault::PowerCut => {
                        assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
                    }
                }
                for _ in 0..3 {
                    let refusals = refusals(&store).await;
                    assert!(matches!(refusals[..], [StoreError::Failed(_), StoreError::Failed(_)]));
                }
                // Reading goes on, and shows no more than was acknowledged.
                assert_eq!(verified_head(&store, journal(1)).await, acknowledged, "operation {n}");
                assert_eq!(store.note("key").await, Ok(Some(vec![5; 9_000])));
                drop(store);
                // Whatever the disk threw away, what was acknowledged is there, and it works again.
                disk.heal();
                for luck in 0..4 {
                    let store = RedbStore::with_backend(disk.after_power_cut(luck), luck % 2 == 1).unwrap();
                    let head = verified_head(&store, journal(1)).await;
                    assert!(head == acknowledged || head == acknowledged + 40, "{head} of {acknowledged}");
                    append_one(&store, journal(1), head).await;
                }
                false
            });
            if done {
                break;
            }
        }
        println!("{fault:?}: {failures} places");
        assert!(failures > 20, "{failures}");
    }
}

#[test]
fn c11_relaxed_appends_that_a_failing_disk_lost_are_gone_from_the_head() {
    let disk = Disk::default();
    smol::block_on(async {
        let store = RedbStore::with_backend(disk.clone(), false).unwrap();
        append_one(&store, journal(1), 0).await;
        disk.fail_at(0, Fault::PowerCut);
        for journal in [journal(1), journal(2)] {
            let at = store.head(journal).await.unwrap().number;
            let entries = records(journal, at + 1..=at + 3);
            store.append(journal, at, entries, Durability::Relaxed).await.unwrap();
            assert_eq!(verified_head(&store, journal).await, at + 3);
        }
        store.set_note("key", None, Some(vec![])).await.unwrap_err();
        assert_eq!(verified_head(&store, journal(1)).await, 1);
        assert_eq!(verified_head(&store, journal(2)).await, 0);
    });
}

/// What a store with 300 entries, a note and one append more answers: each is right, or an error.
async fn answers(disk: &Disk, long: bool) -> Vec<Result<(), StoreError>> {
    let store = match RedbStore::with_backend(disk.clone(), long) {
        Ok(store) => store,
        Err(error) => return vec![Err(error)],
    };
    let mut answers = Vec::new();
    let mut head = 300;
    for round in 0..2 {
        assert_eq!(store.head(journal(1)).await.unwrap().number, head);
        let expected: Vec<_> = (1..=head).map(|number| (number, record(journal(1), number))).collect();
        let read = store.read(journal(1), 1, usize::MAX).await;
        answers.push(read.map(|read| assert!(read == expected)));
        let ids = store.ids(journal(1), 1, usize::MAX).await;
        answers.push(ids.map(|ids| assert!(ids.iter().eq(expected.iter().map(|(_, record)| &record.id)))));
        let fetched = store.fetch(journal(1), vec![head, 7]).await;
        answers.push(
            fetched.map(|found| assert!(found[0] == expected[head as usize - 1] && found[1] == expected[6])),
        );
        answers.push(store.note("key").await.map(|note| assert_eq!(note, Some(vec![5; 9_000]))));
        if round == 0 {
            let entries = records(journal(1), head + 1..=head + 10);
            let appended = store.append(journal(1), head, entries, Durability::Strict).await;
            head += if appended.is_ok() { 10 } else { 0 };
            answers.push(appended.map(drop));
        }
    }
    answers
}

#[test]
fn c11_a_disk_that_cannot_be_read_is_told_and_serves_nothing_wrong() {
    let disk = Disk::default();
    smol::block_on(async {
        let store = RedbStore::with_backend(disk.clone(), false).unwrap();
        store.append(journal(1), 0, records(journal(1), 1..=300), Durability::Strict).await.unwrap();
        store.set_note("key", None, Some(vec![5; 9_000])).await.unwrap().unwrap();
    });
    let image = disk.bytes();
    let (mut points, mut failures, mut unheard) = (0, 0, 0);
    for long in [false, true] {
        let whole = Disk::holding(image.clone());
        assert!(smol::block_on(answers(&whole, long)).iter().all(Result::is_ok));
        for (n, forever) in (0..whole.reads()).flat_map(|n| [(n, false), (n, true)]) {
            let disk = Disk::holding(image.clone());
            disk.fail_read_at(n, forever);
            let told = smol::block_on(answers(&disk, long));
            points += 1;
            for error in told.iter().filter_map(|answer| answer.as_ref().err()) {
                failures += 1;
                let typed =
                    matches!(error, StoreError::Failed(_) | StoreError::Open { .. } | StoreError::Damaged(_));
                assert!(typed, "read {n}: {error:?}");
            }
            // What fails while the store closes is told nobody.
            unheard += u32::from(told.iter().all(Result::is_ok));
            // Nothing of it lasts.
            disk.heal();
            let store = RedbStore::with_backend(disk.after_power_cut(1), long).unwrap();
            let head = smol::block_on(verified_head(&store, journal(1)));
            let acknowledged = told.get(4).is_some_and(Result::is_ok);
            assert!(head == 310 || (head == 300 && !acknowledged), "{head} after read {n}: {told:?}");
        }
    }
    println!("{points} reads failed, {failures} errors, {unheard} unheard");
    assert!(points > 40 && unheard * 8 < points, "{unheard} of {points}");
}

#[test]
fn c11_a_disk_that_is_full_at_any_size_is_told_and_loses_nothing() {
    let mut full = 0;
    // From a new store's size on, in odd steps, until all of it has room.
    for room in (0..).map(|step| step * 9_973) {
        let disk = Disk::default();
        let done = smol::block_on(async {
            let store = RedbStore::with_backend(disk.clone(), false).unwrap();
            append_one(&store, journal(1), 0).await;
            disk.set_room(room);
            let (acknowledged, error) = run(&store, &disk, u64::MAX / 2, Fault::Once).await;
            let Some(error) = error else { return room > disk.bytes().len() as u64 };
            assert!(matches!(error, StoreError::Full(_)), "{error:?}");
            full += 1;
            assert_eq!(verified_head(&store, journal(1)).await, acknowledged);
            drop(store);
            disk.heal();
            let store = RedbStore::with_backend(disk.after_power_cut(0), false).unwrap();
            let head = verified_head(&store, journal(1)).await;
            assert_eq!(head, acknowledged);
            append_one(&store, journal(1), head).await;
            false
        });
        if done {
            break;
        }
    }
    println!("{full} sizes were too small");
}
