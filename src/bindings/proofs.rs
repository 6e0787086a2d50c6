//! Proofs: made by a node, checked by functions that need none.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bindings::error::CallError;
use crate::bindings::facts;
use crate::bindings::node::Node;
use crate::bindings::object::{number, object, text};
use crate::crypto::hash::Hash;
use crate::driver::command::Command;
use crate::driver::proofs::Proved;
use crate::ids::EntryId;
use crate::journal::evidence::{Evidence, EvidenceError, Verdict};
use crate::limits::{EVIDENCE_BYTES, PROOF_BYTES};
use crate::merkle::proof::{Proof, ProofError};

#[wasm_bindgen]
impl Node {
    /// The bytes of evidence that the entry is in the journal, or is not.
    pub fn prove(&self, entry: &str) -> Promise {
        match entry.parse::<EntryId>() {
            Ok(entry) => self.ask(
                |journal, reply| Command::Prove { journal, entry, reply },
                |evidence: Evidence| Ok(bytes(&evidence.to_bytes())),
            ),
            Err(error) => Promise::reject(&CallError::from(error).into()),
        }
    }

    /// A proof about these entries and the root that it is for: `{ root, entries, proof }`.
    #[wasm_bindgen(js_name = proveAll)]
    pub fn prove_all(&self, entries: Vec<String>) -> Promise {
        match ids(&entries) {
            Ok(entries) => self.ask(
                |journal, reply| Command::ProveAll { journal, entries, reply },
                |Proved { root, proof }| {
                    Ok(object(&[
                        ("root", text(root)),
                        ("entries", number(root.count)),
                        ("proof", bytes(&proof.to_bytes())),
                    ]))
                },
            ),
            Err(error) => Promise::reject(&error.into()),
        }
    }
}

/// What evidence shows to somebody who trusts the root: `{ in, journal, id, entries, entry }`, the last null
/// where there is none.
///
/// # Errors
/// When it does not hold.
#[wasm_bindgen(js_name = verifyEvidence)]
pub fn verify_evidence(evidence: &Uint8Array, root: &str) -> Result<JsValue, JsValue> {
    Ok(verified(evidence, root)?)
}

fn verified(evidence: &Uint8Array, root: &str) -> Result<JsValue, CallError> {
    let root = hash(root)?;
    let bytes = usize::try_from(evidence.length()).unwrap_or(usize::MAX);
    // Looked at before it is copied.
    if bytes > EVIDENCE_BYTES {
        return Err(EvidenceError::TooLarge { bytes }.into());
    }
    let evidence = Evidence::from_bytes(&evidence.to_vec())?;
    let entry = match evidence.verify(&root)? {
        Verdict::In(entry) => Some(facts::entry(&entry)?),
        Verdict::NotIn(_) => None,
    };
    Ok(object(&[
        ("in", JsValue::from_bool(entry.is_some())),
        ("journal", text(evidence.journal())),
        ("id", text(evidence.id())),
        ("entries", number(evidence.proof().count())),
        ("entry", entry.unwrap_or(JsValue::NULL)),
    ]))
}

/// For each of these ids, in strictly ascending order, whether it is in the journal with this root.
///
/// # Errors
/// When the proof does not hold.
#[wasm_bindgen(js_name = verifyProof)]
pub fn verify_proof(proof: &Uint8Array, root: &str, entries: Vec<String>) -> Result<Array, JsValue> {
    Ok(answers(proof, root, &entries)?.into_iter().map(JsValue::from_bool).collect())
}

fn answers(proof: &Uint8Array, root: &str, entries: &[String]) -> Result<Vec<bool>, CallError> {
    let (root, entries) = (hash(root)?, ids(entries)?);
    if usize::try_from(proof.length()).unwrap_or(usize::MAX) > PROOF_BYTES {
        return Err(EvidenceError::from(ProofError::TooLarge).into());
    }
    let proof = Proof::from_bytes(&proof.to_vec()).map_err(EvidenceError::from)?;
    Ok(proof.verify(&root, &entries).map_err(EvidenceError::from)?)
}

fn ids(texts: &[String]) -> Result<Vec<EntryId>, CallError> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(text.parse()?);
    }
    Ok(ids)
}

/// A root: hex as that of an id.
fn hash(text: &str) -> Result<Hash, CallError> {
    Ok(*text.parse::<EntryId>()?.as_bytes())
}

fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}
