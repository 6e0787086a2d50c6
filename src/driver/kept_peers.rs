//! The peers that a store remembers for a journal, in a note: `[1, [[address, device or null], …]]`.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::driver::error::NodeError;
use crate::error::StoreError;
use crate::ids::{DeviceId, JournalId};
use crate::limits::PEERS;
use crate::platform::traits::Store;

/// What starts the keys of these notes; the journal's id follows.
const NOTES: &str = "peers/";
/// Version of the note's form.
const VERSION: u64 = 1;
/// How often others may be faster, each time with a change of their own. Only a store that lies goes on.
const ATTEMPTS: u32 = 1_024;

/// An address to dial, and the device that must answer there, if it was given.
pub(crate) type KeptPeer = (String, Option<DeviceId>);

fn key(journal: JournalId) -> String {
    format!("{NOTES}{journal}")
}

/// The peers in the order in which they were added.
pub(crate) async fn kept<S: Store>(store: &S, journal: JournalId) -> Result<Vec<KeptPeer>, StoreError> {
    read(store.note(&key(journal)).await?.as_deref())
}

/// Remembers a peer, or forgets it; whether that changed anything. Several may do so at once.
pub(crate) async fn change<S: Store>(
    store: &S,
    journal: JournalId,
    peer: KeptPeer,
    keep: bool,
) -> Result<bool, NodeError> {
    let key = key(journal);
    let mut note = store.note(&key).await?;
    for _ in 0..ATTEMPTS {
        let mut peers = read(note.as_deref())?;
        let place = peers.iter().position(|(address, _)| *address == peer.0);
        match (place, keep) {
            (None, true) if peers.len() >= PEERS => return Err(NodeError::TooManyPeers),
            (None, true) => peers.push(peer.clone()),
            (Some(place), false) => drop(peers.remove(place)),
            (Some(place), true) => match peers.get_mut(place) {
                Some((_, device)) if peer.1.is_some() && *device != peer.1 => *device = peer.1,
                _ => return Ok(false),
            },
            (None, false) => return Ok(false),
        }
        let value = (!peers.is_empty()).then(|| write(&peers));
        match store.set_note(&key, note, value).await? {
            Ok(()) => return Ok(true),
            Err(changed) => note = changed,
        }
    }
    Err(StoreError::Failed("the note of peers is never what it was said to be".into()).into())
}

fn write(peers: &[KeptPeer]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(2).unsigned(VERSION).array(peers.len());
    for (address, device) in peers {
        writer.array(2).text(address);
        match device {
            Some(device) => writer.bytes(device.as_bytes()),
            None => writer.null(),
        };
    }
    writer.into_bytes()
}

fn read(note: Option<&[u8]>) -> Result<Vec<KeptPeer>, StoreError> {
    let Some(note) = note else { return Ok(Vec::new()) };
    let mut reader = Reader::new(note);
    let damaged = |error: DecodeError| StoreError::Damaged(format!("the note of peers: {error}"));
    // Later forms may have more parts.
    let parts = reader.array("the note of peers", 16).map_err(damaged)?;
    match (reader.unsigned().map_err(damaged)?, parts) {
        (VERSION, 2) => rest(reader).map_err(damaged),
        (found, _) if found > VERSION => Err(StoreError::TooNew { found, known: VERSION }),
        _ => Err(StoreError::Damaged("the note of peers has an unknown form".into())),
    }
}

fn rest(mut reader: Reader<'_>) -> Result<Vec<KeptPeer>, DecodeError> {
    let peers = reader.array("peers", PEERS)?;
    let mut read = Vec::with_capacity(peers);
    for _ in 0..peers {
        reader.array_of("a peer", 2)?;
        let address = reader.text()?.to_owned();
        let device = reader.optional(|reader| reader.array_of_bytes("32 bytes of a device"))?;
        read.push((address, device.map(DeviceId::from_bytes)));
    }
    reader.end()?;
    Ok(read)
}
