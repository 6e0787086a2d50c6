// A journal in numbers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { code, made } from "./isoroot.mjs";

/** The depth of the deepest leaf of a binary trie over hex ids, subtrees of one leaf collapsed. */
function depth(ids, bit = 0) {
  if (ids.length < 2) return bit;
  const one = (id) => (Number.parseInt(id[bit >> 2], 16) >> (3 - (bit & 3))) & 1;
  const halves = [ids.filter((id) => !one(id)), ids.filter(one)].filter((half) => half.length > 0);
  return Math.max(...halves.map((half) => depth(half, bit + 1)));
}

test("f73_statistics_in_javascript", async () => {
  const node = await made();
  const empty = await node.statistics();
  assert.deepEqual([empty.entries, empty.facts, empty.depth, empty.bytes], [0, 0, 0, 0]);
  const authority = "ab".repeat(32);
  const entries = Array.from({ length: 70 }, (_, i) => [
    { predicate: `p/${i % 3}`, value: "x".repeat(i) },
    { predicate: "q", value: i, ...(i % 2 && { authority }) },
  ]);
  const ids = (await node.appendAll(entries)).map(({ id }) => id);
  const records = await Promise.all(ids.map(async (id) => (await node.get(id)).record));
  const { root, heldBack, predicates, authorities, devices } = await node.status();
  const found = await node.statistics();
  assert.ok(found.bloomRate > 0.008 && found.bloomRate < 0.012);
  assert.deepEqual(found, {
    root,
    entries: 70,
    facts: 140,
    predicates,
    authorities,
    devices,
    heldBack,
    missing: 0,
    forked: 0,
    depth: depth(ids),
    bytes: records.reduce((sum, record) => sum + record.length, 0),
    bloomRate: found.bloomRate,
  });
  assert.deepEqual([predicates, authorities, devices, heldBack], [4, 2, 1, 0]);
  await node.close();
  await assert.rejects(node.statistics(), code("CLOSED"));
});
