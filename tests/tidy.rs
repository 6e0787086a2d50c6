//! The house rules that no compiler knows: which folder may use which, and what a file of `src` looks
//! like. Each rule is shown bad samples, so that it is seen to refuse, and then all of `src`.

#![cfg(not(target_arch = "wasm32"))]

mod source;

use source::{Named, Source};

/// The levels, lowest first: a module may use those of lower levels, and itself.
///
/// The first two are both "ground": the plain files, then what is thin over libraries.
const LEVELS: [&[&str]; 11] = [
    &["time", "ids", "limits", "error"],
    &["crypto", "codec"],
    &["fact"],
    &["merkle", "symbols"],
    &["journal"],
    &["reconcile", "verification"],
    &["session", "epoch"],
    &["service"],
    &["platform"],
    &["driver"],
    &["sim", "hub", "cli", "bindings", "fuzzing"],
];
const GROUND: usize = 0;
const LIBRARIES: usize = 1;
const SERVICE: usize = 7;
const PLATFORM: usize = 8;
const DRIVER: usize = 9;

/// Files that may be longer than [`LINES`]: how long at most, and why. Only ever to be shortened.
const LONG: &[(&str, usize, &str)] = &[];
const LINES: usize = 500;

/// What the core (levels up to `service`) must not name: whatever waits, reads a clock, draws random
/// bytes or touches the system.
const BANNED: [&[&str]; 15] = [
    &["futures"],
    &["async_channel"],
    &["async_io"],
    &["async_net"],
    &["blocking"],
    &["tokio"],
    &["smol"],
    &["getrandom"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "thread"],
    &["std", "process"],
    &["std", "env"],
    &["std", "time"],
    &["std", "*"],
];

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|names| names.contains(&module))
}

fn is_core(source: &Source) -> bool {
    source.top().and_then(|top| level(&top)).is_some_and(|level| level <= SERVICE)
}

/// Why the file must not use the module, if so.
fn forbidden(source: &Source, from: &str, named: &Named, to: &str) -> Option<String> {
    let (Some(low), Some(high)) = (level(from), level(to)) else {
        let module = if level(from).is_none() { from } else { to };
        return Some(format!("`{module}` has no level: give it one in tests/tidy.rs"));
    };
    let adapter = |name: &String| ["memory", "native", "web"].contains(&name.as_str());
    let allowed = if from == to {
        true
    } else if low == PLATFORM && !source.path.starts_with("platform/conformance") {
        high <= LIBRARIES
    } else if low == DRIVER && to == "platform" {
        named.test || !named.path.get(2).is_some_and(adapter)
    } else {
        high < low || (low == GROUND && high == GROUND) || (from, to) == ("cli", "hub")
    };
    (!allowed).then(|| format!("`{from}` must not use `{}`", named.path.join("::")))
}

fn levels(sources: &[Source]) -> Vec<String> {
    let library = sources.iter().find(|source| source.path == "lib.rs").map(Source::outline);
    let exports = library.map(|library| library.exports).unwrap_or_default();
    let mut found = Vec::new();
    for source in sources {
        let Some(from) = source.top() else { continue };
        for named in source.outline().named.iter().filter(|named| named.path[0] == "crate") {
            let Some(first) = named.path.get(1) else {
                found.push(at(source, named.line, "name a module, not the whole crate"));
                continue;
            };
            // What the root re-exports counts as the module that it comes from.
            let export = exports.iter().find(|(name, _)| name == first).map(|(_, path)| &path[0]);
            let to = if level(first).is_some() { first } else { export.unwrap_or(first) };
            found.extend(forbidden(source, &from, named, to).map(|why| at(source, named.line, &why)));
        }
    }
    found
}

fn heads(sources: &[Source]) -> Vec<String> {
    let headless = |source: &&Source| {
        let first = source.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        first.is_none_or(|purpose| purpose.trim().is_empty())
    };
    sources
        .iter()
        .filter(headless)
        .map(|s| at(s, 1, "the first line is `//!` and the file's purpose"))
        .collect()
}

