//! Receipts and delivery: what peers have, and what they have signed for.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::bindings::error::CallError;
use crate::bindings::node::Node;
use crate::bindings::object::{number, object, optional, text};
use crate::driver::command::Command;
use crate::ids::{DeviceId, EntryId, JournalId};
use crate::service::delivery::{Delivery, PeerDelivery};
use crate::verification::receipts::check_receipts;
use crate::verification::signed_root::SignedRoot;

/// Bytes of a receipt that are looked at.
const RECEIPT_BYTES: u32 = 512;

#[wasm_bindgen]
impl Node {
    /// A peer's signature over what it holds; `previous` is the receipt before it.
    #[wasm_bindgen(js_name = requestReceipt)]
    pub fn request_receipt(&self, address: String, previous: Option<Uint8Array>) -> Promise {
        let previous = previous.map(|bytes| receipt(&bytes)).transpose();
        match previous {
            Ok(previous) => self.ask(
                |journal, reply| {
                    let previous = previous.map(|receipt| receipt.hash());
                    Command::AskReceipt { journal, address, previous, reply }
                },
                |receipt: SignedRoot| Ok(Uint8Array::from(receipt.to_bytes().as_slice()).into()),
            ),
            Err(error) => Promise::reject(&error.into()),
        }
    }

    /// How far each peer has the journal: `{ device, upto, pending }`.
    pub fn deliveries(&self) -> Promise {
        let one = |delivery: &PeerDelivery| {
            let (upto, pending) = (number(delivery.upto), number(delivery.pending));
            object(&[("device", text(delivery.device)), ("upto", upto), ("pending", pending)])
        };
        self.ask(
            |journal, reply| Command::Deliveries { journal, reply },
            move |all: Vec<_>| Ok(all.iter().map(one).collect::<Array>().into()),
        )
    }

    /// Where an entry is as far as a device goes: a word, or null if it is not here.
    pub fn delivery(&self, entry: &str, device: &str) -> Promise {
        match (entry.parse::<EntryId>(), device.parse::<DeviceId>()) {
            (Ok(entry), Ok(device)) => self.ask(
                |journal, reply| Command::Delivery { journal, entry, device, reply },
                |delivery: Option<Delivery>| {
                    Ok(match delivery {
                        Some(Delivery::Pending) => "pending".into(),
                        Some(Delivery::Sent) => "sent".into(),
                        Some(Delivery::Durable) => "durable".into(),
                        None => JsValue::NULL,
                    })
                },
            ),
            (Err(error), _) | (_, Err(error)) => Promise::reject(&CallError::from(error).into()),
        }
    }
}

/// Checks a chain of receipts, the oldest first; what each says: `{ journal, device, root, entries, time }`.
///
/// # Errors
/// When they are no such chain.
#[wasm_bindgen(js_name = checkReceipts)]
pub fn check_chain(receipts: &Array, journal: &str, device: &str) -> Result<Array, JsValue> {
    Ok(checked(receipts, journal, device)?)
}

/// Whether two receipts cannot both be true: their device has lied, or lost what it had.
///
/// # Errors
/// When the bytes are no receipts.
#[wasm_bindgen]
pub fn contradict(one: &Uint8Array, other: &Uint8Array) -> Result<bool, JsValue> {
    Ok(receipt(one)?.contradicts(&receipt(other)?))
}

fn checked(receipts: &Array, journal: &str, device: &str) -> Result<Array, CallError> {
    let (journal, device) = (journal.parse::<JournalId>()?, device.parse::<DeviceId>()?);
    let mut chain = Vec::new();
    for bytes in receipts.iter() {
        let bytes = bytes.dyn_into::<Uint8Array>().map_err(|_| CallError::NoReceipt)?;
        chain.push(receipt(&bytes)?);
    }
    check_receipts(&chain, &journal, &device)?;
    Ok(chain.iter().map(shown).collect())
}

fn receipt(bytes: &Uint8Array) -> Result<SignedRoot, CallError> {
    if bytes.length() > RECEIPT_BYTES {
        return Err(CallError::NoReceipt);
    }
    SignedRoot::from_bytes(&bytes.to_vec()).map_err(|_| CallError::NoReceipt)
}

fn shown(receipt: &SignedRoot) -> JsValue {
    object(&[
        ("journal", text(receipt.journal)),
        ("device", text(receipt.device)),
        ("root", text(receipt.root)),
        ("entries", number(receipt.root.count)),
        ("time", number(receipt.time.as_micros())),
        ("previous", optional(receipt.previous.map(EntryId::from_bytes))),
    ])
}
