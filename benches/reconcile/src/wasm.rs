//! The measurement as exports of plain numbers, for a page.

use std::cell::RefCell;

use crate::cost::row;
use crate::ours;

thread_local! {
    static TOLD: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Reconciles so often; where the row of JSON begins that says what it took.
#[unsafe(no_mangle)]
pub extern "C" fn reconcile(entries: u32, differences: u32, seeds: u32) -> *const u8 {
    let measured = ours::reconcile(entries.into(), differences.into(), seeds.into(), false);
    let row = row("isoroot, Chromium", 0, &measured.costs).unwrap_or_default();
    let told = format!(r#"{{"cold":{:.1},"row":{row}}}"#, measured.cold);
    TOLD.with_borrow_mut(|kept| {
        *kept = told;
        kept.as_ptr()
    })
}

/// How long that row is.
#[unsafe(no_mangle)]
pub extern "C" fn told() -> usize {
    TOLD.with_borrow(String::len)
}
