//! A disk in memory that fails, and that loses what was not flushed when the power goes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What was flushed.
    durable: Vec<u8>,
    /// What was written since, in order.
    pending: Vec<Write>,
    /// Operations done: writes, changes of length, flushes.
    operations: u64,
    fault: Option<(u64, Fault)>,
    /// Flushes that worked.
    flushes: u64,
    /// Reads done.
    reads: u64,
    /// The read that fails, and whether all behind it do.
    read_fault: Option<(u64, bool)>,
    /// Bytes that there is room for.
    room: Option<u64>,
}

#[derive(Clone, Debug)]
enum Write {
    Bytes(u64, Vec<u8>),
    Len(u64),
}

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The power goes: nothing works from then on.
    PowerCut,
    /// This one fails and the next work again; a failed flush throws away what it was to flush, as
    /// Linux does.
    Once,
    /// There is no room from then on, but for flushes.
    Full,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A disk with these bytes.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        let state = State { seen: bytes.clone(), durable: bytes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Lets the `n`th operation from now, counted from 0, go wrong.
    pub(crate) fn fail_at(&self, n: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations + n, fault));
    }

    /// Lets the `n`th read from now, counted from 0, fail; and with `forever` all behind it.
    pub(crate) fn fail_read_at(&self, n: u64, forever: bool) {
        let mut state = self.state();
        state.read_fault = Some((state.reads + n, forever));
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        (state.fault, state.read_fault, state.room) = (None, None, None);
    }

    /// Has room for so many bytes only.
    pub(crate) fn set_room(&self, bytes: u64) {
        self.state().room = Some(bytes);
    }

    /// What a reader sees.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().seen.clone()
    }

    /// Flushes that worked.
    pub(crate) fn flushes(&self) -> u64 {
        self.state().flushes
    }

    pub(crate) fn reads(&self) -> u64 {
        self.state().reads
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The disk as it is found after a power cut: of the writes that were not flushed, each may be
    /// there, or torn, or garbled, or not, and they may have come in another order. `luck` tells which.
    pub(crate) fn after_power_cut(&self, luck: u64) -> Self {
        let state = self.state();
        let mut bytes = state.durable.clone();
        let last = state.pending.len().saturating_sub(1);
        let mut random = Random(luck);
        let mut order: Vec<usize> = (0..state.pending.len()).collect();
        if luck >= 4 && luck % 3 == 2 {
            // Of two writes to one place the first may have come last.
            (1..order.len()).rev().for_each(|at| order.swap(at, random.below(at + 1)));
        }
        for no in order {
            // The extremes first, then chance.
            let kept = match luck {
                0 => Kept::None,
                1 => Kept::All,
                2 if no == last => Kept::All,
                2 => Kept::None,
                3 if no == last => Kept::None,
                3 => Kept::All,
                _ if luck.is_multiple_of(3) => [Kept::None, Kept::All, Kept::Garbled][random.below(3)],
                _ => [Kept::None, Kept::All, Kept::Torn][random.below(3)],
            };
            apply(&mut bytes, &state.pending[no], kept, &mut random);
        }
        Self::holding(bytes)
    }
}

/// Numbers that a seed decides.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[derive(Clone, Copy, Debug)]
enum Kept {
    None,
    All,
    /// The first sectors of it.
    Torn,
    /// Some sectors are neither the old nor the new ones. Not in the first page: a disk that does not
    /// write a sector of 512 bytes whole or not at all can't be recovered from, and none is known.
    Garbled,
}

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;
/// Where redb's header ends.
const HEADER: u64 = 4_096;

fn apply(bytes: &mut Vec<u8>, write: &Write, kept: Kept, random: &mut Random) {
    match (write, kept) {
        (_, Kept::None) | (Write::Len(_), Kept::Torn | Kept::Garbled) => {}
        (Write::Len(len), Kept::All) => bytes.resize(*len as usize, 0),
        (Write::Bytes(offset, data), kept) => {
            let len = if matches!(kept, Kept::Torn) { data.len() / 2 / SECTOR * SECTOR } else { data.len() };
            let (start, end) = (*offset as usize, *offset as usize + len);
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(&data[..len]);
            if matches!(kept, Kept::Garbled) && *offset >= HEADER {
                for sector in bytes[start..end].chunks_mut(SECTOR) {
                    if random.below(2) == 0 {
                        sector.iter_mut().for_each(|byte| *byte = random.below(256) as u8);
                    }
                }
            }
        }
    }
}

impl State {
    /// Counts an operation; an error if it is to go wrong.
    fn operation(&mut self, flush: bool) -> io::Result<()> {
        let now = self.operations;
        self.operations += 1;
        let Some((at, fault)) = self.fault else { return Ok(()) };
        match fault {
            Fault::PowerCut if now >= at => {
                self.operations = now;
                Err(io::Error::other("the power is gone"))
            }
            Fault::Once if now == at => {
                if flush {
                    self.pending.clear();
                    self.seen = self.durable.clone();
                }
                Err(io::Error::other("the disk failed once"))
            }
            Fault::Full if now >= at && !flush => Err(io::ErrorKind::StorageFull.into()),
            Fault::PowerCut | Fault::Once | Fault::Full => Ok(()),
        }
    }

    fn write(&mut self, write: Write) {
        apply(&mut self.seen, &write, Kept::All, &mut Random(0));
        self.pending.push(write);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        let now = state.reads;
        state.reads += 1;
        if state.read_fault.is_some_and(|(at, forever)| now == at || (forever && now > at)) {
            return Err(io::Error::other("the disk can't be read"));
        }
        let bytes = state.seen.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.operation(false)?;
        if state.room.is_some_and(|room| len > room && len > state.seen.len() as u64) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.write(Write::Len(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operation(true)?;
        state.flushes += 1;
        state.durable = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.operation(false)?;
        state.write(Write::Bytes(offset, data.to_vec()));
        Ok(())
    }
}
