//! What is fuzzed: each decoder of bytes from elsewhere, as a function that takes any bytes.
//!
//! For the project's own runners (`tests/fuzz`, `fuzz/`), and no part of the API. A target never panics,
//! whatever it is given; an assertion that fails in it is a fault that it has found.

use crate::codec::cbor::{Reader, Writer};
use crate::crypto::sign::DeviceKey;
use crate::fact::entry::{Draft, Entry, signed_message};
use crate::fact::genesis::Genesis;
use crate::fact::link::Link;
use crate::fact::unchecked::UncheckedEntry;
use crate::fact::value::{Value, check as check_value};
use crate::ids::EpochId;
use crate::journal::file::checker::{FileChecker, FileStep};
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::journal::file::writer::FileWriter;
use crate::merkle::subtree::Root;
use crate::session::message::{ChannelMessage, Message};

/// A decoder to be fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, that of its corpus too.
    pub name: &'static str,
    /// Decodes; whether the bytes were accepted. What is accepted must be what the crate itself writes.
    pub run: fn(&[u8]) -> bool,
    /// Bytes of memory that it may hold at once for a byte of input, beside 64 KiB.
    pub memory: usize,
}

/// All targets: a decoder that comes to the crate gets a line here, a folder of seeds in `fuzz/corpus`, and
/// a file in `fuzz/fuzz_targets`.
pub const TARGETS: [Target; 7] = [
    Target { name: "entry", run: entry, memory: 4 },
    // Their values are built: an item of one byte becomes a `Value` of 32, and lists grow by doubling.
    Target { name: "facts", run: facts, memory: 80 },
    Target { name: "file", run: file, memory: 6 },
    // In a frame of entries two bytes can stand for one, which has a place of 32; those are 4,096 at most.
    Target { name: "frame", run: frame, memory: 20 },
    Target { name: "genesis", run: genesis, memory: 4 },
    Target { name: "link", run: link, memory: 4 },
    Target { name: "value", run: value, memory: 80 },
];

/// The journal and the device of the seeds.
fn beginning() -> (Genesis, DeviceKey) {
    (Genesis::named("notes"), DeviceKey::from_seed([1; 32]))
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
