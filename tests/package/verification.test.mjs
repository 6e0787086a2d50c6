// Entries that somebody hands over: judged against a root, and only what is proved is taken in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ahead, all, code, made } from "./isoroot.mjs";

const OTHER = "ab".repeat(32);
const EMPTY = "6c8bd587835fe75551bfce789362f7138db0c2d607c4cbd7db6b6f3efdca499b";

/** A writer with five entries, what it hands over, and a node on the same journal without any. */
async function given(name) {
  const [writer, reader] = [await made({ name }), await made({ name })];
  const entries = [];
  for (let value = 0; value < 5; value++) {
    const { id } = await writer.append({ predicate: "p", value });
    entries.push({ record: (await writer.get(id)).record, id });
  }
  const { root, proof } = await writer.proveAll(entries.map(({ id }) => id));
  return { writer, reader, entries, root, proof, ids: entries.map(({ id }) => id) };
}

/** The same entries, each with a proof of its own. */
function proved(writer, entries) {
  return Promise.all(entries.map(async (entry) => ({ ...entry, proof: (await writer.proveAll([entry.id])).proof })));
}

/** Verdicts on authentic entries, new here and not ahead of the clock. */
function judged(ids, isKnown = false) {
  return ids.map((id) => ({ id, isKnown, isAhead: false }));
}

function flipped(bytes, at) {
  const broken = bytes.slice();
  broken[at < 0 ? broken.length + at : at] ^= 1;
  return broken;
}

test("c6_what_is_proved_is_taken_in_by_each_kind_of_proof", async () => {
  const { writer, entries, root, proof, ids } = await given("c6 kinds");
  const single = await proved(writer, entries);
  for (const [handed, shown] of [[entries, "fullSet"], [entries, { together: proof }], [single, "each"]]) {
    const reader = await made({ name: "c6 kinds" });
    const done = await reader.receive(root, handed, { shown });
    assert.deepEqual(done, { verified: judged(ids), unproved: [], rejected: [], duplicates: 0, new: 5, root });
    assert.equal(await reader.root(), root);
    assert.deepEqual((await all(reader.facts())).map(({ value }) => value), [0, 1, 2, 3, 4]);
    const again = await reader.receive(root.toUpperCase(), [...handed].map(({ record, proof }) => ({ record, proof })), { shown });
    assert.deepEqual([again.verified, again.new], [judged(ids, true), 0], "known, and proved all the same");
  }
  // Twice the same is judged once.
  const reader = await made({ name: "c6 kinds" });
  const done = await reader.receive(root, [...single, single[2]], { shown: "each" });
  assert.deepEqual([done.duplicates, done.new], [1, 5]);
});

test("c6_what_is_false_is_rejected_with_its_reason_and_nothing_of_it_is_kept", async () => {
  const { writer, reader, entries, root, proof, ids } = await given("c6 false");
  const single = await proved(writer, entries);
  single[1] = { ...single[1], record: flipped(single[1].record, -1) };
  single[3] = { ...single[3], id: OTHER };
  const done = await reader.receive(root, single, { shown: "each" });
  assert.deepEqual(done.verified, judged([ids[0], ids[2], ids[4]]));
  assert.deepEqual(done.rejected.map(({ place, code }) => [place, code]), [[1, "BAD_ID"], [3, "BAD_ID"]]);
  assert.equal(done.rejected[1].id, ids[3], "the id of the bytes");
  assert.ok(done.rejected[1].message.includes(ids[3]));
  assert.deepEqual([done.new, (await reader.status()).entries], [3, 3]);
  assert.equal(await reader.get(ids[1]), null);

  // Without a named id the signature is what is wrong, but for one whose bytes are under no root.
  const broken = { record: flipped(entries[1].record, -1) };
  const code1 = async (entry, how) => (await reader.receive(root, [entry], how)).rejected[0]?.code;
  assert.equal(await code1(broken), "BAD_SIGNATURE");
  assert.equal(await code1(broken, { unproved: "admit" }), "BAD_SIGNATURE");
  assert.equal(await code1(broken, { shown: { together: proof } }), "NOT_UNDER_ROOT");
  assert.equal(await code1(entries[1], { shown: "fullSet" }), "NOT_UNDER_ROOT", "one is not all");
  assert.equal(await code1({ record: new Uint8Array(10) }), "MALFORMED");
  assert.equal(await code1({ record: new Uint8Array(1_048_577) }), "TOO_LARGE");
  assert.equal(await code1({ ...entries[1], proof: flipped(single[1].proof, 9) }, { shown: "each" }), "NOT_UNDER_ROOT");

  // Proofs of another root, of a journal that has grown since.
  await writer.append({ predicate: "p", value: "later" });
  const grown = await proved(writer, entries.slice(1, 2));
  assert.equal(await code1(grown[0], { shown: "each" }), "NOT_UNDER_ROOT");
  const later = await writer.proveAll(ids);
  const none = await reader.receive(root, entries, { shown: { together: later.proof } });
  assert.deepEqual(none.rejected.map(({ code }) => code), Array(5).fill("NOT_UNDER_ROOT"));
  assert.match(none.rejected[0].message, /another root/);
  const foreign = await made({ name: "c6 another journal" });
  const wrong = await foreign.receive(root, entries, { shown: "fullSet", unproved: "admit" });
  assert.ok(wrong.rejected.every(({ code }) => code === "WRONG_JOURNAL"));
  assert.deepEqual([wrong.rejected.length, (await foreign.status()).entries], [5, 0]);
  assert.equal((await reader.status()).entries, 3, "after all that nothing more is in");
});

