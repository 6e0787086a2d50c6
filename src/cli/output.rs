//! What the tool prints: results on standard output as text or JSON, everything else on standard error.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, BufWriter, IsTerminal, Write};

use crate::cli::exit::Failure;

/// One JSON object, written field by field in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(String);

impl Record {
    /// An object without fields.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// An object that says in its first field what has happened.
    pub(super) fn event(event: &str) -> Self {
        Self::new().text("event", event)
    }

    /// A field whose value is JSON already, such as a number.
    pub(super) fn json(mut self, key: &str, value: impl Display) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(self.0, "{comma}\"{key}\":{value}");
        self
    }

    /// A field with text.
    pub(super) fn text(self, key: &str, value: impl Display) -> Self {
        let value = quoted(&value.to_string());
        self.json(key, value)
    }

    /// A field with text, or null.
    pub(super) fn text_or_null(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.json(key, "null"),
        }
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// Text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text in which nothing steers the terminal: what comes from files and peers may try.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    // Marks that turn the direction of writing can make a line look like another one.
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Where results and errors go.
pub(super) struct Output {
    json: bool,
    stdout: BufWriter<io::Stdout>,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json, stdout: BufWriter::new(io::stdout()) }
    }

    /// Prints a result, as `record` or `text`; text of several lines is fine.
    pub(super) fn line(
        &mut self,
        record: impl FnOnce() -> Record,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let written = if self.json {
            writeln!(self.stdout, "{}", record())
        } else {
            text().lines().try_for_each(|line| writeln!(self.stdout, "{}", printable(line)))
        };
        written.map_err(|error| Failure::output(&error))
    }

    /// Writes a result that is no text, as it is.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(|error| Failure::output(&error))
    }

    /// Whether JSON is printed.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints what is wrong: JSON as a result, text where people are told things.
    pub(super) fn complaint(
        &mut self,
        record: impl FnOnce() -> Record,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            return self.line(record, String::new);
        }
        complain(&text());
        Ok(())
    }

    /// Hands what was printed to the system.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|error| Failure::output(&error))
    }

    /// Tells a person something that is no result. Not with `--json`.
    pub(super) fn note(&self, text: &str) {
        if !self.json {
            complain(text);
        }
    }

    /// Says why the command failed.
    pub(super) fn failure(&mut self, failure: &Failure) {
        // First what was found out before it failed; if that can't be printed, there is worse to tell.
        let _ = self.stdout.flush();
        let Some(message) = &failure.message else { return };
        if self.json {
            let record = Record::new().text("error", failure.code).text("message", message);
            // A standard error that is closed is where nobody wants to know.
            let _ = writeln!(io::stderr(), "{record}");
        } else {
            complain(&format!("isoroot: {message}"));
        }
    }

    /// Whether a person watches who may want to see progress.
    pub(super) fn is_watched(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }
}

fn complain(text: &str) {
    for line in text.lines() {
        let _ = writeln!(io::stderr(), "{}", printable(line));
    }
}

/// A count with its noun: `1 entry`, `12 entries`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f5_records_are_json_in_the_order_of_their_fields() {
        let record = Record::event("x").json("n", 1).text("t", "a\"\n").text_or_null("o", None::<&str>);
        assert_eq!(record.to_string(), r#"{"event":"x","n":1,"t":"a\"\n","o":null}"#);
        assert_eq!(Record::new().to_string(), "{}");
    }

    #[test]
    fn f5_text_from_elsewhere_does_not_steer_the_terminal() {
        assert_eq!(printable("milk é 牛乳"), "milk é 牛乳");
        assert_eq!(printable("\u{1b}[2J\u{9b}\u{202e}x"), "\\u{1b}[2J\\u{9b}\\u{202e}x");
    }
}
