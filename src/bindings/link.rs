//! Links to journals, read and written.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bindings::error::CallError;
use crate::bindings::object::{object, optional, text};
use crate::fact::link::Link;

/// What a link says: `{ journal, hub }`.
///
/// # Errors
/// When it is no link.
#[wasm_bindgen(js_name = parseLink)]
pub fn parse_link(link: &str) -> Result<JsValue, JsValue> {
    let link: Link = link.parse().map_err(CallError::from)?;
    Ok(object(&[("journal", text(link.journal)), ("hub", optional(link.hub))]))
}

/// The link to a journal, with the address of a hub where there is one.
///
/// # Errors
/// When the journal is no id.
#[wasm_bindgen(js_name = formatLink)]
pub fn format_link(journal: &str, hub: Option<String>) -> Result<String, JsValue> {
    let journal = journal.parse().map_err(CallError::from)?;
    Ok(Link { journal, hub }.to_string())
}

/// The journal that a text names, and the hub if it is a link with one.
pub(super) fn journal(text: &str) -> Result<Link, CallError> {
    match text.contains(':') {
        true => Ok(text.parse()?),
        false => Ok(Link { journal: text.parse()?, hub: None }),
    }
}
