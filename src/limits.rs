//! Every bound in one place, with the relations between them checked when the crate is compiled.
//!
//! Those marked *format* are part of what makes an entry an entry: they are not configurable, since
//! two devices with different bounds would hold different sets.

use core::time::Duration;

/// Format: bytes of a whole record (body and signature).
pub const RECORD_BYTES: usize = 1_048_576;
/// Format: facts of one entry.
pub const FACTS_PER_ENTRY: usize = 1_000;
/// Format: bytes of a predicate.
pub const PREDICATE_BYTES: usize = 256;
/// Format: bytes of a value's canonical encoding.
pub const VALUE_BYTES: usize = 65_536;
/// Format: depth of a value; a scalar has depth 0, a container one more than its deepest child.
pub const VALUE_DEPTH: usize = 16;
/// Format: own entries that one entry may name as coming before it.
pub const AFTER: usize = 8;
/// Format: largest entry timestamp, in microseconds since 1970; also the largest absolute value of a
/// fact's timestamp in milliseconds, and of an integral number that has one encoding as integer and float.
pub const SAFE_INTEGER: u64 = (1 << 53) - 1;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Ids that one proof is about.
pub const PROOF_IDS: usize = 10_000;
/// Parts of a proof's tree, forks and what they end in: on the way to each id at most 256 forks, each with
/// another half beside it.
pub const PROOF_TAGS: usize = 2 * 256 * PROOF_IDS + 1;

/// Bytes of one proof at most: for each fork a bit and an end of at most 4 bits and 32 bytes.
pub const PROOF_BYTES: usize = PROOF_TAGS * 33 / 2 + 64;
/// Bytes of evidence about one entry: a record, a proof, and what names them.
pub const EVIDENCE_BYTES: usize = RECORD_BYTES + 16_384;

/// From JavaScript: bytes of entries and proofs that are handed over to be judged at once.
pub const HANDED_BYTES: usize = 64 * 1_048_576;

/// How far an entry's timestamp may lie beyond the local wall clock without counting as ahead.
pub const AHEAD: Duration = Duration::from_secs(300);
/// How long it takes at most until a jump of the wall clock is noticed while entries are held back.
pub const DUE_CHECK: Duration = Duration::from_secs(60);

/// Bytes of a Bloom filter's bits.
pub const BLOOM_BYTES: usize = 1_048_576;
/// Bits of a Bloom filter that stand for one pair.
pub const BLOOM_HASHES: u32 = 32;