fn undeclared(sources: &[Source]) -> Vec<String> {
    let outlines: Vec<_> = sources.iter().map(Source::outline).collect();
    let declared: Vec<_> = outlines.iter().flat_map(|outline| &outline.declared).collect();
    let orphans = sources.iter().filter(|source| !source.is_root() && !declared.contains(&&source.module()));
    let orphans = orphans.map(|source| at(source, 1, "no `mod` declares this file, so nobody compiles it"));
    let redirected = sources.iter().zip(&outlines).flat_map(|(source, outline)| {
        outline.redirected.iter().map(|line| at(source, *line, "a module's file is where its name says"))
    });
    orphans.chain(redirected).collect()
}

fn long(sources: &[Source], allowed: &[(&str, usize, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        let entry = allowed.iter().find(|(path, ..)| *path == source.path);
        let most = entry.map_or(LINES, |(_, most, _)| *most);
        if lines > most {
            let why = format!("{lines} lines, of at most {most}: give a part a file of its own");
            found.push(at(source, lines, &why));
        } else if entry.is_some() && lines <= LINES {
            found.push(at(source, lines, "is short again: strike it from LONG in tests/tidy.rs"));
        }
    }
    let gone = allowed.iter().filter(|(path, ..)| !sources.iter().any(|source| source.path == *path));
    found.extend(gone.map(|(path, ..)| format!("src/{path}: is gone: strike it from LONG in tests/tidy.rs")));
    found
}

fn targets(sources: &[Source]) -> Vec<String> {
    let switch = |word: &str| word.starts_with("target_") || ["unix", "windows"].contains(&word);
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.path.starts_with("platform/")) {
        let words = source.outline().conditions;
        let mut lines: Vec<_> =
            words.iter().filter(|(_, word)| switch(word)).map(|(line, _)| *line).collect();
        lines.dedup();
        // One line of the root chooses the bindings.
        let spared = usize::from(source.path == "lib.rs");
        let why = "what depends on the target belongs into platform/";
        found.extend(lines.iter().skip(spared).map(|line| at(source, *line, why)));
    }
    found
}

fn waiting(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| is_core(source)) {
        let words = source.outline().words;
        let waits = words.iter().filter(|(_, word)| ["async", "await"].contains(&word.as_str()));
        found.extend(waits.map(|(line, word)| at(source, *line, &format!("`{word}`: the core never waits"))));
    }
    found
}

fn banned(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| is_core(source)) {
        for named in source.outline().named {
            let path: Vec<_> = named.path.iter().map(String::as_str).collect();
            // A duration is a number.
            if path != ["std", "time", "Duration"] && BANNED.iter().any(|banned| path.starts_with(banned)) {
                let why = format!("`{}`: the core knows no system, clock or executor", path.join("::"));
                found.push(at(source, named.line, &why));
            }
        }
    }
    found
}

fn names(sources: &[Source]) -> Vec<String> {
    let empty = ["util", "utils", "helper", "helpers", "misc", "common"];
    let says_nothing = |source: &&Source| source.module().iter().any(|name| empty.contains(&name.as_str()));
    sources.iter().filter(says_nothing).map(|s| at(s, 1, "a name says what is in the file")).collect()
}

fn unfinished(sources: &[Source]) -> Vec<String> {
    let marks = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!"];
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            let mut parts = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!'));
            if let Some(mark) = parts.find(|part| marks.contains(part)) {
                found.push(at(source, number + 1, &format!("`{mark}`: finish it, or leave it out")));
            }
        }
    }
    found
}

/// A finding, with its place.
fn at(source: &Source, line: usize, why: &str) -> String {
    format!("src/{}:{line}: {why}", source.path)
}

