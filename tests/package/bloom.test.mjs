// Bloom filters: over a journal, and as bytes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { code, isoroot, made } from "./isoroot.mjs";

const { BloomFilter, IsorootError } = isoroot;
const SPECIAL = [null, true, "Milk", 2n ** 60n, -0.5, Number.NaN, new Uint8Array([1, 2]), [1, ["a"]], { a: { b: null } }];

test("c9_a_filter_over_a_journal_in_javascript", async () => {
  const node = await made();
  const empty = await node.bloom();
  assert.deepEqual([empty.count, empty.mightContain("p", 1)], [0, false]);
  const facts = Array.from({ length: 900 }, (_, value) => ({ predicate: `p/${value % 7}`, value }));
  await node.append(facts);
  await node.append(SPECIAL.map((value) => ({ predicate: "special", value })));
  for (const rate of [0.1, 0.01, 0.001]) {
    const filter = await node.bloom({ rate });
    for (const { predicate, value } of facts) assert.ok(filter.mightContain(predicate, value));
    for (const value of SPECIAL) assert.ok(filter.mightContain("special", value));
    let passed = 0;
    for (let i = 0; i < 20_000; i++) passed += filter.mightContain("p/0", -1 - i) ? 1 : 0;
    assert.ok(passed < 1.3 * rate * 20_000, `${passed} of 20,000 at ${rate}`);
    assert.ok(filter.rate < 1.1 * rate && filter.rate > 0.8 * rate, `${filter.rate} for ${rate}`);
    assert.ok(filter.count > 850 && filter.count <= 909);

    const bytes = filter.toBytes();
    const read = await BloomFilter.from(bytes);
    assert.ok(read instanceof BloomFilter);
    assert.deepEqual([read.toBytes(), read.count, read.rate], [bytes, filter.count, filter.rate]);
    assert.ok(read.mightContain("p/3", 3) && read.mightContain("special", null));
  }
  const before = await node.bloom();
  await node.append({ predicate: "later", value: 1 });
  assert.equal(before.mightContain("later", 1), false, "a filter does not change");
  assert.equal((await node.bloom()).mightContain("later", 1), true);
  await node.close();
  assert.ok(before.mightContain("p/0", 0), "it needs no node");
  await assert.rejects(node.bloom(), code("CLOSED"));
});

test("c9_filters_of_two_devices_are_merged_if_they_were_made_for_the_same", async () => {
  const nodes = [await made(), await made()];
  for (const [which, node] of nodes.entries()) {
    await node.append(Array.from({ length: 300 }, (_, value) => ({ predicate: `of/${which}`, value })));
  }
  const [one, two] = await Promise.all(nodes.map((node) => node.bloom({ expected: 1_000 })));
  const both = one.merge(two);
  assert.ok(both instanceof BloomFilter);
  for (let value = 0; value < 300; value++) {
    assert.ok(both.mightContain("of/0", value) && both.mightContain("of/1", value));
  }
  assert.ok(Math.abs(both.count - 600) < 30, `${both.count}`);
  let passed = 0;
  for (let i = 0; i < 20_000; i++) passed += both.mightContain("of/2", i) ? 1 : 0;
  assert.ok(passed < 200, `${passed} of 20,000: it was made for 1,000 at 1 %`);
  assert.deepEqual(two.merge(one).toBytes(), both.toBytes());
  assert.deepEqual(one.merge(await BloomFilter.from(two.toBytes())).toBytes(), both.toBytes());
  // Neither was changed.
  assert.equal(one.mightContain("of/1", 0) && one.mightContain("of/1", 1) && one.mightContain("of/1", 2), false);
  for (const other of [await nodes[0].bloom({ expected: 1_001 }), await nodes[0].bloom({ rate: 0.02, expected: 1_000 }), await nodes[0].bloom()]) {
    assert.throws(() => one.merge(other), code("INVALID_FILTER"));
  }
});

test("c9_bytes_that_are_no_filter_are_refused", async () => {
  const node = await made();
  await node.append({ predicate: "note/1/title", value: "Milk" });
  // The worked example of the format, made for 7 pairs at 1 %.
  const example = Buffer.from("870107fb3f847ae147ae147b1844070149800000000034501000", "hex");
  const filter = await BloomFilter.from(new Uint8Array(example));
  assert.deepEqual([filter.count, filter.mightContain("note/1/title", "Milk")], [1, true]);
  assert.equal(filter.mightContain("note/1/title", "Bread"), false);
  assert.ok(Buffer.from(filter.toBytes()).equals(example));

  for (const bytes of [new Uint8Array(), example.subarray(1), example.subarray(0, -1), Buffer.concat([example, example])]) {
    await assert.rejects(BloomFilter.from(bytes), (error) => code("INVALID_FILTER")(error) && error.fault === "peer");
  }
  await assert.rejects(BloomFilter.from(new Uint8Array(3 << 20)), code("INVALID_FILTER"));
  await assert.rejects(BloomFilter.from(example.toString("hex")), code("INVALID_FILTER"));
  for (const rate of [0, 1, -1, Number.NaN, "x"]) await assert.rejects(node.bloom({ rate }), code("INVALID_RATE"));
  for (const value of [undefined, () => 1, new Date(), Symbol("x")]) {
    assert.throws(() => filter.mightContain("p", value), code("INVALID_FACTS"));
  }
  assert.throws(() => filter.mightContain(5, 5), code("INVALID_FACTS"));
  const thrown = { get a() { throw new Error("of the caller"); } };
  assert.throws(() => filter.mightContain("p", thrown), (error) => IsorootError.is(error));
  // Well-formed, but no fact: it is not in, nor can it be.
  assert.equal(filter.mightContain("", 1), false);
  assert.equal(filter.mightContain("x".repeat(257), 1), false);
  const controller = new AbortController();
  controller.abort();
  await assert.rejects(node.bloom({ signal: controller.signal }), code("ABORTED"));
});
