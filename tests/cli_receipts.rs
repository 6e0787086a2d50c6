//! Receipts on the command line (D10, F-92): had by `sync --receipt`, checked by `verify --receipt`, without a
//! store; exit codes and what is printed.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use isoroot::{DeviceKey, Root, SignedRoot, WallTime, append_receipt, read_receipts};
use tool::{Folder, RunningHub};

#[tokio::test]
async fn f92_a_hub_signs_for_what_it_holds_and_lies_are_found() {
    let folder = Folder::new();
    let hub = RunningHub::start(&folder, &["--open"]).await;
    folder.run(&["init"]).await.done();
    for value in ["1", "2"] {
        folder.run(&["append", "p", value]).await.done();
        let synced = folder.run(&["sync", &hub.url, "--receipt", "receipts", "--json"]).await.done();
        assert_eq!(synced.objects().last().unwrap()["event"], "receipt");
    }
    let bytes = std::fs::read(folder.path("receipts")).unwrap();
    let receipts = read_receipts(&bytes).unwrap();
    assert_eq!(receipts.len(), 2);
    let device = receipts[0].device.to_string();
    let shown = folder.run(&["verify", "receipts", "--receipt", &device, "--json"]).await.done().objects();
    assert_eq!(shown.iter().map(|said| said["entries"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let root = folder.run(&["root", "--json"]).await.done().json();
    assert_eq!(shown[1]["root"], root["root"]);

    // By another device; with one left out; with a bit flipped; no receipts at all.
    let other = DeviceKey::from_seed([5; 32]);
    let whose = other.device().to_string();
    folder.run(&["verify", "receipts", "--receipt", &whose]).await.exits(1).says("another device");
    let write = |name: &str, receipts: &[SignedRoot]| {
        let mut bytes = Vec::new();
        receipts.iter().for_each(|receipt| append_receipt(&mut bytes, receipt));
        std::fs::write(folder.path(name), bytes).unwrap();
    };
    write("later", &receipts[1..]);
    folder.run(&["verify", "later", "--receipt", &device]).await.exits(1).says("does not follow");
    let mut forged = receipts.clone();
    forged[1].root.count += 1;
    write("forged", &forged);
    folder.run(&["verify", "forged", "--receipt", &device]).await.exits(1).says("signature");
    std::fs::write(folder.path("none"), [1, 2, 3]).unwrap();
    folder.run(&["verify", "none", "--receipt", &device]).await.exits(2).says("no receipts");
    folder.run(&["sync", &hub.url, "--receipt", "none"]).await.exits(2).says("no receipts");

    // Somebody who signs for two sets of one size.
    let of = |hash| {
        let root = Root { count: 7, hash };
        SignedRoot::sign(receipts[0].journal, &other, root, WallTime::from_micros(5), [1; 32], None)
    };
    write("one", &[of([1; 32])]);
    write("two", &[of([2; 32])]);
    let checked = ["verify", "one", "--receipt", &whose, "--against", "two", "--json"];
    let found = folder.run(&checked).await.exits(1).objects();
    assert_eq!(found.last().unwrap()["contradicts"], true);
    folder.run(&["verify", "one", "--receipt", &whose, "--against", "one"]).await.done();
}
