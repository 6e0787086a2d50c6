//! Appends that come together are committed together.

use futures::future::join_all;
use isoroot::platform::native::RedbStore;
use isoroot::platform::{AppendOutcome, Durability, Store};

use super::{append_one, journal, record, records, verified_head};

#[test]
fn c11_appends_that_come_together_share_a_commit() {
    const APPENDS: u8 = 64;
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store")).unwrap();
    smol::block_on(async {
        let outcomes = join_all((0..APPENDS).map(|no| {
            let store = &store;
            async move { append_one(store, journal(no), 0).await }
        }))
        .await;
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, AppendOutcome::Done(head) if head.number == 1))
        );
        let commits = store.commits();
        assert!((1..u64::from(APPENDS) / 4).contains(&commits), "{commits} commits for {APPENDS} appends");
        for no in 0..APPENDS {
            assert_eq!(verified_head(&store, journal(no)).await, 1);
        }
    });
}

#[test]
fn c11_one_group_takes_several_appends_of_one_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store")).unwrap();
    smol::block_on(async {
        // All are sent before the first is answered; each expects the head that the one before makes.
        let outcomes = join_all((0..600).map(|at| append_one(&store, journal(1), at))).await;
        let heads = outcomes.iter().map(|outcome| match outcome {
            AppendOutcome::Done(head) => head.number,
            AppendOutcome::Behind(head) => panic!("behind {head:?}"),
        });
        assert!(heads.eq(1..=600));
        assert!(store.commits() < 100, "{} commits", store.commits());
        assert_eq!(verified_head(&store, journal(1)).await, 600);
    });
}

#[test]
fn c11_relaxed_appends_become_durable_when_the_store_closes_and_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let relaxed = |store: RedbStore, at: u64| async move {
        let outcome =
            store.append(journal(1), at, vec![record(journal(1), at + 1)], Durability::Relaxed).await;
        assert!(matches!(outcome.unwrap(), AppendOutcome::Done(head) if head.number == at + 1));
    };
    smol::block_on(async {
        let store = RedbStore::open(&path).unwrap();
        relaxed(store.clone(), 0).await;
        relaxed(store.clone(), 1).await;
        assert_eq!(verified_head(&store, journal(1)).await, 2);
        store.close().await;
        drop(store);
        let store = RedbStore::open(&path).unwrap();
        assert_eq!(verified_head(&store, journal(1)).await, 2);

        // By themselves: a commit comes though nobody asks for anything.
        relaxed(store.clone(), 2).await;
        while store.commits() < 2 {
            smol::Timer::after(std::time::Duration::from_millis(5)).await;
        }
        // A copy of the file is what a kill would leave.
        std::fs::copy(&path, folder.path().join("copy")).unwrap();
        let copy = RedbStore::open(folder.path().join("copy")).unwrap();
        assert_eq!(verified_head(&copy, journal(1)).await, 3);

        // By their number: a MiB is not held back.
        let before = store.commits();
        let many = records(journal(2), 1..=8_000);
        store.append(journal(2), 0, many, Durability::Relaxed).await.unwrap();
        assert_eq!(store.commits(), before + 1);
        std::fs::copy(&path, folder.path().join("another")).unwrap();
        let copy = RedbStore::open(folder.path().join("another")).unwrap();
        assert_eq!(verified_head(&copy, journal(2)).await, 8_000);
    });
}

#[test]
fn a7_dropping_the_last_handle_finishes_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path).unwrap();
    smol::block_on(async {
        let waiting: Vec<_> = (0..50)
            .map(|no| {
                let store = store.clone();
                smol::spawn(async move { append_one(&store, journal(no), 0).await })
            })
            .collect();
        drop(store);
        for append in waiting {
            append.await;
        }
        let store = RedbStore::open(&path).unwrap();
        for no in 0..50 {
            assert_eq!(verified_head(&store, journal(no)).await, 1);
        }
        let waiter = store.clone();
        let waiter = smol::spawn(async move { waiter.changed(journal(0), 1).await });
        smol::future::yield_now().await;
        store.close().await;
        assert!(waiter.await.is_err(), "who waits is told that the store closes");
        assert!(store.read(journal(0), 1, 9).await.is_err());
        assert!(store.append(journal(0), 1, records(journal(0), 2..=2), Durability::Strict).await.is_err());
    });
}
