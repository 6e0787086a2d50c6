//! Journals exported from one node and imported into another: what goes out, what comes in, and what is left
//! when a file turns out wrong (C12).

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

mod slow;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use isoroot::platform::Store;
use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation};
use isoroot::{
    Config, Event, Fact, FileError, Genesis, ImportError, ImportReport, NodeError, Query, Root, StoreError,
    StoreId, SyncNode, SyncService,
};
use slow::SlowStore;

type Piece = Result<Vec<u8>, String>;

fn genesis() -> Genesis {
    Genesis::named("import test")
}

fn store(world: &Simulation) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()))
}

async fn service(world: &Simulation, store: impl Store) -> SyncService {
    SyncService::new(SimPlatform::new(world, store, Vec::new()), Config::default()).await.unwrap()
}

async fn node(world: &Simulation) -> SyncNode {
    service(world, store(world)).await.create(&genesis()).await.unwrap()
}

/// Appends entries of one fact each.
async fn write(node: &SyncNode, values: std::ops::Range<i64>) {
    for value in values {
        node.append([Fact::new("note", value)]).await.unwrap();
    }
}

/// The file of a node's journal.
async fn export(node: &SyncNode) -> Vec<u8> {
    let pieces: Vec<_> = node.export().collect().await;
    pieces.into_iter().flat_map(Result::unwrap).collect()
}

async fn import(node: &SyncNode, file: &[u8]) -> Result<ImportReport, ImportError> {
    let pieces: Vec<Piece> = file.chunks(1_000).map(|piece| Ok(piece.to_vec())).collect();
    node.import(stream::iter(pieces)).await
}

async fn values(node: &SyncNode) -> Vec<i64> {
    let facts: Vec<_> = node.facts(Query::all()).collect().await;
    let value = |fact: Result<isoroot::FactRecord, _>| match fact.unwrap().fact.value {
        isoroot::Value::Integer(value) => value,
        other => panic!("{other:?}"),
    };
    facts.into_iter().map(value).collect()
}

#[test]
fn c12_an_exported_journal_is_imported_once_and_only_once() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let (a, b) = (node(&world).await, node(&world).await);
        write(&a, 0..1_500).await;
        write(&b, 5_000..5_002).await;
        let file = export(&a).await;
        let root = a.root().await.unwrap();
        let report = import(&b, &file).await.unwrap();
        assert_eq!((report.entries, report.new, report.in_file), (1_500, 1_500, root));
        assert_eq!((report.here.count, report.here), (1_502, b.root().await.unwrap()));
        let all: Vec<_> = [5_000, 5_001].into_iter().chain(0..1_500).collect();
        assert_eq!(values(&b).await, all, "in the order of the file");

        let again = import(&b, &file).await.unwrap();
        assert_eq!(again, ImportReport { new: 0, ..report });
        // And back: both have the union.
        let report = import(&a, &export(&b).await).await.unwrap();
        assert_eq!((report.entries, report.new), (1_502, 2));
        assert_eq!((report.here, report.in_file), (b.root().await.unwrap(), b.root().await.unwrap()));
    });
}

#[test]
fn c12_an_empty_journal_is_a_file_too() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let (a, b) = (node(&world).await, node(&world).await);
        let report = import(&b, &export(&a).await).await.unwrap();
        let none = ImportReport { entries: 0, new: 0, in_file: Root::EMPTY, here: Root::EMPTY };
        assert_eq!(report, none);
    });
}

#[test]
fn c12_an_export_is_of_one_moment_whatever_is_appended_meanwhile() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let slow = SlowStore {
            store: store(&world),
            world: world.clone(),
            append: Duration::from_millis(1),
            read: Duration::from_millis(5),
        };
        let a = service(&world, slow).await.create(&genesis()).await.unwrap();
        // Several pieces: 40 × 20 kB.
        for n in 0..40 {
            a.append([Fact::new("note", n), Fact::new("size", "x".repeat(20_000))]).await.unwrap();
        }
        let before = a.root().await.unwrap();
        let mut export = a.export();
        let mut file = export.next().await.unwrap().unwrap();
        let mut pieces = 1;
        while let Some(piece) = export.next().await {
            write(&a, 100 + pieces..101 + pieces).await;
            file.extend(piece.unwrap());
            pieces += 1;
        }
        assert!(pieces > 4, "{pieces} pieces");
        assert_ne!(a.root().await.unwrap(), before, "it did grow");
        let b = node(&world).await;
        let report = import(&b, &file).await.unwrap();
        assert_eq!((report.in_file, report.here), (before, before));
    });
}

#[test]
fn c12_pieces_of_an_export_are_bounded() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world).await;
        for n in 0..60 {
            a.append([Fact::new("note", n), Fact::new("size", "x".repeat(30_000))]).await.unwrap();
        }
        let pieces: Vec<_> = a.export().map(Result::unwrap).collect().await;
        let largest = pieces.iter().map(Vec::len).max().unwrap();
        assert!(pieces.len() > 7 && largest < 262_144 + 60 * 4, "{} pieces, {largest} bytes", pieces.len());
    });
}

#[test]
fn c12_a_file_of_another_journal_changes_nothing() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world).await;
        write(&a, 0..3).await;
        let file = export(&a).await;
        let other = Genesis::named("other");
        let b = service(&world, store(&world)).await.create(&other).await.unwrap();
        let error = import(&b, &file).await.unwrap_err();
        let expected = FileError::OtherJournal { found: genesis().journal(), expected: other.journal() };
        assert_eq!(error, ImportError { error: NodeError::File(expected), entries: 0, new: 0 });
        assert_eq!(error.error.code().as_str(), "OTHER_JOURNAL");
        assert_eq!(b.root().await.unwrap(), Root::EMPTY);
    });
}

