//! Reads and parses an input on threads, in order.

use std::io::{self, Read};

use futures::{Stream, StreamExt};
use tokio::task::spawn_blocking;

use crate::cli::bad_lines::BadLines;
use crate::cli::input;
use crate::cli::lines::{Lines, Piece};
use crate::fact::statement::Fact;

/// Pieces parsed at once; as many more wait to be parsed.
const AT_ONCE: usize = 3;

/// What some lines came to.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The good ones, each with the number of its line.
    pub(super) facts: Vec<(u64, Fact)>,
    /// The bad ones.
    pub(super) bad: BadLines,
    /// Number of the last one.
    pub(super) last_line: u64,
    /// Bytes of all.
    pub(super) bytes: u64,
}

/// The parsed lines of an input, in order. `eager`: as they come, since it may be slow.
pub(super) fn parsed(
    input: impl Read + Send + 'static,
    eager: bool,
) -> impl Stream<Item = io::Result<Parsed>> + Unpin {
    let (pieces, read) = async_channel::bounded(AT_ONCE);
    // Ends when there is nobody left to take a piece, or with the input.
    drop(spawn_blocking(move || {
        let mut lines = Lines::new(input, eager);
        while let Some(piece) = lines.next_piece().transpose() {
            let failed = piece.is_err();
            if pieces.send_blocking(piece).is_err() || failed {
                return;
            }
        }
    }));
    let parsed = read.map(|piece| async {
        match piece {
            // It is only cancelled with the runtime.
            Ok(piece) => spawn_blocking(move || parse(piece)).await.map_err(io::Error::other),
            Err(error) => Err(error),
        }
    });
    Box::pin(parsed.buffered(AT_ONCE))
}

fn parse(piece: Piece) -> Parsed {
    let mut parsed = Parsed::default();
    match piece {
        Piece::TooLong { line, bytes } => {
            parsed.bad.add(line, input::too_long());
            parsed.last_line = line;
            parsed.bytes = bytes;
        }
        Piece::Lines { first, bytes } => {
            parsed.bytes = bytes.len() as u64;
            for (line, number) in bytes.split_inclusive(|byte| *byte == b'\n').zip(first..) {
                parsed.last_line = number;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                match input::fact(line) {
                    Ok(fact) => parsed.facts.push((number, fact)),
                    Err(reason) => parsed.bad.add(number, reason),
                }
            }
        }
    }
    parsed
}
