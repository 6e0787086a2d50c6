//! Files of journals: every journal comes back from its file, however the bytes are cut, and nothing but the
//! one form of a whole file passes (C12).

#![cfg(not(target_arch = "wasm32"))]

mod forge;

use forge::{EntryParts, FactParts, journal, key};
use isoroot::{
    CheckedBatch, Draft, Entry, EntryError, EntryId, Fact, FileChecker, FileError, FileHeader, FileItem,
    FileReader, FileStep, FileWriter, Genesis, GenesisError, JournalId, MerkleMap, Root, UncheckedEntry,
    limits,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn genesis() -> Genesis {
    Genesis::named("notes")
}

/// So many entries of one device, each behind the one before.
fn entries(count: usize) -> Vec<Entry> {
    let (journal, key) = (journal(), key(1));
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    for n in 0..count as u64 {
        let draft = Draft::new(key.device(), &[Fact::new(format!("note/{n}"), n as i64)]).unwrap();
        let after: Vec<_> = entries.last().map(Entry::id).into_iter().collect();
        entries.push(Entry::sign(&journal, &key, &after, n + 1, &draft).unwrap());
    }
    entries
}

fn root(entries: &[Entry]) -> Root {
    MerkleMap::from_ids(entries.iter().map(Entry::id).collect()).root()
}

/// The file of these entries by the crate's writer.
fn file(header: &FileHeader, entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = FileWriter::begin(header, &mut out);
    for entry in entries {
        writer.entry(entry, &mut out);
    }
    writer.end(&root(entries), &mut out).unwrap();
    out
}

/// A file put together by hand, with a right hash whatever the rest says.
fn forged(genesis: &[u8], records: &[Vec<u8>], count: u64, root: &[u8; 32]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
    let mut out = [&b"\x89isoroot\x01"[..], journal().as_bytes(), &length(genesis.len()), genesis].concat();
    for record in records {
        out.extend_from_slice(&length(record.len()));
        out.extend_from_slice(record);
    }
    out.extend_from_slice(&[&[0; 4][..], &count.to_be_bytes(), root].concat());
    let hash = Sha256::digest(&out);
    [out, hash.to_vec()].concat()
}

/// What a checker finds in a file that comes in these pieces: its head, its sound entries, how it ends.
struct Found {
    header: Option<FileHeader>,
    entries: Vec<Entry>,
    end: Result<Root, FileError>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
    let mut checker = FileChecker::new();
    let mut found = Found { header: None, entries: Vec::new(), end: Ok(Root::EMPTY) };
    let mut step = |checker: &mut FileChecker, step| match step {
        FileStep::Header(header) => {
            assert!(found.header.replace(header).is_none() && found.entries.is_empty());
            None
        }
        FileStep::Check(batch) => {
            let checked: CheckedBatch = batch.check();
            found.entries.extend(checker.settle(checked));
            None
        }
        FileStep::End(root) => Some(root),
    };
    let ended = (|| {
        for mut piece in pieces {
            while let Some(next) = checker.read(&mut piece)? {
                assert!(step(&mut checker, next).is_none(), "an end before the end");
            }
            assert!(piece.is_empty());
        }
        loop {
            let next = checker.finish()?;
            if let Some(root) = step(&mut checker, next) {
                return Ok(root);
            }
        }
    })();
    assert_eq!(checker.entries(), found.entries.len() as u64);
    if let Err(error) = &ended {
        // What has failed stays failed.
        assert_eq!(checker.finish().err().as_ref(), Some(error));
    }
    found.end = ended;
    found
}

fn ids(entries: &[Entry]) -> Vec<EntryId> {
    entries.iter().map(Entry::id).collect()
}

#[test]
fn c12_a_journal_comes_back_from_its_file_however_it_is_cut() {
    let entries = entries(40);
    for header in [FileHeader::of(genesis()), FileHeader::of_joined(journal())] {
        for count in [0, 1, 2, 40] {
            let entries = &entries[..count];
            let file = file(&header, entries);
            for size in [1, 2, 3, 7, 64, 1_000, file.len()] {
                let found = read(file.chunks(size));
                assert_eq!(found.header.as_ref(), Some(&header));
                assert_eq!(found.entries, entries, "pieces of {size}");
                assert_eq!(found.end, Ok(root(entries)), "pieces of {size}");
            }
        }
    }
}

#[test]
fn c12_ten_thousand_entries_come_back_in_batches() {
    let entries = entries(10_000);
    let file = file(&FileHeader::of(genesis()), &entries);
    let found = read(file.chunks(50_000));
    assert_eq!(found.end, Ok(root(&entries)));
    assert_eq!(ids(&found.entries), ids(&entries));
}

#[test]
fn c12_every_truncation_is_noticed_and_leaves_whole_entries() {
    let entries = entries(3);
    let file = file(&FileHeader::of(genesis()), &entries);
    let ends: Vec<_> = entries
        .iter()
        .scan(9 + 32 + 4 + 39, |end, entry| {
            *end += 4 + entry.record().len();
            Some(*end)
        })
        .collect();
    for len in 0..file.len() {
        let whole = ends.iter().filter(|end| **end <= len).count();
        let found = read(file[..len].chunks(11));
        let incomplete = FileError::Incomplete { offset: len as u64, entries: whole as u64 };
        assert_eq!(found.end, Err(incomplete), "{len} bytes");
        assert_eq!(found.entries, entries[..whole], "{len} bytes");
        assert_eq!(found.header.is_some(), len >= 84);
    }
}

#[test]
fn c12_every_flipped_bit_is_refused() {
    let entries = entries(3);
    let mut file = file(&FileHeader::of(genesis()), &entries);
    let mut codes = std::collections::BTreeSet::new();
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        let found = read([&file[..]]);
        codes.insert(found.end.expect_err(&format!("bit {bit}")).code().as_str());
        // What comes of it are none but the entries that were signed, in their places.
        assert!(entries.starts_with(&found.entries), "bit {bit}");
        file[bit / 8] ^= 1 << (bit % 8);
    }
    let all = [
        "FILE_DAMAGED",
        "FILE_ENTRY",
        "FILE_INCOMPLETE",
        "FILE_MISMATCH",
        "FILE_VERSION",
        "NOT_A_JOURNAL_FILE",
    ];
    assert!(codes.iter().eq(&all), "{codes:?}");
}

