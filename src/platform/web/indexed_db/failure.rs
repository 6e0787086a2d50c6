//! Why IndexedDB did not do what it was asked, as a store's errors.

use wasm_bindgen::JsValue;

use crate::error::StoreError;
use crate::platform::web::js::{error_name, says};

/// What ended a transaction, or kept it from beginning. Nothing of it was written.
#[derive(Debug)]
pub(super) enum Failure {
    /// The browser has closed the connection to the database: a new one may do.
    Disconnected(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// What was thrown by a call, or is the error of a request or transaction that nobody here aborted.
    pub(super) fn of(thrown: &JsValue) -> Self {
        let said = says(thrown);
        Self::Store(match error_name(thrown).as_str() {
            "QuotaExceededError" => StoreError::Full(said),
            // Of a transaction to be begun: the connection is closed. Of one that runs: it went with it,
            // which Safari calls unknown.
            "InvalidStateError" | "AbortError" | "UnknownError" => return Self::Disconnected(said),
            // A pack that must not be there is, or a part of the database is missing.
            "ConstraintError" | "NotFoundError" | "DataError" => StoreError::Damaged(said),
            _ => StoreError::Failed(said),
        })
    }
}
