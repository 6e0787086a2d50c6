//! Runs the command line tool as people do: the real program, in a fresh folder.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long anything may take on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A fresh folder, gone when dropped.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isoroot"));
        command.args(arguments).current_dir(self.0.path()).env_remove("ISOROOT_LOG").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the tool to its end.
    pub async fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, b"").await
    }

    /// The same, with this on standard input.
    pub async fn run_with(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let write = async move {
            // A tool that has heard enough closes its end.
            let _ = stdin.write_all(input).await;
        };
        let ended = async { tokio::join!(write, child.wait_with_output()).1.unwrap() };
        let output = timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{arguments:?} did not end"));
        Run::new(arguments, output)
    }

    /// Starts the tool; it is killed when dropped.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments).spawn().unwrap(), arguments)
    }

    /// Makes a journal in this store; its link.
    pub async fn init(&self, store: &str) -> String {
        self.run(&["init", "--store", store, "--json"]).await.done().json()["link"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What `root --json` says.
    pub async fn root(&self, store: &str) -> Value {
        self.run(&["root", "--store", store, "--json"]).await.done().json()
    }
}

/// Sends a signal, such as `TERM`.
pub async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs");
    // The shell's own `kill`: not every machine has a program of that name.
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await.unwrap();
    assert!(sent.success());
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    pub arguments: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            arguments: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn done(self) -> Self {
        self.exits(0)
    }

    /// Holds that it complains of this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} in {self:#?}");
        self
    }

    /// All lines of standard output as JSON.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        let object = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(object).collect()
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.objects().pop().unwrap_or_else(|| panic!("nothing in {self:#?}"))
    }
}

/// A run that goes on.
pub struct Running {
    arguments: String,
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    heard: Vec<String>,
}

impl Running {
    /// Of a program with its standard output piped.
    pub fn new(mut child: Child, arguments: &[&str]) -> Self {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { arguments: arguments.join(" "), child, lines, heard: Vec::new() }
    }

    /// The next line of its standard output; nothing when it has closed it.
    pub async fn line(&mut self) -> Option<String> {
        let next = timeout(PATIENCE, self.lines.next_line()).await;
        let line = next
            .unwrap_or_else(|_| panic!("nothing more from {}: {:#?}", self.arguments, self.heard))
            .unwrap();
        self.heard.extend(line.clone());
        line
    }

    /// The first JSON line from here on of which this holds.
    pub async fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        while let Some(line) = self.line().await {
            let value = serde_json::from_str(&line).unwrap();
            if holds(&value) {
                return value;
            }
        }
        panic!("{} has ended: {:#?}", self.arguments, self.heard);
    }

    /// The next line in which the journal has so many entries.
    pub async fn entries(&mut self, number: u64) -> Value {
        self.until(|said| said["entries"].as_u64().is_some_and(|entries| entries >= number)).await
    }

    pub async fn signal(&self, name: &str) {
        signal(&self.child, name).await;
    }

    /// Kills it, as SIGKILL does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end within this time.
    pub async fn end(mut self, limit: Duration) -> Run {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let mut errors = self.child.stderr.take().unwrap();
        let ended = async {
            let read = async {
                while let Ok(Some(line)) = self.lines.next_line().await {
                    stdout.push_str(&line);
                    stdout.push('\n');
                }
            };
            tokio::join!(read, errors.read_to_string(&mut stderr), self.child.wait()).2.unwrap()
        };
        let status = timeout(limit, ended).await.unwrap_or_else(|_| panic!("{} did not end", self.arguments));
        Run { arguments: self.arguments, code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

/// A hub that runs.
pub struct RunningHub {
    pub running: Running,
    pub url: String,
    pub address: String,
}

impl RunningHub {
    /// Starts a hub with its store in `hub`, on a port that the system chooses.
    pub async fn start(folder: &Folder, more: &[&str]) -> Self {
        Self::start_on(folder, "127.0.0.1:0", more).await
    }

    pub async fn start_on(folder: &Folder, address: &str, more: &[&str]) -> Self {
        let arguments = ["hub", "--listen", address, "--data", "hub", "--json"];
        let mut running = folder.start(&[&arguments, more].concat());
        let said = running.until(|said| said["event"] == "listening").await;
        let text = |field: &str| said[field].as_str().unwrap().to_owned();
        Self { url: text("url"), address: text("address"), running }
    }
}

/// So many good lines, numbered from `from`.
pub fn lines(from: u64, count: u64) -> String {
    (from..from + count).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":{n}}}\n")).collect()
}

/// The names of an object's fields, in order.
pub fn fields(line: &str) -> Vec<String> {
    // The parser sorts them, so they are looked for in the text.
    let object: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    let mut fields: Vec<_> = object.keys().cloned().collect();
    fields.sort_by_key(|field| line.find(&format!("\"{field}\":")));
    fields
}
