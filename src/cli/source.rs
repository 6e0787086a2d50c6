//! What is imported: a file, which can be read twice, or a stream, which can't.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

use crate::cli::exit::Failure;
use crate::journal::file::header::FileHeader;

/// See the module.
pub(super) enum Source {
    /// A file; its length.
    File(File, u64),
    /// Standard input or a pipe.
    Stream(Box<dyn Read + Send>),
}

impl Source {
    /// Opens what a path names; - is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stream(Box::new(io::stdin())));
        }
        let failed = |error| Failure::input(&path.display().to_string(), &error);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if found.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(if found.is_file() { Self::File(file, found.len()) } else { Self::Stream(Box::new(file)) })
    }

    /// Whether it begins as a journal's file does, rather than with text. Waits for its first byte, which
    /// is read again with the rest.
    pub(super) fn holds_a_journal(&mut self) -> io::Result<bool> {
        let mut first = [0];
        let came = match self {
            Self::File(file, _) => {
                let came = read(file, &mut first)?;
                file.rewind()?;
                came
            }
            Self::Stream(stream) => {
                let came = read(stream, &mut first)?;
                let rest = std::mem::replace(stream, Box::new(io::empty()));
                *stream =
                    Box::new(Cursor::new(first.into_iter().take(came).collect::<Vec<u8>>()).chain(rest));
                came
            }
        };
        Ok(came == 1 && FileHeader::may_begin_with(first[0]))
    }
}

/// Reads what there is.
pub(super) fn read(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
