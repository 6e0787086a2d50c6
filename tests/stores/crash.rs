//! Crashes: at every operation of the disk, again during recovery, and of a real process.

use std::collections::BTreeMap;

use isoroot::platform::native::RedbStore;
use isoroot::platform::{Durability, Store};

use super::child::{Child, JOURNALS, Role};
use super::disk::{Disk, Fault, Random};
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

/// The steps of a workload: those above, or ones that its number decides.
fn steps(workload: u64) -> Vec<Step> {
    if workload == 0 {
        return STEPS.to_vec();
    }
    let mut random = Random(workload);
    let mut version = 0;
    let mut step = || match random.below(4) {
        0 => {
            version += 1;
            Step::Note { version }
        }
        _ => {
            let entries = [1, 1, 7, 60, 260][random.below(5)];
            Step::Append { journal: random.below(3) as u8 + 1, entries }
        }
    };
    (0..8).map(|_| step()).collect()
}

/// Takes the steps until one fails.
async fn work(store: &RedbStore, steps: &[Step]) -> Acknowledged {
    let mut done = Acknowledged::default();
    for step in steps.iter().copied() {
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

/// What is tried of one workload.
#[derive(Clone, Copy)]
struct Plan {
    /// After each operation the power goes, and that many times the disk is found otherwise.
    lucks: u64,
    /// While the store is opened after that the power goes again: at every such operation.
    again: u64,
}

/// Cuts the power at each operation of a workload. How many cuts, single and double.
async fn cut_everywhere(workload: u64, plan: Plan) -> (u64, u64) {
    let (mut cuts, mut double_cuts) = (0, 0);
    let steps = steps(workload);
    for at in 0.. {
        let disk = fresh();
        // Long files commit and recover in another way.
        let long = (at + workload) % 2 == 1;
        let store = RedbStore::with_backend(disk.clone(), long).unwrap();
        disk.fail_at(at, Fault::PowerCut);
        let acknowledged = work(&store, &steps).await;
        drop(store);
        for luck in 0..plan.lucks {
            let luck = if luck < 4 { luck } else { luck + at * 64 };
            let what = format!("workload {workload} cut at {at}, luck {luck}");
            cuts += 1;
            check(disk.after_power_cut(luck), long, &acknowledged, &what).await;
            // The power goes again while the store is opened.
            let recovering = disk.after_power_cut(luck);
            drop(RedbStore::with_backend(recovering.clone(), long).unwrap());
            let operations = recovering.operations();
            for second in (0..=operations).filter(|second| (second + at + luck).is_multiple_of(plan.again)) {
                double_cuts += 1;
                let recovering = disk.after_power_cut(luck);
                recovering.fail_at(second, Fault::PowerCut);
                drop(RedbStore::with_backend(recovering.clone(), long));
                let what = format!("{what}, cut again at {second} of {operations}");
                check(recovering.after_power_cut(luck ^ second), long, &acknowledged, &what).await;
            }
        }
        if acknowledged.under_way.is_none() {
            assert!(at > 30, "workload {workload} has {at} operations");
            break;
        }
    }
    (cuts, double_cuts)
}

#[test]
fn c11_row11_row13_row14_no_power_cut_loses_or_tears_what_was_acknowledged() {
    let full = std::env::var_os("ISOROOT_TEST_FULL").is_some();
    let (workloads, plan, least) = if full {
        (40, Plan { lucks: 8, again: 4 }, 200_000)
    } else {
        (3, Plan { lucks: 8, again: 5 }, 10_000)
    };
    // On two threads, as it takes a while.
    let half = |first: u64| {
        smol::block_on(async {
            let mut sum = (0, 0);
            for workload in (first..workloads).step_by(2) {
                let (cuts, double_cuts) = cut_everywhere(workload, plan).await;
                sum = (sum.0 + cuts, sum.1 + double_cuts);
            }
            sum
        })
    };
    let (a, b) = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        (half(0), other.join().unwrap())
    });
    let (cuts, double_cuts) = (a.0 + b.0, a.1 + b.1);
    println!("{workloads} workloads, {cuts} power cuts, {double_cuts} double ones");
    assert!(cuts + double_cuts >= least, "{cuts} and {double_cuts}");
}

#[test]
fn c11_row14_a_half_commit_whose_checksums_fit_is_not_taken_for_one() {
    // What a writer of crafted bytes would aim at: all of a commit is on the disk with checksums that fit,
    // and it was never flushed. Only the order of flushes may decide, not a checksum.
    smol::block_on(async {
        for long in [false, true] {
            let mut half = 0;
            for at in 0.. {
                let disk = fresh();
                let store = RedbStore::with_backend(disk.clone(), long).unwrap();
                append_one(&store, journal(1), 0).await;
                let flushed = disk.flushes();
                disk.fail_at(at, Fault::PowerCut);
                let done = store.append(journal(1), 1, records(journal(1), 2..=9), Durability::Strict).await;
                drop(store);
                let found = RedbStore::with_backend(disk.after_power_cut(1), long).unwrap();
                let head = verified_head(&found, journal(1)).await;
                if disk.flushes() == flushed {
                    assert_eq!(head, 1, "long {long}: taken at operation {at} without a flush");
                    half += 1;
                }
                if done.is_ok() {
                    assert_eq!(head, 9);
                    break;
                }
            }
            assert!(half > 1, "{half}");
        }
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

#[cfg(feature = "smol")]
#[test]
fn c11_row11_a_node_killed_while_it_appends_and_keeps_checkpoints_loses_nothing() {
    let rounds = if std::env::var_os("ISOROOT_TEST_FULL").is_some() { 1_000 } else { 100 };
    let folder = tempfile::tempdir().unwrap();
    let (mut random, mut from_checkpoints) = (Random(7), 0);
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let path = folder.path().join(format!("store-{}", round / 10));
        if round % 10 == 0 {
            acknowledged.clear();
        }
        let mut child = Child::start(Role::Journal, &path);
        // A moment that differs from round to round, without a clock: after so many answers.
        for _ in 0..random.below(12) {
            acknowledged.extend(child.line());
        }
        child.kill();
        acknowledged.extend(std::iter::from_fn(|| child.line()));
        if !path.exists() {
            assert!(acknowledged.is_empty());
            continue;
        }
        let found = smol::block_on(super::node::found(&path, &acknowledged));
        from_checkpoints += usize::from(found > 0);
    }
    println!("{rounds} kills, {from_checkpoints} times opened from a checkpoint");
    assert!(from_checkpoints > rounds / 3, "{from_checkpoints}");
}
