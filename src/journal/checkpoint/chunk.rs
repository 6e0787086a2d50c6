//! A chunk of a checkpoint: the summaries of entries that follow each other, as bytes.
//!
//! `[1, number of the first entry, [entry, …]]`, then 32 bytes of hash over the journal, the ids of these
//! entries, which stand in the store and not here, and the chunk. An entry is
//! `[device, timestamp, [before, …], [fact, …]]`; a fact is its predicate, or `[predicate, authority]`.
//! What repeats is spelled out once and then named by its place: see [`names`](super::names).

use crate::codec::cbor::{DecodeError, Kind, Reader, Writer};
use crate::fact::summary::{FactSummary, Summary};
use crate::ids::{AuthorityId, DeviceId, EntryId, JournalId};
use crate::journal::checkpoint::head::{sealed, unsealed, version};
use crate::journal::checkpoint::names::{Names, Spelled};
use crate::journal::checkpoint::{CheckpointError, VERSION};
use crate::limits::{AFTER, CHUNK_ENTRIES_MAX, FACTS_PER_ENTRY, PREDICATE_BYTES, SAFE_INTEGER};

/// Writes a chunk, entry by entry.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    first: u64,
    entries: usize,
    body: Writer,
    devices: Names,
    authorities: Names,
    predicates: Names,
}

impl ChunkWriter {
    /// An empty chunk whose first entry will have this number.
    pub(crate) fn new(first: u64) -> Self {
        let names = Names::default;
        Self {
            first,
            entries: 0,
            body: Writer::new(),
            devices: names(),
            authorities: names(),
            predicates: names(),
        }
    }

    /// Number of the first entry.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How many entries are in it.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// How many bytes they take.
    pub(crate) fn size(&self) -> usize {
        self.body.as_bytes().len()
    }

    /// Adds the next entry. `number_of` says of an id which entry of the journal has it.
    pub(crate) fn push(&mut self, summary: &Summary<'_>, number_of: impl Fn(&EntryId) -> Option<u64>) {
        let number = self.first.saturating_add(self.entries as u64);
        self.entries = self.entries.saturating_add(1);
        let body = &mut self.body;
        body.array(4);
        name(body, self.devices.place(summary.device.as_bytes()), summary.device.as_bytes());
        body.unsigned(summary.timestamp).array(summary.after.len());
        for before in &summary.after {
            // Mostly an entry that came shortly before.
            match number_of(before).filter(|before| *before < number) {
                Some(before) => body.unsigned(number.saturating_sub(before)),
                None => body.bytes(before.as_bytes()),
            };
        }
        body.array(summary.facts.len());
        for fact in &summary.facts {
            if fact.authority.is_some() {
                body.array(2);
            }
            match self.predicates.place(fact.predicate.as_bytes()) {
                Some(place) => body.unsigned(place),
                None => body.text(fact.predicate),
            };
            if let Some(authority) = fact.authority {
                name(body, self.authorities.place(authority.as_bytes()), authority.as_bytes());
            }
        }
    }

    /// The chunk's note. `ids` are those of its entries.
    pub(crate) fn finish(self, journal: JournalId, ids: &[EntryId]) -> Vec<u8> {
        debug_assert_eq!(ids.len(), self.entries);
        let mut writer = Writer::with_capacity(self.size().saturating_add(64));
        writer.array(3).unsigned(VERSION).unsigned(self.first).array(self.entries);
        writer.canonical(self.body.as_bytes());
        sealed(writer.into_bytes(), journal, &joined(ids))
    }
}

/// By its place, or spelled out.
fn name(body: &mut Writer, place: Option<u64>, bytes: &[u8]) {
    match place {
        Some(place) => body.unsigned(place),
        None => body.bytes(bytes),
    };
}

fn joined(ids: &[EntryId]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ids.len().saturating_mul(EntryId::LEN));
    for id in ids {
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes
}

