//! What every [`Store`] must do with notes.

use futures::future::join;

use super::check::{equal, fail, holds, ok};
use crate::platform::traits::Store;

/// A note is set, replaced and removed only if it is what the caller expects.
///
/// # Panics
/// When the store does otherwise.
pub async fn notes_are_compared_and_set<S: Store>(store: S) {
    const CHECK: &str = "notes are compared and set";
    let note = |text: &str| Some(text.as_bytes().to_vec());
    // Each step: what is expected, what is to be, and what is there instead of the expected.
    for (expected, value, refused) in [
        (note("other"), note("a"), Some(None)),
        (None, note("a"), None),
        (None, note("b"), Some(note("a"))),
        (note("b"), None, Some(note("a"))),
        (note("a"), note(""), None),
        (None, note("b"), Some(note(""))),
        (note(""), None, None),
        (None, None, None),
        (None, note("c"), None),
    ] {
        let result = refused.map_or(Ok(()), Err);
        let wanted = match &result {
            Ok(()) => value.clone(),
            Err(current) => current.clone(),
        };
        equal(CHECK, ok(CHECK, store.set_note("key", expected, value).await), result);
        equal(CHECK, ok(CHECK, store.note("key").await), wanted);
    }
    let large = Some(vec![5; 3_000_000]);
    equal(CHECK, ok(CHECK, store.set_note("large", None, large.clone()).await), Ok(()));
    holds(CHECK, ok(CHECK, store.note("large").await) == large, "a large note is not what was written");
}

/// Of two who replace the same note, exactly one succeeds, and the other is told by what.
///
/// # Panics
/// When the store does otherwise.
pub async fn one_of_two_racing_notes_wins<S: Store>(store: S) {
    const CHECK: &str = "one of two racing notes wins";
    let (mut current, other) = (None, store.clone());
    for round in 0..20_u8 {
        let (one, two) = (Some(vec![1, round]), Some(vec![2, round]));
        let results = join(
            store.set_note("key", current.clone(), one.clone()),
            other.set_note("key", current.clone(), two.clone()),
        )
        .await;
        current = match (ok(CHECK, results.0), ok(CHECK, results.1)) {
            (Ok(()), Err(now)) if now == one => one,
            (Err(now), Ok(())) if now == two => two,
            results => fail(CHECK, &format!("{results:?}")),
        };
        equal(CHECK, &ok(CHECK, store.note("key").await), &current);
    }
}

/// Notes are listed by the beginning of their keys, in the order of those.
///
/// # Panics
/// When the store does otherwise.
pub async fn notes_are_listed_by_prefix<S: Store>(store: S) {
    const CHECK: &str = "notes are listed by prefix";
    let keys = ["b/é", "a/2", "a", "b", "a/", "a0", "a/10", "", "c/gone"];
    for key in keys {
        equal(CHECK, ok(CHECK, store.set_note(key, None, Some(key.into())).await), Ok(()));
    }
    equal(CHECK, ok(CHECK, store.set_note("c/gone", Some("c/gone".into()), None).await), Ok(()));
    for (prefix, expected) in [
        ("", vec!["", "a", "a/", "a/10", "a/2", "a0", "b", "b/é"]),
        ("a/", vec!["a/", "a/10", "a/2"]),
        ("b/", vec!["b/é"]),
        ("b/é", vec!["b/é"]),
        ("c", vec![]),
        ("a/100", vec![]),
    ] {
        let notes = ok(CHECK, store.notes(prefix).await);
        let expected: Vec<_> = expected.into_iter().map(|key| (key.to_owned(), key.into())).collect();
        equal(CHECK, notes, expected);
    }
}
