//! What is fuzzed: each decoder of bytes from elsewhere, as a function that takes any bytes.
//!
//! For the project's own runners (`tests/fuzz`, `fuzz/`), and no part of the API. A target never panics,
//! whatever it is given; an assertion that fails in it is a fault that it has found.

mod between;
mod node;
mod session;
#[cfg(test)]
mod swaps;

use std::sync::LazyLock;

use crate::codec::cbor::{Reader, Writer};
use crate::crypto::hash::plain;
use crate::crypto::sign::DeviceKey;
use crate::fact::bloom::BloomFilter;
use crate::fact::entry::{Draft, Entry, signed_message};
use crate::fact::genesis::Genesis;
use crate::fact::link::Link;
use crate::fact::statement::Fact;
use crate::fact::unchecked::UncheckedEntry;
use crate::fact::value::{Value, check as check_value};
use crate::ids::{EntryId, EpochId};
use crate::journal::checkpoint::chunk::{self, ChunkWriter};
use crate::journal::checkpoint::head::{Head, sealed};
use crate::journal::evidence::{Evidence, EvidenceError, Verdict};
use crate::journal::file::checker::{FileChecker, FileStep};
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::journal::file::writer::FileWriter;
use crate::limits::HANDSHAKE_FRAME_BYTES;
use crate::merkle::map::MerkleMap;
use crate::merkle::proof::{Proof, ProofError};
use crate::merkle::subtree::Root;
use crate::session::message::{ChannelMessage, Message};

pub use session::{middle, session, taken, wire_types};

/// A decoder to be fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, that of its corpus too.
    pub name: &'static str,
    /// Decodes; whether the bytes were accepted. What is accepted must be what the crate itself writes.
    pub run: fn(&[u8]) -> bool,
    /// Bytes of memory that it may hold at once for a byte of input, beside `ground`.
    pub memory: usize,
    /// Bytes of memory that it may hold whatever it is given.
    pub ground: usize,
}

/// Memory that a decoder may hold whatever it is given.
const GROUND: usize = 65_536;
/// The same for two nodes, with their journals and what is on its way between them: what waits for a peer that
/// does not read, and what is being checked and stored.
const NODES: usize = 16 * 1_048_576;

/// All targets: a decoder that comes to the crate gets a line here, a folder of seeds in `fuzz/corpus`, and
/// a file in `fuzz/fuzz_targets`.
pub const TARGETS: [Target; 13] = [
    Target { name: "bloom", run: bloom, memory: 4, ground: GROUND },
    // An entry of six bytes has a summary of some 120, and an id.
    Target { name: "checkpoint", run: checkpoint, memory: 240, ground: GROUND },
    Target { name: "entry", run: entry, memory: 4, ground: GROUND },
    Target { name: "evidence", run: evidence, memory: 16, ground: GROUND },
    // Their values are built: an item of one byte becomes a `Value` of 32, and lists grow by doubling.
    Target { name: "facts", run: facts, memory: 80, ground: GROUND },
    Target { name: "file", run: file, memory: 6, ground: GROUND },
    Target { name: "frame", run: frame, memory: 4, ground: GROUND },
    Target { name: "genesis", run: genesis, memory: 4, ground: GROUND },
    Target { name: "link", run: link, memory: 4, ground: GROUND },
    Target { name: "middle", run: middle, memory: 0, ground: NODES },
    // A part of its tree can be one bit, and has a byte in a list that grows by doubling.
    Target { name: "proof", run: proof, memory: 64, ground: GROUND },
    Target { name: "session", run: session, memory: 0, ground: NODES },
    Target { name: "value", run: value, memory: 80, ground: GROUND },
];

/// The journal and the device of the seeds.
fn beginning() -> (Genesis, DeviceKey) {
    (Genesis::named("notes"), DeviceKey::from_seed([1; 32]))
}

/// A Bloom filter.
pub fn bloom(data: &[u8]) -> bool {
    let Ok(filter) = BloomFilter::from_bytes(data) else { return false };
    assert!(filter.to_bytes() == data, "a filter has one form");
    assert!((0.0..=1.0).contains(&filter.rate_now()), "a share");
    let mut more = filter.clone();
    let (predicate, value) = ("note", Value::Bytes(data.get(..8).unwrap_or_default().to_vec()));
    let was_in = more.might_contain(predicate, &value);
    assert!(more.insert(predicate, &value) == Ok(!was_in), "what is new was not in");
    assert!(more.might_contain(predicate, &value), "nothing that is in is denied");
    assert!(more.count() == filter.count() + u64::from(!was_in), "the new are counted");
    assert!(more.merge(&filter).is_ok() && more.might_contain(predicate, &value), "two are one");
    assert!(BloomFilter::from_bytes(&more.to_bytes()).is_ok(), "what is written can be read");
    true
}

