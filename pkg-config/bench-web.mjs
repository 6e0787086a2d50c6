// Measures the packed package in headless Chromium, with a real hub.
//
//   node pkg-config/bench-web.mjs [--json FILE]
//
//   RUNS=5   how often each is measured
//
// Prints machine, browser and workload, then the median of each figure, its spread, and what is aimed at.
// Needs the package, and the native tool built in release mode: `make bench-web` sees to both.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";

import { launch } from "../tests/pages/harness/browser.mjs";
import { site } from "../tests/pages/harness/site.mjs";
import { Hub, run, target } from "../tests/pages/harness/tool.mjs";

const RUNS = Number(process.env.RUNS ?? 5);
const FACTS = 100_000;
const STORED = 100_000;
const NOTES = 200;
/** No single figure takes longer, in milliseconds. */
const LIMIT = 600_000;
/** Of a fact, in bytes as encoded: a predicate, a text, and what holds them together. */
const FACT = 200;

process.env.ISOROOT_TOOL ??= join(target, "release", "isoroot");

/** In a page: facts of some 200 bytes, `each` of them an entry. */
const MAKE = `globalThis.made = (count, each) => Array.from({ length: count / each }, (_, entry) =>
  Array.from({ length: each }, (_, i) => {
    const number = entry * each + i;
    return { predicate: "note/" + String(number % 1000).padStart(3, "0"), value: (number + " the quick brown fox, the lazy dog and what they agreed upon at dawn;").repeat(3).slice(0, 180) };
  }))`;

/** The same facts as lines that the native tool imports. */
function writeLines(path) {
  const text = (number) => `${number} the quick brown fox, the lazy dog and what they agreed upon at dawn;`.repeat(3).slice(0, 180);
  const line = (_, number) => JSON.stringify({ predicate: `note/${String(number % 1000).padStart(3, "0")}`, value: text(number) });
  writeFileSync(path, `${Array.from({ length: FACTS }, line).join("\n")}\n`);
}

/** Opens and closes a node in a page that has the wasm; milliseconds. */
const opening = (page, options) =>
  page.evaluate(async (options) => {
    const begun = performance.now();
    const node = await isoroot.SyncNode.create(options);
    const took = performance.now() - begun;
    await node.close();
    return took;
  }, options);

/** Appends all facts in entries of 100, in a page that has begun before or not; facts a second. */
const appending = (page, store, warm) =>
  page.evaluate(
    async ([store, warm, facts]) => {
      const once = async (facts) => {
        const entries = made(facts, 100);
        const node = await isoroot.SyncNode.create({ store });
        const begun = performance.now();
        await node.appendAll(entries);
        const took = performance.now() - begun;
        const status = await node.status();
        await node.close();
        if (status.facts !== facts) throw new Error(`${status.facts} facts`);
        return (1000 * facts) / took;
      };
      if (warm) await once(facts / 10);
      return once(facts);
    },
    [store, warm, FACTS],
  );

/** From an empty page that knows the hub to equal roots; seconds. */
const firstSync = (page, link, limit) =>
  page.evaluate(
    async ([journal, timeout]) => {
      const begun = performance.now();
      const node = await isoroot.SyncNode.open({ journal });
      await node.start();
      await node.sync({ timeout });
      const took = performance.now() - begun;
      const { root, facts } = await node.status();
      await node.close();
      return { seconds: took / 1000, root, facts };
    },
    [link, limit],
  );

