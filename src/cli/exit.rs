//! How the tool ends: exit codes, and which error gets which.

use std::io;
use std::process::ExitCode;

use crate::driver::error::NodeError;
use crate::driver::files::ImportError;
use crate::error::{Code, Fault, StoreError, TransportError};
use crate::hub::HubError;
use crate::journal::evidence::EvidenceError;
use crate::journal::file::error::FileError;
use crate::session::failure::PeerError;

/// The exit codes, as the help lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: done.
    Done,
    /// 1: the answer is no.
    No,
    /// 2: usage, or input that can't be read.
    Usage,
    /// 3: the store.
    Store,
    /// 4: the network.
    Network,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Store => 3,
            Exit::Network => 4,
        })
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) code: Code,
    /// Nothing where there is nobody to tell.
    pub(super) message: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code: Code::new(code), message: Some(message.into()) }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "USAGE", message)
    }

    /// Input that can't be read.
    pub(super) fn input(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Usage, "INPUT", format!("{what} cannot be read: {error}"))
    }

    /// The system refuses what every program may expect.
    pub(super) fn system(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Usage, "SYSTEM", format!("{what}: {error}"))
    }

    /// Standard output failed. A reader who has seen enough, such as `head`, is no failure.
    pub(super) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Done, code: Code::new("OUTPUT"), message: None };
        }
        Self::new(Exit::Usage, "OUTPUT", format!("standard output: {error}"))
    }

    /// The store holds no journal, or is not there.
    pub(super) fn no_journal(store: &std::path::Path) -> Self {
        let store = store.display();
        let message = format!(
            "there is no journal in {store}: make one with `isoroot init --store {store}`, or join one with \
             `isoroot open LINK --store {store}`"
        );
        Self::new(Exit::Store, "NO_JOURNAL", message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { exit: Exit::Store, code: error.code(), message: Some(error.to_string()) }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        PeerError::from(error).into()
    }
}

impl From<PeerError> for Failure {
    fn from(error: PeerError) -> Self {
        let exit = match error.fault() {
            // What was given as an address is none.
            Fault::Caller if matches!(error, PeerError::Transport(_)) => Exit::Usage,
            Fault::Network => Exit::Network,
            Fault::Store => Exit::Store,
            Fault::Caller | Fault::Peer | Fault::Internal => Exit::No,
        };
        Self { exit, code: error.code(), message: Some(error.to_string()) }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let exit = match error {
            NodeError::Peer(error) => return error.into(),
            NodeError::Address(error) => return error.into(),
            NodeError::Draft(_)
            | NodeError::NoPeer
            | NodeError::TooManyPeers
            | NodeError::Prove(_)
            | NodeError::FilterRate
            | NodeError::FilterTooLarge { .. }
            | NodeError::Page => Exit::Usage,
            NodeError::File(error) => return error.into(),
            NodeError::Verify(_) | NodeError::Push(_) => Exit::No,
            NodeError::Store(_)
            | NodeError::NoJournal(_)
            | NodeError::Closed
            | NodeError::NotStarted
            | NodeError::OtherDevice(_)
            | NodeError::KeyNeeded(_)
            | NodeError::Entropy(_) => Exit::Store,
        };
        Self { exit, code: error.code(), message: Some(error.to_string()) }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let exit = match &error {
            FileError::NotAFile
            | FileError::Version(_)
            | FileError::OtherJournal { .. }
            | FileError::Unreadable(_) => Exit::Usage,
            FileError::GenesisLength { .. }
            | FileError::Genesis(_)
            | FileError::GenesisOfAnother { .. }
            | FileError::RecordLength { .. }
            | FileError::Entry { .. }
            | FileError::Twice { .. }
            | FileError::Count { .. }
            | FileError::Hash
            | FileError::Root { .. }
            | FileError::Trailing { .. }
            | FileError::Incomplete { .. } => Exit::No,
        };
        Self { exit, code: error.code(), message: Some(error.to_string()) }
    }
}

impl From<EvidenceError> for Failure {
    fn from(error: EvidenceError) -> Self {
        let malformed = error.code() == Code::new("PROOF_MALFORMED");
        let exit = if malformed { Exit::Usage } else { Exit::No };
        Self { exit, code: error.code(), message: Some(error.to_string()) }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let message = Some(error.to_string());
        Self { message, ..error.error.into() }
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        let exit = match error.fault() {
            Fault::Caller => Exit::Usage,
            Fault::Network | Fault::Peer => Exit::Network,
            Fault::Store | Fault::Internal => Exit::Store,
        };
        Self { exit, code: error.code(), message: Some(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::proof::ProofError;

    fn exit(error: impl Into<Failure>) -> Exit {
        error.into().exit
    }

    #[test]
    fn f5_each_kind_of_error_has_its_exit_code() {
        let unreachable = TransportError::Unreachable { address: "a".into(), reason: "b".into() };
        assert_eq!(exit(unreachable.clone()), Exit::Network);
        assert_eq!(
            exit(HubError::Listen { address: ([127, 0, 0, 1], 1).into(), reason: "taken".into() }),
            Exit::Network
        );
        assert_eq!(exit(NodeError::Peer(unreachable.into())), Exit::Network);
        assert_eq!(exit(PeerError::Timeout { waiting_for: "connecting" }), Exit::Network);
        assert_eq!(exit(TransportError::Address { address: "a".into(), reason: "b".into() }), Exit::Usage);
        assert_eq!(exit(PeerError::Refused { code: "NOT_SERVED".into(), text: String::new() }), Exit::No);
        assert_eq!(exit(PeerError::NoProgress), Exit::No);
        assert_eq!(exit(StoreError::Full("x".into())), Exit::Store);
        assert_eq!(exit(PeerError::Store(StoreError::Full("x".into()))), Exit::Store);
        assert_eq!(exit(HubError::NotLoopback { address: [0, 0, 0, 0].into() }), Exit::Usage);
        assert_eq!(exit(EvidenceError::TooLarge { bytes: 1 }), Exit::Usage);
        assert_eq!(exit(EvidenceError::Proof(ProofError::Padding)), Exit::Usage);
        assert_eq!(exit(EvidenceError::Proof(ProofError::Absent)), Exit::No);
        assert_eq!(exit(NodeError::Closed), Exit::Store);
    }
}
