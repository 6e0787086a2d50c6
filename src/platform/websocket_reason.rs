//! Why a WebSocket is closed, cut to what its close message has room for.

/// Bytes of a reason that a close message has room for (RFC 6455, 5.5 and 5.5.1).
const REASON_BYTES: usize = 123;

/// As much of `reason` as a close message has room for.
pub(super) fn shortened(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_reasons_are_cut_at_a_character() {
        assert_eq!(shortened("too slow"), "too slow");
        assert_eq!(shortened(&"x".repeat(200)).len(), 123);
        assert_eq!(shortened(&"é".repeat(100)).len(), 122);
    }
}
