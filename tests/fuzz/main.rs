//! Fuzzes every decoder of bytes from elsewhere (F-84): seeds and their mutations, with memory counted.
//!
//! Without coverage, unlike `cargo fuzz` over the same targets, seeds and functions (`fuzz/`), but with
//! nothing to install, and seeded: what has failed can be run again. See docs/TESTING.md.

#![cfg(not(target_arch = "wasm32"))]

mod memory;
mod mutate;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use isoroot::fuzzing::{TARGETS, Target};
use mutate::Mutator;

/// Mutations of each target in the normal tests.
const SHORT: u64 = 3_000;
/// The longest input: beyond, nothing new happens.
const LONGEST: usize = 20_000;

fn folder(kind: &str, target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target.name)
}

/// The seeds of a target, in the order of their names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = folder("corpus", target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Runs a target; whether it accepts the bytes and the memory that it held, or what is wrong with it.
fn run(target: &Target, bytes: &[u8]) -> Result<(bool, usize), String> {
    let (outcome, peak) = memory::peak(|| catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))));
    let accepted = outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
    })?;
    let most = target.memory * bytes.len() + target.ground;
    if peak > most {
        return Err(format!("it held {peak} bytes for an input of {}, of at most {most}", bytes.len()));
    }
    Ok((accepted, peak))
}

/// Keeps what has failed, says how to see it again, and fails.
fn fail(target: &Target, seed: u64, number: u64, bytes: &[u8], what: &str) -> ! {
    let folder = folder("artifacts", target);
    let path = folder.join(format!("seed-{seed}-{number}"));
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, bytes)).unwrap();
    let hex: String = bytes.iter().take(2_000).map(|byte| format!("{byte:02x}")).collect();
    panic!(
        "{name}: {what}\n  input {number} of seed {seed}, {len} bytes: {hex}\n  again: FUZZ_TARGET={name} \
         FUZZ_INPUT={path} cargo test --features fuzzing --test fuzz -- --ignored replay\n  all of it: \
         FUZZ_TARGET={name} FUZZ_SEED={seed} make fuzz\n  once it is mended: move it to fuzz/corpus/{name}",
        name = target.name,
        len = bytes.len(),
        path = path.display(),
    )
}

/// How many inputs ran, how many of them were accepted, and the most memory that one took.
#[derive(Default)]
struct Counts {
    all: u64,
    accepted: u64,
    /// Bytes held, and bytes of that input.
    most: (usize, usize),
}

/// Runs mutations of the seeds as long as `more` says.
fn fuzz(target: &Target, seed: u64, mut more: impl FnMut(u64) -> bool) -> Counts {
    let mut mutator = Mutator::new(seed, corpus(target), LONGEST);
    let mut counts = Counts::default();
    while more(counts.all) {
        let bytes = mutator.next_input();
        match run(target, &bytes) {
            Ok((accepted, peak)) => {
                counts.accepted += u64::from(accepted);
                counts.most = counts.most.max((peak, bytes.len()));
            }
            Err(what) => fail(target, seed, counts.all, &bytes, &what),
        }
        counts.all += 1;
    }
    counts
}

/// The number in an environment variable.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// The targets that `FUZZ_TARGET` asks for.
fn targets() -> Vec<Target> {
    let asked = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let targets: Vec<_> =
        TARGETS.into_iter().filter(|target| asked.is_empty() || target.name == asked).collect();
    let names = TARGETS.map(|target| target.name).join(", ");
    assert!(!targets.is_empty(), "there is no target {asked}: {names}");
    targets
}

#[test]
fn f84_fuzzing_frames_begins_with_every_message_that_is_kept() {
    let messages: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(include_str!("../golden/messages.json")).unwrap();
    let target = TARGETS.into_iter().find(|target| target.name == "frame").unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let seeds: Vec<_> = corpus(&target).iter().map(|seed| hex(seed)).collect();
    for (name, bytes) in messages {
        let bytes = bytes.as_str().unwrap();
        assert!(seeds.iter().any(|seed| seed == bytes), "fuzz/corpus/frame/{name} is to hold {bytes}");
    }
}

#[test]
fn f84_every_wire_type_is_fuzzed() {
    let seeds = |name: &str| corpus(&TARGETS.into_iter().find(|target| target.name == name).unwrap());
    let frames = seeds("frame");
    let taken: BTreeSet<u8> =
        seeds("session").iter().flat_map(|script| isoroot::fuzzing::taken(script)).collect();
    let kinds = isoroot::fuzzing::wire_types();
    assert!(kinds.len() >= 25, "{kinds:?}");
    for kind in kinds {
        // Its own bytes are mutated …
        let is_decoded = |seed: &Vec<u8>| seed.first() == Some(&kind) && isoroot::fuzzing::frame(seed);
        assert!(frames.iter().any(is_decoded), "no seed in fuzz/corpus/frame is a message of type {kind}");
        // … and it comes where it has a place.
        assert!(taken.contains(&kind), "no script in fuzz/corpus/session has a message of type {kind} taken");
    }
}

