//! An open store with its sync service, and the choice of a journal in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::StoreArgs;
use crate::cli::exit::{Exit, Failure};
use crate::driver::node::SyncNode;
use crate::driver::service::SyncService;
use crate::fact::link::Link;
use crate::ids::JournalId;
use crate::platform::native::{NativePlatform, RedbStore, TokioSpawner, WebSocketTransport};
use crate::platform::traits::{DynTransport, Store, Transport};
use crate::service::config::Config;

/// What starts the keys of notes that hold the address of a journal's hub, as its link gave it.
const HUB_NOTES: &str = "hub/";
/// Journals that an error lists at most.
const LISTED: usize = 10;

/// See the module.
pub(super) struct Session {
    path: PathBuf,
    store: RedbStore,
    service: SyncService,
}

impl Session {
    /// Opens the store, which must hold a journal.
    pub(super) async fn existing(args: &StoreArgs) -> Result<Self, Failure> {
        Self::with_transport(args, WebSocketTransport::new()).await
    }

    /// The same, to dial by this transport.
    pub(super) async fn with_transport(
        args: &StoreArgs,
        transport: WebSocketTransport,
    ) -> Result<Self, Failure> {
        let path = args.store.clone();
        // Looked at first, so that a slip in the path makes no store.
        if !path.exists() {
            return Err(Failure::no_journal(&path));
        }
        let store = blocking::unblock(move || RedbStore::open_existing(&path)).await?;
        let session = Self::over(&args.store, store, transport).await?;
        if session.journals().await?.is_empty() {
            session.close().await;
            return Err(Failure::no_journal(&args.store));
        }
        Ok(session)
    }

    /// Opens the store, or makes one.
    pub(super) async fn new(args: &StoreArgs) -> Result<Self, Failure> {
        let path = args.store.clone();
        let store = blocking::unblock(move || RedbStore::open(&path)).await?;
        Self::over(&args.store, store, WebSocketTransport::new()).await
    }

    async fn over(path: &Path, store: RedbStore, transport: WebSocketTransport) -> Result<Self, Failure> {
        let spawner = TokioSpawner::new(tokio::runtime::Handle::current());
        let transports: Vec<Arc<dyn DynTransport>> = vec![Arc::new(transport)];
        let platform = NativePlatform::new(spawner, store.clone(), transports);
        let service = SyncService::new(platform, Config::default()).await?;
        Ok(Self { path: path.to_owned(), store, service })
    }

    /// Where the store is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn service(&self) -> &SyncService {
        &self.service
    }

    /// Entries of a journal.
    pub(super) async fn entries(&self, journal: JournalId) -> Result<u64, Failure> {
        Ok(self.store.head(journal).await?.number)
    }

    /// All journals: those that were made or joined, and in a hub's store those that it holds.
    pub(super) async fn journals(&self) -> Result<Vec<JournalId>, Failure> {
        let mut journals = self.service.journals().await?;
        journals.extend(self.store.journals().into_iter().map(|(journal, _)| journal));
        journals.sort_unstable();
        journals.dedup();
        Ok(journals)
    }

    /// The journal that is meant: the one that was given, or the only one.
    pub(super) async fn node(&self, given: Option<JournalId>) -> Result<SyncNode, Failure> {
        let journals = self.journals().await?;
        let journal = match (given, journals.as_slice()) {
            (Some(given), known) if known.contains(&given) => given,
            (Some(given), _) => {
                let store = self.path.display();
                let message = format!(
                    "there is no journal {given} in {store}: join it with `isoroot open LINK --store {store}`"
                );
                return Err(Failure::new(Exit::Store, "NO_JOURNAL", message));
            }
            (None, [only]) => *only,
            (None, []) => return Err(Failure::no_journal(&self.path)),
            (None, several) => {
                let mut message = format!(
                    "{} holds {} journals: say which one with --journal ID",
                    self.path.display(),
                    several.len()
                );
                for journal in several.iter().take(LISTED) {
                    message.push_str(&format!("\n  {journal}"));
                }
                if several.len() > LISTED {
                    message.push_str("\n  … all are listed by `isoroot journals`");
                }
                return Err(Failure::usage(message));
            }
        };
        Ok(self.service.open(journal).await?)
    }

    /// The address of the journal's hub, if its link gave one.
    pub(super) async fn hub(&self, journal: JournalId) -> Result<Option<String>, Failure> {
        let note = self.store.note(&format!("{HUB_NOTES}{journal}")).await?;
        Ok(note.and_then(|note| String::from_utf8(note).ok()))
    }

    /// Keeps the address of the link's hub, if it gives one.
    pub(super) async fn keep_hub(&self, link: &Link) -> Result<(), Failure> {
        let Some(hub) = &link.hub else { return Ok(()) };
        let key = format!("{HUB_NOTES}{}", link.journal);
        let former = self.store.note(&key).await?;
        // The store is this process's alone, so that nobody comes between.
        drop(self.store.set_note(&key, former, Some(hub.clone().into_bytes())).await?);
        Ok(())
    }

    /// Ends the service, and waits until the store has finished and let go of its file.
    pub(super) async fn close(self) {
        let Self { service, store, .. } = self;
        // Only who is closed already says no, and is what is wanted.
        drop(service.close().await);
        store.close().await;
    }
}

/// Refuses what is no address of a hub.
pub(super) fn check_hub(url: &str) -> Result<(), Failure> {
    Transport::canonical(&WebSocketTransport::new().allow_plain(true), url)?;
    Ok(())
}
