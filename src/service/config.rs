//! What a sync service is told once, when it is made.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ids::JournalId;
use crate::limits::{AHEAD, REPLY};
use crate::session::permission::{PermissionPolicy, Permissions};

/// Which journals peers may open here.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Admission {
    /// Those that are open here.
    #[default]
    Opened,
    /// These, loaded when somebody asks for them.
    Listed(BTreeSet<JournalId>),
    /// Any, made when somebody asks for it. Everyone who reaches this node may then store here.
    Any,
}

impl Admission {
    /// Whether a journal that is not open here may be loaded for a peer.
    pub(crate) fn admits(&self, journal: JournalId) -> bool {
        match self {
            Self::Opened => false,
            Self::Listed(journals) => journals.contains(&journal),
            Self::Any => true,
        }
    }
}

/// Settings of a sync service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which journals peers may open here.
    pub admission: Admission,
    /// Which devices may read and write which journal here; by default all. Peers that are dialled are held to
    /// it like those that come.
    pub permissions: Arc<dyn PermissionPolicy>,
    /// The addresses under which this node may be dialled, in their canonical form; nothing where any
    /// will do. A peer that dialled another one is turned away, so that nobody can pass on its handshake.
    pub names: Option<Vec<String>>,
    /// Journals kept in memory at most; the least needed are unloaded. At least 1.
    pub journals: usize,
    /// Connections accepted at once at most.
    pub connections: usize,
    /// How far an entry's timestamp may be ahead of the local clock before it is held back from queries and
    /// watches until it is due. It is in the set and in the root all the same.
    pub ahead: Duration,
    /// How long a peer that was asked something in a sync may take for its next sign of progress. Then the sync
    /// fails with [`PeerError::Timeout`](crate::PeerError::Timeout), and the peer is dialled anew, with back-off. It
    /// must be well above a round trip.
    pub reply: Duration,
}

impl Default for Config {
    /// Only journals that are open here, of everyone, under any name, 1,024 journals, 1,024 connections, 300 s ahead,
    /// 30 s for a reply.
    fn default() -> Self {
        Self {
            admission: Admission::Opened,
            permissions: Arc::new(Permissions::default()),
            names: None,
            journals: 1_024,
            connections: 1_024,
            ahead: AHEAD,
            reply: REPLY,
        }
    }
}
