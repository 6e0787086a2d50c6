//! What one reconciliation took, and many of them in a row of JSON.

/// What one reconciliation took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Bytes of the messages that find the difference, both ways.
    pub find: u64,
    /// Bytes of all others but those that carry entries.
    pub rest: u64,
    /// Bytes of all, but for the contents of entries.
    pub whole: u64,
    /// Round trips until the first entry is sent.
    pub round_trips: f64,
    /// Milliseconds of the side that begins and of the other.
    pub cpu: [f64; 2],
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 * part).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or_default()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Of times the median; but in a page, whose clock is coarse, the mean, which does not suffer from that.
fn middle(times: &mut [f64]) -> f64 {
    if cfg!(target_arch = "wasm32") { mean(times) } else { quantile(times, 0.5) }
}

/// A row of JSON: means of bytes, medians of trips, how both spread, and times; nothing of none.
#[must_use]
pub fn row(name: &str, handshake: u64, costs: &[Cost]) -> Option<String> {
    if costs.is_empty() {
        return None;
    }
    let of = |pick: &dyn Fn(&Cost) -> f64| costs.iter().map(pick).collect::<Vec<_>>();
    let mut find = of(&|cost| cost.find as f64);
    let mut trips = of(&|cost| cost.round_trips);
    Some(format!(
        r#"{{"name":"{name}","seeds":{},"handshake":{handshake},"find":{:.1},"find_p99":{:.1},"rest":{:.1},"whole":{:.1},"trips":{:.2},"trips_p98":{:.2},"cpu":[{:.3},{:.3}]}}"#,
        costs.len(),
        mean(&find),
        quantile(&mut find, 0.99),
        mean(&of(&|cost| cost.rest as f64)),
        mean(&of(&|cost| cost.whole as f64)),
        quantile(&mut trips, 0.5),
        quantile(&mut trips, 0.98),
        middle(&mut of(&|cost| cost.cpu[0])),
        middle(&mut of(&|cost| cost.cpu[1])),
    ))
}