/// The body of a checkpoint's head or chunk, sealed here, so that what lies behind its hash is reached.
pub fn checkpoint(body: &[u8]) -> bool {
    let journal = beginning().0.journal();
    let note = sealed(body.to_vec(), journal, &[]);
    let head = Head::read(journal, &note);
    if let Ok(head) = &head {
        assert!(head.write(journal) == note, "a head has one form");
    }
    // Entries with such ids are as many as there are numbers.
    let id = |number: u64| {
        let mut id = [7; EntryId::LEN];
        if let Some(leading) = id.first_chunk_mut() {
            *leading = number.to_be_bytes();
        }
        EntryId::from_bytes(id)
    };
    let number_of = |of: &EntryId| {
        let number = of.as_bytes().first_chunk().copied().map(u64::from_be_bytes)?;
        (number > 0 && id(number) == *of).then_some(number)
    };
    let Ok((first, last)) = chunk::extent(body) else { return head.is_ok() };
    let ids: Vec<_> = (first..=last).map(id).collect();
    let bytes: Vec<_> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
    let note = sealed(body.to_vec(), journal, &bytes);
    let Ok(summaries) = chunk::read(journal, &note, &ids, |number| Some(id(number)), number_of) else {
        return head.is_ok();
    };
    assert!(summaries.iter().map(|summary| summary.id).eq(ids.iter().copied()), "each has its id");
    let mut writer = ChunkWriter::new(first);
    for summary in &summaries {
        writer.push(summary, number_of);
    }
    assert!(writer.finish(journal, &ids) == note, "a chunk has one form");
    true
}

/// A record as it comes from a peer.
pub fn entry(data: &[u8]) -> bool {
    let journal = beginning().0.journal();
    let checked = UncheckedEntry::new(data.to_vec()).check(&journal);
    if let Ok(entry) = &checked {
        assert!(entry.record() == data, "a record stays as it came");
        assert!(UncheckedEntry::new(data.to_vec()).reload(&journal, &entry.id()).is_ok());
    }
    checked.is_ok()
}

/// Entries of the journal that evidence of the seeds is about; the last of them is not in.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let (genesis, key) = beginning();
    let drafts = (0..9).map(|number| Draft::new(key.device(), &[Fact::new("note", number)]));
    let entries = drafts.flatten().map(|draft| Entry::sign(&genesis.journal(), &key, &[], 1, &draft));
    entries.flatten().collect()
});

/// Evidence about an entry.
pub fn evidence(data: &[u8]) -> bool {
    let Ok(evidence) = Evidence::from_bytes(data) else { return false };
    assert!(evidence.to_bytes() == data, "evidence has one form");
    let is_in = |id: &EntryId| ENTRIES.iter().take(8).any(|entry| entry.id() == *id);
    let map = MerkleMap::from_ids(ENTRIES.iter().take(8).map(Entry::id).collect());
    match evidence.verify(&map.root().hash) {
        Ok(Verdict::In(entry)) => assert!(is_in(&entry.id()) && ENTRIES.contains(&entry), "it is in"),
        Ok(Verdict::NotIn(id)) => assert!(!is_in(&id), "it is not in"),
        Err(_) => {}
    }
    // What it claims holds for some root: then all that is left is the entry itself.
    let Ok(claimed) = evidence.claimed_root() else { return false };
    match evidence.verify(&claimed.hash) {
        Ok(Verdict::In(entry)) => {
            assert!(evidence.claims_in() && entry.id() == evidence.id(), "that entry");
        }
        Ok(Verdict::NotIn(id)) => assert!(!evidence.claims_in() && id == evidence.id(), "that id"),
        // A proof holds for the root that it claims, but may show the opposite.
        Err(EvidenceError::Proof(ProofError::Absent | ProofError::Present)) => {}
        Err(error) => {
            let entry = matches!(error, EvidenceError::Entry(_) | EvidenceError::OtherEntry { .. });
            assert!(entry && evidence.claims_in(), "what is left is the entry");
        }
    }
    true
}

/// The body of an entry, signed here, so that what lies behind the check of signatures is reached too.
pub fn facts(body: &[u8]) -> bool {
    let (genesis, key) = beginning();
    let journal = genesis.journal();
    let signature = key.sign(&signed_message(&journal, &EpochId::from(journal), body));
    let record = [body, &signature].concat();
    let alone = UncheckedEntry::new(record.clone()).check(&journal);
    let batch = vec![UncheckedEntry::new(record)];
    assert!(
        UncheckedEntry::check_all(&journal, batch) == core::slice::from_ref(&alone),
        "alone and in a batch one verdict"
    );
    let Ok(entry) = alone else { return false };
    let facts = entry.facts().unwrap_or_default();
    let draft = Draft::new(entry.device(), &facts);
    assert!(draft.is_ok(), "what was checked can be read");
    let again = draft.map(|draft| Entry::sign(&journal, &key, entry.after(), entry.timestamp(), &draft));
    assert!(again == Ok(Ok(entry)), "an entry has one form");
    true
}