#[test]
fn c12_what_is_no_file_says_why() {
    let refused = |bytes: &[u8]| read([bytes]).end.unwrap_err();
    for text in [&b"{\"predicate\":\"a\",\"value\":1}\n"[..], b"i", b"\x89PNG\r\n\x1a\n", b"\x89isorooT\x01"]
    {
        assert_eq!(refused(text), FileError::NotAFile);
    }
    assert_eq!(refused(b"\x89iso"), FileError::Incomplete { offset: 4, entries: 0 });
    for version in [0, 2, 255] {
        assert_eq!(refused(&[b"\x89isoroot", &[version][..]].concat()), FileError::Version(version));
    }
    let head = |genesis: &[u8]| forged(genesis, &[], 0, &Root::EMPTY.hash);
    assert_eq!(refused(&head(&[1])).code().as_str(), "FILE_DAMAGED");
    assert_eq!(refused(&head(&[0; 1_025])), FileError::GenesisLength { bytes: 1_025 });
    let other = Genesis::named("other");
    let another = FileError::GenesisOfAnother { named: journal(), found: other.journal() };
    assert_eq!(refused(&head(&other.to_bytes())), another);
    let mut closed = genesis().to_bytes();
    closed[2] = 1;
    assert_eq!(refused(&head(&closed)), FileError::Genesis(GenesisError::Mode(1)));
    let whole = head(&genesis().to_bytes());
    assert_eq!(read([&whole[..]]).end, Ok(Root::EMPTY), "the twin is right");
    let offset = whole.len() as u64;
    assert_eq!(refused(&[&whole[..], &[0]].concat()), FileError::Trailing { offset });
    assert_eq!(refused(&[&whole[..], &whole].concat()), FileError::Trailing { offset });
}