#[test]
fn c12_what_is_wrong_with_a_file_is_told_with_what_was_imported_of_it() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world).await;
        write(&a, 0..700).await;
        let file = export(&a).await;
        let root = a.root().await.unwrap();

        // Cut off in the last entry, and within the end.
        for (cut, entries) in [(100, 699), (76, 700), (1, 700)] {
            let b = node(&world).await;
            write(&b, -1..0).await;
            let error = import(&b, &file[..file.len() - cut]).await.unwrap_err();
            let offset = (file.len() - cut) as u64;
            let incomplete = FileError::Incomplete { offset, entries };
            assert_eq!(error, ImportError { error: incomplete.into(), entries, new: entries });
            assert_eq!(values(&b).await.len() as u64, entries + 1, "each stands for itself");
            // The rest of it later adds what was missing.
            let report = import(&b, &file).await.unwrap();
            assert_eq!((report.new, report.here.count), (700 - entries, 701));
        }

        // A signature that is none, in the second batch: those before it are in, those behind it are not.
        let b = node(&world).await;
        let mut damaged = file.clone();
        let at = file.len() * 6 / 7;
        damaged[at] ^= 1;
        let error = import(&b, &damaged).await.unwrap_err();
        assert!(matches!(error.error, NodeError::File(FileError::Entry { .. })), "{error:?}");
        assert!((513..700).contains(&error.entries) && error.new == error.entries, "{error:?}");
        assert_eq!(values(&b).await, (0..error.entries as i64).collect::<Vec<_>>());
        assert!(error.to_string().ends_with("of them new"), "{error}");

        // A wrong root at the end, with a right hash.
        let mut lying = file[..file.len() - 32].to_vec();
        *lying.last_mut().unwrap() ^= 1;
        let hash: [u8; 32] =
            sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), &lying))
                .into();
        lying.extend(hash);
        let b = node(&world).await;
        let error = import(&b, &lying).await.unwrap_err();
        assert_eq!((error.entries, error.new, error.error.code().as_str()), (700, 700, "FILE_MISMATCH"));
        assert_eq!(b.root().await.unwrap(), root, "which the journal has all the same");

        // Reading fails half way.
        let b = node(&world).await;
        let pieces: Vec<Piece> = vec![Ok(file[..file.len() / 2].to_vec()), Err("unplugged".into())];
        let error = b.import(stream::iter(pieces)).await.unwrap_err();
        assert_eq!(error.error, FileError::Unreadable("unplugged".into()).into());
        assert!(error.new > 300 && error.new == b.root().await.unwrap().count, "{error:?}");
    });
}

#[test]
fn c12_an_import_keeps_the_genesis_where_it_was_not_known() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world).await;
        let known = export(&a).await;
        let kept = store(&world);
        let joined = service(&world, kept.clone()).await.open(genesis().journal()).await.unwrap();
        assert_ne!(export(&joined).await, known, "without a genesis");
        import(&joined, &known).await.unwrap();
        assert_eq!(export(&joined).await, known);
        let note = kept.note(&format!("journal/{}", genesis().journal())).await;
        assert_eq!(note, Ok(Some(genesis().to_bytes())));
        let error = import(&joined, b"{\"predicate\"").await.unwrap_err();
        assert_eq!(error.error, FileError::NotAFile.into());
    });
}

#[test]
fn c12_imported_entries_are_announced_to_peers() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(5));
    world.clone().run(async move {
        let a = node(&world).await;
        write(&a, 0..600).await;
        let file = export(&a).await;
        let connected = async |kept: MemoryStore| {
            let platform = SimPlatform::new(&world, kept, vec![Arc::new(network.transport())]);
            let node = SyncNode::create(platform, &genesis()).await.unwrap();
            node.start().await.unwrap();
            node
        };
        let (b, c) = (connected(store(&world)).await, connected(store(&world)).await);
        let (listener, served) = (network.listen("b"), b.service().clone());
        world.spawn(async move { served.serve(listener).await });
        c.add_peer("sim:b").await.unwrap();
        assert!(c.sync().await.unwrap()[0].result.is_ok());

        let events = c.events().await.unwrap();
        let report = import(&b, &file).await.unwrap();
        // The channel between them is open: nobody asks for another sync.
        let arrived = async {
            while c.root().await.unwrap() != report.here {
                assert!(matches!(events.recv().await.unwrap(), Event::Grew { .. } | Event::Synced { .. }));
            }
        };
        arrived.await;
        assert_eq!(values(&c).await.len(), 600);
    });
}

#[test]
fn c12_a_store_that_fails_ends_an_import_with_what_it_took() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world).await;
        write(&a, 0..1_600).await;
        let file = export(&a).await;
        let kept = store(&world);
        let b = service(&world, kept.clone()).await.create(&genesis()).await.unwrap();
        // The first batch is committed alone, the others while that goes on.
        kept.fail_after(2);
        let failed = import(&b, &file).await.unwrap_err();
        assert!(matches!(failed.error, NodeError::Store(StoreError::Failed(_))), "{failed:?}");
        assert_eq!((failed.entries, failed.new, b.root().await.unwrap().count), (512, 512, 512));
        kept.reopen();
        let report = import(&b, &file).await.unwrap();
        assert_eq!((report.entries, report.new, report.here), (1_600, 1_088, report.in_file));
    });
}