/// Wire: bytes of one frame.
pub const FRAME_BYTES: usize = 65_536;
/// Wire: bytes of entries that a frame of entries aims at; leaves room for the frame's own head.
pub const FRAME_PAYLOAD_BYTES: usize = 60_000;
/// Wire: bytes of a frame accepted before the peer has authenticated.
pub const HANDSHAKE_FRAME_BYTES: usize = 1_024;
/// Wire: bytes of the address that was dialled, as sent in the hello.
pub const ADDRESS_BYTES: usize = 300;
/// Wire: channels open at once on one connection.
pub const CHANNELS: usize = 1_000;
/// Wire: prefixes in one question of a descent.
pub const PREFIXES_PER_ASK: usize = 96;
/// Wire: a subtree with at most this many entries is answered by its ids.
pub const IDS_PER_NODE: u64 = 16;
/// Wire: entries in one frame.
pub const ENTRIES_PER_FRAME: usize = 4_096;
/// Wire: coded symbols in one frame, of 11 bytes each.
pub const CELLS_PER_FRAME: usize = 5_400;
/// Wire: coded symbols of one row that are asked for, at most.
pub const CELLS_PER_ROW: usize = 16_384;
/// Wire: coded symbols that are asked for in one round, at most.
pub const CELLS_PER_ROUND: u64 = 524_288;
/// Channels that a peer may open in a connection at once, one after the other …
pub const OPENINGS: u32 = 2_048;
/// … and how many more each second.
pub const OPENINGS_PER_SECOND: u32 = 20;
/// Ids that may be looked at for a peer at once, beside 32 for each entry of the journal …
pub const STEPS: u64 = 4_194_304;
/// … and how many more each second, beside a quarter of one for each entry.
pub const STEPS_PER_SECOND: u64 = 262_144;
/// Wire: prefixes that may be asked about in one round, beside one for each entry of the journal.
pub const ASKED_PER_ROUND: u64 = 4_096;
/// Wire: entries that a peer may send in one channel though they are here, beside two for each that the journal
/// has.
pub const REPEATED_ENTRIES: u64 = 65_536;
/// Wire: differences that a part of the id space is to have, where there are too many for one row of cells.
pub const DIFFERENCES_PER_PART: u64 = 4_096;
/// Wire: entries of a journal that may be listed by their short ids.
pub const LISTED_IDS: u64 = 16_384;
/// Wire: ids in one frame.
pub const IDS_PER_FRAME: usize = 1_900;
/// Wire: differences gathered before the entries themselves travel; the rest is found in a next round.
pub const IDS_PER_ROUND: usize = 65_536;
/// Wire: entries that a peer may want in one round, counted as often as they are wanted.
pub const WANTED_PER_ROUND: usize = 2 * IDS_PER_ROUND;
/// Wire: bytes that a channel may send before the peer has committed any of them.
pub const CREDIT_BYTES: u64 = 262_144;
/// Wire: bytes that all channels of a connection may send together before the peer has committed any.
pub const CONNECTION_CREDIT_BYTES: u64 = 4 * 1_048_576;
/// Wire: messages of one channel that say nothing new.
pub const EMPTY_MESSAGES: u32 = 32;
/// Wire: rounds of a sync that end without a new entry before it is given up.
pub const FRUITLESS_ROUNDS: u32 = 3;
/// Wire: rounds of a sync, fruitful or not.
pub const ROUNDS: u32 = 256;
/// Bytes of records of the last entries of all journals that are kept in memory for peers.
pub const RECENT_BYTES: usize = 262_144;
/// Bundles of entries of one connection that are checked at the same time.
pub const CHECKS: usize = 3;
/// Bytes queued towards one peer at which it counts as not reading.
pub const QUEUE_BYTES: usize = 4 * 1_048_576;
/// Bytes queued towards one peer at which no further entries are read from the store for it.
pub const QUEUE_FEED_BYTES: usize = 262_144;

/// Entries that one append to the store takes at most.
pub const COMMIT_ENTRIES: usize = 2_048;
/// Bytes that one append to the store aims at.
pub const COMMIT_BYTES: usize = 2 * 1_048_576;
/// Entries that are signed in one slice of work.
pub const SIGN_SLICE: usize = 64;
/// Compare-and-set appends that may fail in a row before an append is refused as contended.
pub const COMMIT_ATTEMPTS: u32 = 16;

/// Files: bytes of a genesis.
pub const GENESIS_BYTES: usize = 1_024;
/// Files: entries that are checked and handed on together.
pub const FILE_BATCH_ENTRIES: usize = 512;
/// Files: bytes of records at which a batch is full.
pub const FILE_BATCH_BYTES: usize = 1_048_576;

/// Entries behind a journal's checkpoint from which on it is gone on with …
pub const CHUNK_ENTRIES: usize = 4_096;
/// … or the bytes that they take there …
pub const CHUNK_BYTES: usize = 1_048_576;
/// … or, when the journal is closed, fewer entries: to decode so many takes about a millisecond.
pub const CHUNK_ENTRIES_MIN: usize = 256;
/// Format of a checkpoint: entries of one chunk.
pub const CHUNK_ENTRIES_MAX: usize = 65_536;
/// Entries that a journal in memory takes in at once.
pub const ABSORB_ENTRIES: usize = 2_048;

