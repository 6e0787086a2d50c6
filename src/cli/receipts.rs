//! Receipts: a hub's signed roots, kept in a file one behind the other, and checked without a store.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::cli::args::VerifyArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record};
use crate::cli::utc;
use crate::cli::verify::read;
use crate::driver::node::SyncNode;
use crate::ids::DeviceId;
use crate::verification::receipts::{RECEIPTS, append_receipt, check_receipts, read_receipts};
use crate::verification::signed_root::SignedRoot;

/// Has a peer sign for what it holds, and puts that behind the receipts in a file.
pub(super) async fn request(
    node: &SyncNode,
    peer: &str,
    path: &Path,
    output: &mut Output,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::input(&path.display().to_string(), &error);
    let kept = match fs::read(path) {
        Ok(bytes) => parse(&bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    if kept.len() >= RECEIPTS {
        let full = format!("{} holds {RECEIPTS} receipts, as many as a chain may have", path.display());
        return Err(Failure::new(Exit::No, "RECEIPTS_FULL", full));
    }
    let receipt = node.request_receipt(peer, kept.last().map(SignedRoot::hash)).await?;
    let mut bytes = Vec::new();
    append_receipt(&mut bytes, &receipt);
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all())).map_err(failed)?;
    show(&receipt, output)
}

/// Checks the receipts in a file.
pub(super) fn verify(args: &VerifyArgs, device: &DeviceId, output: &mut Output) -> Result<Exit, Failure> {
    let receipts = parse(&read(&args.file)?)?;
    let journal = args.journal.or(receipts.first().map(|receipt| receipt.journal));
    if let Some(journal) = journal {
        check_receipts(&receipts, &journal, device).map_err(refused)?;
    } else {
        return Err(Failure::new(Exit::Usage, "BAD_RECEIPT", "the file holds no receipt"));
    }
    for receipt in &receipts {
        show(receipt, output)?;
    }
    let Some(other) = &args.against else { return Ok(Exit::Done) };
    let others = parse(&read(other)?)?;
    for receipt in &receipts {
        if let Some(lie) = others.iter().find(|other| receipt.contradicts(other)) {
            let record = || {
                let record = Record::new().json("contradicts", true).text("device", device);
                let record = record.json("entries", receipt.root.count);
                record.text("root", receipt.root).text("other_root", lie.root)
            };
            let text = || {
                let count = receipt.root.count;
                format!(
                    "{device} has signed for two sets of {count} entries: {} and {}",
                    receipt.root, lie.root
                )
            };
            output.line(record, text)?;
            return Ok(Exit::No);
        }
    }
    Ok(Exit::Done)
}

fn parse(bytes: &[u8]) -> Result<Vec<SignedRoot>, Failure> {
    let failed = |error| Failure::new(Exit::Usage, "BAD_RECEIPT", format!("these are no receipts: {error}"));
    read_receipts(bytes).map_err(failed)
}

fn refused(error: crate::verification::receipts::ReceiptError) -> Failure {
    Failure { exit: Exit::No, code: error.code(), message: Some(error.to_string()) }
}

fn show(receipt: &SignedRoot, output: &mut Output) -> Result<(), Failure> {
    let record = || {
        let record = Record::event("receipt").text("device", receipt.device).text("journal", receipt.journal);
        let record = record.json("time", receipt.time.as_micros()).json("entries", receipt.root.count);
        record.text("root", receipt.root)
    };
    output.line(record, || {
        let time = utc::utc(receipt.time.as_micros());
        format!("{time}  {}  {} entries, signed by {}", receipt.root, receipt.root.count, receipt.device)
    })
}
