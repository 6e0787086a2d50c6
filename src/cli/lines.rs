//! Reads lines in pieces of bounded size.

use std::io::{self, ErrorKind, Read};

use crate::cli::input::LINE_BYTES;

/// Bytes of a piece, unless one line takes more.
const PIECE_BYTES: usize = 256 * 1_024;

/// Whole lines, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Lines from this number on, each with its end, but perhaps for the input's last.
    Lines {
        /// Number of the first, from 1.
        first: u64,
        /// The lines.
        bytes: Vec<u8>,
    },
    /// One line that is too long to be one, not kept.
    TooLong {
        /// Its number, from 1.
        line: u64,
        /// Its bytes.
        bytes: u64,
    },
}

/// The lines of an input. Memory is bounded, whatever the input.
pub(super) struct Lines<R> {
    input: R,
    /// Whether to hand out lines as they come rather than wait for a full piece.
    eager: bool,
    buffer: Vec<u8>,
    next_line: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R, eager: bool) -> Self {
        Self { input, eager, buffer: Vec::new(), next_line: 1, ended: false }
    }

    /// The next lines; nothing at the end. Blocks.
    pub(super) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let full = self.buffer.len() >= PIECE_BYTES || self.ended || self.eager;
            if full && let Some(end) = self.buffer.iter().rposition(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end.saturating_add(1));
                return Ok(Some(self.lines(rest)));
            }
            if self.ended {
                // The last line may lack its end.
                return Ok((!self.buffer.is_empty()).then(|| self.lines(Vec::new())));
            }
            if self.buffer.len() > LINE_BYTES {
                return self.pass_over().map(Some);
            }
            self.fill()?;
        }
    }

    /// What is in the buffer as a piece; `rest` stays.
    fn lines(&mut self, rest: Vec<u8>) -> Piece {
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let first = self.next_line;
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.next_line = first.saturating_add(lines);
        Piece::Lines { first, bytes }
    }

    /// Passes over the line that has filled the buffer.
    fn pass_over(&mut self) -> io::Result<Piece> {
        let line = self.next_line;
        let mut passed = 0u64;
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                self.buffer.drain(..=end);
                self.next_line = line.saturating_add(1);
                let bytes = passed.saturating_add(end as u64).saturating_add(1);
                return Ok(Piece::TooLong { line, bytes });
            }
            passed = passed.saturating_add(self.buffer.len() as u64);
            self.buffer.clear();
            if self.ended {
                return Ok(Piece::TooLong { line, bytes: passed });
            }
            self.fill()?;
        }
    }

    /// Reads on; a pipe may give less than asked for.
    fn fill(&mut self) -> io::Result<()> {
        let start = self.buffer.len();
        self.buffer.resize(start.saturating_add(PIECE_BYTES), 0);
        let read = loop {
            match self.input.read(self.buffer.get_mut(start..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(start.saturating_add(*read.as_ref().unwrap_or(&0)));
        self.ended = read? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its parts one by one, as a pipe may.
    struct Parts(Vec<Vec<u8>>);

    impl Read for Parts {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(part) = self.0.first_mut() else { return Ok(0) };
            let len = part.len().min(buffer.len());
            buffer[..len].copy_from_slice(&part[..len]);
            part.drain(..len);
            if part.is_empty() {
                self.0.remove(0);
            }
            Ok(len)
        }
    }

    fn pieces(parts: &[&[u8]], eager: bool) -> Vec<Piece> {
        let mut lines = Lines::new(Parts(parts.iter().map(|part| part.to_vec()).collect()), eager);
        std::iter::from_fn(|| lines.next_piece().unwrap()).collect()
    }

    fn lines(first: u64, bytes: &[u8]) -> Piece {
        Piece::Lines { first, bytes: bytes.to_vec() }
    }

    #[test]
    fn f5_lines_come_whole_and_numbered() {
        assert_eq!(pieces(&[], false), []);
        assert_eq!(pieces(&[b"a\nb"], false), [lines(1, b"a\n"), lines(2, b"b")]);
        assert_eq!(pieces(&[b"a\n", b"b", b"c\nd\n"], false), [lines(1, b"a\nbc\nd\n")]);
        assert_eq!(pieces(&[b"a\n", b"b", b"c\nd\n"], true), [lines(1, b"a\n"), lines(2, b"bc\nd\n")]);
        let long = vec![b'x'; PIECE_BYTES + 1];
        assert_eq!(
            pieces(&[b"a\n", &long, b"\nb\n"], false),
            [lines(1, b"a\n"), lines(2, &[&long[..], b"\nb\n"].concat()),]
        );
    }

    #[test]
    fn f5_endless_lines_take_no_memory() {
        let endless = vec![b'x'; 8 * LINE_BYTES];
        let found = pieces(&[b"a\n", &endless, b"yy\nb\n", &endless], false);
        let bytes = endless.len() as u64;
        assert_eq!(
            found,
            [
                lines(1, b"a\n"),
                Piece::TooLong { line: 2, bytes: bytes + 3 },
                lines(3, b"b\n"),
                Piece::TooLong { line: 4, bytes },
            ]
        );
        let mut lines = Lines::new(Parts(vec![endless]), false);
        lines.next_piece().unwrap();
        assert!(lines.buffer.capacity() <= 4 * LINE_BYTES);
    }
}