test("c6_what_is_unproved_is_refused_or_admitted_by_that_name", async () => {
  const { writer, reader, entries, root, ids } = await given("c6 unproved");
  for (const how of [undefined, {}, { unproved: "refuse" }, { shown: "each" }]) {
    const done = await reader.receive(root, entries, how);
    assert.deepEqual(done, { verified: [], unproved: judged(ids), rejected: [], duplicates: 0, new: 0, root: EMPTY });
    assert.equal((await reader.status()).entries, 0);
  }
  const [first] = await proved(writer, entries.slice(0, 1));
  const mixed = await reader.receive(root, [first, ...entries.slice(1, 3)], { shown: "each" });
  assert.deepEqual([mixed.verified, mixed.unproved, mixed.new], [judged([ids[0]]), judged([ids[1], ids[2]]), 1]);
  const done = await reader.receive(OTHER, entries, { unproved: "admit" });
  assert.deepEqual([done.verified, done.new, done.root], [[], 4, root]);
  assert.deepEqual(done.unproved, [...judged([ids[0]], true), ...judged(ids.slice(1))]);
  assert.equal(await reader.root(), root);
});

test("c6_what_is_known_or_ahead_of_the_clock_is_marked_and_no_less_proved", async () => {
  const writer = await made({ name: "c6 marks" });
  const { id } = await ahead(400_000, () => writer.append({ predicate: "p", value: "from the future" }));
  const reader = await made({ name: "c6 marks" });
  const handed = [{ record: (await writer.get(id)).record }];
  const root = await writer.root();
  for (const isKnown of [false, true]) {
    const done = await reader.receive(root, handed, { shown: "fullSet" });
    assert.deepEqual(done.verified, [{ id, isKnown, isAhead: true }]);
  }
  assert.equal(await reader.root(), root);
  assert.deepEqual(await all(reader.facts()), [], "held back until it is due");
});

test("c6_a_dry_run_changes_nothing", async () => {
  const { reader, entries, root, ids } = await given("c6 dry");
  for (const how of [{ shown: "fullSet" }, { unproved: "admit" }]) {
    const done = await reader.receive(root, entries, { ...how, dryRun: true });
    assert.deepEqual([...done.verified, ...done.unproved], judged(ids));
    assert.deepEqual([done.new, done.root, await reader.root()], [0, EMPTY, EMPTY]);
  }
  assert.equal((await reader.receive(root, entries, { shown: "fullSet" })).new, 5);
});

test("c6_what_cannot_be_judged_fails_whole", async () => {
  const { reader, entries, root } = await given("c6 whole");
  const fails = (handed, how, expected) => assert.rejects(reader.receive(root, handed, how), code(expected));
  await fails("x", {}, "INVALID_SUBMISSION");
  await fails([null], {}, "INVALID_SUBMISSION");
  await fails([{ record: "00" }], {}, "INVALID_SUBMISSION");
  await fails([{ ...entries[0], proof: "00" }], {}, "INVALID_SUBMISSION");
  await fails([{ ...entries[0], id: "00" }], {}, "INVALID_ID");
  await fails(entries, { shown: "all" }, "INVALID_SUBMISSION");
  await fails(entries, { shown: {} }, "INVALID_SUBMISSION");
  await fails(entries, { unproved: "keep" }, "INVALID_SUBMISSION");
  await assert.rejects(reader.receive("00", entries), code("INVALID_ID"));
  await fails(Array(10_001).fill(entries[0]), {}, "TOO_MANY");
  const large = new Uint8Array(1 << 20);
  await fails(Array(65).fill({ record: large }), {}, "TOO_MANY");
  assert.equal((await reader.receive(root, [])).new, 0);

  const controller = new AbortController();
  const given1 = reader.receive(root, entries, { shown: "fullSet", signal: controller.signal });
  controller.abort();
  await assert.rejects(given1, code("ABORTED"));
  // What is asked behind it is answered behind it.
  assert.equal((await reader.receive(root, entries, { shown: "fullSet", dryRun: true })).new, 0);
  assert.equal(await reader.root(), EMPTY, "given up before it was judged");
  await reader.close();
  await assert.rejects(reader.receive(root, entries), code("CLOSED"));
});
