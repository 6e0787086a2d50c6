//! What every [`Store`] must do: its contract, check by check. Those of notes are beside, in [`notes`].
//!
//! ```
//! # use isoroot::StoreId;
//! # use isoroot::platform::{conformance, memory::MemoryStore};
//! # async fn test() {
//! conformance::store::all(|| async { MemoryStore::new(StoreId::from_bytes([7; 16])) }).await;
//! # }
//! ```

use std::sync::Arc;

use futures::future::{join, join_all};

use super::check::{equal, fail, holds, ok};
use super::notes;
use crate::ids::{Cursor, EntryId, JournalId};
use crate::platform::traits::{AppendOutcome, Durability, Store, StoredRecord};

/// Runs every check, each on a store of its own, which `open` makes empty.
///
/// # Panics
/// When a check fails.
pub async fn all<S: Store, F: Future<Output = S>>(open: impl Fn() -> F) {
    an_unknown_journal_is_empty(open().await).await;
    numbers_have_no_gaps(open().await).await;
    a_stale_append_changes_nothing(open().await).await;
    an_empty_append_is_done(open().await).await;
    a_batch_is_seen_whole(open().await).await;
    one_of_two_racing_appends_wins(open().await).await;
    many_writers_lose_and_double_nothing(open().await).await;
    relaxed_appends_are_seen(open().await).await;
    reading_pages_by_bytes(open().await).await;
    fetching_keeps_the_order_asked_for(open().await).await;
    ids_come_in_pages(open().await).await;
    journals_are_apart(open().await).await;
    a_large_record_fits(open().await).await;
    notes::notes_are_compared_and_set(open().await).await;
    notes::one_of_two_racing_notes_wins(open().await).await;
    notes::notes_are_listed_by_prefix(open().await).await;
    changed_wakes_who_waits(open().await).await;
}

/// A journal that nobody wrote to has head 0 and nothing to read.
///
/// # Panics
/// When the store does otherwise.
pub async fn an_unknown_journal_is_empty<S: Store>(store: S) {
    const CHECK: &str = "an unknown journal is empty";
    let id = journal(1);
    equal(CHECK, ok(CHECK, store.head(id).await).number, 0);
    equal(CHECK, ok(CHECK, store.read(id, 0, usize::MAX).await), vec![]);
    equal(CHECK, ok(CHECK, store.fetch(id, vec![0, 1, u64::MAX]).await), vec![]);
    equal(CHECK, ok(CHECK, store.ids(id, 0, usize::MAX).await), vec![]);
    equal(CHECK, ok(CHECK, store.note("").await), None);
    equal(CHECK, ok(CHECK, store.notes("").await), vec![]);
}

/// Entries are numbered 1, 2, 3 … in the order of appending, under one store id.
///
/// # Panics
/// When the store does otherwise.
pub async fn numbers_have_no_gaps<S: Store>(store: S) {
    const CHECK: &str = "numbers have no gaps";
    let id = journal(1);
    let mut all = Vec::new();
    for len in [1, 1, 3, 40, 1, 7] {
        let batch = records(all.len(), len);
        all.extend(batch.clone());
        let head = append(CHECK, &store, id, all.len() - len, batch).await;
        equal(CHECK, head.number, all.len() as u64);
        equal(CHECK, ok(CHECK, store.head(id).await), head);
        equal(CHECK, head.store, store.id());
    }
    equal(CHECK, ok(CHECK, store.read(id, 1, usize::MAX).await), numbered(1, &all));
    let ids: Vec<_> = all.iter().map(|record| record.id).collect();
    equal(CHECK, ok(CHECK, store.ids(id, 1, usize::MAX).await), ids);
}

/// An append at another head than the present one is `Behind` with that, and nothing is written.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_stale_append_changes_nothing<S: Store>(store: S) {
    const CHECK: &str = "a stale append changes nothing";
    let id = journal(1);
    let first = records(0, 5);
    append(CHECK, &store, id, 0, first.clone()).await;
    for at in [0, 4, 6, u64::MAX] {
        let outcome = store.append(id, at, records(100, 3), Durability::Strict).await;
        let head = ok(CHECK, store.head(id).await);
        equal(CHECK, head.number, 5);
        equal(CHECK, ok(CHECK, outcome), AppendOutcome::Behind(head));
    }
    let outcome = store.append(journal(2), 1, records(100, 3), Durability::Strict).await;
    let head = ok(CHECK, store.head(journal(2)).await);
    equal(CHECK, (head.number, ok(CHECK, outcome)), (0, AppendOutcome::Behind(head)));
    equal(CHECK, ok(CHECK, store.read(id, 0, usize::MAX).await), numbered(1, &first));
    equal(CHECK, ok(CHECK, store.read(journal(2), 0, usize::MAX).await), vec![]);
}

