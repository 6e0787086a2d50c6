//! The traits through which clocks, timers, entropy, tasks, connections and storage come in.
//!
//! Implementers write `async fn`; the declared form `impl Future + MaybeSend` only adds that the
//! future can move between threads where there are any.

use core::time::Duration;
use std::sync::Arc;

use crate::error::{StoreError, TransportError};
use crate::ids::{Cursor, EntryId, JournalId, StoreId};
use crate::platform::send::{BoxFuture, MaybeSend, MaybeSync};
use crate::time::{Instant, Now, WallTime};

/// Reads both clocks.
pub trait Clock: MaybeSend + MaybeSync + 'static {
    /// The monotonic clock: never goes back.
    fn monotonic(&self) -> Instant;

    /// The wall clock: may jump either way.
    fn wall(&self) -> WallTime;

    /// The wall clock, nothing if it can't be read or stands outside the range of timestamps: for those who
    /// would rather not judge than judge by a wrong time. By default it always can.
    fn try_wall(&self) -> Option<WallTime> {
        Some(self.wall())
    }

    /// Both.
    fn now(&self) -> Now {
        Now { monotonic: self.monotonic(), wall: self.wall() }
    }
}

/// Waits for times of the monotonic [`Clock`].
pub trait Timer: MaybeSend + MaybeSync + 'static {
    /// Resolves after at least `duration`. Dropping the future cancels it and frees what it held.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + MaybeSend;
}

/// A source of random bytes fit for keys failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct EntropyError(pub String);

/// Random bytes fit for keys.
pub trait Entropy: MaybeSend + MaybeSync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the source fails; `bytes` must not be used then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// Runs tasks and long computations.
pub trait Spawner: MaybeSend + MaybeSync + 'static {
    /// Runs `future` to its end, detached. `name` is for diagnosis.
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>);

    /// Runs a computation of many milliseconds where it does not hold up other tasks: on a pool of
    /// threads where there are any, else at once.
    fn compute<T: MaybeSend + 'static>(
        &self,
        work: impl FnOnce() -> T + MaybeSend + 'static,
    ) -> impl Future<Output = T> + MaybeSend;
}

/// The sending half of a connection.
pub trait FrameSender: MaybeSend + 'static {
    /// Sends one frame of at most [`FRAME_BYTES`](crate::limits::FRAME_BYTES); resolves when the
    /// transport can take the next one, which is its back-pressure. A dropped future has sent the
    /// frame whole or not at all.
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Says goodbye with a short reason, after everything that was sent. The connection is over then.
    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()>;
}

/// The receiving half of a connection.
pub trait FrameReceiver: MaybeSend + 'static {
    /// The next frame in the order of sending, whole; nothing when the peer closed in good order.
    ///
    /// A frame over the limit is an error that comes before memory is taken for it. Dropping the
    /// future loses no frame. After the end it stays at nothing.
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>>;
}

/// An open connection: an ordered, reliable stream of frames each way.
///
/// Dropping either half ends it: what was sent before is delivered if it can be, and the other side
/// then sees it broken. To part in good order, [`close`](FrameSender::close) first.
pub struct Connection {
    /// The sending half.
    pub sender: Box<dyn FrameSender>,
    /// The receiving half.
    pub receiver: Box<dyn FrameReceiver>,
    /// Bytes that both ends of this very connection share and nobody else has, such as both DTLS
    /// fingerprints; empty where the transport has none. Signed in the handshake.
    pub binding: Vec<u8>,
    /// The other end as the transport names it, for diagnosis only.
    pub remote: String,
}

/// Opens connections.
pub trait Transport: MaybeSend + MaybeSync + 'static {
    /// Whether addresses of this form are dialled by this transport.
    fn handles(&self, address: &str) -> bool;

    /// The canonical form of an address, which both ends of a handshake sign: for hosts, lower-case
    /// `host:port` with the default port filled in.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    fn canonical(&self, address: &str) -> Result<String, TransportError>;

    /// Opens a connection.
    fn connect(&self, address: &str) -> impl Future<Output = Result<Connection, TransportError>> + MaybeSend;
}

/// [`Transport`] behind a pointer, since one node mixes kinds. Every transport is one.
pub trait DynTransport: MaybeSend + MaybeSync + 'static {
    /// See [`Transport::handles`].
    fn handles(&self, address: &str) -> bool;

    /// See [`Transport::canonical`].
    ///
    /// # Errors
    /// [`TransportError::Address`].
    fn canonical(&self, address: &str) -> Result<String, TransportError>;

    /// See [`Transport::connect`].
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Connection, TransportError>>;
}

