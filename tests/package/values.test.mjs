// What values become on their way into a journal and back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import { all, code, made } from "./isoroot.mjs";

const SAFE = Number.MAX_SAFE_INTEGER;

async function back(...values) {
  const node = await made();
  await node.append(values.map((value, i) => ({ predicate: `v/${i}`, value })));
  return (await all(node.facts())).map((fact) => fact.value);
}

test("values come back as they went in", async () => {
  const values = [
    null, true, false, 0, 1, -1, 1.5, -0.1, SAFE, -SAFE, Infinity, -Infinity, NaN, 1e300, 5e-324,
    "", "Grüße 😀", "\u0000", "\uFFFD", "\uFFFD\uFFFD x",
    new Uint8Array([0, 255]), new Uint8Array(),
    [], [1, [2, [3]]], {}, { a: 1, "": { b: [] } },
    2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n),
  ];
  assert.deepEqual(await back(...values), values);
});

test("numbers have one form", async () => {
  const [zero, ten, safe, low, beyond, power] = await back(-0, 10n, BigInt(SAFE), BigInt(-SAFE), 2 ** 53, 2n ** 60n);
  assert.ok(Object.is(zero, 0));
  assert.equal(ten, 10);
  assert.equal(safe, SAFE);
  assert.equal(low, -SAFE);
  assert.equal(beyond, 2 ** 53, "a float beyond the safe integers stays a number");
  assert.equal(power, 2n ** 60n);
});

test("what is plain is told by what it is, not by whose it is", async () => {
  const foreign = runInNewContext("({ list: [1, new Uint8Array([7])], map: { a: null } })");
  const bare = Object.assign(Object.create(null), { a: 1 });
  const proto = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}');
  const [a, b, c, buffer] = await back(foreign, bare, proto, Buffer.from([1, 2]));
  assert.deepEqual(a, { list: [1, new Uint8Array([7])], map: { a: null } });
  assert.deepEqual(b, { a: 1 });
  assert.equal(Object.getPrototypeOf(c), Object.prototype);
  assert.deepEqual(Object.keys(c).sort(), ["__proto__", "constructor"]);
  assert.deepEqual(Object.getOwnPropertyDescriptor(c, "__proto__").value, { x: 1 });
  assert.ok(buffer instanceof Uint8Array && buffer.length === 2);
});

const cycle = {};
cycle.self = [cycle];
let deep = 0;
for (let i = 0; i < 16; i++) deep = [deep];
let wide = [];
for (let i = 0; i < 15; i++) wide = [wide, wide, wide, wide, wide, wide, wide, wide];
class Point {
  x = 1;
}
const refused = {
  undefined: undefined,
  "undefined in a list": [undefined],
  "undefined in a map": { a: undefined },
  "a hole": [1, , 2],
  "a function": () => {},
  "a symbol": Symbol("s"),
  "a symbol as key": { [Symbol("s")]: 1 },
  "a date": new Date(0),
  "a Map": new Map(),
  "a class instance": new Point(),
  "another typed array": new Uint16Array(2),
  "an array buffer": new ArrayBuffer(2),
  "a fake view": { [Symbol.toStringTag]: "Uint8Array", length: 3 },
  "a lone surrogate": "a\uD800b",
  "a lone surrogate beside a genuine mark": "\uFFFD\uDC00",
  "a lone surrogate in a key": { "\uD800": 1 },
  "a bigint over 64 bits": 2n ** 63n,
  "a bigint under 64 bits": -(2n ** 63n) - 1n,
  "17 levels": [deep],
  "a cycle": cycle,
  "many references to one": wide,
  "too many bytes": new Uint8Array(65_536),
  "a getter that throws": { get a() { throw new Error("mine"); } },
  "a proxy that throws": new Proxy({}, { ownKeys() { throw new Error("mine"); } }),
  "a proxy of a list that throws": new Proxy([], { get() { throw new Error("mine"); } }),
  "a list that says it is endless": new Proxy([], { get: (_, key) => (key === "length" ? Infinity : 0) }),
  "a revoked proxy": (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })(),
};
for (const [name, value] of Object.entries(refused)) {
  test(`refused: ${name}`, async () => {
    const node = await made();
    await assert.rejects(node.append({ predicate: "p", value }), code("INVALID_FACTS"));
    assert.equal((await node.status()).entries, 0, "nothing was appended");
    assert.deepEqual(await back([deep].length), [1], "and all goes on");
  });
}

test("16 levels are not too many", async () => {
  assert.deepEqual(await back(deep), [deep]);
});

test("facts are checked part by part", async () => {
  const node = await made();
  const bad = [
    null, 7, "x", {}, { predicate: 1, value: 1 }, { predicate: "", value: 1 }, { predicate: "a".repeat(257), value: 1 },
    { predicate: "p" }, { predicate: "p", value: 1, timestamp: 1.5 }, { predicate: "p", value: 1, timestamp: "1" },
    { predicate: "p", value: 1, timestamp: 2 ** 60 }, { predicate: "p", value: 1, authority: 5 },
    { get predicate() { throw new Error("mine"); }, value: 1 },
  ];
  for (const fact of bad) await assert.rejects(node.append([fact]), code("INVALID_FACTS"));
  await assert.rejects(node.append({ predicate: "p", value: 1, authority: "12" }), code("INVALID_ID"));
  await assert.rejects(node.append([]), code("INVALID_FACTS"));
  await assert.rejects(node.append(Array(1001).fill({ predicate: "p", value: 1 })), code("INVALID_FACTS"));
  await assert.rejects(node.appendAll([{ predicate: "p", value: 1 }]), code("INVALID_FACTS"));
  await assert.rejects(node.appendAll(7), code("INVALID_FACTS"));
  const authority = "ab".repeat(32);
  await node.append({ predicate: "p", value: 1, authority, timestamp: -5 });
  const [fact] = await all(node.facts());
  assert.equal(fact.authority, authority);
  assert.equal(fact.timestamp, -5);
});
