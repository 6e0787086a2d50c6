// What it costs to make two documents of other libraries equal, for `make bench-sync`. A document is a list of
// ids, each added by itself, as an entry is to a journal: `node sync-X.mjs ENTRIES DIFFERENCES:SEEDS…`.

import { createHash } from "node:crypto";

/** The same link as that of benches/reconcile: one way, and how much it carries. */
const [DELAY_MS, BYTES_PER_MS] = [20, 12_500];
const ID_BYTES = 32;

/** The id with this number: that of the sets of benches/reconcile. */
function id(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

const ids = (first, count) => Array.from({ length: count }, (_, i) => id(first + i));

/** Bytes of a WebSocket frame with its head, which has a mask where it comes from the side that dialled. */
const framed = (bytes, end) => bytes + 2 + (bytes < 126 ? 0 : bytes < 65_536 ? 2 : 8) + (end === 0 ? 4 : 0);

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function quantile(values, part) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(Math.max(Math.ceil(sorted.length * part), 1), sorted.length) - 1];
}

/** Syncs two documents; what that takes: bytes of all but the ids, round trips until the first entry is sent. */
function cost(library, documents, differences) {
  const spent = { bytes: -ID_BYTES * differences, trips: undefined, cpu: [0, 0] };
  let sent = 0;
  const turns = library.sync(documents);
  for (;;) {
    const began = process.cpuUsage();
    const { value, done } = turns.next();
    const { user, system } = process.cpuUsage(began);
    if (done) return { documents: value, spent: { ...spent, trips: spent.trips ?? 1 } };
    spent.cpu[value.end] += (user + system) / 1_000;
    if (!value.message) continue;
    if (value.entries) spent.trips ??= value.legs / 2 + sent / BYTES_PER_MS / DELAY_MS / 2;
    sent += framed(value.message.length, value.end);
    spent.bytes += framed(value.message.length, value.end);
  }
}

/** Syncs so often, each time two copies of the same to which other entries were added. */
function costs(library, shared, entries, differences, seeds) {
  const all = [];
  // Once before it counts, so that all is compiled.
  for (let seed = -1; seed < seeds; seed++) {
    const from = entries + (seed + 1) * differences;
    const first = seed % 2 ? Math.floor(differences / 2) : Math.ceil(differences / 2);
    const one = library.add(library.copy(shared), ids(from, first));
    const other = library.add(library.copy(shared), ids(from + first, differences - first));
    const { documents, spent } = cost(library, [one, other], differences);
    const sizes = documents.map((document) => library.size(document));
    if (sizes.some((size) => size !== entries + differences)) throw new Error(`${sizes} entries at the end`);
    if (seed >= 0) all.push(spent);
  }
  return all;
}

/**
 * Prints what a library takes: for each number of differences a row like those of benches/reconcile.
 *
 * `base(ids)` makes a document of these, `copy(base)` one like it of another author, `add(document, ids)` one with
 * some more, and `size(document)` tells how many it has. `sync([one, other])` yields `{ end, message, entries, legs }`
 * behind each thing that a side has done: the message that it has for the other, if any, whether entries are in it, and
 * how often messages have gone over the link before. It returns both documents.
 */
export function measure(name, library) {
  const [entries, ...wanted] = process.argv.slice(2);
  const shared = library.base(ids(0, Number(entries)));
  for (const [differences, seeds] of wanted.map((pair) => pair.split(":").map(Number))) {
    const all = costs(library, shared, Number(entries), differences, seeds);
    const [bytes, trips] = [all.map((spent) => spent.bytes), all.map((spent) => spent.trips)];
    const row = {
      ...{ differences, name, seeds, handshake: 0 },
      ...{ find: mean(bytes), find_p99: quantile(bytes, 0.99), rest: 0, whole: mean(bytes) },
      ...{ trips: quantile(trips, 0.5), trips_p98: quantile(trips, 0.98) },
      cpu: [0, 1].map((end) => quantile(all.map((spent) => spent.cpu[end]), 0.5)),
    };
    console.log(JSON.stringify(row));
  }
}