/// The numbers of the first and the last entry that a chunk's note says to be about. Nothing of it is
/// checked: it only tells which ids [`read`] needs.
pub(crate) fn extent(note: &[u8]) -> Result<(u64, u64), CheckpointError> {
    version(note, "chunk", 3)?;
    let wrong = |error| CheckpointError::Form { part: "chunk", error };
    head(&mut Reader::new(note))
        .map(|(first, len)| (first, first.saturating_add(len as u64 - 1)))
        .map_err(wrong)
}

/// Number of the first entry, and how many there are: at least one.
fn head(reader: &mut Reader<'_>) -> Result<(u64, usize), DecodeError> {
    reader.array_of("parts of a chunk", 3)?;
    reader.unsigned()?;
    let position = reader.position();
    let first = reader.bounded("number of the first entry", SAFE_INTEGER)?;
    let len = reader.array("entries of a chunk", CHUNK_ENTRIES_MAX)?;
    if first == 0 || len == 0 {
        return Err(Reader::out_of_bounds(position, "entries of a chunk"));
    }
    Ok((first, len))
}

/// Reads a chunk's note. `ids` are those that the store has for its entries, `id_of` is asked for
/// those of entries before them, `number_of` for the numbers of both.
pub(crate) fn read<'n>(
    journal: JournalId,
    note: &'n [u8],
    ids: &[EntryId],
    id_of: impl Fn(u64) -> Option<EntryId>,
    number_of: impl Fn(&EntryId) -> Option<u64>,
) -> Result<Vec<Summary<'n>>, CheckpointError> {
    let body = unsealed(note, journal, &joined(ids)).ok_or(CheckpointError::Hash("chunk"))?;
    version(body, "chunk", 3)?;
    let wrong = |error| CheckpointError::Form { part: "chunk", error };
    let mut reader = Reader::new(body);
    let (first, len) = head(&mut reader).map_err(wrong)?;
    if len != ids.len() {
        return Err(CheckpointError::Hash("chunk"));
    }
    let id_at = |number: u64| match number.checked_sub(first) {
        Some(place) => usize::try_from(place).ok().and_then(|place| ids.get(place).copied()),
        None => id_of(number),
    };
    let mut names = SpelledOut::default();
    let mut summaries = Vec::with_capacity(len);
    for (id, number) in ids.iter().zip(first..) {
        let before = |reader: &mut Reader<'n>| before(reader, number, id_at, &number_of);
        summaries.push(names.entry(&mut reader, *id, before).map_err(wrong)?);
    }
    reader.end().map_err(wrong)?;
    Ok(summaries)
}

/// The names that were spelled out so far.
#[derive(Default)]
struct SpelledOut<'n> {
    devices: Spelled<DeviceId>,
    authorities: Spelled<AuthorityId>,
    predicates: Spelled<&'n str>,
}

impl<'n> SpelledOut<'n> {
    fn entry(
        &mut self,
        reader: &mut Reader<'n>,
        id: EntryId,
        before: impl Fn(&mut Reader<'n>) -> Result<EntryId, DecodeError>,
    ) -> Result<Summary<'n>, DecodeError> {
        reader.array_of("parts of an entry", 4)?;
        let device = self
            .devices
            .name(reader, |reader| reader.array_of_bytes("32 bytes of a device").map(DeviceId::from_bytes))?;
        let timestamp = reader.bounded("timestamp of the entry", SAFE_INTEGER)?;
        let len = reader.array("predecessors", AFTER)?;
        let mut after: Vec<EntryId> = Vec::with_capacity(len);
        for _ in 0..len {
            let position = reader.position();
            let before = before(reader)?;
            if after.last().is_some_and(|last| *last >= before) {
                let rule = "predecessors ascending, each once";
                return Err(DecodeError::NotCanonical { rule, position });
            }
            after.push(before);
        }
        let position = reader.position();
        let len = reader.array("facts", FACTS_PER_ENTRY)?;
        if len == 0 {
            return Err(Reader::out_of_bounds(position, "facts"));
        }
        let mut facts = Vec::with_capacity(len);
        for _ in 0..len {
            facts.push(self.fact(reader, &device)?);
        }
        Ok(Summary { id, device, timestamp, after, facts })
    }

