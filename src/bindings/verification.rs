//! Judging entries that somebody hands over against a claimed root, and taking in what is proved.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::bindings::error::CallError;
use crate::bindings::mailbox::Call;
use crate::bindings::node::{Node, Open};
use crate::bindings::object::{number, object, text};
use crate::crypto::hash::Hash;
use crate::driver::error::NodeError;
use crate::driver::verification::Applied;
use crate::fact::entry::Entry;
use crate::ids::EntryId;
use crate::limits::{HANDED_BYTES, PROOF_IDS};
use crate::verification::verifier::{Rejected, Shown, Submission, Verification, VerifyError};

#[wasm_bindgen]
extern "C" {
    /// An entry, as the facade has put it together.
    type GivenEntry;
    #[wasm_bindgen(method, getter, structural)]
    fn record(this: &GivenEntry) -> Uint8Array;
    #[wasm_bindgen(method, getter, structural)]
    fn id(this: &GivenEntry) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    fn proof(this: &GivenEntry) -> Option<Uint8Array>;

    /// How the entries are shown to be under the root, and what becomes of them; likewise from the facade.
    pub type GivenJudging;
    /// `fullSet`, `each` or `together`; anything else is not at all.
    #[wasm_bindgen(method, getter, structural)]
    fn shown(this: &GivenJudging) -> String;
    /// The proof of all together.
    #[wasm_bindgen(method, getter, structural)]
    fn together(this: &GivenJudging) -> Option<Uint8Array>;
    /// Whether what is authentic and unproved is taken in as well.
    #[wasm_bindgen(method, getter, structural)]
    fn admit(this: &GivenJudging) -> bool;
    /// Whether nothing is taken in at all.
    #[wasm_bindgen(method, getter, structural)]
    fn dry(this: &GivenJudging) -> bool;
}

/// What is handed over, in memory of this side.
struct Handed {
    root: Hash,
    entries: Vec<Submission>,
    shown: Shown,
}

#[wasm_bindgen]
impl Node {
    /// Judges entries, and takes in what is proved: `{ verified, unproved, rejected, duplicates, new, root }`.
    /// Takes in nothing once its call is gone.
    pub fn receive(&self, root: &str, entries: &Array, given: &GivenJudging, call: Call) -> Promise {
        let (handed, admit, dry) = (handed(root, entries, given), given.admit(), given.dry());
        self.call(async move |open| {
            let Handed { root, entries, shown } = handed?;
            let judged = open.node().verifier().verify_entries(&root, entries, shown).await?;
            let verdicts = verdicts(&judged);
            let applied = apply(open, judged, (admit, dry || call.gone())).await?;
            Ok(object(
                &[&verdicts[..], &[("new", number(applied.new)), ("root", text(applied.root))]].concat(),
            ))
        })
    }
}

/// Copies what is handed over, which is counted before.
fn handed(root: &str, given: &Array, judging: &GivenJudging) -> Result<Handed, CallError> {
    let count = usize::try_from(given.length()).unwrap_or(usize::MAX);
    if count > PROOF_IDS {
        return Err(NodeError::from(VerifyError::TooMany(count)).into());
    }
    let mut left = HANDED_BYTES;
    let root = *root.parse::<EntryId>()?.as_bytes();
    let mut entries = Vec::with_capacity(count);
    for given in given.iter() {
        let given: GivenEntry = given.unchecked_into();
        entries.push(Submission {
            record: copied(&given.record(), &mut left)?,
            id: given.id().map(|id| id.parse()).transpose()?,
            proof: given.proof().map(|proof| copied(&proof, &mut left)).transpose()?,
        });
    }
    let shown = match (judging.shown().as_str(), judging.together()) {
        ("together", Some(proof)) => Shown::Together(copied(&proof, &mut left)?),
        ("fullSet", _) => Shown::FullSet,
        ("each", _) => Shown::Each,
        _ => Shown::Not,
    };
    Ok(Handed { root, entries, shown })
}

fn copied(bytes: &Uint8Array, left: &mut usize) -> Result<Vec<u8>, CallError> {
    let length = usize::try_from(bytes.length()).unwrap_or(usize::MAX);
    *left = left.checked_sub(length).ok_or(CallError::TooMuch)?;
    Ok(bytes.to_vec())
}

async fn apply(
    open: &Open,
    judged: Verification<Entry>,
    (admit, dry): (bool, bool),
) -> Result<Applied, CallError> {
    let verifier = open.node().verifier();
    if dry {
        return Ok(Applied { new: 0, root: verifier.root().await? });
    }
    let mut applied = verifier.apply(judged.verified).await?;
    if admit {
        let more = verifier.apply_unproved(judged.unproved).await?;
        applied = Applied { new: applied.new.saturating_add(more.new), root: more.root };
    }
    Ok(applied)
}

fn verdicts(judged: &Verification<Entry>) -> [(&'static str, JsValue); 4] {
    let (verified, unproved, rejected) = (Array::new(), Array::new(), Array::new());
    for entry in &judged.verified {
        verified.push(&marked(entry.id(), entry.is_known(), entry.is_ahead()));
    }
    for entry in &judged.unproved {
        unproved.push(&marked(entry.id(), entry.is_known(), entry.is_ahead()));
    }
    for Rejected { place, id, reason } in &judged.rejected {
        rejected.push(&object(&[
            ("place", number(*place as u64)),
            ("id", text(id)),
            ("code", text(reason.code())),
            ("message", text(reason)),
        ]));
    }
    [
        ("verified", verified.into()),
        ("unproved", unproved.into()),
        ("rejected", rejected.into()),
        ("duplicates", number(judged.duplicates as u64)),
    ]
}

/// An authentic entry, with the marks that are no verdicts.
fn marked(id: EntryId, known: bool, ahead: bool) -> JsValue {
    object(&[("id", text(id)), ("isKnown", known.into()), ("isAhead", ahead.into())])
}
