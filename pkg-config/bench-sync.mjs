// Measures what reconciling two sets costs, beside what else there is, on the same ids, in the same run.
//
//   node pkg-config/bench-sync.mjs [--quick] [--json FILE]
//   node pkg-config/bench-sync.mjs --diff     one row of it, in words
//
// A simulated link of 20 ms one way and 100 Mbit/s. Every byte counts: frames with their heads, what came unasked
// and was not needed. Both sides begin with so many ids and have half of the differences each. Beside ours stand
// negentropy, Yjs and Automerge, and ours as wasm in Chromium, where the tools for it are. Builds what it runs, from
// benches/reconcile: `make bench-sync` sees to the tools. Where other programs run too, the processor's time is more
// than it should be, bytes are the same.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const crate = join(root, "benches/reconcile");
const peers = join(root, "benches/peers");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const work = join(target, "bench-sync");
const quick = process.argv.includes("--quick");

const MILLION = 1_000_000;
const SIZES = [10_000, 20_000, 100_000, MILLION];
const DIFFERENCES = [0, 1, 10, 100, 1_000, 10_000];
/** What the libraries of documents are measured with. */
const DOCUMENTS = 20_000;
/** What Chromium is measured with. */
const IN_PAGES = { entries: [100_000, MILLION], differences: [100, 1_000, 10_000] };

/** What we aim at where there are a million entries: bytes, and milliseconds of the busier side. */
const AIMS = {
  0: { find: 200 },
  10: { find: 500 },
  100: { find: 2_800, cpu: 1 },
  1_000: { find: 25_000, cpu: 5 },
  10_000: { find: 240_000, cpu: 40 },
};
const AIM_HANDSHAKE = 420;
const AIM_COLD = 150;
/** Round trips until the first entry is sent, median and p98; what goes over the link meanwhile takes its time. */
const [AIM_TRIPS, AIM_TRIPS_P98, AIM_TRIPS_KNOWN, ON_THE_LINK] = [1, 2, 0.5, 0.06];
/** Differences up to which those trips are aimed at. */
const AIM_TRIPS_UP_TO = 1_000;
/** Bytes of a difference that nobody can do without: ids of 64 bits. */
const LIMIT = 8;

/** How often each is measured: ours, ours with cursors, negentropy. */
function seeds(entries, differences) {
  if (quick) return [10, entries === MILLION && differences > 0 ? 2 : 0, 1];
  const known = entries === MILLION && differences > 0 ? (differences === 10_000 ? 50 : 200) : 0;
  return [200, known, entries === MILLION ? 20 : entries === 100_000 ? 50 : 200];
}

/** How often the libraries of documents are. */
function seedsOf(library, differences) {
  if (quick) return 1;
  if (library === "yjs") return differences === 10_000 ? 20 : 200;
  return differences === 10_000 ? 3 : 20;
}

/** Builds the crate, by the profiles of Cargo.toml: for this machine, or as wasm by `rest`. */
function build(command, rest, env = {}) {
  mkdirSync(work, { recursive: true });
  const sections = readFileSync(join(root, "Cargo.toml"), "utf8").split(/^(?=\[)/m);
  const profiles = join(work, "profiles.toml");
  writeFileSync(profiles, sections.filter((section) => section.startsWith("[profile.")).join(""));
  const args = ["--config", profiles, command, "--quiet", "--locked", "--manifest-path", join(crate, "Cargo.toml"), ...rest];
  execFileSync("cargo", args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env, CARGO_TARGET_DIR: target } });
}