#[test]
fn c12_count_and_root_are_held_to_the_entries() {
    let entries = entries(2);
    let records: Vec<_> = entries.iter().map(|entry| entry.record().to_vec()).collect();
    let right = root(&entries);
    let forge = |records: &[Vec<u8>], count, root: &[u8; 32]| {
        read([&forged(&genesis().to_bytes(), records, count, root)[..]])
    };
    assert_eq!(forge(&records, 2, &right.hash).end, Ok(right));
    let wrong = Root { count: 2, hash: [7; 32] };
    let found = forge(&records, 2, &wrong.hash);
    assert_eq!(found.end, Err(FileError::Root { claimed: wrong, found: right }));
    assert_eq!(found.entries, entries, "which are authentic all the same");
    for claimed in [0, 1, 3, u64::MAX] {
        assert_eq!(forge(&records, claimed, &right.hash).end, Err(FileError::Count { claimed, found: 2 }));
    }
    // One is left out, and the root still says that it is there.
    let found = forge(&records[..1], 1, &right.hash);
    assert!(matches!(found.end, Err(FileError::Root { .. })), "{:?}", found.end);
    // A hash over other bytes.
    let mut file = forged(&genesis().to_bytes(), &records, 2, &right.hash);
    *file.last_mut().unwrap() ^= 1;
    assert_eq!(read([&file[..]]).end, Err(FileError::Hash));
}

#[test]
fn c12_an_entry_stands_in_a_file_once() {
    let entries = entries(600);
    let records: Vec<_> = entries.iter().map(|entry| entry.record().to_vec()).collect();
    // Next to each other, in one batch, and one batch apart.
    for (first, again) in [(0, 1), (3, 200), (0, 599), (511, 512), (5, 520)] {
        let mut doubled = records.clone();
        doubled.insert(again, records[first].clone());
        let file = forged(&[], &doubled, 601, &root(&entries).hash);
        let found = read([&file[..]]);
        let before: usize = doubled[..again].iter().map(|record| record.len() + 4).sum();
        let offset = 45 + before as u64 + 4;
        let twice = FileError::Twice { offset, number: again as u64 + 1, id: entries[first].id() };
        assert_eq!(found.end, Err(twice), "{first} again at {again}");
        assert_eq!(found.entries, entries[..again]);
    }
}

#[test]
fn c12_what_is_no_entry_of_the_journal_is_refused_with_its_place() {
    let entries = entries(2);
    let elsewhere: JournalId = Genesis::named("other").journal();
    let draft = Draft::new(key(1).device(), &[Fact::new("p", 1)]).unwrap();
    let foreign = Entry::sign(&elsewhere, &key(1), &[], 0, &draft).unwrap().record().to_vec();
    let mut unsigned = entries[1].record().to_vec();
    *unsigned.last_mut().unwrap() ^= 1;
    let sealed = EntryParts { kind: forge::uint(1), payload_head: forge::head(4, 2), ..EntryParts::valid() };
    let sealed = EntryParts { timestamp: forge::bytes(b"n"), facts: forge::bytes(b"c"), ..sealed };
    let form = EntryParts::with_fact(&FactParts::with_value(vec![0x18, 1])).record();
    let judge = |record: &[u8]| UncheckedEntry::new(record.to_vec()).check(&journal()).unwrap_err();
    assert_eq!(judge(&foreign), EntryError::WrongJournal);
    assert_eq!(judge(&unsigned), EntryError::BadSignature);
    assert_eq!(judge(&sealed.record()), EntryError::KindNotAdmitted(1));
    for bad in [foreign, unsigned, sealed.record(), form, vec![1], vec![0; 65]] {
        let good = |at: usize| entries[at].record().to_vec();
        let records = [good(0), bad.clone(), good(1)];
        let found = read([&forged(&[], &records, 3, &[0; 32])[..]]);
        let offset = 45 + 4 + records[0].len() as u64 + 4;
        assert_eq!(found.end, Err(FileError::Entry { offset, number: 2, error: judge(&bad) }));
        assert_eq!(found.entries, entries[..1]);
    }
}

