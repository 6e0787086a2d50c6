// Queries, positions, what is held back, and readers that lag behind.

import assert from "node:assert/strict";
import test from "node:test";

import { ahead, all, code, isoroot, made, next } from "./isoroot.mjs";

const authority = isoroot.authorityId("ab".repeat(32));

/** Two nodes with one journal, of which the second has what the first has. */
async function pair(name) {
  const [one, two] = [await made({ name }), await made({ name })];
  await two.listen(name);
  await two.start();
  await one.addPeer(`pipe:${name}`);
  await one.start();
  return [one, two];
}

test("f62_queries_by_each_part_and_all_together", async () => {
  const [one, two] = await pair("queries");
  const first = await one.append([
    { predicate: "note/1", value: 1 },
    { predicate: "note/2", value: 2, authority, timestamp: -5 },
    { predicate: "other", value: 3, timestamp: 1_000 },
  ]);
  const at = (await one.get(first.id)).timestamp;
  await two.append([{ predicate: "note/1", value: 4 }, { predicate: "note/3", value: 5, authority: one.device }]);
  await one.sync();
  const found = async (query) => (await all(one.facts(query))).map(({ value }) => value);
  assert.deepEqual(await found({}), [1, 2, 3, 4, 5]);
  assert.deepEqual(await found({ predicate: "note/1" }), [1, 4]);
  assert.deepEqual(await found({ prefix: "note/" }), [1, 2, 4, 5]);
  assert.deepEqual(await found({ device: two.device }), [4, 5]);
  assert.deepEqual(await found({ authority }), [2]);
  assert.deepEqual(await found({ authority: one.device }), [1, 3, 5], "implied and spelled out");
  assert.deepEqual(await found({ entry: first.id }), [1, 2, 3]);
  assert.deepEqual(await found({ fact: `${first.id}:1` }), [2]);
  assert.deepEqual(await found({ fact: `${first.id}:7` }), []);
  assert.deepEqual(await found({ written: { to: at } }), [1, 2, 3]);
  assert.deepEqual(await found({ written: { from: at + 1 } }), [4, 5]);
  assert.deepEqual(await found({ written: { from: at, to: at } }), [1, 2, 3]);
  assert.deepEqual(await found({ written: { to: -1 } }), []);
  assert.deepEqual(await found({ timestamp: {} }), [2, 3], "those that carry one");
  assert.deepEqual(await found({ timestamp: { from: -5, to: 999 } }), [2]);
  assert.deepEqual(await found({ prefix: "note/", authority: one.device, device: two.device }), [5]);
  assert.deepEqual(await found({ predicate: "note/1", authority }), [], "no one fact is both");
  assert.deepEqual(await found({ limit: 2 }), [1, 2]);
  assert.deepEqual(await found({ limit: 0 }), []);
  const status = await one.status();
  assert.deepEqual([status.predicates, status.authorities, status.devices, status.heldBack], [4, 3, 2, 0]);
  const wrong = { authority: "x", device: "ab", entry: "no", fact: "no" };
  for (const [part, text] of Object.entries(wrong)) {
    await assert.rejects(one.facts({ [part]: text }).next(), code("INVALID_ID"), part);
  }
  await assert.rejects(one.facts({ after: 5 }).next(), code("INVALID_POSITION"));
  await assert.rejects(one.facts({ written: { from: "soon" } }).next(), code("INVALID_RANGE"));
});

test("c3_reading_goes_on_behind_each_fact_that_was_seen", async () => {
  const node = await made();
  const entries = Array.from({ length: 300 }, (_, i) => [{ predicate: "a", value: i }, { predicate: "b", value: i + 0.5 }]);
  await node.appendAll(entries);
  const facts = await all(node.facts());
  assert.deepEqual(facts.map(({ value }) => value), Array.from({ length: 600 }, (_, i) => i / 2));
  for (const seen of [1, 2, 255, 256, 257, 599, 600]) {
    const { position } = facts[seen - 1];
    const rest = await all(node.facts({ after: JSON.parse(JSON.stringify(position)) }));
    assert.deepEqual(rest.map(({ id }) => id), facts.slice(seen).map(({ id }) => id));
  }
  const last = await all(node.facts({ predicate: "b", after: facts[500].position, limit: 3 }));
  assert.deepEqual(last.map(({ value }) => value), [250.5, 251.5, 252.5]);
});

test("c6_what_is_ahead_of_the_clock_is_held_back_until_it_is_due", async () => {
  const [one, two] = await pair("ahead");
  const early = await ahead(600_000, () => one.append({ predicate: "p", value: "ahead" }));
  await two.append({ predicate: "p", value: "now" });
  assert.deepEqual((await one.sync()).map(({ error }) => error), [null]);
  assert.equal(await one.root(), await two.root(), "it is in the set");
  const reading = two.facts({ live: true });
  const shown = (await reading.next()).value;
  assert.equal(shown.value, "now");
  assert.equal((await two.status()).heldBack, 1);
  const [held] = await two.heldBack();
  const { device, timestamp } = await two.get(early.id);
  assert.deepEqual(held, { id: early.id, number: held.number, device, timestamp, reason: "ahead", due: timestamp - 300_000_000 });
  assert.deepEqual(await two.heldBack({ after: early.id }), []);
  await assert.rejects(two.heldBack({ limit: 0 }), code("INVALID_PAGE"));
  const [waiting, due] = [reading.next(), next(two, "due")];
  await ahead(600_000, async () => {
    assert.equal((await two.status()).heldBack, 0);
    assert.deepEqual(await due, { journal: two.journal, entries: 1 });
    assert.equal((await waiting).value.value, "ahead", "a reader that waits gets it");
  });
  // One that had read before it was due gets it too when it goes on.
  const rest = await all(two.facts({ after: shown.position }));
  assert.deepEqual(rest.map(({ value }) => value), ["ahead"]);
});

test("f62_a_reader_that_lags_behind_is_told_once", async () => {
  const node = await made();
  const marks = [];
  const reading = node.facts({ live: true, lagged: (behind) => marks.push(behind) });
  const write = (count) => node.appendAll(Array.from({ length: count }, (_, i) => [{ predicate: "p", value: i }]));
  const read = async (count) => {
    for (let i = 0; i < count; i++) assert.equal((await reading.next()).value.value, i);
  };
  await write(3_000);
  await read(3_000);
  assert.deepEqual(marks, [3_000 - 256]);
  await write(1_000);
  await read(1_000);
  assert.deepEqual(marks.length, 1);
  await write(2_000);
  await read(2_000);
  assert.deepEqual(marks, [3_000 - 256, 2_000 - 256]);
});
