//! What the helps say beyond commands and flags: the JSON of each command, and the exit codes.

/// What every help closes with.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer is no: the roots differ, the peer refused, lines are bad
  2  usage, or input that cannot be read
  3  the store: not there, without a journal, in use, damaged, full
  4  the network: nobody reached, port taken

ISOROOT_LOG=info|debug|… shows what happens inside, on standard error.";

/// Of `init` and `open`.
pub(super) const INVITE: &str = r#"With --json: {"journal","link","device","store"}"#;

pub(super) const IMPORT: &str = concat!(
    r#"A line: {"predicate":"note/1/title","value":"Milk"}, optionally with "timestamp" (ms since 1970) "#,
    r#"and "authority" (64 hex digits). Blank lines are passed over."#,
    "\n",
    "A value is null, true or false, a number (an integer if it fits 64 bits, else a float), text, a list ",
    r#"or an object. What JSON lacks is an object with one key: {"$bytes":"00ff"} for bytes, "#,
    r#"{"$float":"nan"} (or "inf", "-inf"), and {"$map":{…}} for an object whose only key begins with $."#,
    "\n\n",
    r#"With --json: {"line","error"} for each bad line listed, then {"journal","facts","entries","#,
    r#""bad_lines","last_line","duration_ms"}"#,
    "\n",
    r#"Of a journal's file: {"journal","entries","new","file_root","root","root_entries","duration_ms"}; "#,
    "new are those that were not here before, and file_root is null if the file was wrong",
);

pub(super) const EXPORT: &str = concat!(
    "docs/FILES.md of the project draws the bytes.\n\n",
    r#"With --json and -o: {"journal","file","entries","root","bytes"}"#,
);

pub(super) const APPEND: &str = concat!(
    "A value is read as JSON (see `isoroot import --help`), and taken as text if it is none: 5 is a number, ",
    r#""5" in quotes and milk are text."#,
    "\n\n",
    r#"With --json: {"journal","entry","number","facts"}"#,
);

pub(super) const LOG: &str = concat!(
    r#"With --json: {"predicate","value","timestamp","authority","entry","index","number","device","#,
    r#""written","position"}; written is the entry's clock in microseconds since 1970, position what --after "#,
    "takes to go on behind the fact, and the value is in the form that `isoroot import` reads",
);

pub(super) const ROOT: &str = r#"With --json: {"journal","root","entries","facts"}"#;

pub(super) const INSPECT: &str = concat!(
    "Depth is that of the Merkle map; bytes are those of the records as signed. Held back are entries that are ",
    "ahead of the clock here. Gaps are entries that later ones of their device name and that are not here; ",
    "forks are devices whose entries branch, as those of a restored backup do.\n\n",
    r#"With --json: {"journal","device","store","store_id","root","entries","facts","predicates","authorities","#,
    r#""devices","depth","bytes","held_back","missing","forked","bloom_rate","loaded_from","checkpoint"}; "#,
    r#"bloom_rate is null where a filter would be too large, loaded_from is "records", "checkpoint" or "#,
    r#""records_again", and checkpoint the number of its last entry"#,
);

pub(super) const PROVE: &str = concat!(
    "The evidence holds for the root of this moment, which is said on standard error. Who gets the evidence ",
    "must have the root from where they trust it.\n\n",
    r#"With --json: {"in","journal","entry","root","entries","evidence"}; the evidence is hex"#,
);

pub(super) const VERIFY: &str = concat!(
    "Exits with 0 if the evidence holds, also for \"not in\"; with 1 and the reason if it is false; with 2 if ",
    "the bytes are no evidence.\n\n",
    r#"With --json: {"in","journal","entry","root","entries"}, and for what is in also "device", "written" "#,
    r#"and "facts", each {"predicate","value","timestamp","authority"}. Of receipts: "#,
    r#"{"event":"receipt","device","journal","time","entries","root"} for each, and "#,
    r#"{"contradicts","device","entries","root","other_root"} where two cannot both be true (exit code 1)"#,
);

pub(super) const SYNC: &str = concat!(
    r#"With --json: {"event":"synced","peer","journal","entries_sent","entries_received","bytes_sent","#,
    r#""bytes_received","wire_sent","wire_received","refused","rounds","duration_ms","root","entries","#,
    r#""facts"}; bytes are those of entries, wire those of all frames, and root is the one that both "#,
    "sides have computed.\n",
    r#"With --watch also {"event":"connected","peer","device"}, "#,
    r#"{"event":"disconnected","peer","error","message"} and "#,
    r#"{"event":"grew","journal","root","entries","facts","new_facts"}. With --receipt also "#,
    r#"{"event":"receipt","device","journal","time","entries","root"}"#,
);

pub(super) const JOURNALS: &str = r#"With --json: {"journal","entries","hub"} for each"#;

pub(super) const CHECK: &str = concat!(
    r#"With --json: {"event":"journal","journal","entries","sound","root","checkpoint","problems","unlisted"} "#,
    r#"for each journal, and {"event":"store","store","sound","problems"}; problems are texts, and at most "#,
    "1,000 of a journal are listed",
);

pub(super) const SALVAGE: &str = concat!(
    r#"With --json: {"event":"journal","journal","saved","lost","root"} for each journal, and "#,
    r#"{"event":"store","whole","problems"}; the root is that of what was saved"#,
);

pub(super) const HUB: &str = concat!(
    r#"With --json: {"event":"listening","url","address","names","access"} once it listens; "#,
    r#"access is "open" or "listed"; with --www also "page""#,
);