/// Appending nothing is done, and nothing changes.
///
/// # Panics
/// When the store does otherwise.
pub async fn an_empty_append_is_done<S: Store>(store: S) {
    const CHECK: &str = "an empty append is done";
    let id = journal(1);
    equal(CHECK, append(CHECK, &store, id, 0, vec![]).await.number, 0);
    append(CHECK, &store, id, 0, records(0, 2)).await;
    equal(CHECK, append(CHECK, &store, id, 2, vec![]).await.number, 2);
    equal(CHECK, ok(CHECK, store.read(id, 0, usize::MAX).await).len(), 2);
}

/// A reader sees all entries of a batch or none, and never fewer than it has seen before.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_batch_is_seen_whole<S: Store>(store: S) {
    const CHECK: &str = "a batch is seen whole";
    const BATCH: usize = 7;
    const BATCHES: usize = 30;
    let id = journal(1);
    let write = async {
        for batch in 0..BATCHES {
            append(CHECK, &store, id, batch * BATCH, records(batch * BATCH, BATCH)).await;
        }
    };
    let read = async {
        let mut seen = 0;
        while seen < BATCH * BATCHES {
            let head = ok(CHECK, store.head(id).await).number;
            let read = ok(CHECK, store.read(id, 1, usize::MAX).await);
            equal(CHECK, read.len() % BATCH, 0);
            holds(CHECK, read.len() >= seen && read.len() as u64 >= head, "an entry that was seen is gone");
            seen = read.len();
            // Lets the writer go on also where neither waits for anything.
            yield_now().await;
        }
    };
    join(write, read).await;
}

/// Of two appends at the same head, by two handles, exactly one is done.
///
/// # Panics
/// When the store does otherwise.
pub async fn one_of_two_racing_appends_wins<S: Store>(store: S) {
    const CHECK: &str = "one of two racing appends wins";
    let (id, other) = (journal(1), store.clone());
    for round in 0..20_usize {
        let at = round as u64 * 2;
        let (one, two) = join(
            store.append(id, at, records(round * 4, 2), Durability::Strict),
            other.append(id, at, records(round * 4 + 2, 2), Durability::Strict),
        )
        .await;
        let head = ok(CHECK, store.head(id).await);
        equal(CHECK, head.number, at + 2);
        let (won, lost) = (AppendOutcome::Done(head), AppendOutcome::Behind(head));
        let outcome = (ok(CHECK, one), ok(CHECK, two));
        holds(CHECK, [(won, lost), (lost, won)].contains(&outcome), &format!("{outcome:?}"));
        let first = round * 4 + if outcome.0 == won { 0 } else { 2 };
        let read = ok(CHECK, store.read(id, at + 1, usize::MAX).await);
        equal(CHECK, read, numbered(at + 1, &records(first, 2)));
    }
}

/// Many handles that append to one journal, each trying again when it is behind, lose and double
/// nothing.
///
/// # Panics
/// When the store does otherwise.
pub async fn many_writers_lose_and_double_nothing<S: Store>(store: S) {
    const CHECK: &str = "many writers lose and double nothing";
    const WRITERS: usize = 8;
    const EACH: usize = 6;
    let id = journal(1);
    let writer = |writer: usize, store: S| async move {
        let mut at = 0;
        for record in records(writer * EACH, EACH) {
            loop {
                let outcome = store.append(id, at, vec![record.clone()], Durability::Strict).await;
                match ok(CHECK, outcome) {
                    AppendOutcome::Done(head) => {
                        equal(CHECK, head.number, at + 1);
                        at = head.number;
                        break;
                    }
                    AppendOutcome::Behind(head) => {
                        holds(CHECK, head.number != at, "behind at the very head");
                        at = head.number;
                    }
                }
            }
        }
    };
    join_all((0..WRITERS).map(|no| writer(no, store.clone()))).await;
    let mut ids = ok(CHECK, store.ids(id, 0, usize::MAX).await);
    ids.sort_unstable();
    let mut expected: Vec<_> = records(0, WRITERS * EACH).into_iter().map(|record| record.id).collect();
    expected.sort_unstable();
    equal(CHECK, ids, expected);
}

