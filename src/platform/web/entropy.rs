//! Random bytes of the browser or of Node.

use crate::platform::traits::{Entropy, EntropyError};

/// `crypto.getRandomValues`, by `getrandom`.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebEntropy;

impl Entropy for WebEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|error| EntropyError(error.to_string()))
    }
}