/// The file of a journal, which comes whole, and then once more in pieces.
pub fn file(data: &[u8]) -> bool {
    let whole = read_file(data, data.len().max(1));
    let pieces = read_file(data, usize::from(data.last().copied().unwrap_or(1)).max(1));
    assert!(whole == pieces, "a file is the same however it is cut");
    let (header, entries, Ok(root)) = whole else { return false };
    assert!(header.is_some(), "an end without a head");
    let mut again = Vec::with_capacity(data.len());
    if let Some(header) = header {
        let mut writer = FileWriter::begin(&header, &mut again);
        for entry in &entries {
            writer.entry(entry, &mut again);
        }
        assert!(writer.end(&root, &mut again).is_ok());
    }
    assert!(again == data, "a file has one form");
    true
}

type FileFound = (Option<FileHeader>, Vec<Entry>, Result<Root, FileError>);

fn read_file(data: &[u8], size: usize) -> FileFound {
    let mut checker = FileChecker::new();
    let mut found = (None, Vec::new());
    let mut step = |checker: &mut FileChecker, step| match step {
        FileStep::Header(header) => {
            found.0 = Some(header);
            None
        }
        FileStep::Check(batch) => {
            found.1.extend(checker.settle(batch.check()));
            None
        }
        FileStep::End(root) => Some(root),
    };
    let mut read = || {
        for mut piece in data.chunks(size) {
            while let Some(next) = checker.read(&mut piece)? {
                assert!(step(&mut checker, next).is_none(), "the end is told at the end");
            }
            assert!(piece.is_empty(), "what is not read is lost");
        }
        loop {
            let next = checker.finish()?;
            if let Some(root) = step(&mut checker, next) {
                return Ok(root);
            }
        }
    };
    let end = read();
    (found.0, found.1, end)
}

/// A frame of the wire.
pub fn frame(data: &[u8]) -> bool {
    let Ok(message) = Message::decode(data) else { return false };
    assert!(message.encode() == data, "a message has one form");
    assert!(matches!(&message, Message::Channel { .. }) || data.len() <= HANDSHAKE_FRAME_BYTES, "short");
    if let Message::Channel { message: ChannelMessage::Entries(bundle), .. } = message {
        // Whatever it expands to is checked afterwards.
        drop(bundle.expand(&beginning().0.journal()));
    }
    true
}

/// The beginning of a journal.
pub fn genesis(data: &[u8]) -> bool {
    let Ok(genesis) = Genesis::from_bytes(data) else { return false };
    assert!(genesis.to_bytes() == data, "a genesis has one form");
    true
}

/// A link, as a person pastes it.
pub fn link(data: &[u8]) -> bool {
    let Ok(link) = String::from_utf8_lossy(data).parse::<Link>() else { return false };
    assert!(link.to_string().parse() == Ok(link), "a link comes back from its text");
    true
}

/// The map that proofs of the seeds are of: ids all over, and such as begin alike.
static MAP: LazyLock<MerkleMap> = LazyLock::new(|| MerkleMap::from_ids((0..40).map(proved_id).collect()));

/// The first 40 are in the map; those from 40 on are not.
fn proved_id(number: u8) -> EntryId {
    let mut id = plain(&[&[number]]);
    if number % 5 == 4 {
        let alike = [0x5A; 20];
        id.iter_mut().zip(alike).for_each(|(byte, alike)| *byte = alike);
    }
    EntryId::from_bytes(id)
}

/// What proofs of the seeds are asked.
static QUESTIONS: LazyLock<[Vec<EntryId>; 7]> = LazyLock::new(|| {
    [vec![0], vec![40], vec![47], vec![4], vec![44], vec![1, 4, 9, 42, 44], (0..60).collect()].map(
        |numbers| {
            let mut ids: Vec<_> = numbers.into_iter().map(proved_id).collect();
            ids.sort_unstable();
            ids
        },
    )
});

/// A proof.
pub fn proof(data: &[u8]) -> bool {
    let Ok(proof) = Proof::from_bytes(data) else { return false };
    assert!(proof.to_bytes() == data, "a proof has one form");
    let root = MAP.root();
    let mut is_about_one = false;
    for question in QUESTIONS.iter() {
        let answers = proof.verify(&root.hash, question);
        if let Ok(answers) = &answers {
            assert!(question.iter().map(|id| MAP.contains(id)).eq(answers.iter().copied()), "what is so");
            assert!(MAP.prove(question).as_ref() == Ok(&proof), "a question has one proof");
        }
        let Ok(claimed) = proof.claimed_root(question) else { continue };
        is_about_one = true;
        assert!(claimed.count == proof.count(), "the count is in the root");
        assert!(proof.verify(&claimed.hash, question).is_ok(), "a proof holds for the root that it claims");
        assert!((claimed == root) == answers.is_ok(), "and for no other");
    }
    is_about_one
}

/// A value of a fact.
pub fn value(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    if check_value(&mut reader).is_err() || reader.end().is_err() {
        return false;
    }
    let value = Value::decode(&mut Reader::new(data));
    let mut writer = Writer::new();
    assert!(value.is_ok_and(|value| value.encode(&mut writer).is_ok()), "what was checked can be built");
    assert!(writer.as_bytes() == data, "a value has one form");
    true
}
