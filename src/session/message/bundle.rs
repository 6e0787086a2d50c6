//! A frame of entries: what the receiver can make out by itself is not sent.
//!
//! A record that has the usual form is sent as its device's place in a table of the frame, what comes before
//! it, the difference in time, and facts with signature. It is expanded to exactly the bytes that it was made
//! from before anything is checked. Any other record is sent whole.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::fact::entry::{EpochTag, KIND_PLAIN, VERSION, entry_id};
use crate::ids::{DeviceId, EntryId, JournalId};
use crate::limits::{
    AFTER, ENTRIES_PER_FRAME, FRAME_PAYLOAD_BYTES, RECORD_BYTES, SAFE_INTEGER, SIGNATURE_BYTES,
};

/// Entries of one frame, as they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The devices that entries of usual form are by.
    devices: Vec<DeviceId>,
    entries: Vec<(u64, Short)>,
}

/// One entry, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Short {
    /// One of another form: its record.
    Whole(Vec<u8>),
    /// One of the usual form.
    Usual { device: usize, before: Before, timestamp: u64, rest: Vec<u8> },
}

/// What an entry names as coming before it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The last entry of the same device in the frame.
    Last,
    These(Vec<EntryId>),
}

mod form {
    //! The low two bits of what stands at the head of an entry.
    pub(super) const NOTHING: u64 = 0;
    pub(super) const LAST: u64 = 1;
    pub(super) const THESE: u64 = 2;
    pub(super) const WHOLE: u64 = 3;
}

/// Bytes that a bundle's head takes at most: type, channel, numbers of devices and entries.
const HEAD_BYTES: usize = 16;
/// Bytes of a device in the table.
const DEVICE_BYTES: usize = 34;

/// Puts entries together to frames.
#[derive(Debug)]
pub(crate) struct Bundler<'j> {
    journal: &'j JournalId,
    bundle: Bundle,
    /// The last entry by each of the devices.
    last: Vec<EntryId>,
    bytes: usize,
}

impl<'j> Bundler<'j> {
    pub(crate) fn new(journal: &'j JournalId) -> Self {
        Self { journal, bundle: Bundle::default(), last: Vec::new(), bytes: HEAD_BYTES }
    }

    /// Takes an entry; the bundle before it, if both do not fit one frame. Numbers ascend.
    pub(crate) fn push(&mut self, number: u64, record: Vec<u8>) -> Option<Bundle> {
        let (mut short, mut bytes) = self.shorten(&record);
        let mut before = None;
        if self.bytes.saturating_add(bytes) > FRAME_PAYLOAD_BYTES
            || self.bundle.entries.len() >= ENTRIES_PER_FRAME
        {
            before = self.take();
            (short, bytes) = self.shorten(&record);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.keep(number, short, record);
        before
    }

    fn keep(&mut self, number: u64, short: Option<(DeviceId, Short)>, record: Vec<u8>) {
        let Some((author, mut short)) = short else {
            self.bundle.entries.push((number, Short::Whole(record)));
            return;
        };
        let id = entry_id(self.journal, &record);
        let place = self.bundle.devices.iter().position(|device| *device == author);
        let place = place.unwrap_or_else(|| {
            self.bundle.devices.push(author);
            self.last.push(id);
            self.last.len().saturating_sub(1)
        });
        if let Some(last) = self.last.get_mut(place) {
            *last = id;
        }
        if let Short::Usual { device, .. } = &mut short {
            *device = place;
        }
        self.bundle.entries.push((number, short));
    }

    /// An entry in its short form, if it has one, and how many bytes it takes at most.
    fn shorten(&self, record: &[u8]) -> (Option<(DeviceId, Short)>, usize) {
        let Some(parts) = Parts::of(record, self.journal) else {
            return (None, record.len().saturating_add(16));
        };
        let place = self.bundle.devices.iter().position(|device| *device == parts.device);
        let last = place.and_then(|place| self.last.get(place));
        let before = match parts.after.as_slice() {
            [] => Before::Nothing,
            [one] if last == Some(one) => Before::Last,
            _ => Before::These(parts.after),
        };
        let named = match &before {
            Before::These(ids) => ids.len().saturating_mul(34),
            Before::Nothing | Before::Last => 0,
        };
        let table = if place.is_some() { 0 } else { DEVICE_BYTES };
        let bytes = parts.rest.len().saturating_add(named).saturating_add(table).saturating_add(32);
        let (device, timestamp, rest) = (0, parts.timestamp, parts.rest.to_vec());
        (Some((parts.device, Short::Usual { device, before, timestamp, rest })), bytes)
    }

    /// What was put together and not given out; nothing if that is nothing.
    pub(crate) fn take(&mut self) -> Option<Bundle> {
        self.bytes = HEAD_BYTES;
        self.last.clear();
        Some(core::mem::take(&mut self.bundle)).filter(|bundle| !bundle.entries.is_empty())
    }
}

/// A record of the usual form, taken apart: plain, of the journal's only epoch.
struct Parts<'r> {
    device: DeviceId,
    after: Vec<EntryId>,
    timestamp: u64,
    /// Facts and signature.
    rest: &'r [u8],
}