#[track_caller]
fn clean(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Holds a rule to samples: each is a path and a text, and what the rule is to say begins with
/// `src/PATH:LINE`, where the line is 0 for a good sample.
#[track_caller]
fn samples(rule: impl Fn(&[Source]) -> Vec<String>, samples: &[(usize, &str, &str)]) {
    let library =
        Source::new("lib.rs", "//! Root.\nmod fact;\npub use fact::entry::Entry;\npub use ids::EntryId;");
    for (line, path, text) in samples {
        let tree = [Source::new(&library.path, &library.text), Source::new(path, text)];
        let found = rule(if *path == "lib.rs" { &tree[1..] } else { &tree });
        match line {
            0 => assert!(found.is_empty(), "{path}, {text:?}: {found:?}"),
            _ => {
                let place = format!("src/{path}:{line}: ");
                assert!(found.len() == 1 && found[0].starts_with(&place), "{path}, {text:?}: {found:?}");
            }
        }
    }
}

#[test]
fn lower_levels_do_not_use_higher_ones() {
    samples(
        levels,
        &[
            (
                0,
                "journal/set.rs",
                "use crate::{fact::entry::{Entry, Draft}, ids, merkle::map::MerkleMap as Map};",
            ),
            (0, "ids.rs", "use crate::limits::A; use super::error::Code;"),
            (
                0,
                "fact/entry.rs",
                "use super::value::Value; use self::inner::X; mod t { use super::*; use super::super::value; }",
            ),
            (0, "fact/entry.rs", "/// See [`crate::driver::Node`].\nstruct X;"),
            (0, "journal/set.rs", "use crate::Entry; use std::sync::Arc; use minicbor::Decoder;"),
            (0, "cli/append.rs", "use crate::hub::server; use crate::driver::node;"),
            (0, "platform/memory/store.rs", "use crate::platform::traits::Store; use crate::ids::EntryId;"),
            (0, "platform/conformance.rs", "use crate::fact::entry::Entry;"),
            (0, "driver/node.rs", "use crate::platform::traits::Store; use crate::platform::Clock;"),
            (0, "driver/node.rs", "#[cfg(test)] mod tests { use crate::platform::memory::MemoryStore; }"),
            (0, "service/machine.rs", "use crate::session::connection; use crate::epoch::ballot;"),
            (2, "fact/entry.rs", "//! x\nuse crate::journal::set::Journal;"),
            (2, "fact/entry.rs", "//! x\nuse crate::{ids, merkle::map};"),
            (2, "fact/entry.rs", "//! x\nfn f() { crate::journal::set::f() }"),
            (2, "fact/entry.rs", "//! x\nuse super::super::merkle::map;"),
            (1, "fact/entry.rs", "mod t { use super::super::super::merkle::map; }"),
            (2, "fact/entry.rs", "fn f() {\nassert!(crate::driver::on(), \"x\"); }"),
            (1, "fact/entry.rs", "struct X(Vec<crate::journal::set::Journal>);"),
            (1, "merkle/map.rs", "pub(crate) use crate::journal::set as s;"),
            (1, "ids.rs", "use crate::Entry;"),
            (1, "ids.rs", "use crate::crypto::hash;"),
            (1, "ids.rs", "use crate::*;"),
            (1, "ids.rs", "use crate as all;"),
            (1, "crypto/sign.rs", "use crate::codec::cbor;"),
            (1, "session/feed.rs", "use crate::epoch::ballot;"),
            (1, "platform/memory/store.rs", "use crate::fact::entry::Entry;"),
            (1, "platform/traits.rs", "use crate::driver::node;"),
            (1, "platform/conformance/store.rs", "use crate::driver::node;"),
            (1, "driver/node.rs", "use crate::platform::native::clock;"),
            (1, "hub/server.rs", "use crate::cli::args;"),
            (1, "sim/world.rs", "use crate::hub::server;"),
            (1, "journal/set.rs", "use crate::cellar::X;"),
            (1, "cellar/a.rs", "use crate::ids::X;"),
        ],
    );
    clean(&levels(&Source::tree()));
}

#[test]
fn every_file_says_its_purpose() {
    samples(
        heads,
        &[
            (0, "a.rs", "//! What a is for.\n"),
            (1, "a.rs", "// What a is for.\n"),
            (1, "a.rs", "//! \nuse x;"),
            (1, "a.rs", "use x;\n//! Late."),
            (1, "a.rs", ""),
        ],
    );
    clean(&heads(&Source::tree()));
}

#[test]
fn every_file_is_declared() {
    samples(
        undeclared,
        &[
            (0, "fact/mod.rs", "//! x\nmod tests { fn f() {} }"),
            (0, "bin/tool.rs", "fn main() {}"),
            (1, "fact/lost.rs", ""),
            (1, "lost/mod.rs", ""),
            (2, "fact.rs", "#[path = \"other.rs\"]\nmod entry;"),
        ],
    );
    clean(&undeclared(&Source::tree()));
}

#[test]
fn files_are_short() {
    let lines = |count: usize| [Source::new("a.rs", &"x\n".repeat(count))];
    assert!(long(&lines(500), &[]).is_empty());
    assert_eq!(long(&lines(501), &[]).len(), 1);
    assert!(long(&lines(501), &[("a.rs", 501, "one table")]).is_empty());
    assert_eq!(long(&lines(502), &[("a.rs", 501, "one table")]).len(), 1, "grown");
    assert_eq!(long(&lines(400), &[("a.rs", 501, "one table")]).len(), 1, "no longer needed");
    assert_eq!(long(&lines(400), &[("b.rs", 501, "one table")]).len(), 1, "gone");
    clean(&long(&Source::tree(), LONG));
}

#[test]
fn targets_are_told_apart_in_platform_alone() {
    let switch = "#[cfg(target_arch = \"wasm32\")]\nmod bindings;\n";
    samples(
        targets,
        &[
            (0, "platform/send.rs", switch),
            (0, "lib.rs", switch),
            (0, "fact/entry.rs", "#[cfg(all(test, feature = \"x\"))] mod tests {} // target_arch"),
            (0, "fact/entry.rs", "fn f(unix: &[u8]) { unix.windows(2); cfg(); }"),
            (3, "lib.rs", &switch.repeat(2)),
            (1, "fact/entry.rs", switch),
            (1, "hub/server.rs", "#[cfg_attr(all(unix, test), derive(Debug))] struct X;"),
            (1, "driver/node.rs", "fn f() -> bool { cfg!(not(target_family = \"wasm\")) }"),
        ],
    );
    clean(&targets(&Source::tree()));
}

#[test]
fn the_core_never_waits() {
    samples(
        waiting,
        &[
            (0, "driver/node.rs", "async fn f() { g().await }"),
            (0, "fact/entry.rs", "/// Never async.\nfn f() { let x = \"await\"; }"),
            (1, "fact/entry.rs", "async fn f() {}"),
            (1, "service/machine.rs", "fn f() { async move { 1 }; }"),
            (2, "session/feed.rs", "fn f() {\nlog!(x.await) }"),
        ],
    );
    clean(&waiting(&Source::tree()));
}

#[test]
fn the_core_names_no_system() {
    samples(
        banned,
        &[
            (
                0,
                "fact/entry.rs",
                "use core::time::Duration; use std::collections::BTreeMap; use std::time::Duration as D;",
            ),
            (0, "platform/native/clock.rs", "use std::time::Instant; use tokio::net::TcpStream;"),
            (0, "time.rs", "use crate::time::Instant;"),
            (1, "fact/entry.rs", "use futures::Stream;"),
            (1, "merkle/map.rs", "use async_channel as channel;"),
            (1, "journal/set.rs", "use std::{collections::BTreeMap, fs::File};"),
            (1, "journal/set.rs", "use std::time::Instant;"),
            (1, "journal/set.rs", "use std::time;"),
            (1, "journal/set.rs", "use std::time::*;"),
            (1, "journal/set.rs", "use std::*;"),
            (1, "session/feed.rs", "fn f() { std::thread::yield_now() }"),
            (1, "session/feed.rs", "fn f(x: ::std::net::IpAddr) {}"),
            (1, "session/feed.rs", "fn f() { debug!(at = std::time::SystemTime::now()) }"),
            (1, "service/peers.rs", "fn f() { getrandom::fill(&mut []) }"),
        ],
    );
    clean(&banned(&Source::tree()));
}

#[test]
fn names_of_files_say_what_is_in_them() {
    samples(
        names,
        &[
            (0, "fact/statement.rs", ""),
            (1, "utils.rs", ""),
            (1, "fact/helpers.rs", ""),
            (1, "common/mod.rs", ""),
            (1, "hub/misc/page.rs", ""),
        ],
    );
    clean(&names(&Source::tree()));
}

#[test]
fn nothing_is_left_unfinished() {
    samples(
        unfinished,
        &[
            (0, "a.rs", "#![deny(clippy::todo, clippy::unimplemented)] // todo list, XXXL"),
            (1, "a.rs", "// TODO: more"),
            (2, "a.rs", "//! x\n/* FIXME */"),
            (1, "a.rs", "fn f() { todo!() }"),
            (1, "a.rs", "fn f() { unimplemented!(\"later\") }"),
            (1, "a.rs", "// XXX"),
        ],
    );
    clean(&unfinished(&Source::tree()));
}
