//! Receipts that were asked for and have not come: who waits for which, and whether what comes is that.

use crate::crypto::hash::Hash;
use crate::ids::{DeviceId, JournalId};
use crate::journal::machine::Ticket;
use crate::service::routing::ConnectionId;
use crate::session::failure::PeerError;
use crate::time::Instant;
use crate::verification::signed_root::SignedRoot;

/// A receipt that a peer was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ticket: Ticket,
    pub(crate) connection: ConnectionId,
    pub(crate) journal: JournalId,
    pub(crate) nonce: [u8; 32],
    pub(crate) previous: Option<Hash>,
    /// When it must have come.
    pub(crate) until: Instant,
}

/// What becomes of one that was asked for.
pub(crate) type Outcome = (Ticket, Result<SignedRoot, PeerError>);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Vec<Asked>);

impl Receipts {
    /// One was asked for.
    pub(crate) fn ask(&mut self, asked: Asked) {
        self.0.push(asked);
    }

    /// One has come over a connection with `device`, about a journal. Nothing if nobody waits for it (any
    /// more).
    pub(crate) fn take(
        &mut self,
        connection: ConnectionId,
        device: Option<DeviceId>,
        journal: JournalId,
        statement: SignedRoot,
    ) -> Option<Outcome> {
        let is_it = |asked: &Asked| {
            asked.connection == connection && asked.journal == journal && asked.nonce == statement.nonce
        };
        let asked = self.0.remove(self.0.iter().position(is_it)?);
        let sound = Some(statement.device) == device
            && statement.journal == journal
            && statement.previous == asked.previous
            && statement.is_of_open_epoch()
            && statement.is_authentic();
        let breach = PeerError::Breach("a receipt that is another than was asked for, or not the peer's own");
        Some((asked.ticket, if sound { Ok(statement) } else { Err(breach) }))
    }

    /// Nobody waits for this one any more.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.0.retain(|asked| asked.ticket != ticket);
    }

    /// A connection has ended, or a journal's channel on it: nothing comes any more.
    pub(crate) fn end(
        &mut self,
        connection: ConnectionId,
        journal: Option<JournalId>,
        error: &PeerError,
    ) -> Vec<Outcome> {
        let ends = |asked: &mut Asked| {
            asked.connection == connection && journal.is_none_or(|journal| journal == asked.journal)
        };
        self.0.extract_if(.., ends).map(|asked| (asked.ticket, Err(error.clone()))).collect()
    }

    /// Those that did not come in time.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Outcome> {
        let error = PeerError::Timeout { waiting_for: "waiting for a receipt" };
        let late = self.0.extract_if(.., |asked| asked.until <= now);
        late.map(|asked| (asked.ticket, Err(error.clone()))).collect()
    }

    /// When the next of them is overdue.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|asked| asked.until).min()
    }
}
