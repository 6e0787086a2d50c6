//! Durable appends of one fact each to a redb store: by one caller, who waits for the disk each time, and by
//! 64 at once, who share what they wait for. Five runs of each.

#![expect(clippy::disallowed_methods, reason = "it takes the time")]

use std::time::Instant;

use futures::future::join_all;
use isoroot::platform::native::{NativePlatform, RedbStore};
use isoroot::{Fact, Genesis, SyncNode};

/// Appends a second by so many callers at once, each so often.
async fn rate(node: &SyncNode, callers: usize, times: usize) -> f64 {
    let began = Instant::now();
    let caller = |caller: usize| async move {
        for number in 0..times {
            let fact = Fact::new(format!("caller/{caller}"), number as i64);
            node.append([fact]).await.expect("appended");
        }
    };
    join_all((0..callers).map(caller)).await;
    (callers * times) as f64 / began.elapsed().as_secs_f64()
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let store = RedbStore::open(folder.path().join("store")).expect("a store");
        let platform = NativePlatform::tokio(tokio::runtime::Handle::current(), store);
        let node = SyncNode::create(platform, &Genesis::named("callers")).await.expect("a node");
        rate(&node, 1, 20).await;
        for _ in 0..5 {
            let (one, many) = (rate(&node, 1, 100).await, rate(&node, 64, 100).await);
            println!("1 caller {one:.0}/s, 64 callers {many:.0}/s: {:.1} times as many", many / one);
        }
    });
}
