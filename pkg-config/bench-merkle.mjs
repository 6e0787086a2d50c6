// Measures the Merkle map, native and as wasm in Node, beside what else there is, in the same run.
//
//   node pkg-config/bench-merkle.mjs [--json FILE]
//
//   RUNS=5   how often each is measured; merkletreejs, of which a run takes most of a minute, twice at most
//
// Prints machine, load, versions and workload, then one table of medians with what is aimed at, and the spread
// of our own. Where other programs run too, the processor's time tells more than the clock's. Builds what it runs, from benches/peers: `make bench-merkle` sees to the tools.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { OPTIMIZE, TARGET_FEATURES, wasmEnvironment } from "./wasm-flags.mjs";

const RUNS = Number(process.env.RUNS ?? 5);
const root = fileURLToPath(new URL("..", import.meta.url));
const peers = join(root, "benches/peers");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const work = join(target, "bench-merkle");
const wasm = join(work, "merkle_peers.wasm");

/** What is measured: its name in the programs' output and in the table, its unit, and what we aim at. */
const ROWS = [
  ["build 100000", "bulk build of 100,000", "ms", {}],
  ["build 1000000", "bulk build of 1,000,000", "ms", { native: 220, wasm: 900 }],
  ["insert 1", "insert and root, one by one", "us/entry", { native: 5, wasm: 20 }],
  ["insert 1000", "insert and root, by 1,000", "us/entry", { native: 5, wasm: 20 }],
  ["make", "make a proof", "us", { native: 20 }],
  ["check", "check a proof", "us", { native: 5 }],
  ["proof bytes", "size of a proof", "bytes", { native: 680, wasm: 680 }],
  ["memory", "memory", "bytes/entry", { native: 64 }],
];

const time = (tree) => [join(target, "release/time"), tree];
const memory = (tree) => [join(target, "release/memory"), tree];
const script = (name, ...rest) => [process.execPath, "--expose-gc", join(peers, name), ...rest];

/** Who is measured: what is run for it, and how often. */
const COLUMNS = [
  { name: "isoroot", runs: RUNS, commands: [time("isoroot"), memory("isoroot")] },
  { name: "isoroot wasm", runs: RUNS, commands: [script("wasm.mjs", wasm)] },
  { name: "rs_merkle", runs: RUNS, commands: [time("rs_merkle"), memory("rs_merkle")] },
  { name: "merkle-search-tree", runs: RUNS, commands: [time("merkle-search-tree"), memory("merkle-search-tree")] },
  { name: "merkletreejs", runs: Math.min(RUNS, 2), commands: [script("merkletreejs.mjs")] },
];

/** By column and row, what cannot be read off the number. */
const NOTES = {
  "isoroot wasm/memory": "the wasm's memory, which never shrinks, after a million ids by 1,000: with what inserts work with",
  "rs_merkle/insert 1": "appends to a list: its root depends on the order; it goes through the whole list",
  "merkle-search-tree/build 1000000": "upserts and root_hash; hashes of 16 bytes by SipHash",
  "merkle-search-tree/make": "has no proofs",
  "merkletreejs/insert 1": "builds the tree anew",
  "merkletreejs/make": "with the index at hand, as for rs_merkle; finding the id by search:",
  "merkletreejs/proof bytes": "its hashes alone: it has no encoding",
  "merkletreejs/memory": "of the heap and outside, after a collection",
};

