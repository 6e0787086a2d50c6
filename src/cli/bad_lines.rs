//! The bad lines of an import: the first hundred with their reasons, the others counted.

use crate::cli::exit::Failure;
use crate::cli::output::{Output, Record, count};

/// Bad lines that are listed.
const LISTED: usize = 100;

/// A line that is no fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    /// Its number, from 1.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BadLines {
    listed: Vec<BadLine>,
    all: u64,
}

impl BadLines {
    pub(super) fn add(&mut self, line: u64, reason: String) {
        self.all = self.all.saturating_add(1);
        if self.listed.len() < LISTED {
            self.listed.push(BadLine { line, reason });
        }
    }

    /// Takes over those of later lines.
    pub(super) fn append(&mut self, later: Self) {
        self.all = self.all.saturating_add(later.all);
        let room = LISTED.saturating_sub(self.listed.len());
        self.listed.extend(later.listed.into_iter().take(room));
    }

    /// The first one alone.
    pub(super) fn first(mut self) -> Self {
        self.listed.truncate(1);
        Self { all: self.listed.len() as u64, ..self }
    }

    /// Number of the first one.
    pub(super) fn first_line(&self) -> Option<u64> {
        self.listed.first().map(|bad| bad.line)
    }

    pub(super) fn count(&self) -> u64 {
        self.all
    }

    /// Lists them.
    pub(super) fn show(&self, output: &mut Output) -> Result<(), Failure> {
        for BadLine { line, reason } in &self.listed {
            output.complaint(
                || Record::new().json("line", line).text("error", reason),
                || format!("line {line}: {reason}"),
            )?;
        }
        let others = self.all.saturating_sub(self.listed.len() as u64);
        if others > 0 {
            output.note(&format!("and {}", count(others, "more bad line", "more bad lines")));
        }
        Ok(())
    }
}