/** Runs a program; what it prints, an object of JSON a line. */
function printed(program, args) {
  const text = execFileSync(program, args.map(String), { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

function measure(entries, differences) {
  const [{ rows, cold }] = printed(join(target, "release/reconcile"), [entries, differences, ...seeds(entries, differences)]);
  return { cold, rows: rows.map((row) => ({ entries, differences, ...row })) };
}

/** Rows of a library of documents, for all numbers of differences: to make its documents takes the longest. */
function documents(library) {
  if (!existsSync(join(peers, "node_modules", library === "yjs" ? "yjs" : "@automerge"))) return [];
  const wanted = DIFFERENCES.map((differences) => `${differences}:${seedsOf(library, differences)}`);
  const rows = printed(process.execPath, [join(peers, `sync-${library}.mjs`), DOCUMENTS, ...wanted]);
  return rows.map((row) => ({ entries: DOCUMENTS, ...row }));
}

/** Rows of ours as wasm in headless Chromium; none where there is none. */
async function inChromium() {
  if (!existsSync(join(root, "pkg-config/node_modules")) || !existsSync(join(root, "pkg-config/webdriver.json"))) {
    console.log("Chromium is left out: pkg-config/setup.sh wasm web");
    return [];
  }
  const { OPTIMIZE, TARGET_FEATURES, wasmEnvironment } = await import("./wasm-flags.mjs");
  const { launch } = await import("../tests/pages/harness/browser.mjs");
  const library = ["--lib", "--crate-type", "cdylib", "--profile", "web", "--target", "wasm32-unknown-unknown"];
  build("rustc", library, { ...wasmEnvironment(), RUSTFLAGS: TARGET_FEATURES });
  const [built, wasm] = [join(target, "wasm32-unknown-unknown/web/reconcile.wasm"), join(work, "reconcile.wasm")];
  execFileSync(join(root, "pkg-config/node_modules/.bin/wasm-opt"), [...OPTIMIZE, built, "-o", wasm]);
  const bytes = readFileSync(wasm).toString("base64");
  const browser = await launch();
  const rows = [];
  for (const entries of IN_PAGES.entries) {
    for (const differences of IN_PAGES.differences) {
      // A page of its own, since a wasm's memory never shrinks.
      const page = await browser.newPage();
      const count = quick ? 3 : differences === 10_000 ? 10 : 50;
      const told = await page.evaluate(inPage, { bytes, args: [entries, differences, count] });
      await page.close();
      rows.push({ entries, differences, ...told.row, cold: told.cold });
    }
  }
  await browser.close();
  return rows;
}

/** In a page: runs the measurement, and reads what it tells. */
async function inPage({ bytes, args }) {
  const binary = Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0));
  const page = { now: () => performance.now() };
  const { instance } = await WebAssembly.instantiate(binary, { page });
  const { memory, reconcile, told } = instance.exports;
  const at = reconcile(...args);
  return JSON.parse(new TextDecoder().decode(new Uint8Array(memory.buffer, at, told())));
}

const shown = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const WIDTHS = [10, 8, 19, 6, 6, 12, 12, 9, 7, 12, 7, 7, 9, 9];
const HEADS = ["entries", "differ", "", "seeds", "hello", "find, B", "p99, B", "limit", "rest, B", "whole, B", "trips", "p98", "ms", "ms"];

function line(cells) {
  console.log(cells.map((cell, at) => String(cell).padStart(WIDTHS[at] ?? 0)).join(" ").trimEnd());
}

const met = (holds, what) => `${holds ? "met" : "MISSED"}: ${what}`;

/** What of our aims a row meets. */
function aims(row) {
  if (row.entries !== MILLION || !row.name.startsWith("isoroot")) return "";
  const { find, cpu } = AIMS[row.differences] ?? {};
  const [ours, known] = [row.name === "isoroot", row.name === "isoroot, known"];
  const said = [];
  if (ours && find) said.push(met(row.find <= find, `${shown(find)} B`));
  if (ours && find && row.differences > 0) said.push(met(row.find_p99 <= 1.5 * find, `p99 ${shown(1.5 * find)}`));
  if (ours && cpu) said.push(met(Math.max(...row.cpu) <= cpu, `${cpu} ms`));
  if (ours && row.differences <= AIM_TRIPS_UP_TO) {
    said.push(met(row.trips <= AIM_TRIPS + ON_THE_LINK && row.trips_p98 <= AIM_TRIPS_P98 + ON_THE_LINK, "trips"));
  }
  if (known) said.push(met(row.trips <= AIM_TRIPS_KNOWN, "trips"));
  return `  ${said.join(", ")}`;
}

function show(row) {
  const limit = row.differences ? `${shown(row.find / (LIMIT * row.differences), 1)}x` : "—";
  const counts = [shown(row.entries), shown(row.differences), row.name, row.seeds, row.handshake || "—"];
  const bytes = [shown(row.find), shown(row.find_p99), limit, shown(row.rest), shown(row.whole)];
  line([...counts, ...bytes, shown(row.trips, 2), shown(row.trips_p98, 2), ...row.cpu.map((ms) => shown(ms, 2)), aims(row)]);
}

/** One row in words: `make demo-diff`. */
function demo() {
  build("build", ["--release"]);
  const [entries, differences] = [MILLION, 100];
  console.log(`Two sets of ${shown(entries)} entries, ${differences} apart, over a link of 20 ms one way and 100 Mbit/s:\n`);
  const [{ rows, cold }] = printed(join(target, "release/reconcile"), [entries, differences, 5, 0, 1]);
  for (const { name, find, trips, cpu } of rows) {
    console.log(
      `  ${name.padEnd(12)}${shown(find).padStart(9)} bytes ${shown(trips).padStart(3)} round trips until ` +
        `the first entry is sent ${shown(Math.max(...cpu), 2).padStart(8)} ms of the busier side`,
    );
  }
  console.log(`\nBoth end with equal roots. Making the cells for the first time took ${shown(cold)} ms; they are kept.`);
}

if (process.argv.includes("--diff")) {
  demo();
  process.exit();
}

const cpu = cpus();
console.log(`${cpu.length} x ${cpu[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`);
console.log(`load ${loadavg().map((load) => load.toFixed(2)).join(" ")}, Node ${process.version}`);
build("build", ["--release"]);
console.log(`
hello: bytes of the handshake, once a connection; find: bytes until both know what differs, mean, and p99;
limit: how often that is ${LIMIT} B a difference; rest: bytes of all else but entries; whole: of all, entries too, but for
what they say (32 B each). Of Yjs and Automerge finding and sending are one. trips: round trips until the first
entry is sent, median and p98; ms: of either side, median of the processor's time, in Chromium mean of the clock's.
known: both go on from where they were in the other's store.
`);
line(HEADS);
const all = [];
const told = (rows) => rows.forEach((row) => show(row) ?? all.push(row));
for (const entries of SIZES) {
  const colds = [];
  const libraries = entries === DOCUMENTS ? ["yjs", "automerge"].flatMap(documents) : [];
  for (const differences of DIFFERENCES) {
    const { rows, cold } = measure(entries, differences);
    told([...rows, ...libraries.filter((row) => row.differences === differences)]);
    colds.push(cold);
    all.push({ entries, differences, name: "isoroot, cold", cpu: [cold] });
  }
  const shownColds = DIFFERENCES.map((differences, at) => {
    const aim = entries === MILLION ? ` (${met(colds[at] <= AIM_COLD, `${AIM_COLD} ms`)})` : "";
    return `${differences.toLocaleString("en")}: ${shown(colds[at], 1)}${aim}`;
  });
  console.log(`${" ".repeat(20)}ms of the busier side where cells are made for the first time: ${shownColds.slice(2).join("; ")}`);
}
told(await inChromium());
const [{ handshake }] = all;
console.log(`\nthe handshake: ${handshake} B, ${met(handshake <= AIM_HANDSHAKE, `${AIM_HANDSHAKE} B`)}`);
const at = process.argv.indexOf("--json");
if (at > 0) writeFileSync(process.argv[at + 1], `${JSON.stringify(all, null, 1)}\n`);
