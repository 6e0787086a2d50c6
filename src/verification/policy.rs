//! What a verifier is told about who may write and on whose behalf.

use crate::ids::{AuthorityId, DeviceId};

/// How a device stands in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may write.
    Writer,
    /// Nobody of that name is known.
    Unknown,
    /// It is known, and no member in that epoch: not yet, or no longer.
    NotAMember,
}

/// Which authorities facts must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AuthorityRule {
    /// Any or none: an authority is a claim.
    #[default]
    Any,
    /// Each fact must name one.
    Present,
    /// Each fact's authority, the device itself where none is named, must be the signer's.
    Signers,
}

/// Who may write and on whose behalf, as this side trusts. Never taken from what is to be judged.
///
/// Each method has the answer of an open journal, where every device may write.
pub trait SignerPolicy: Send + Sync {
    /// Whether this peer may hand over anything at all.
    fn may_push(&self, _peer: &DeviceId) -> bool {
        true
    }

    /// How the device stands in the epoch of this number.
    fn standing(&self, _device: &DeviceId, _epoch: u64) -> Standing {
        Standing::Writer
    }

    /// Whether the authority lets the device speak for it. Asked of authorities that are named; in open
    /// journals that is a claim that nobody checks.
    fn is_certified(&self, _authority: &AuthorityId, _device: &DeviceId) -> bool {
        true
    }

    /// The authority that the device acts for: by default its own, which has the device's key.
    fn authority_of(&self, device: &DeviceId) -> AuthorityId {
        AuthorityId::from_bytes(*device.as_bytes())
    }

    /// Which authorities facts must name.
    fn authorities(&self) -> AuthorityRule {
        AuthorityRule::Any
    }

    /// Whether entries ahead of the clock are rejected. By default they only get a mark: whether an
    /// entry belongs to a journal never depends on a clock.
    fn refuses_ahead(&self) -> bool {
        false
    }
}

/// An open journal: every device may write, every authority is a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OpenPolicy;

impl SignerPolicy for OpenPolicy {}
