// Measures what reconciling two sets costs, beside what else there is, on the same ids, in the same run.
//
//   node pkg-config/bench-sync.mjs [--quick] [--json FILE]
//   node pkg-config/bench-sync.mjs --diff     one row of it, in words
//
// A simulated link of 20 ms one way and 100 Mbit/s. Every byte counts but those of entries, which all have to
// send: frames with their heads, what came unasked and was not needed. Both sides begin with so many ids and
// have half of the differences each. Builds what it runs, from benches/reconcile: `make bench-sync` sees to the
// tools. Where other programs run too, the processor's time is more than it should be, bytes are the same.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const crate = join(root, "benches/reconcile");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const quick = process.argv.includes("--quick");

/** Entries and differences, with what we aim at where there are a million: bytes, and the processor's ms. */
const SIZES = [10_000, 100_000, 1_000_000];
const DIFFERENCES = [0, 1, 10, 100, 1_000, 10_000];
const AIMS = {
  "1000000/0": { find: 200 },
  "1000000/10": { find: 500 },
  "1000000/100": { find: 2_800, cpu: 1 },
  "1000000/1000": { find: 25_000, cpu: 5 },
  "1000000/10000": { find: 240_000, cpu: 40 },
};
/** Bytes of a difference that nobody can do without: ids of 64 bits. */
const LIMIT = 8;

/** Seeds of ours, and of the peer, which has to seal its ids for each. */
function seeds(entries, differences) {
  if (quick) return [10, 1];
  if (differences === 10_000) return [entries === 1_000_000 ? 50 : 5, 3];
  return [200, entries === 1_000_000 ? 5 : 20];
}

function build() {
  const work = join(target, "bench-sync");
  mkdirSync(work, { recursive: true });
  const sections = readFileSync(join(root, "Cargo.toml"), "utf8").split(/^(?=\[)/m);
  const profiles = join(work, "profiles.toml");
  writeFileSync(profiles, sections.filter((section) => section.startsWith("[profile.")).join(""));
  const args = ["build", "--release", "--quiet", "--locked", "--manifest-path", join(crate, "Cargo.toml")];
  const env = { ...process.env, CARGO_TARGET_DIR: target };
  execFileSync("cargo", ["--config", profiles, ...args], { cwd: root, stdio: "inherit", env });
}

function measure(entries, differences) {
  const args = [entries, differences, ...seeds(entries, differences)].map(String);
  return JSON.parse(execFileSync(join(target, "release/reconcile"), args, { encoding: "utf8" }));
}

const shown = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

function line(cells) {
  const widths = [10, 8, 10, 10, 7, 8, 7, 7, 8, 8, 12, 7, 9, 9];
  console.log(cells.map((cell, at) => String(cell).padStart(widths[at] ?? 0)).join(" ").trimEnd());
}

function aims(result) {
  const aim = AIMS[`${result.entries}/${result.differences}`];
  if (!aim) return "";
  const { find, find_p99, cpu } = result.isoroot;
  const said = [`${find <= aim.find ? "met" : "MISSED"}: ${shown(aim.find)} B`];
  if (result.differences > 0) said.push(`p99 ${find_p99 <= 1.5 * aim.find ? "met" : "MISSED"}`);
  if (aim.cpu) said.push(`${Math.max(...cpu) <= aim.cpu ? "met" : "MISSED"}: ${aim.cpu} ms`);
  return said.join(", ");
}

/** One row in words: `make demo-diff`. */
function demo() {
  build();
  const [entries, differences] = [1_000_000, 100];
  console.log(`Two sets of ${shown(entries)} entries, ${differences} apart, over a link of 20 ms one way and 100 Mbit/s:\n`);
  const args = [entries, differences, 5, 1].map(String);
  const { isoroot, negentropy, cold_cpu } = JSON.parse(
    execFileSync(join(target, "release/reconcile"), args, { encoding: "utf8" }),
  );
  const row = (name, cost) =>
    console.log(
      `  ${name.padEnd(12)}${shown(cost.find).padStart(9)} bytes ${String(cost.trips).padStart(3)} round trips until ` +
        `the first entry is sent ${shown(Math.max(...cost.cpu), 2).padStart(8)} ms of the busier side`,
    );
  row("isoroot", isoroot);
  row("negentropy", negentropy);
  console.log(`\nBoth end with equal roots. Making the cells for the first time took ${shown(cold_cpu)} ms; they are kept.`);
}

if (process.argv.includes("--diff")) {
  demo();
  process.exit();
}

const cpu = cpus();
console.log(`${cpu.length} x ${cpu[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`);
console.log(`load ${loadavg().map((load) => load.toFixed(2)).join(" ")}, Node ${process.version}`);
build();
console.log(`
find: bytes until both know what differs; p99 of them; of the limit of ${LIMIT} B a difference, so many times;
rest: bytes of everything else but entries; trips: round trips until the first entry is sent, median and p98;
ms: processor's time of either side, median; cold: of the side that makes its cells for the first time.
`);
line(["entries", "differ", "find, B", "p99, B", "limit", "rest, B", "trips", "p98", "ms", "ms", "negentropy", "trips", "ms", "ms"]);
const results = [];
for (const entries of SIZES) {
  for (const differences of DIFFERENCES) {
    const result = measure(entries, differences);
    results.push(result);
    const { isoroot: ours, negentropy: theirs } = result;
    const limit = differences ? `${shown(ours.find / (LIMIT * differences), 1)}x` : "—";
    const own = [shown(ours.find), shown(ours.find_p99), limit, shown(ours.rest), ours.trips, ours.trips_p98];
    const peer = [shown(theirs.find), theirs.trips, shown(theirs.cpu[0], 2), shown(theirs.cpu[1], 2)];
    line([shown(entries), shown(differences), ...own, ...ours.cpu.map((ms) => shown(ms, 2)), ...peer, `  ${aims(result)}`]);
  }
  const cold = results.filter((result) => result.entries === entries && result.differences > 1);
  console.log(`${" ".repeat(11)}cold: ${shown(Math.min(...cold.map((result) => result.cold_cpu)), 1)} ms`);
}
const at = process.argv.indexOf("--json");
if (at > 0) writeFileSync(process.argv[at + 1], `${JSON.stringify(results, null, 1)}\n`);