impl<T: Transport> DynTransport for T {
    fn handles(&self, address: &str) -> bool {
        Transport::handles(self, address)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        Transport::canonical(self, address)
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Connection, TransportError>> {
        Box::pin(Transport::connect(self, address))
    }
}

/// Accepts connections.
pub trait Listener: MaybeSend + 'static {
    /// The next connection, ready to carry frames. Nothing when the listener has been closed.
    fn accept(&mut self) -> impl Future<Output = Option<Connection>> + MaybeSend;
}

/// When an append counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it survives a power cut, as far as the system keeps its word about flushing.
    #[default]
    Strict,
    /// When the store has it: a kill or a power cut may lose the last appends, never tear them.
    Relaxed,
}

/// A record as a store keeps it: an entry's id and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The entry's id.
    pub id: EntryId,
    /// Its bytes, as signed.
    pub bytes: Arc<[u8]>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// All of it is durable; the cursor is the new head.
    Done(Cursor),
    /// None of it happened: the head is no longer the expected one, but this.
    Behind(Cursor),
}

/// Keeps the records of journals in the order of commit, and small notes.
///
/// # Contract
/// - An entry's *number* in a journal is its place in the order of commit here: 1, 2, 3 … without gaps.
/// - [`append`](Self::append) is atomic, and happens only if the head is still `at`. It resolves when
///   the entries are as durable as asked.
/// - Who has seen number *k* never later sees a new entry at or below *k*.
/// - The caller keeps ids unique: before appending at `at` it has read everything up to `at`.
/// - A failed write is final: every later write fails too, until the store has been opened again.
/// - A store must not assume that it has one writer, that entries come in any order of id or time,
///   or that a journal fits in memory. It knows nothing of facts.
///
/// Handles are cheap clones. [`conformance`](crate::platform::conformance) holds every store to this.
pub trait Store: Clone + MaybeSend + MaybeSync + 'static {
    /// Its id, drawn at random when it was made: never that of a store that was there before it. All its
    /// cursors name it.
    fn id(&self) -> StoreId;

    /// The journal's last number, 0 if it has no entries or is unknown.
    fn head(&self, journal: JournalId) -> impl Future<Output = Result<Cursor, StoreError>> + MaybeSend;

    /// Appends `entries` if the head's number is still `at`, as one atom. None to append is `Done`,
    /// whatever the head. Once polled it may happen, also if the future is dropped.
    fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> impl Future<Output = Result<AppendOutcome, StoreError>> + MaybeSend;

    /// The entries from number `from` on (0 and 1 both mean the first), in order, as many as take at
    /// most `max_bytes` in all; at least one if there is one.
    fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<(u64, StoredRecord)>, StoreError>> + MaybeSend;

    /// The entries with these numbers, in the order asked for. A number beyond the head is left out.
    fn fetch(
        &self,
        journal: JournalId,
        numbers: Vec<u64>,
    ) -> impl Future<Output = Result<Vec<(u64, StoredRecord)>, StoreError>> + MaybeSend;

    /// The ids of the entries from number `from` on, in order, at most `max`.
    fn ids(
        &self,
        journal: JournalId,
        from: u64,
        max: usize,
    ) -> impl Future<Output = Result<Vec<EntryId>, StoreError>> + MaybeSend;

    /// Resolves when the journal's head is beyond `after`, with the new head. Dropping it cancels.
    fn changed(
        &self,
        journal: JournalId,
        after: u64,
    ) -> impl Future<Output = Result<Cursor, StoreError>> + MaybeSend;

    /// The note under `key`.
    fn note(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + MaybeSend;

    /// Replaces the note under `key` by `value` (nothing removes it), durably, if it still is
    /// `expected`. The answer is nothing when done, else the note as it is now.
    fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> impl Future<Output = Result<Result<(), Option<Vec<u8>>>, StoreError>> + MaybeSend;

    /// All notes whose keys start with `prefix`, in the order of their keys.
    fn notes(
        &self,
        prefix: &str,
    ) -> impl Future<Output = Result<Vec<(String, Vec<u8>)>, StoreError>> + MaybeSend;
}

/// Everything that a node needs from its surroundings, in one parameter.
pub trait Platform: MaybeSend + MaybeSync + 'static {
    /// Its clock.
    type Clock: Clock;
    /// Its timer.
    type Timer: Timer;
    /// Its source of entropy.
    type Entropy: Entropy;
    /// Its spawner.
    type Spawner: Spawner;
    /// Its store.
    type Store: Store;

    /// The clock.
    fn clock(&self) -> &Self::Clock;
    /// The timer.
    fn timer(&self) -> &Self::Timer;
    /// The source of entropy.
    fn entropy(&self) -> &Self::Entropy;
    /// The spawner.
    fn spawner(&self) -> &Self::Spawner;
    /// The store.
    fn store(&self) -> &Self::Store;
    /// The transports, asked in this order which of them dials an address.
    fn transports(&self) -> &[Arc<dyn DynTransport>];
}
