//! Nodes of one page: they sync, and leave nothing behind (F-36, A5).

use wasm_bindgen_test::wasm_bindgen_test;

use crate::story::{memory, story};
use crate::timeouts::{Timeouts, turn};

#[wasm_bindgen_test]
async fn f36_nodes_sync_over_the_pipe_and_leave_no_timer() {
    let timeouts = Timeouts::counted();
    let nodes = story(memory(1), memory(2)).await;
    drop(nodes);
    // Their loops end as they find that nobody is there any more.
    for _ in 0..20 {
        turn().await;
    }
    assert!(timeouts.set() > 2);
    assert_eq!(timeouts.live(), 0);
}