#[test]
fn c12_lengths_are_bounded_before_memory_is_taken() {
    let head = forged(&[], &[], 0, &Root::EMPTY.hash)[..45].to_vec();
    let most = u32::try_from(limits::RECORD_BYTES).unwrap();
    for bytes in [most + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let file = [&head[..], &bytes.to_be_bytes(), &[0; 100]].concat();
        assert_eq!(read([&file[..]]).end, Err(FileError::RecordLength { offset: 45, bytes }));
    }
    // The largest record, and what is one byte larger in no place but its length.
    let file = [&head[..], &most.to_be_bytes(), &vec![0; limits::RECORD_BYTES], &[0; 4]].concat();
    assert!(matches!(read(file.chunks(4_096)).end, Err(FileError::Entry { number: 1, .. })));
}

#[test]
fn c12_a_reader_gives_parts_in_order_and_a_header_can_be_had_early() {
    let entries = entries(1);
    let file = file(&FileHeader::of(genesis()), &entries);
    let mut reader = FileReader::new();
    let mut input = &file[..];
    assert_eq!(reader.read(&mut input), Ok(Some(FileItem::Header(FileHeader::of(genesis())))));
    assert_eq!(file.len() - input.len(), 84, "and not a byte more is taken");
    assert_eq!(reader.read(&mut input), Ok(Some(FileItem::Record(entries[0].record().to_vec()))));
    assert!(matches!(reader.finish(), Err(FileError::Incomplete { entries: 1, .. })));
    assert_eq!(reader.read(&mut input), Ok(Some(FileItem::End(root(&entries)))));
    assert_eq!((reader.read(&mut input), reader.finish()), (Ok(None), Ok(())));

    assert_eq!(FileHeader::peek(&file[..83]), Ok(None));
    assert_eq!(FileHeader::peek(&file), Ok(Some(FileHeader::of(genesis()))));
    assert_eq!(FileHeader::peek(b"{"), Err(FileError::NotAFile));
    assert!(FileHeader::may_begin_with(file[0]) && !FileHeader::may_begin_with(b'{'));
}

#[test]
fn c12_a_writer_does_not_end_a_file_with_another_count() {
    let entries = entries(2);
    let mut out = Vec::new();
    let mut writer = FileWriter::begin(&FileHeader::of(genesis()), &mut out);
    writer.entry(&entries[0], &mut out);
    let len = out.len();
    let ended = writer.end(&root(&entries), &mut out);
    assert_eq!(ended, Err(FileError::Count { claimed: 2, found: 1 }));
    assert_eq!(out.len(), len);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn c12_any_entries_in_any_pieces_come_back(
        facts in prop::collection::vec((forge::arbitrary::value(), any::<u8>()), 0..12),
        sizes in prop::collection::vec(1usize..400, 1..40),
        known: bool,
    ) {
        let mut entries = Vec::new();
        for (n, (value, device)) in facts.into_iter().enumerate() {
            let key = key(device % 3 + 1);
            let Ok(draft) = Draft::new(key.device(), &[Fact::new("p", value)]) else { continue };
            entries.push(Entry::sign(&journal(), &key, &[], n as u64, &draft).unwrap());
        }
        let header = if known { FileHeader::of(genesis()) } else { FileHeader::of_joined(journal()) };
        let file = file(&header, &entries);
        let mut pieces = Vec::new();
        let mut rest = &file[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        let found = read(pieces);
        prop_assert_eq!(found.header, Some(header));
        prop_assert_eq!(&found.entries, &entries);
        prop_assert_eq!(found.end, Ok(root(&entries)));
    }

    #[test]
    fn c12_any_bytes_are_refused_without_a_panic(bytes: Vec<u8>, size in 1usize..9) {
        prop_assert!(read(bytes.chunks(size)).end.is_err());
        let after_a_head = [&b"\x89isoroot\x01"[..], &[5; 32], &[0; 4], &bytes].concat();
        prop_assert!(read(after_a_head.chunks(size)).end.is_err());
    }
}
