//! How long something took: natively the processor's time of the thread, in a browser the clock's.

/// When something began.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    #[cfg(not(target_arch = "wasm32"))]
    at: cpu_time::ThreadTime,
    #[cfg(target_arch = "wasm32")]
    at: f64,
}

#[cfg(not(target_arch = "wasm32"))]
impl Began {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { at: cpu_time::ThreadTime::now() }
    }

    /// Milliseconds since then.
    #[must_use]
    pub fn milliseconds(self) -> f64 {
        self.at.elapsed().as_secs_f64() * 1e3
    }
}

#[cfg(target_arch = "wasm32")]
impl Began {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { at: clock() }
    }

    /// Milliseconds since then.
    #[must_use]
    pub fn milliseconds(self) -> f64 {
        clock() - self.at
    }
}

#[cfg(target_arch = "wasm32")]
fn clock() -> f64 {
    #[link(wasm_import_module = "page")]
    unsafe extern "C" {
        #[link_name = "now"]
        safe fn now() -> f64;
    }
    now()
}