/** Writes a note in one page and sees it in the other, again and again; milliseconds, sorted. */
async function notes(from, to) {
  await to.evaluate((count) => {
    const now = () => performance.timeOrigin + performance.now();
    globalThis.seen = (async () => {
      const took = [];
      for await (const { value } of node.facts({ prefix: "note/", live: true })) {
        took.push(now() - value);
        if (took.length === count) return took;
      }
    })();
  }, NOTES);
  await from.evaluate(async (count) => {
    const now = () => performance.timeOrigin + performance.now();
    for (let i = 0; i < count; i++) {
      await node.append({ predicate: `note/${i}`, value: now() });
      // The next one goes when this one has long arrived: a way is measured, not a queue.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }, NOTES);
  const took = await to.evaluate(() => seen);
  return took.sort((a, b) => a - b);
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

class Bench {
  figures = [];
  #undo = [];

  async begin() {
    this.browser = await launch();
    this.#undo.push(() => this.browser.close());
    this.site = await site();
    this.#undo.push(() => this.site.close());
  }

  /** A folder beside the target folder: where the system keeps temporary files may be memory. */
  folder() {
    const folder = mkdtempSync(join(target, "bench-web-"));
    this.#undo.push(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  async hub() {
    const hub = new Hub(this.folder(), ["--origin", this.site.origin]);
    hub.level = "warn";
    await hub.start();
    this.#undo.push(() => hub.stop());
    return hub;
  }

  /** A page in a profile of its own, with nothing open. */
  async page(use) {
    const context = await this.browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(this.site.url);
      await page.waitForSelector("html[data-ready=true]", { state: "attached" });
      await page.evaluate(MAKE);
      return await use(page, context);
    } finally {
      await context.close();
    }
  }

  /** Adds a figure: its values, and what is aimed at, `most` or `least`. */
  add(name, unit, values, aim = {}) {
    const figure = { name, unit, median: median(values), least: Math.min(...values), most: Math.max(...values), ...aim };
    this.figures.push(figure);
    console.log(shown(figure));
  }

  async repeated(measure) {
    const values = [];
    for (let run = 0; run < RUNS; run++) values.push(await measure(run));
    return values;
  }

  async end() {
    for (const undo of this.#undo.reverse()) await undo();
  }
}

function shown({ name, unit, median, least, most, atMost, atLeast }) {
  const digits = median < 100 ? 2 : 0;
  const number = (value) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const aim = atMost ?? atLeast;
  const met = atMost !== undefined ? median <= atMost : median >= atLeast;
  const said = aim === undefined ? "" : `${atMost ? "<=" : ">="} ${aim.toLocaleString("en")} ${met ? "met" : "MISSED"}`;
  const columns = [number(median), number(least), number(most)].map((text) => text.padStart(11));
  return `  ${`${name}, ${unit}`.padEnd(64)}${columns.join("")}  ${said}`;
}

async function measureOpening(bench) {
  const stored = { name: "stored", store: "stored" };
  await bench.page(async (page) => {
    await opening(page, {});
    bench.add("open, memory, warm", "ms", await bench.repeated(() => opening(page, { name: "memory" })));
  });
  await bench.page(async (page) => {
    await page.evaluate(
      async ([options, count]) => {
        const node = await isoroot.SyncNode.create(options);
        await node.appendAll(made(count, 1));
        await node.close();
      },
      [stored, STORED],
    );
    const name = `open, IndexedDB, ${STORED.toLocaleString("en")} entries`;
    bench.add(`${name}, warm`, "ms", await bench.repeated(() => opening(page, stored)));
    const cold = await bench.repeated(async () => {
      await page.reload();
      await page.waitForSelector("html[data-ready=true]", { state: "attached" });
      return opening(page, stored);
    });
    bench.add(`${name}, first in the page`, "ms", cold);
  });
}

async function measureAppending(bench) {
  for (const [what, store, aim] of [["memory", "memory", { atLeast: 100_000 }], ["IndexedDB", "appended", {}]]) {
    for (const warm of [true, false]) {
      const rates = await bench.repeated(() => bench.page((page) => appending(page, store, warm)));
      // An engine compiles what runs often once more, and better.
      bench.add(`append, ${what}, entries of 100, ${warm ? "warm" : "first in the page"}`, "facts/s", rates, warm ? aim : {});
    }
  }
}

async function measureFirstSync(bench) {
  for (const [each, aim] of [[100, { atMost: 3 }], [1, {}]]) {
    const hub = await bench.hub();
    const folder = bench.folder();
    writeLines(join(folder, "facts.jsonl"));
    const { link } = await run(folder, "init", "--store", "writer.redb", "--hub", hub.url);
    await run(folder, "import", "facts.jsonl", "--store", "writer.redb", "--batch", String(each));
    await run(folder, "sync", hub.url, "--store", "writer.redb");
    const { root } = await run(folder, "root", "--store", "writer.redb");
    const seconds = await bench.repeated(() =>
      bench.page(async (page) => {
        const synced = await firstSync(page, link, LIMIT);
        if (synced.root !== root || synced.facts !== FACTS) throw new Error("the roots differ");
        return synced.seconds;
      }),
    );
    bench.add(`first sync of ${FACTS.toLocaleString("en")} facts, entries of ${each}`, "s", seconds, aim);
    await hub.stop();
  }
}

async function measureNotes(bench) {
  for (const [what, store] of [["memory", "memory"], ["IndexedDB", "notes"]]) {
    const hub = await bench.hub();
    const runs = await bench.repeated((number) =>
      bench.page(async (one) =>
        bench.page(async (two) => {
          const options = { name: `notes ${what} ${number}`, store, peers: [hub.url] };
          for (const page of [one, two]) {
            await page.evaluate((options) => open(options), options);
            await page.evaluate(() => node.sync());
          }
          return notes(one, two);
        }),
      ),
    );
    const at = (share) => runs.map((took) => took[Math.ceil(share * took.length) - 1]);
    bench.add(`a note from page to page through the hub, ${what}, p50`, "ms", at(0.5), what === "memory" ? { atMost: 10 } : {});
    bench.add(`a note from page to page through the hub, ${what}, p95`, "ms", at(0.95));
    await hub.stop();
  }
}

function machine() {
  return `${cpus().length} x ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`;
}

const json = process.argv.indexOf("--json");
const bench = new Bench();
await bench.begin();
try {
  const about = {
    machine: machine(),
    browser: `Chromium ${bench.browser.version()}, headless`,
    workload: `facts of ${FACT} bytes; hub over loopback, redb store; ${RUNS} runs`,
  };
  for (const [name, text] of Object.entries(about)) console.log(`${name}: ${text}`);
  console.log(`\n  ${"".padEnd(64)}${["median", "least", "most"].map((text) => text.padStart(11)).join("")}  aim`);
  await measureOpening(bench);
  await measureAppending(bench);
  await measureFirstSync(bench);
  await measureNotes(bench);
  if (json > 0) writeFileSync(process.argv[json + 1], `${JSON.stringify({ ...about, figures: bench.figures }, null, 2)}\n`);
} finally {
  await bench.end();
}
