// Takes the time of the Merkle map's steps in wasm: `node wasm.mjs FILE.wasm`. Prints a figure a line, as JSON.

import { readFileSync } from "node:fs";

import { allHold, figure, INSERTS, MILLION, PROOFS, timed } from "./figures.mjs";

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
const { exports: map } = await WebAssembly.instantiate(module, {});

// An engine compiles what runs often once more, and better.
for (let round = 0; round < 3; round++) {
  map.prepare(0, 50_000, 50_000);
  map.build();
  map.ask(1_000, 50_000);
  map.prove();
  map.check();
  map.prepare(50_000, 1_000, 1);
  map.insert();
}

for (const count of [MILLION / 10, MILLION]) {
  map.forget();
  map.prepare(0, count, count);
  timed(`build ${count}`, 1, () => map.build());
}
const root = Array.from({ length: 32 }, (_, at) => map.root_byte(at).toString(16).padStart(2, "0"));
console.log(JSON.stringify({ root: root.join("") }));

map.ask(PROOFS, MILLION);
timed("make", 1_000 / PROOFS, () => map.prove());
allHold(timed("check", 1_000 / PROOFS, () => map.check()), PROOFS);
figure("proof bytes", map.proof_bytes() / PROOFS);

let next = MILLION;
for (const [batch, batches] of INSERTS) {
  map.prepare(next, batch * batches, batch);
  next += batch * batches;
  timed(`insert ${batch}`, 1_000 / (batch * batches), () => map.insert());
}

// What a page pays: the memory of an instance never shrinks, so what a build works with is in it.
const { exports: grown } = await WebAssembly.instantiate(module, {});
const before = grown.memory.buffer.byteLength;
grown.prepare(0, 1_000, 1_000);
grown.build();
for (let first = 1_000; first < MILLION; first += 1_000) {
  grown.prepare(first, 1_000, 1_000);
  grown.insert();
}
figure("memory", (grown.memory.buffer.byteLength - before) / MILLION);