    fn fact(&mut self, reader: &mut Reader<'n>, device: &DeviceId) -> Result<FactSummary<'n>, DecodeError> {
        let on_behalf = reader.kind()? == Kind::Array;
        if on_behalf {
            reader.array_of("parts of a fact", 2)?;
        }
        let position = reader.position();
        let predicate = self.predicates.name(reader, Reader::text)?;
        if !(1..=PREDICATE_BYTES).contains(&predicate.len()) {
            return Err(Reader::out_of_bounds(position, "length of the predicate"));
        }
        if !on_behalf {
            return Ok(FactSummary { predicate, authority: None });
        }
        let position = reader.position();
        let authority = self.authorities.name(reader, |reader| {
            reader.array_of_bytes("32 bytes of an authority").map(AuthorityId::from_bytes)
        })?;
        if authority.as_bytes() == device.as_bytes() {
            let rule = "an authority that is the device itself is left out";
            return Err(DecodeError::NotCanonical { rule, position });
        }
        Ok(FactSummary { predicate, authority: Some(authority) })
    }
}

/// The entry before the one with this number that is named here: by its distance, or by its id if no
/// entry before has that.
fn before(
    reader: &mut Reader<'_>,
    number: u64,
    id_at: impl Fn(u64) -> Option<EntryId>,
    number_of: impl Fn(&EntryId) -> Option<u64>,
) -> Result<EntryId, DecodeError> {
    let position = reader.position();
    if reader.kind()? != Kind::Number {
        let id = reader.array_of_bytes("32 bytes of an entry's id").map(EntryId::from_bytes)?;
        if number_of(&id).is_some_and(|before| before < number) {
            let rule = "a predecessor that has a lower number by its distance";
            return Err(DecodeError::NotCanonical { rule, position });
        }
        return Ok(id);
    }
    let distance = reader.unsigned()?;
    let named = number.checked_sub(distance).filter(|named| (1..number).contains(named)).and_then(id_at);
    named.ok_or_else(|| Reader::out_of_bounds(position, "distance of a predecessor"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::fact::genesis::Genesis;
    use crate::journal::checkpoint::head::Head;
    use crate::merkle::map::MerkleMap;

    fn journal() -> JournalId {
        Genesis::named("notes").journal()
    }

    fn id(n: u64) -> EntryId {
        let mut id = [0x11; 32];
        id[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        EntryId::from_bytes(id)
    }

    /// A summary that names entries before it, by number, and one that is nowhere.
    fn summary<'a>(
        number: u64,
        device: u8,
        before: &[u64],
        gap: bool,
        facts: &[(&'a str, Option<u8>)],
    ) -> Summary<'a> {
        let mut after: Vec<_> = before.iter().map(|number| id(*number)).collect();
        after.extend(gap.then(|| EntryId::from_bytes([0xEE; 32])));
        after.sort();
        after.dedup();
        let facts = facts.iter().map(|(predicate, authority)| FactSummary {
            predicate,
            authority: authority.map(|byte| AuthorityId::from_bytes([byte; 32])),
        });
        Summary {
            id: id(number),
            device: DeviceId::from_bytes([device; 32]),
            timestamp: 1_767_225_600_000_000 + number,
            after,
            facts: facts.collect(),
        }
    }

    fn write(first: u64, summaries: &[Summary<'_>]) -> Vec<u8> {
        let numbers: BTreeMap<_, _> = (1..first + summaries.len() as u64).map(|n| (id(n), n)).collect();
        let mut writer = ChunkWriter::new(first);
        for summary in summaries {
            writer.push(summary, |id| numbers.get(id).copied());
        }
        assert_eq!(writer.len(), summaries.len());
        writer.finish(journal(), &ids(summaries))
    }

    fn ids(summaries: &[Summary<'_>]) -> Vec<EntryId> {
        summaries.iter().map(|summary| summary.id).collect()
    }

    /// Reads a chunk of a journal whose entries have the ids of their numbers.
    fn read<'n>(
        journal: JournalId,
        note: &'n [u8],
        ids: &[EntryId],
        id_of: impl Fn(u64) -> Option<EntryId>,
    ) -> Result<Vec<Summary<'n>>, CheckpointError> {
        super::read(journal, note, ids, id_of, |of| (1..100).find(|number| id(*number) == *of))
    }

    /// Reads a chunk whose hash is made to fit, whatever it says.
    fn read_as_it_is(body: &[u8], ids: &[EntryId]) -> Result<(), CheckpointError> {
        let note = sealed(body.to_vec(), journal(), &joined(ids));
        let _ = extent(&note);
        read(journal(), &note, ids, |number| Some(id(number))).map(drop)
    }

    /// The chunk of the documentation.
    fn example() -> Vec<Summary<'static>> {
        let title = ("note/1/title", None);
        vec![
            summary(1, 0xAA, &[], false, &[title]),
            summary(2, 0xAA, &[1], false, &[title, ("note/1/done", Some(0xBB))]),
            summary(3, 0xCC, &[], true, &[("note/1/done", Some(0xBB))]),
        ]
    }

    #[test]
    fn f61_checkpoints_are_golden() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/golden/checkpoint.json")).unwrap();
        let bytes = |name: &str| -> Vec<u8> {
            let text = golden[name].as_str().unwrap();
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let chunk = write(1, &example());
        assert_eq!(hex(&chunk), hex(&bytes("chunk")));
        assert_eq!(extent(&chunk), Ok((1, 3)));
        let root = MerkleMap::from_ids(ids(&example())).root();
        let head = Head { ends: vec![3], root };
        assert_eq!(hex(&head.write(journal())), hex(&bytes("head")));
        assert_eq!(Head::read(journal(), &bytes("head")), Ok(head));
        assert_eq!(read(journal(), &chunk, &ids(&example()), |_| None), Ok(example()));
    }

    #[test]
    fn f61_a_checkpoint_of_other_bytes_entries_or_journal_is_refused() {
        let (chunk, summaries) = (write(1, &example()), example());
        let ids = ids(&summaries);
        for place in 0..chunk.len() {
            let mut flipped = chunk.clone();
            flipped[place] ^= 1 << (place % 8);
            assert_eq!(read(journal(), &flipped, &ids, |_| None), Err(CheckpointError::Hash("chunk")));
            assert!(read(journal(), &chunk[..place], &ids, |_| None).is_err());
            // What does not fit its hash is never looked into; what would come of it is no panic either.
            let _ = read_as_it_is(&flipped[..flipped.len() - 32], &ids);
            let _ = read_as_it_is(&chunk[..place.min(chunk.len() - 32)], &ids);
        }
        let other = Genesis::named("other").journal();
        assert_eq!(read(other, &chunk, &ids, |_| None), Err(CheckpointError::Hash("chunk")));
        let mut swapped = ids.clone();
        swapped.swap(0, 1);
        assert_eq!(read(journal(), &chunk, &swapped, |_| None), Err(CheckpointError::Hash("chunk")));
        let head = Head { ends: vec![3], root: MerkleMap::from_ids(ids.clone()).root() }.write(journal());
        for place in 0..head.len() {
            let mut flipped = head.clone();
            flipped[place] ^= 1 << (place % 8);
            assert_eq!(Head::read(journal(), &flipped), Err(CheckpointError::Hash("head")));
        }
        let newer = sealed(vec![0x84, 0x02, 0x80, 0x00, 0x00], journal(), &[]);
        assert_eq!(Head::read(journal(), &newer), Err(CheckpointError::Newer(2)));
    }

    #[test]
    fn f61_a_chunk_in_another_form_is_refused() {
        let body = |entry: &[u8]| [&[0x83, 1, 1, 0x81], entry].concat();
        let refused = |entry: &[u8]| read_as_it_is(&body(entry), &[id(1)]).unwrap_err();
        let device = [&[0x58, 32], [7; 32].as_slice()].concat();
        let entry = |rest: &[u8]| [&[0x84], device.as_slice(), rest].concat();
        assert_eq!(read_as_it_is(&body(&entry(&[0, 0x80, 0x81, 0x61, b'p'])), &[id(1)]), Ok(()));
        // A name that nobody has spelled out, a predecessor that is not before, no facts, an empty predicate.
        let unknown = [0x84, 0, 0, 0x80, 0x81, 0x61, b'p'];
        let before = entry(&[0, 0x81, 1, 0x81, 0x61, b'p']);
        let myself = entry(&[0, 0x81, 0, 0x81, 0x61, b'p']);
        let own = [&entry(&[0, 0x80, 0x81, 0x82, 0x61, b'p']), device.as_slice()].concat();
        for bad in
            [&unknown[..], &before, &myself, &entry(&[0, 0x80, 0x80]), &entry(&[0, 0x80, 0x81, 0x60]), &own]
        {
            assert!(matches!(refused(bad), CheckpointError::Form { .. }), "{bad:02x?}");
        }
        // What has a place or a distance, spelled out.
        let spelled = |second: &[u8]| {
            let first = entry(&[0, 0x80, 0x81, 0x61, b'p']);
            let body = [&[0x83, 1, 1, 0x82][..], &first, second].concat();
            read_as_it_is(&body, &[id(1), id(2)])
        };
        let first = [&[0x58, 32], id(1).as_bytes().as_slice()].concat();
        assert_eq!(spelled(&[0x84, 0, 0, 0x81, 1, 0x81, 0]), Ok(()));
        assert!(spelled(&entry(&[0, 0x81, 1, 0x81, 0])).is_err(), "the device");
        assert!(spelled(&[0x84, 0, 0, 0x81, 1, 0x81, 0x61, b'p']).is_err(), "the predicate");
        assert!(
            spelled(&[&[0x84, 0, 0, 0x81], &first[..], &[0x81, 0]].concat()).is_err(),
            "the entry before"
        );
        assert!(read_as_it_is(&[0x83, 1, 0, 0x81], &[id(1)]).is_err(), "numbers begin with 1");
        assert!(read_as_it_is(&[0x83, 1, 1, 0x80], &[]).is_err(), "it is about nothing");
        // Lengths beyond all bounds take no memory.
        assert!(
            read_as_it_is(&[0x83, 1, 1, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[]).is_err()
        );
    }

    proptest! {
        #[test]
        fn f61_chunks_read_back(
            first in 1u64..50,
            entries in prop::collection::vec(
                (0u8..4, prop::collection::vec(1u64..60, 0..4), any::<bool>(),
                 prop::collection::vec((0usize..5, prop::option::of(8u8..11)), 1..5)), 1..40),
        ) {
            const PREDICATES: [&str; 5] = ["a", "note/é", "note/1", "z", "b/c/d"];
            let summaries: Vec<_> = (first..).zip(&entries).map(|(number, (device, before, gap, facts))| {
                let facts: Vec<_> = facts.iter().map(|(place, by)| (PREDICATES[*place], *by)).collect();
                summary(number, *device, before, *gap, &facts)
            }).collect();
            let chunk = write(first, &summaries);
            let last = first + entries.len() as u64 - 1;
            prop_assert_eq!(extent(&chunk), Ok((first, last)));
            let read = read(journal(), &chunk, &ids(&summaries), |number| Some(id(number)));
            prop_assert_eq!(read, Ok(summaries));
        }

        #[test]
        fn f61_no_bytes_make_reading_panic(body in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..4) {
            let ids: Vec<_> = (1..).map(id).take(count).collect();
            let _ = read_as_it_is(&body, &ids);
            let _ = Head::read(journal(), &sealed(body, journal(), &[]));
        }
    }
}
