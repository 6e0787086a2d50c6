//! Reconciles two sets again and again: `reconcile ENTRIES DIFFERENCES SEEDS [PEERS' SEEDS]`.
//!
//! Both have ENTRIES ids; for each seed each side gets half of DIFFERENCES more. The link takes 20 ms one way
//! and carries 100 Mbit/s. Prints one object of JSON: of isoroot the bytes that finding takes, those that the
//! rest takes but for entries, the round trips until the first entry travels, the processor's time of each
//! side; of negentropy the same as far as it has it. Entries are the same for both, and are not counted.

#![expect(clippy::disallowed_methods, reason = "it takes the time")]

mod ours;
mod theirs;

/// What one reconciliation took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Bytes of the messages that find the difference, both ways.
    pub find: u64,
    /// Bytes of all others but those that carry entries.
    pub rest: u64,
    /// Round trips until the first entry travels.
    pub round_trips: f64,
    /// Processor's time of the side that begins and the other, in milliseconds.
    pub cpu: [f64; 2],
}

/// An id like those of entries.
#[must_use]
pub fn id(number: u64) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(number.to_be_bytes()).into()
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 * part).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or_default()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn told(name: &str, costs: &[Cost]) -> String {
    if costs.is_empty() {
        return format!(r#""{name}":null"#);
    }
    let of = |pick: &dyn Fn(&Cost) -> f64| costs.iter().map(pick).collect::<Vec<_>>();
    let mut find = of(&|cost| cost.find as f64);
    let mut trips = of(&|cost| cost.round_trips);
    format!(
        r#""{name}":{{"seeds":{},"find":{:.1},"find_p99":{:.1},"rest":{:.1},"trips":{:.2},"trips_p98":{:.2},"cpu":[{:.3},{:.3}]}}"#,
        costs.len(),
        mean(&find),
        quantile(&mut find, 0.99),
        mean(&of(&|cost| cost.rest as f64)),
        quantile(&mut trips, 0.5),
        quantile(&mut trips, 0.98),
        quantile(&mut of(&|cost| cost.cpu[0]), 0.5),
        quantile(&mut of(&|cost| cost.cpu[1]), 0.5),
    )
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [entries, differences, seeds, peer_seeds] = numbers[..] else {
        eprintln!("reconcile ENTRIES DIFFERENCES SEEDS PEERS'-SEEDS");
        std::process::exit(2);
    };
    let ours = ours::reconcile(entries, differences, seeds);
    let negentropy = theirs::negentropy(entries, differences, peer_seeds);
    println!(
        r#"{{"entries":{entries},"differences":{differences},"cold_cpu":{:.1},{},{}}}"#,
        ours.cold,
        told("isoroot", &ours.costs),
        told("negentropy", &negentropy)
    );
}
