//! Another process: this test binary, started again in a role.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use futures::future::join_all;
use isoroot::platform::Store;
use isoroot::platform::native::RedbStore;

use super::{append_one, journal};

/// What marks the lines that the child prints on purpose.
const MARK: &str = "@ ";

/// What a child does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Holds the store open until it is killed.
    Hold,
    /// Appends without end and prints each acknowledged `journal number`.
    Append,
    /// Runs a node that appends without end, ends it now and then, and prints each acknowledged
    /// `number id`.
    Journal,
}

/// Journals that a child appends to at once.
pub(crate) const JOURNALS: u8 = 4;

pub(crate) struct Child {
    process: std::process::Child,
    lines: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(role: Role, path: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::role", "--ignored", "--nocapture"])
            .env("ISOROOT_TEST_ROLE", format!("{role:?}"))
            .env("ISOROOT_TEST_STORE", path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it printed on purpose; nothing once it is dead and all is read.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test harness's own output may stand before it, and death cuts the last line off.
            if let Some((_, text)) = line.split_once(MARK)
                && let Some(text) = text.strip_suffix('\n')
            {
                return Some(text.into());
            }
        }
    }

    /// Kills it (SIGKILL where there is one).
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // One write, so that it is there whole or not.
    out.write_all(format!("{MARK}{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "run by other tests as another process"]
fn role() {
    let Ok(role) = std::env::var("ISOROOT_TEST_ROLE") else { return };
    let path = std::env::var_os("ISOROOT_TEST_STORE").unwrap();
    #[cfg(feature = "smol")]
    if role == "Journal" {
        return smol::block_on(super::node::append_without_end(Path::new(&path), say));
    }
    let store = RedbStore::open(path).unwrap();
    match role.as_str() {
        "Hold" => {
            say("held");
            smol::block_on(smol::Timer::after(Duration::from_secs(600)));
        }
        "Append" => smol::block_on(async {
            let appenders = (0..JOURNALS).map(|no| {
                let store = &store;
                async move {
                    let id = journal(no);
                    let mut at = store.head(id).await.unwrap().number;
                    loop {
                        append_one(store, id, at).await;
                        at += 1;
                        say(&format!("{no} {at}"));
                    }
                }
            });
            join_all::<_>(appenders.map(|appender| async move {
                let () = appender.await;
            }))
            .await;
        }),
        other => panic!("no role {other}"),
    }
}