/// A relaxed append is seen like any other.
///
/// # Panics
/// When the store does otherwise.
pub async fn relaxed_appends_are_seen<S: Store>(store: S) {
    const CHECK: &str = "relaxed appends are seen";
    let id = journal(1);
    for (at, durability) in
        [Durability::Relaxed, Durability::Relaxed, Durability::Strict].into_iter().enumerate()
    {
        let outcome = store.append(id, at as u64, records(at, 1), durability).await;
        let head = ok(CHECK, store.head(id).await);
        equal(CHECK, (head.number, ok(CHECK, outcome)), (at as u64 + 1, AppendOutcome::Done(head)));
        let read = ok(CHECK, store.read(id, 0, usize::MAX).await);
        equal(CHECK, read, numbered(1, &records(0, at + 1)));
    }
}

/// A page holds as many entries as fit its bytes, one at least; numbers 0 and 1 both mean the first.
///
/// # Panics
/// When the store does otherwise.
pub async fn reading_pages_by_bytes<S: Store>(store: S) {
    const CHECK: &str = "reading pages by bytes";
    let id = journal(1);
    let record = |n: usize| StoredRecord { bytes: vec![7; 100].into(), ..record(n) };
    let all: Vec<_> = (0..600).map(record).collect();
    append(CHECK, &store, id, 0, all.clone()).await;
    for (from, max_bytes, first, len) in [
        (0, 300, 1, 3),
        (1, 300, 1, 3),
        (1, 299, 1, 2),
        (1, 100, 1, 1),
        (1, 99, 1, 1),
        (1, 0, 1, 1),
        (255, 350, 255, 3),
        (256, 200, 256, 2),
        (257, 200, 257, 2),
        (599, usize::MAX, 599, 2),
        (600, 1_000, 600, 1),
        (601, 1_000, 601, 0),
        (u64::MAX, usize::MAX, u64::MAX, 0),
        (0, usize::MAX, 1, 600),
    ] {
        let read = ok(CHECK, store.read(id, from, max_bytes).await);
        let skip = usize::try_from(first - 1).unwrap_or(usize::MAX).min(600);
        let expected: Vec<_> = (first..=u64::MAX).zip(all.iter().skip(skip).take(len).cloned()).collect();
        holds(CHECK, read == expected, &format!("{} entries from {from} in {max_bytes} bytes", read.len()));
    }
}

/// Entries are fetched in the order asked for; unknown numbers are left out.
///
/// # Panics
/// When the store does otherwise.
pub async fn fetching_keeps_the_order_asked_for<S: Store>(store: S) {
    const CHECK: &str = "fetching keeps the order asked for";
    let id = journal(1);
    append(CHECK, &store, id, 0, records(0, 300)).await;
    let asked = vec![300, 2, 301, 0, 1, 257, 256, 2, u64::MAX];
    let read = ok(CHECK, store.fetch(id, asked).await);
    let expected = |number: u64| (number, record(usize::try_from(number).unwrap_or(usize::MAX) - 1));
    equal(CHECK, read, [300, 2, 1, 257, 256, 2].map(expected).to_vec());
    equal(CHECK, ok(CHECK, store.fetch(id, vec![]).await), vec![]);
}

/// Ids come in pages of any size from any number.
///
/// # Panics
/// When the store does otherwise.
pub async fn ids_come_in_pages<S: Store>(store: S) {
    const CHECK: &str = "ids come in pages";
    let id = journal(1);
    let all: Vec<_> = records(0, 600).into_iter().map(|record| record.id).collect();
    // In steps, so that what a store packs together is filled by several appends.
    for (at, len) in [(0, 1), (1, 254), (255, 1), (256, 1), (257, 343)] {
        append(CHECK, &store, id, at, records(at, len)).await;
    }
    for page in [1, 7, 255, 256, 257, 600, usize::MAX] {
        let mut ids: Vec<EntryId> = Vec::new();
        loop {
            let next = ok(CHECK, store.ids(id, ids.len() as u64 + 1, page).await);
            holds(CHECK, next.len() <= page, "a page is larger than asked for");
            if next.is_empty() {
                break;
            }
            ids.extend(next);
        }
        equal(CHECK, &ids, &all);
    }
    equal(CHECK, ok(CHECK, store.ids(id, 0, 3).await), all.iter().copied().take(3).collect());
    equal(CHECK, ok(CHECK, store.ids(id, 1, 0).await), vec![]);
    equal(CHECK, ok(CHECK, store.ids(id, 601, 5).await), vec![]);
    equal(CHECK, ok(CHECK, store.ids(id, u64::MAX, 5).await), vec![]);
}

