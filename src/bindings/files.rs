//! Files of journals: an export that is asked for piece by piece, and an import that is given pieces.

use core::cell::Cell;
use std::rc::{Rc, Weak};

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bindings::error::CallError;
use crate::bindings::node::{Open, call};
use crate::bindings::object::{number, object, text};
use crate::driver::files::{Export, Import};
use crate::fact::genesis::Genesis;
use crate::journal::file::header::FileHeader;

/// What is between two steps there, and gone while one is under way or after a failure.
type Resting<T> = Rc<Cell<Option<T>>>;

/// An export. It does not keep the node open.
#[wasm_bindgen]
pub struct Exporting {
    open: Weak<Open>,
    export: Resting<Export>,
}

/// An import. It does not keep the node open.
#[wasm_bindgen]
pub struct Importing {
    open: Weak<Open>,
    import: Resting<Import>,
}

impl Exporting {
    pub(super) fn new(open: Weak<Open>) -> Self {
        Self { open, export: Rc::new(Cell::new(Some(Export::Begin))) }
    }
}

impl Importing {
    pub(super) fn new(open: Weak<Open>, dry: bool) -> Self {
        Self { open, import: Rc::new(Cell::new(Some(Import::new(dry)))) }
    }
}

#[wasm_bindgen]
impl Exporting {
    /// The next piece; null at the end. To be asked for one at a time.
    pub fn next(&self) -> Promise {
        let export = Rc::clone(&self.export);
        call(self.open.upgrade(), async move |open| {
            let (piece, next) = export.take().unwrap_or(Export::Ended).next(open.node()).await?;
            export.set(Some(next));
            Ok(piece.map_or(JsValue::NULL, |piece| Uint8Array::from(&piece[..]).into()))
        })
    }
}

#[wasm_bindgen]
impl Importing {
    /// Takes the next bytes. To be called one at a time.
    pub fn push(&self, bytes: &Uint8Array) -> Promise {
        let (bytes, resting) = (bytes.to_vec(), Rc::clone(&self.import));
        call(self.open.upgrade(), async move |open| {
            let mut import = resting.take().ok_or(CallError::CLOSED)?;
            let pushed = import.push(open.node(), &bytes).await;
            resting.set(Some(import));
            pushed?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// No more can be read of it: takes in what came whole.
    pub fn unreadable(&self) -> Promise {
        let resting = Rc::clone(&self.import);
        call(self.open.upgrade(), async move |open| {
            let import = resting.take().ok_or(CallError::CLOSED)?;
            Err(import.unreadable(open.node(), "its source failed".into()).await.into())
        })
    }

    /// The file ends here: `{ entries, imported, fileRoot, root, rootEntries }`.
    pub fn finish(&self) -> Promise {
        let resting = Rc::clone(&self.import);
        call(self.open.upgrade(), async move |open| {
            let import = resting.take().ok_or(CallError::CLOSED)?;
            let report = import.finish(open.node()).await?;
            Ok(object(&[
                ("entries", number(report.entries)),
                ("imported", number(report.new)),
                ("fileRoot", text(report.in_file)),
                ("root", text(report.here)),
                ("rootEntries", number(report.here.count)),
            ]))
        })
    }
}

/// What a file that begins with these bytes says of itself: `{ journal, genesis }`, the second null where it
/// is not known; nothing if it takes more bytes.
///
/// # Errors
/// When no file begins so.
#[wasm_bindgen(js_name = fileHeader)]
pub fn file_header(bytes: &[u8]) -> Result<JsValue, JsValue> {
    let Some(header) = FileHeader::peek(bytes).map_err(CallError::from)? else {
        return Ok(JsValue::UNDEFINED);
    };
    let genesis = header.genesis().map(Genesis::to_bytes);
    let genesis = genesis.map_or(JsValue::NULL, |bytes| Uint8Array::from(&bytes[..]).into());
    Ok(object(&[("journal", text(header.journal())), ("genesis", genesis)]))
}