impl<'r> Parts<'r> {
    /// Nothing if the record has another form. Whether it is sound is not looked at.
    fn of(record: &'r [u8], journal: &JournalId) -> Option<Self> {
        let r = &mut Reader::new(record);
        r.array_of("body", 6).ok()?;
        let epoch = EpochTag::open(journal);
        if (r.unsigned().ok()?, r.unsigned().ok()?) != (VERSION, KIND_PLAIN) {
            return None;
        }
        let device = DeviceId::from_bytes(r.array_of_bytes("device").ok()?);
        r.array_of("epoch", 2).ok()?;
        if (r.unsigned().ok()?, r.array_of_bytes("tag").ok()?) != (epoch.number, epoch.tag) {
            return None;
        }
        let len = r.array("predecessors", AFTER).ok()?;
        let after = r.items(len, |r| r.array_of_bytes("id").map(EntryId::from_bytes)).ok()?;
        r.array_of("payload", 2).ok()?;
        let timestamp = r.bounded("timestamp", SAFE_INTEGER).ok()?;
        let rest = record.get(r.position()..).filter(|rest| rest.len() > SIGNATURE_BYTES)?;
        Some(Self { device, after, timestamp, rest })
    }
}

impl Bundle {
    pub(super) fn encode(&self, w: &mut Writer) {
        w.array(self.devices.len());
        for device in &self.devices {
            w.bytes(device.as_bytes());
        }
        w.unsigned(self.entries.len() as u64);
        let (mut number, mut time) = (0u64, 0u64);
        for (next, short) in &self.entries {
            w.unsigned(next.saturating_sub(number).saturating_sub(1));
            number = *next;
            match short {
                Short::Whole(record) => {
                    w.unsigned(form::WHOLE).bytes(record);
                }
                Short::Usual { device, before, timestamp, rest } => {
                    let form = match before {
                        Before::Nothing => form::NOTHING,
                        Before::Last => form::LAST,
                        Before::These(_) => form::THESE,
                    };
                    w.unsigned((*device as u64).saturating_mul(4).saturating_add(form));
                    // Both are below 2^53.
                    w.integer(timestamp.cast_signed().saturating_sub(time.cast_signed()));
                    time = *timestamp;
                    if let Before::These(ids) = before {
                        super::encoding::encode_ids(ids, w);
                    }
                    w.bytes(rest);
                }
            }
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.array("devices", ENTRIES_PER_FRAME)?;
        let device = |r: &mut Reader<'_>| r.array_of_bytes("32 bytes of a device").map(DeviceId::from_bytes);
        let devices = r.items(len, device)?;
        let position = r.position();
        let len = r.bounded("entries", ENTRIES_PER_FRAME as u64)?;
        // A device without an entry is no use.
        if devices.len() as u64 > len {
            return Err(Reader::out_of_bounds(position, "devices"));
        }
        let (mut number, mut time) = (0u64, 0u64);
        let mut entries = Vec::new();
        for _ in 0..len {
            let position = r.position();
            number = number.saturating_add(r.bounded("number", SAFE_INTEGER)?).saturating_add(1);
            let head = r.bounded("form of an entry", 4 * ENTRIES_PER_FRAME as u64)?;
            if number > SAFE_INTEGER || (head & 3 == form::WHOLE && head != form::WHOLE) {
                return Err(Reader::out_of_bounds(position, "number or form of an entry"));
            }
            if head == form::WHOLE {
                entries.push((number, Short::Whole(r.bytes()?.to_vec())));
                continue;
            }
            let device = usize::try_from(head / 4).unwrap_or(usize::MAX);
            let difference = r.integer()?;
            let timestamp = time.checked_add_signed(difference).filter(|time| *time <= SAFE_INTEGER);
            let (true, Some(timestamp)) = (device < devices.len(), timestamp) else {
                return Err(Reader::out_of_bounds(position, "device or time of an entry"));
            };
            time = timestamp;
            let before = match head & 3 {
                form::NOTHING => Before::Nothing,
                form::LAST => Before::Last,
                _ => Before::These(super::encoding::decode_ids(r, AFTER)?),
            };
            let rest = r.bytes()?.to_vec();
            entries.push((number, Short::Usual { device, before, timestamp, rest }));
        }
        Ok(Self { devices, entries })
    }

    /// The entries' numbers and records. Nothing about them has been checked.
    ///
    /// # Errors
    /// When an entry is to follow the last of its device in the frame, and there is none.
    pub(crate) fn expand(self, journal: &JournalId) -> Result<Vec<(u64, Vec<u8>)>, DecodeError> {
        let epoch = EpochTag::open(journal);
        // Where the last entry of each device stands.
        let mut last: Vec<Option<usize>> = vec![None; self.devices.len()];
        let mut entries: Vec<(u64, Vec<u8>)> = Vec::with_capacity(self.entries.len());
        for (number, short) in self.entries {
            let record = match short {
                Short::Whole(record) => record,
                Short::Usual { device, before, timestamp, rest } => {
                    let missing = Reader::out_of_bounds(entries.len(), "an entry before this one");
                    let author = self.devices.get(device).ok_or(missing)?;
                    let place = last.get_mut(device).ok_or(missing)?;
                    let before = match before {
                        Before::Nothing => Vec::new(),
                        Before::These(ids) => ids,
                        Before::Last => {
                            let (_, record) = place.and_then(|at| entries.get(at)).ok_or(missing)?;
                            vec![entry_id(journal, record)]
                        }
                    };
                    *place = Some(entries.len());
                    let mut w = Writer::with_capacity(rest.len().saturating_add(100));
                    w.array(6).unsigned(VERSION).unsigned(KIND_PLAIN).bytes(author.as_bytes());
                    w.array(2).unsigned(epoch.number).bytes(&epoch.tag);
                    super::encoding::encode_ids(&before, &mut w);
                    w.array(2).unsigned(timestamp).canonical(&rest);
                    w.into_bytes()
                }
            };
            if record.len() > RECORD_BYTES {
                return Err(Reader::out_of_bounds(entries.len(), "size of an entry"));
            }
            entries.push((number, record));
        }
        Ok(entries)
    }
}
