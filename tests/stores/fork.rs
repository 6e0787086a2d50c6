//! A store that is closed while another process is being started, which has copies of all open files.
#![cfg(unix)]

use std::io::{Read, Write, pipe};
use std::os::unix::process::CommandExt;
use std::process::Command;

use isoroot::platform::native::RedbStore;

#[tokio::test]
async fn c15_a_closed_store_is_free_also_while_a_process_is_being_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = RedbStore::open(path.clone()).unwrap();
    let (going_on, mut go_on) = pipe().unwrap();
    let (mut forked, forking) = pipe().unwrap();
    let starting = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("true");
        let between = move || {
            (&forking).write_all(b"x")?;
            (&going_on).read_exact(&mut [0])
        };
        // SAFETY: between fork and exec it only reads and writes pipes, which takes no lock and no memory.
        unsafe { command.pre_exec(between) };
        command.status()
    });
    forked.read_exact(&mut [0]).unwrap();
    store.close().await;
    let again = RedbStore::open(path);
    go_on.write_all(b"x").unwrap();
    assert!(starting.await.unwrap().unwrap().success());
    again.expect("nobody holds it");
}
