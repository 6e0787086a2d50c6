//! Reconciles two sets again and again: `reconcile ENTRIES DIFFERENCES SEEDS CURSORS' SEEDS PEERS' SEEDS`.
//!
//! Both have ENTRIES ids; for each seed each side gets half of DIFFERENCES more. The link takes 20 ms one way
//! and carries 100 Mbit/s. Prints one object of JSON: of isoroot, of isoroot where both remember the other, and
//! of negentropy the bytes that finding takes, those that the rest takes but for entries, those of all but for
//! what entries say, the round trips until the first entry is sent, the processor's time of each side.

use reconcile::cost::row;
use reconcile::{ours, theirs};

/// What the handshake dials.
const ADDRESS: &str = "hub.example:443";

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [entries, differences, seeds, cursor_seeds, peer_seeds] = numbers[..] else {
        eprintln!("reconcile ENTRIES DIFFERENCES SEEDS CURSORS'-SEEDS PEERS'-SEEDS");
        std::process::exit(2);
    };
    let handshake = isoroot::sim::handshake(ADDRESS).bytes;
    let ours = ours::reconcile(entries, differences, seeds, false);
    let known = ours::reconcile(entries, differences, cursor_seeds, true);
    let rows = [
        row("isoroot", handshake, &ours.costs),
        row("isoroot, known", handshake, &known.costs),
        row("negentropy", 0, &theirs::negentropy(entries, differences, peer_seeds)),
    ];
    println!(
        r#"{{"entries":{entries},"differences":{differences},"cold":{:.1},"rows":[{}]}}"#,
        ours.cold.min(known.cold),
        rows.into_iter().flatten().collect::<Vec<_>>().join(",")
    );
}