#[test]
fn f84_every_seed_and_its_mutations_are_taken_or_refused_within_bounds() {
    for target in TARGETS {
        let seeds = corpus(&target);
        let mut accepted = 0;
        for (number, bytes) in (0..).zip(&seeds) {
            match run(&target, bytes) {
                Ok((taken, _)) => accepted += u64::from(taken),
                Err(what) => fail(&target, 0, number, bytes, &what),
            }
        }
        assert!(
            accepted > 0,
            "{}: no seed is accepted, so nothing behind the first check is reached",
            target.name
        );
        let counts = fuzz(&target, 84, |ran| ran < SHORT);
        assert_eq!(counts.all, SHORT);
        // Mutations that change nothing that matters, or to another good input: refusing all would be vacuous.
        assert!(counts.accepted > 0 || target.name == "genesis", "{}: no mutation is accepted", target.name);
    }
}

#[test]
fn f84_lengths_that_bytes_claim_take_no_memory() {
    let journal = isoroot::Genesis::named("notes").journal();
    let head = [&b"\x89isoroot\x01"[..], journal.as_bytes(), &[0; 4]].concat();
    let huge = [&[0x9b][..], &[0xff; 8]].concat();
    let long_bytes = [&[0x5a][..], &[0x7f; 4]].concat();
    let claims: [(&str, Vec<u8>); 13] = [
        // The most bits that a filter can have, and none of them.
        (
            "bloom",
            [&[0x87, 1, 1, 0xf9, 0x38, 0, 0x1a][..], &8_388_608u32.to_be_bytes(), &[1, 0, 0x40]].concat(),
        ),
        ("checkpoint", [&[0x83, 1, 1][..], &huge].concat()),
        ("checkpoint", [&[0x84, 1][..], &huge].concat()),
        ("evidence", [&[0x85, 1, 0x58, 32][..], &[1; 32], &[0x58, 32], &[2; 32], &long_bytes].concat()),
        // A count of all there could be, and forks without ends.
        ("proof", [&[1][..], &[0xff; 8], &[0; 8]].concat()),
        ("file", [&head[..], &1_048_576u32.to_be_bytes(), &[1; 10]].concat()),
        ("file", [&head[..41], &1_024u32.to_be_bytes(), &[1; 10]].concat()),
        ("frame", [&[23, 0][..], &huge].concat()),
        ("frame", vec![23, 0, 0x99, 0x10, 0x00, 0]),
        ("frame", [&[24, 0, 1, 1][..], &long_bytes].concat()),
        ("value", huge.clone()),
        ("value", long_bytes),
        ("facts", [&[0x86, 1, 0][..], &huge].concat()),
    ];
    for (name, bytes) in claims {
        let target = TARGETS.into_iter().find(|target| target.name == name).unwrap();
        let ((), peak) = memory::peak(|| assert!(!(target.run)(&bytes), "{name}: {bytes:?}"));
        assert!(peak < 4_096, "{name} held {peak} bytes for {bytes:?}");
    }
}

/// An unsigned integer, or the head of something that is so long.
fn head(major: u8, argument: usize) -> Vec<u8> {
    match argument {
        0..24 => vec![major << 5 | argument as u8],
        24..256 => vec![major << 5 | 24, argument as u8],
        _ => [&[major << 5 | 25][..], &(argument as u16).to_be_bytes()].concat(),
    }
}

/// A frame of as many of these pieces as it may hold, at most so many, with its head for each number of them.
fn full(most: usize, piece: &[u8], before: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let count = most.min((65_536 - before(most).len()) / piece.len());
    [before(count), piece.repeat(count)].concat()
}

