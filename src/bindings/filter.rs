//! Bloom filters: over the facts of a journal, or from bytes.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bindings::convert::{self, ConvertError};
use crate::bindings::error::CallError;
use crate::bindings::node::Node;
use crate::bindings::object::{number, whole};
use crate::driver::filter;
use crate::fact::bloom::{BloomError, BloomFilter};
use crate::limits::BLOOM_BYTES;

/// Bytes of a filter beside its bits, at most.
const HEAD_BYTES: usize = 64;

/// A filter, which does not change.
#[wasm_bindgen]
pub struct Filter(BloomFilter);

#[wasm_bindgen]
impl Node {
    /// A filter over predicate and value of every fact that queries show, made for so many, or for as many
    /// as there are.
    pub fn bloom(&self, rate: f64, expected: Option<f64>) -> Promise {
        self.call(async move |open| {
            let expected = expected.map(whole);
            Ok(Filter(filter::bloom(open.node(), rate, expected).await?).into())
        })
    }
}

#[wasm_bindgen]
impl Filter {
    /// Whether the pair may be in.
    ///
    /// # Errors
    /// When it is none that a fact can have.
    #[wasm_bindgen(js_name = mightContain)]
    pub fn might_contain(&self, predicate: &JsValue, value: &JsValue) -> Result<bool, JsValue> {
        let wrong = |part| move |error: ConvertError| CallError::Fact { index: 0, part, error };
        let predicate = convert::text(predicate).map_err(wrong("predicate"))?;
        let value = convert::from_js(value).map_err(wrong("value"))?;
        Ok(self.0.might_contain(&predicate, &value))
    }

    /// One that holds what either of them holds, if both were made for the same.
    ///
    /// # Errors
    /// When the bytes are no filter, or one of another size.
    pub fn merged(&self, other: &Uint8Array) -> Result<Filter, JsValue> {
        let mut both = self.0.clone();
        both.merge(&read(other)?.0).map_err(CallError::from)?;
        Ok(Self(both))
    }

    /// Its bytes.
    #[wasm_bindgen(js_name = toBytes)]
    pub fn to_bytes(&self) -> Uint8Array {
        Uint8Array::from(self.0.to_bytes().as_slice())
    }

    /// How many pairs are in.
    #[wasm_bindgen(getter)]
    pub fn count(&self) -> JsValue {
        number(self.0.count())
    }

    /// The share of other pairs that it lets pass now.
    #[wasm_bindgen(getter)]
    pub fn rate(&self) -> f64 {
        self.0.rate_now()
    }
}

/// The filter with these bytes.
///
/// # Errors
/// When they are none.
#[wasm_bindgen(js_name = readFilter)]
pub fn read_filter(bytes: &Uint8Array) -> Result<Filter, JsValue> {
    Ok(read(bytes)?)
}

fn read(bytes: &Uint8Array) -> Result<Filter, CallError> {
    // Looked at before it is copied.
    if usize::try_from(bytes.length()).is_ok_and(|bytes| bytes <= BLOOM_BYTES + HEAD_BYTES) {
        return Ok(Filter(BloomFilter::from_bytes(&bytes.to_vec())?));
    }
    Err(BloomError::TooLarge { bits: u64::from(bytes.length()).saturating_mul(8) }.into())
}
