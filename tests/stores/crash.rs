//! Crashes: at every operation of the disk, again during recovery, and of a real process.

use std::collections::BTreeMap;

use isoroot::platform::native::RedbStore;
use isoroot::platform::{Durability, Store};

use super::child::{Child, JOURNALS, Role};
use super::disk::{Disk, Fault};
use super::{append_one, journal, records, verified_head};

/// What a store has acknowledged.
#[derive(Clone, Debug, Default, PartialEq)]
struct Acknowledged {
    heads: BTreeMap<u8, u64>,
    note: Option<Vec<u8>>,
    /// What was under way when it stopped: it may have happened or not, but not in part.
    under_way: Option<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Append { journal: u8, entries: u64 },
    Note { version: u8 },
}

/// A bit of everything: small and large batches, a full chunk of ids, a record of some pages.
const STEPS: [Step; 8] = [
    Step::Append { journal: 1, entries: 1 },
    Step::Note { version: 1 },
    Step::Append { journal: 2, entries: 250 },
    Step::Append { journal: 1, entries: 1 },
    Step::Append { journal: 2, entries: 7 },
    Step::Note { version: 2 },
    Step::Append { journal: 3, entries: 30 },
    Step::Append { journal: 1, entries: 40 },
];

fn note(version: u8) -> Vec<u8> {
    vec![version; 5_000 * usize::from(version)]
}

/// Takes the steps until one fails.
async fn work(store: &RedbStore) -> Acknowledged {
    let mut done = Acknowledged::default();
    for step in STEPS {
        done.under_way = Some(step);
        let result = match step {
            Step::Append { journal: no, entries } => {
                let at = done.heads.get(&no).copied().unwrap_or_default();
                let entries = records(journal(no), at + 1..=at + entries);
                store.append(journal(no), at, entries, Durability::Strict).await.map(drop)
            }
            Step::Note { version } => {
                let set = store.set_note("key", done.note.clone(), Some(note(version))).await;
                set.map(|set| set.unwrap())
            }
        };
        if result.is_err() {
            return done;
        }
        done = after(&done, step);
    }
    done
}

fn after(done: &Acknowledged, step: Step) -> Acknowledged {
    let mut done = Acknowledged { under_way: None, ..done.clone() };
    match step {
        Step::Append { journal, entries } => *done.heads.entry(journal).or_default() += entries,
        Step::Note { version } => done.note = Some(note(version)),
    }
    done
}

/// What is in the store.
async fn found(store: &RedbStore) -> Acknowledged {
    let mut found = Acknowledged { note: store.note("key").await.unwrap(), ..Acknowledged::default() };
    for no in 1..4 {
        let head = verified_head(store, journal(no)).await;
        if head > 0 {
            found.heads.insert(no, head);
        }
    }
    found
}

/// Checks that all that was acknowledged is there, and nothing else but what was under way, whole.
async fn check(disk: Disk, long: bool, acknowledged: &Acknowledged, what: &str) {
    let store = RedbStore::with_backend(disk, long).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = found(&store).await;
    let without = Acknowledged { under_way: None, ..acknowledged.clone() };
    let with = acknowledged.under_way.map(|step| after(&without, step));
    assert!(found == without || Some(&found) == with.as_ref(), "{what}: {found:?} after {acknowledged:?}");
    // It is not only there, it can be gone on with.
    let head = store.head(journal(1)).await.unwrap().number;
    append_one(&store, journal(1), head).await;
}

/// A disk with a new store on it.
fn fresh() -> Disk {
    let disk = Disk::default();
    drop(RedbStore::with_backend(disk.clone(), false).unwrap());
    disk.after_power_cut(1)
}

#[test]
fn c11_row11_row13_row14_no_power_cut_loses_or_tears_what_was_acknowledged() {
    // Each operation is cut at; which writes are lost, and where the second cut falls, are samples.
    let (lucks, step) = if std::env::var_os("ISOROOT_TEST_FULL").is_some() { (24, 2) } else { (6, 11) };
    smol::block_on(async {
        let (mut cuts, mut double_cuts) = (0, 0);
        let mut at = 0;
        loop {
            let disk = fresh();
            // Long files commit and recover in another way.
            let long = at % 2 == 1;
            let store = RedbStore::with_backend(disk.clone(), long).unwrap();
            disk.fail_at(at, Fault::PowerCut);
            let acknowledged = work(&store).await;
            let reached = acknowledged.under_way.is_some();
            drop(store);
            for luck in 0..lucks {
                let luck = if luck < 4 { luck } else { luck + at * 64 };
                cuts += 1;
                check(disk.after_power_cut(luck), long, &acknowledged, &format!("cut at {at}, luck {luck}"))
                    .await;
                // The power goes again while the store is opened.
                let recovering = disk.after_power_cut(luck);
                drop(RedbStore::with_backend(recovering.clone(), long).unwrap());
                let operations = recovering.operations();
                for second in (0..=operations).filter(|second| (second + at + luck).is_multiple_of(step)) {
                    double_cuts += 1;
                    let recovering = disk.after_power_cut(luck);
                    recovering.fail_at(second, Fault::PowerCut);
                    drop(RedbStore::with_backend(recovering.clone(), long));
                    let what = format!("cut at {at}, luck {luck}, cut again at {second} of {operations}");
                    check(recovering.after_power_cut(luck ^ second), long, &acknowledged, &what).await;
                }
            }
            if !reached {
                break;
            }
            at += 1;
        }
        println!("{at} operations, {cuts} power cuts, {double_cuts} double ones");
        assert!(at > 50, "{at}");
    });
}

#[test]
fn c11_row11_a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut heads = [0; JOURNALS as usize];
    for round in 0..20_usize {
        let mut child = Child::start(Role::Append, &path);
        let mut acknowledged = heads;
        let mut hear = |line: String| {
            let (no, number) = line.split_once(' ').unwrap();
            acknowledged[no.parse::<usize>().unwrap()] = number.parse().unwrap();
        };
        // A time that differs from round to round, without a clock: after so many answers.
        for _ in 0..1 + round * 7 % 40 {
            hear(child.line().unwrap());
        }
        child.kill();
        std::iter::from_fn(|| child.line()).for_each(&mut hear);
        let store = RedbStore::open_existing(&path).unwrap();
        smol::block_on(async {
            for (no, acknowledged) in (0..).zip(acknowledged) {
                let head = verified_head(&store, journal(no)).await;
                assert!((acknowledged..=acknowledged + 1).contains(&head), "{head} after {acknowledged}");
                heads[usize::from(no)] = head;
            }
        });
    }
    assert!(heads.iter().all(|head| *head > 20), "{heads:?}");
}
