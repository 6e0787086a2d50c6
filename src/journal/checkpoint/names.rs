//! The names of a chunk: devices, authorities and predicates are spelled out once, then named by place.

use litemap::LiteMap;

use crate::codec::cbor::{DecodeError, Kind, Reader};

/// Devices, authorities or predicates of one chunk that can be named by their places. What comes
/// after so many others is spelled out each time.
const NAMES: usize = 4_096;

/// For writing: the places of what was spelled out, in the order of the first time.
#[derive(Debug, Default)]
pub(super) struct Names(LiteMap<Vec<u8>, u64>);

impl Names {
    /// The place of what has one. Anything else gets the next, if there is one left.
    pub(super) fn place(&mut self, bytes: &[u8]) -> Option<u64> {
        if let Some(place) = self.0.get(bytes) {
            return Some(*place);
        }
        if self.0.len() < NAMES {
            self.0.insert(bytes.to_vec(), self.0.len() as u64);
        }
        None
    }
}

/// For reading: what was spelled out so far.
pub(super) struct Spelled<T> {
    names: Vec<T>,
    /// Their places, in the order of the names.
    order: Vec<u16>,
}

impl<T> Default for Spelled<T> {
    fn default() -> Self {
        Self { names: Vec::new(), order: Vec::new() }
    }
}

impl<T: Copy + Ord> Spelled<T> {
    /// A name by its place, or spelled out here, by `read`: that is for what has no place.
    pub(super) fn name<'n>(
        &mut self,
        reader: &mut Reader<'n>,
        read: impl FnOnce(&mut Reader<'n>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let position = reader.position();
        if reader.kind()? != Kind::Number {
            let name = read(reader)?;
            let known = |place: &u16| self.names.get(usize::from(*place)).cmp(&Some(&name));
            let Err(at) = self.order.binary_search_by(known) else {
                let rule = "a name that has a place by that";
                return Err(DecodeError::NotCanonical { rule, position });
            };
            if let Some(place) =
                u16::try_from(self.names.len()).ok().filter(|place| usize::from(*place) < NAMES)
            {
                self.order.insert(at, place);
                self.names.push(name);
            }
            return Ok(name);
        }
        let place = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
        self.names.get(place).copied().ok_or_else(|| Reader::out_of_bounds(position, "place of a name"))
    }
}