#[test]
fn f84_frames_of_as_much_as_possible_of_as_little_as_possible_take_at_most_four_times_their_bytes() {
    let target = TARGETS.into_iter().find(|target| target.name == "frame").unwrap();
    assert_eq!((target.memory, target.ground), (4, 65_536));
    let whole = |length: usize| [&[0, 3][..], &head(2, length), &vec![7; length]].concat();
    let usual = |form: usize, length: usize| {
        [&[0][..], &head(0, form), &[0], &head(2, length), &vec![7; length]].concat()
    };
    let table =
        |devices: usize| [head(4, devices), [&[0x58, 32][..], &[1; 32]].concat().repeat(devices)].concat();
    let entries = |devices: usize, first: Vec<u8>| {
        move |count: usize| {
            [vec![23, 0], table(devices), head(0, count + usize::from(!first.is_empty())), first.clone()]
                .concat()
        }
    };
    let mut frames = vec![
        full(4_096, &whole(0), entries(0, vec![])),
        full(4_096, &whole(64), entries(0, vec![])),
        full(4_096, &whole(65), entries(0, vec![])),
        full(4_096, &usual(0, 0), entries(1, vec![])),
        full(4_096, &usual(0, 65), entries(1, vec![])),
        full(4_095, &usual(1, 65), entries(1, usual(0, 65))),
        full(4_095, &usual(1, 0), entries(1, usual(0, 65))),
        full(96, &[0x80], |count| [vec![21, 0], head(4, count)].concat()),
        full(96, &[&[0xb0][..], &[0; 0], &[0, 0x40].repeat(16)].concat(), |count| {
            [vec![21, 0], head(4, count)].concat()
        }),
        full(96, &[0x82, 0, 0x40], |count| [vec![20, 0], head(4, count)].concat()),
        full(1_900, &[&[0x58, 32][..], &[3; 32]].concat(), |count| [vec![28, 0], head(4, count)].concat()),
    ];
    // Many devices, each with one short entry.
    let devices = 600;
    let entries: Vec<u8> = (0..devices).flat_map(|device| usual(4 * device, 65)).collect();
    frames.push([vec![23, 0], table(devices), head(0, devices), entries].concat());
    let packed = |kind: &[u8], size: usize, most: usize| {
        [kind, &head(2, size * most)[..], &vec![5; size * most], &[0xf5]].concat()
    };
    frames.extend([
        packed(&[30, 0, 0x82, 0, 0x40, 0], 11, 5_400),
        packed(&[32, 0], 8, 7_500),
        packed(&[22, 0, 2], 2, 30_000),
        [&[24, 0, 1, 0x1a, 0, 1, 0, 0][..], &head(2, 65_000), &vec![1; 65_000]].concat(),
    ]);
    let mut accepted = 0;
    for frame in frames {
        assert!(frame.len() <= 65_536);
        match run(&target, &frame) {
            Ok((taken, _)) => accepted += usize::from(taken),
            Err(what) => panic!("{:02x?} …: {what}", &frame[..40.min(frame.len())]),
        }
    }
    assert!(accepted >= 12, "{accepted}");
}

#[test]
fn f84_the_runner_sees_a_panic_and_too_much_memory() {
    let broken =
        Target { name: "broken", run: |bytes| bytes.len() > 3 && bytes[100] == 0, memory: 1, ground: 65_536 };
    assert_eq!(run(&broken, b"abc").map(|(accepted, _)| accepted), Ok(false));
    let error = run(&broken, b"abcd").unwrap_err();
    assert!(error.contains("index out of bounds"), "{error}");
    let greedy = Target {
        name: "greedy",
        run: |bytes| vec![1u8; bytes.len() * 70_000].len() > 1,
        memory: 1,
        ground: 65_536,
    };
    assert_eq!(run(&greedy, b""), Ok((false, 0)));
    assert!(run(&greedy, b"a").unwrap_err().contains("it held 700"), "{:?}", run(&greedy, b"a"));
}

#[test]
fn f84_one_seed_is_one_run() {
    let inputs = |seed| {
        let mut mutator = Mutator::new(seed, corpus(&TARGETS[0]), LONGEST);
        (0..200).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
    assert!(inputs(7).iter().all(|input| input.len() <= LONGEST));
}

#[test]
fn f84_every_target_has_a_file_for_cargo_fuzz() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        let file = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains(&format!("isoroot::fuzzing::{name}(")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    let files = std::fs::read_dir(fuzz.join("fuzz_targets")).unwrap().count();
    assert_eq!(files, TARGETS.len());
}

#[test]
#[ignore = "make fuzz runs it"]
#[expect(clippy::disallowed_methods, reason = "how long it runs is asked for in seconds")]
fn fuzz_for_a_time() {
    let limit = Duration::from_secs(asked("FUZZ_SECONDS").unwrap_or(60));
    for target in targets() {
        let begun = Instant::now();
        // Another seed for each run, told, unless one is asked for.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = asked("FUZZ_SEED").unwrap_or(now.as_secs());
        println!("{}: seed {seed}, {} s", target.name, limit.as_secs());
        let counts = fuzz(&target, seed, |_| begun.elapsed() < limit);
        let rate = counts.all as f64 / begun.elapsed().as_secs_f64();
        let Counts { all, accepted, most: (peak, len) } = counts;
        println!(
            "{}: {all} executions, {accepted} accepted, {rate:.0} a second; at most {peak} bytes held, for {len}",
            target.name
        );
    }
}

#[test]
#[ignore = "runs the input in FUZZ_INPUT"]
fn replay() {
    let path = std::env::var("FUZZ_INPUT").expect("FUZZ_INPUT names a file");
    let bytes = std::fs::read(&path).unwrap();
    for target in targets() {
        println!("{}: {:?}", target.name, run(&target, &bytes));
        (target.run)(&bytes);
    }
}