/// Commands that wait for the command loop.
pub const MAILBOX: usize = 64;
/// Facts or entries of one page.
pub const PAGE: usize = 256;
/// Bytes of records at which a page ends before it is full.
pub const PAGE_BYTES: usize = 4 * 1_048_576;
/// Entries and facts that are looked at for one page, in memory; what is left is for the next.
pub const SEARCH_STEPS: usize = 32_768;
/// Entries between a reader and the head of the log at which a watch says that it lags behind.
pub const LAG: u64 = 1_024;
/// Largest page a caller may ask for.
pub const PAGE_MAX: usize = 10_000;
/// Devices that broke the protocol and are remembered for it.
pub const PUT_ASIDE: usize = 1_024;
/// Peers that a node keeps.
pub const PEERS: usize = 1_024;

/// To open a transport connection.
pub const CONNECT: Duration = Duration::from_secs(10);
/// From the open transport to the authenticated peer.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// From a question to the peer's next sign of progress.
pub const REPLY: Duration = Duration::from_secs(30);
/// To find the difference of one round, however lively the peer is.
pub const COMPARE: Duration = Duration::from_secs(600);
/// Silence after which a ping is sent.
pub const PING: Duration = Duration::from_secs(20);
/// Silence after which the peer counts as gone.
pub const DEAD: Duration = Duration::from_secs(45);
/// Without a journal for so long, a connection that was accepted is closed.
pub const IDLE: Duration = Duration::from_secs(60);
/// First wait after a failed connection; doubles with each failure in a row.
pub const BACK_OFF: Duration = Duration::from_secs(1);
/// Longest wait after failed connections.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// Wait after a breach of protocol.
pub const BREACH_BACK_OFF: Duration = Duration::from_secs(900);
/// How long a device that broke the protocol is turned away when it connects. Short: somebody in between can
/// make honest ones look so.
pub const TURNED_AWAY: Duration = Duration::from_secs(60);
/// How long a failing store is left alone before its news are asked for again.
pub const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long a stop waits for tasks that were asked to end.
pub const DRAIN: Duration = Duration::from_secs(2);

const _: () = {
    assert!(VALUE_BYTES < RECORD_BYTES);
    assert!(FRAME_PAYLOAD_BYTES + 4_096 < FRAME_BYTES);
    assert!(IDS_PER_FRAME * 34 + 64 < FRAME_BYTES);
    assert!(CELLS_PER_FRAME * 11 + 64 < FRAME_BYTES);
    assert!(HANDSHAKE_FRAME_BYTES > ADDRESS_BYTES + 256);
    // A node's answer lists 16 children of at most 45 bytes each, or its ids.
    assert!(PREFIXES_PER_ASK * (16 * 42 + 8) < FRAME_BYTES);
    assert!(PREFIXES_PER_ASK as u64 * (IDS_PER_NODE * 34 + 8) < FRAME_BYTES as u64);
    assert!(PING.as_secs() * 2 < DEAD.as_secs());
    assert!(REPLY.as_secs() < COMPARE.as_secs());
    assert!(BACK_OFF.as_secs() < BACK_OFF_MAX.as_secs());
    // What is idle is not taken for dead before.
    assert!(DEAD.as_secs() < IDLE.as_secs());
    assert!(PAGE <= PAGE_MAX);
    // Looking up what is rare leaves half of the steps for the search itself.
    assert!(PAGE <= SEARCH_STEPS / 4);
    assert!(QUEUE_FEED_BYTES + 2 * RECORD_BYTES < QUEUE_BYTES);
    assert!(CREDIT_BYTES < CONNECTION_CREDIT_BYTES);
    assert!(OPENINGS as usize > CHANNELS && OPENINGS_PER_SECOND > 0);
    assert!(FILE_BATCH_ENTRIES <= COMMIT_ENTRIES && FILE_BATCH_BYTES <= COMMIT_BYTES);
    assert!(CHUNK_ENTRIES_MIN < CHUNK_ENTRIES);
    assert!(CHUNK_ENTRIES + COMMIT_ENTRIES <= CHUNK_ENTRIES_MAX);
    assert!(CHUNK_ENTRIES + ABSORB_ENTRIES <= CHUNK_ENTRIES_MAX);
};