/** The profiles of Cargo.toml, as a file for cargo: the other workspace shall build as ours does. */
function profiles() {
  const sections = readFileSync(join(root, "Cargo.toml"), "utf8").split(/^(?=\[)/m);
  const file = join(work, "profiles.toml");
  writeFileSync(file, sections.filter((section) => section.startsWith("[profile.")).join(""));
  return file;
}

function cargo(command, args, env = {}) {
  const all = ["--config", profiles(), command, "--quiet", "--locked", "--manifest-path", join(peers, "Cargo.toml"), ...args];
  execFileSync("cargo", all, { cwd: root, stdio: "inherit", env: { ...process.env, ...env, CARGO_TARGET_DIR: target } });
}

function build() {
  mkdirSync(work, { recursive: true });
  cargo("build", ["--release", "--bins"]);
  const crate = ["--lib", "--crate-type", "cdylib", "--profile", "web", "--target", "wasm32-unknown-unknown"];
  cargo("rustc", crate, { ...wasmEnvironment(), RUSTFLAGS: TARGET_FEATURES });
  const built = join(target, "wasm32-unknown-unknown/web/merkle_peers.wasm");
  execFileSync(join(root, "pkg-config/node_modules/.bin/wasm-opt"), [...OPTIMIZE, built, "-o", wasm]);
}

/** Runs the column's programs once; adds what they print. */
function measure(column) {
  for (const [program, ...args] of column.commands) {
    const printed = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    for (const { figure, value, cpu, root } of printed.trim().split("\n").map((line) => JSON.parse(line))) {
      if (root) column.root = root;
      else (column.figures[figure] ??= []).push({ value, cpu });
    }
  }
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

const spread = (values) => ({ median: median(values), least: Math.min(...values), most: Math.max(...values) });

/** A column's figure: its median, least and most, of the time on the clock or of the processor's. */
function found(column, row, what = "value") {
  const values = (column.figures[row] ?? []).map((run) => run[what]).filter((value) => value !== undefined);
  return values.length ? spread(values) : undefined;
}

function shown(value) {
  const digits = value < 100 ? 2 : 0;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function aims(aim, values) {
  const one = (where) => `${where} <= ${aim[where]} ${values[where] <= aim[where] ? "met" : "MISSED"}`;
  return Object.keys(aim).map(one).join(", ");
}

/** Prints the table, and the notes under it. */
function printTable(columns) {
  const [native, wasm] = columns;
  const heads = ["native", "wasm", ...columns.slice(2).map((column) => column.name)];
  const widths = heads.map((head) => (head.startsWith("merkle") ? 28 : 24));
  const line = (name, cells, end) =>
    console.log(`  ${name.padEnd(39)}${cells.map((cell, at) => cell.padStart(widths[at])).join("")}  ${end}`.trimEnd());
  line("clock / processor", heads, "aim, by the clock");
  const notes = [];
  for (const [row, name, unit, aim] of ROWS) {
    const cell = (column) => {
      const both = ["value", "cpu"].map((what) => found(column, row, what)).filter(Boolean);
      const numbers = both.map((figure) => shown(figure.median)).join(" / ") || "—";
      const note = NOTES[`${column.name}/${row}`];
      if (!note) return numbers;
      notes.push(note.endsWith(":") ? `${note} ${shown(found(column, `${row} by search`).median)} ${unit}` : note);
      return `${numbers} (${notes.length})`;
    };
    const medians = { native: found(native, row).median, wasm: found(wasm, row).median };
    line(`${name}, ${unit}`, columns.map(cell), aims(aim, medians));
  }
  notes.forEach((note, at) => console.log(`  (${at + 1}) ${note}`));
}

/** Prints median, least and most of our own columns. */
function printSpread([native, wasm]) {
  console.log(`\n  ${"spread".padEnd(56)}${["median", "least", "most"].map((text) => text.padStart(11)).join("")}`);
  for (const [row, name, unit] of ROWS) {
    const figures = [[native, "value", "native"], [native, "cpu", "native CPU"], [wasm, "value", "wasm"], [wasm, "cpu", "wasm CPU"]];
    for (const [column, what, head] of figures) {
      const figure = found(column, row, what);
      if (!figure) continue;
      const numbers = [figure.median, figure.least, figure.most].map((value) => shown(value).padStart(11));
      console.log(`  ${`${name}, ${head}, ${unit}`.padEnd(56)}${numbers.join("")}`);
    }
  }
}

function versions() {
  const lock = readFileSync(join(peers, "Cargo.lock"), "utf8");
  const crate = (name) => `${name} ${new RegExp(`name = "${name}"\\nversion = "(.*)"`).exec(lock)[1]}`;
  const npm = JSON.parse(readFileSync(join(peers, "node_modules/merkletreejs/package.json"), "utf8")).version;
  const rust = execFileSync("rustc", ["--version"], { encoding: "utf8" }).split(" ")[1];
  const crates = ["isoroot", "rs_merkle", "merkle-search-tree"].map(crate);
  return [...crates, `merkletreejs ${npm}`, `Rust ${rust}`, `Node ${process.versions.node}`].join(", ");
}

const load = () => loadavg()[0].toFixed(1);

build();
const columns = COLUMNS.map((column) => ({ ...column, figures: {} }));
const before = load();
for (let run = 0; run < RUNS; run++) {
  // In turns, so that what else the machine does strikes all alike.
  for (const column of columns.filter((column) => run < column.runs)) measure(column);
}
if (columns[0].root !== columns[1].root) throw new Error("the roots of native and wasm differ");

const about = {
  machine: `${cpus().length} x ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
  load: `${before} at the beginning, ${load()} at the end`,
  versions: versions(),
  workload: "ids are SHA-256 of a number; inserts and proofs in 1,000,000 of them; one thread, "
    + `medians of ${RUNS} runs (merkletreejs ${columns.at(-1).runs})`,
};
for (const [name, text] of Object.entries(about)) console.log(`${name}: ${text}`);
console.log();
printTable(columns);
printSpread(columns);
const json = process.argv.indexOf("--json");
if (json > 0) {
  const figures = columns.map(({ name, figures }) => ({ name, figures }));
  writeFileSync(process.argv[json + 1], `${JSON.stringify({ ...about, columns: figures }, null, 2)}\n`);
}