/// Each journal has its own numbers; the same entry may be in several.
///
/// # Panics
/// When the store does otherwise.
pub async fn journals_are_apart<S: Store>(store: S) {
    const CHECK: &str = "journals are apart";
    let mut heads = [0; 5];
    // Interleaved, with ids of journals that differ in their last and in their first byte.
    for round in 0..4 {
        for (no, head) in (0..).zip(&mut heads) {
            append(CHECK, &store, journal(no), *head, records(*head, no.into())).await;
            *head += usize::from(no);
        }
        equal(CHECK, heads, [0, 1, 2, 3, 4].map(|no| no * (round + 1)));
    }
    for (no, head) in (0..).zip(heads) {
        equal(CHECK, ok(CHECK, store.head(journal(no)).await).number, head as u64);
        equal(CHECK, ok(CHECK, store.read(journal(no), 0, usize::MAX).await), numbered(1, &records(0, head)));
    }
}

/// A record of 1 MiB, the largest there is, is kept.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_large_record_fits<S: Store>(store: S) {
    const CHECK: &str = "a large record fits";
    let id = journal(1);
    let bytes: Vec<u8> = (0..1_048_576_u32).map(|n| n.to_le_bytes()[0]).collect();
    let large = StoredRecord { bytes: bytes.into(), ..record(1) };
    let all = [record(0), large, record(2)];
    append(CHECK, &store, id, 0, all.to_vec()).await;
    let read = ok(CHECK, store.read(id, 2, 1).await);
    holds(CHECK, read == numbered(2, &all[1..2]), "the large record is not what was written");
    let read = ok(CHECK, store.fetch(id, vec![3, 2]).await);
    holds(CHECK, read == [(3, all[2].clone()), (2, all[1].clone())], "the records are not what was written");
}

/// Whoever waits for a head is told when it is beyond what it names, at once if it is already.
///
/// # Panics
/// When the store does otherwise; a store that does not tell makes it wait for ever.
pub async fn changed_wakes_who_waits<S: Store>(store: S) {
    const CHECK: &str = "changed wakes who waits";
    let (id, other) = (journal(1), store.clone());
    let write = async {
        append(CHECK, &store, journal(2), 0, records(0, 9)).await;
        append(CHECK, &store, id, 0, records(0, 1)).await;
        append(CHECK, &store, id, 1, records(1, 2)).await
    };
    let ((first, third), head) = join(join(other.changed(id, 0), other.changed(id, 2)), write).await;
    let (first, third) = (ok(CHECK, first), ok(CHECK, third));
    holds(CHECK, first.number == 1 || first == head, &format!("woken at {first:?}"));
    equal(CHECK, third, head);
    equal(CHECK, ok(CHECK, store.changed(id, 2).await), head);
    equal(CHECK, ok(CHECK, store.changed(id, 0).await), head);
    // One that gives up does not hold up the others.
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(store.changed(id, 3))).collect();
    for waiter in &mut waiting {
        let polled = futures::poll!(waiter);
        holds(CHECK, polled.is_pending(), "told of a change that there was none");
    }
    drop(waiting.pop());
    let head = append(CHECK, &other, id, 3, records(3, 1)).await;
    for waiter in waiting {
        equal(CHECK, ok(CHECK, waiter.await), head);
    }
}

/// Appends what must be done, and returns the new head.
async fn append<S: Store>(
    check: &str,
    store: &S,
    journal: JournalId,
    at: usize,
    entries: Vec<StoredRecord>,
) -> Cursor {
    match ok(check, store.append(journal, at as u64, entries, Durability::Strict).await) {
        AppendOutcome::Done(head) => head,
        AppendOutcome::Behind(head) => fail(check, &format!("behind {head:?} at {at}")),
    }
}

/// Lets others run once.
async fn yield_now() {
    let mut yielded = false;
    core::future::poll_fn(|context| {
        if core::mem::replace(&mut yielded, true) {
            return core::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        core::task::Poll::Pending
    })
    .await;
}

fn journal(no: u8) -> JournalId {
    let mut bytes = [no & 1; JournalId::LEN];
    bytes[31] = no;
    JournalId::from_bytes(bytes)
}

/// The `n`th record of a journal: ids in no order, lengths from 0 on.
fn record(n: usize) -> StoredRecord {
    let mixed = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut id = [0; EntryId::LEN];
    id.iter_mut().zip(mixed.to_be_bytes()).for_each(|(byte, mixed)| *byte = mixed);
    let bytes: Arc<[u8]> = mixed.to_be_bytes().repeat(n % 50).into();
    StoredRecord { id: EntryId::from_bytes(id), bytes }
}

fn records(from: usize, len: usize) -> Vec<StoredRecord> {
    (from..).take(len).map(record).collect()
}

fn numbered(from: u64, records: &[StoredRecord]) -> Vec<(u64, StoredRecord)> {
    (from..=u64::MAX).zip(records.iter().cloned()).collect()
}
