// The life of nodes: reading, syncing in the page, waiting, closing, crashing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { all, code, isoroot, made, next, SyncNode } from "./isoroot.mjs";

const fact = (i) => ({ predicate: `note/${i}`, value: i });
let pipes = 0;

/** Nobody ever answers there. */
const SILENT = "ws://127.0.0.1:1/";
globalThis.WebSocket = class extends EventTarget {
  readyState = 0;
  close() {}
};

/** Two started nodes of one journal, the second of which dials the first. */
async function pair() {
  const name = `pair ${pipes++}`;
  const [one, two] = [await made({ name }), await made({ name, peers: [`pipe:${name}`] })];
  await one.listen(name);
  await one.start();
  const synced = next(two, "synced");
  await two.start();
  await synced;
  return [one, two];
}

test("a journal is named by its genesis, and opened by link and id", async () => {
  const node = await made({ name: "golden" });
  const again = await made({ name: "golden" });
  assert.equal(node.journal, again.journal);
  assert.notEqual(node.device, again.device);
  assert.match(node.journal, /^[0-9a-f]{64}$/);
  assert.equal(isoroot.bytes(node.journal).length, 32);
  assert.equal(isoroot.journalId(isoroot.bytes(node.journal)), node.journal);
  const link = node.link("wss://hub.example/a%20b?c=d");
  for (const journal of [link, node.link(), node.journal, node.journal.toUpperCase()]) {
    const opened = await SyncNode.open({ journal });
    assert.equal(opened.journal, node.journal);
    const peers = (await opened.peers()).map((peer) => peer.address);
    assert.deepEqual(peers, journal === link ? ["wss://hub.example/a%20b?c=d"] : []);
    await opened.close();
  }
  await assert.rejects(SyncNode.open({ journal: "isoroot:12" }), code("INVALID_LINK"));
  await assert.rejects(SyncNode.open({ journal: "12" }), code("INVALID_ID"));
  await assert.rejects(SyncNode.create({ genesis: new Uint8Array(3) }), code("INVALID_GENESIS"));
  await assert.rejects(SyncNode.create({ store: "notes" }), code("STORE_OPEN"), "no IndexedDB on Node");
});

test("two nodes of a page end with one root, and live", async () => {
  const [one, two] = await pair();
  await one.append([fact(1), fact(2)]);
  const grew = next(two, "grew");
  await one.appendAll([[fact(3)], [fact(4)]]);
  await grew;
  const [done] = await two.sync();
  assert.equal(done.error, null);
  assert.equal(await one.root(), await two.root());
  assert.equal(done.report.root, await one.root());
  const status = await two.status();
  assert.deepEqual([status.state, status.entries, status.facts, status.dials], ["running", 3, 4, "this"]);
  const [peer] = await two.peers();
  assert.deepEqual([peer.status, peer.device, peer.error], ["connected", one.device, null]);
  const lost = next(two, "disconnected");
  await one.close();
  assert.ok(isoroot.IsorootError.is((await lost).error));
});

test("reading: filters, places, entries", async () => {
  const node = await made();
  const { id } = await node.append([fact(1), { predicate: "other", value: "x" }]);
  const { position } = await node.status();
  await node.append(fact(2));
  const read = async (options) => (await all(node.facts(options))).map(({ predicate }) => predicate);
  assert.deepEqual(await read(), ["note/1", "other", "note/2"]);
  assert.deepEqual(await read({ predicate: "other" }), ["other"]);
  assert.deepEqual(await read({ prefix: "note/" }), ["note/1", "note/2"]);
  assert.deepEqual(await read({ after: position }), ["note/2"]);
  const entry = await node.get(id);
  assert.deepEqual(entry.facts[1], { predicate: "other", value: "x", authority: null, timestamp: null });
  assert.deepEqual([entry.id, entry.device, entry.after], [id, node.device, []]);
  assert.ok(entry.record instanceof Uint8Array);
  assert.equal(await node.get("00".repeat(32)), null);
});

test("live reading misses nothing, and ends when told", async () => {
  const node = await made();
  const reading = node.facts({ live: true });
  const writing = (async () => {
    for (let i = 0; i < 100; i++) await node.append([fact(i), fact(i + 0.5)]);
  })();
  const seen = [];
  for await (const { value } of reading) {
    seen.push(value);
    if (seen.length === 200) break;
  }
  await writing;
  assert.deepEqual(seen, Array.from({ length: 200 }, (_, i) => i / 2));
  const idle = node.facts({ live: true, after: (await node.status()).position });
  const waiting = idle.next();
  assert.deepEqual(await idle.return(), { done: true, value: undefined });
  assert.deepEqual(await waiting, { done: true, value: undefined });
});

test("a reader that does not ask is not served", async () => {
  const node = await made();
  await node.appendAll(Array.from({ length: 3000 }, (_, i) => [fact(i)]));
  const reading = node.facts();
  await reading.next();
  // Further entries of pages that were not read yet are there when they are.
  await node.appendAll(Array.from({ length: 10 }, (_, i) => [fact(3000 + i)]));
  const rest = await all(reading);
  assert.equal(rest.length, 3009);
  assert.deepEqual(rest.map((fact) => fact.value), Array.from({ length: 3009 }, (_, i) => i + 1));
  const together = node.facts();
  const three = await Promise.all([together.next(), together.next(), together.next()]);
  assert.deepEqual(three.map(({ value }) => value.value), [0, 1, 2], "calls that overlap keep their order");
});

test("waiting ends with the signal or the time", async () => {
  const node = await made();
  const reason = new Error("mine");
  const aborted = AbortSignal.abort(reason);
  const wasAborted = (error) => code("ABORTED")(error) && error.cause === reason && error.name === "AbortError";
  for (const call of calls(node, { signal: aborted })) await assert.rejects(call(), wasAborted);
  await assert.rejects(SyncNode.create({ signal: aborted }), wasAborted);
  await assert.rejects(node.facts({ live: true, signal: aborted }).next(), wasAborted);
  const controller = new AbortController();
  const waiting = node.facts({ live: true, signal: controller.signal }).next();
  setTimeout(() => controller.abort(reason), 10);
  await assert.rejects(waiting, wasAborted);
  const silent = await made({ peers: [SILENT] });
  await silent.start();
  await assert.rejects(silent.sync({ timeout: 20 }), code("TIMEOUT"));
  await assert.rejects(node.status({ timeout: -1 }), code("INVALID_TIMEOUT"));
  await assert.rejects(node.status({ timeout: NaN }), code("INVALID_TIMEOUT"));
});

/** Every method that takes time. */
function calls(node, options = {}) {
  return [
    () => node.stop(options),
    () => node.start(options),
    () => node.append(fact(1), options),
    () => node.appendAll([[fact(1)]], options),
    () => node.facts(options).next(),
    () => node.get("00".repeat(32), options),
    () => node.heldBack(options),
    () => node.root(options),
    () => node.status(options),
    () => node.sync(options),
    () => node.synced(options),
    () => node.addPeer("pipe:x", options),
    () => node.removePeer("pipe:x", options),
    () => node.peers(options),
    () => node.listen("x", options),
    () => node.persist(options),
  ];
}

test("an append that is aborted at once does not happen", async () => {
  const node = await made();
  const reason = new Error("mine");
  const given = (call) => {
    const controller = new AbortController();
    const appending = call({ signal: controller.signal });
    controller.abort(reason);
    return assert.rejects(appending, (error) => code("ABORTED")(error) && error.cause === reason);
  };
  const kept = node.append(fact(1));
  await Promise.all([
    given((options) => node.append(fact(2), options)),
    given((options) => node.appendAll([[fact(3)], [fact(4)]], options)),
  ]);
  await kept;
  await node.append(fact(5));
  assert.deepEqual((await all(node.facts())).map(({ value }) => value), [1, 5]);
  // Later it is whole, or not at all.
  const controller = new AbortController();
  const appending = node.append([fact(6), fact(7)], { signal: controller.signal });
  setTimeout(() => controller.abort());
  await appending.catch(code("ABORTED"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok([2, 4].includes((await all(node.facts())).length));
});

test("a sync that nobody waits for goes on", async () => {
  const [one, two] = await pair();
  await one.append(fact(1));
  const controller = new AbortController();
  const synced = next(two, "synced");
  const syncing = two.sync({ signal: controller.signal });
  // Answered behind it: it has begun, and is on its way.
  await two.status();
  controller.abort();
  await assert.rejects(syncing, code("ABORTED"));
  await synced;
  assert.equal(await one.root(), await two.root());
});

test("a device's key can be brought", async () => {
  const identity = isoroot.Identity.generate();
  const seed = identity.exposeSeed();
  const [one, two] = [await made({ identity }), await made({ identity: seed })];
  assert.equal(one.device, two.device);
  assert.notEqual((await made()).device, one.device);
  assert.notEqual(isoroot.Identity.generate().exposeSeed().join(), seed.join());
  // RFC 8032: the key of 32 bytes of 1.
  const known = await made({ identity: new Uint8Array(32).fill(1) });
  assert.equal(known.device, "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
  // What is exposed is a copy, and what was given is not changed.
  identity.exposeSeed().fill(0);
  assert.deepEqual(identity.exposeSeed(), seed);
  const hex = Buffer.from(seed).toString("hex");
  for (const shown of [inspect(identity, { depth: 9, showHidden: true }), JSON.stringify(identity), String(identity), inspect(one, { depth: 9, showHidden: true })]) {
    assert.ok(!shown.includes(hex) && !shown.includes(seed.join()) && !shown.includes([...seed].join(", ")));
  }
  for (const wrong of [new Uint8Array(31), new Uint8Array(33), "00".repeat(32), [1], null, {}, { exposeSeed: () => "x" }]) {
    await assert.rejects(SyncNode.create({ identity: wrong }), code("INVALID_IDENTITY"));
  }
});

test("what is closed says so", async () => {
  const node = await made();
  const waiting = node.facts({ live: true }).next();
  const closing = node.close();
  assert.equal(node.close(), closing, "closing twice is closing once");
  await assert.rejects(waiting, code("CLOSED"));
  await closing;
  assert.equal(node.state, "closed");
  for (const call of calls(node)) await assert.rejects(call(), code("CLOSED"));
  await node[Symbol.asyncDispose]();
  assert.match(node.link(), /^isoroot:/);
});

test("calls begin in the order in which they are made", async () => {
  const node = await made();
  const started = node.start();
  const added = node.addPeer(SILENT);
  const [peers, syncs] = await Promise.all([node.peers(), node.sync({ peers: [SILENT], timeout: 100 }).catch((error) => error)]);
  assert.deepEqual(peers.map(({ address }) => address), [SILENT]);
  assert.equal(syncs.code, "TIMEOUT", "it is started, and has the peer");
  await Promise.all([started, added]);
  await node.close();
});

test("more calls than the mailbox holds are neither lost nor overtaken", async () => {
  const node = await made();
  const appends = Array.from({ length: 500 }, (_, i) => node.append({ predicate: "p", value: i }));
  await null;
  // The first ones have made room meanwhile, for those that wait before these.
  await appends[0];
  const later = Array.from({ length: 20 }, (_, i) => node.append({ predicate: "p", value: 500 + i }));
  const numbers = (await Promise.all([...appends, ...later])).map(({ number }) => number);
  assert.deepEqual(numbers, Array.from({ length: 520 }, (_, i) => i + 1));
  const values = (await all(node.facts())).map(({ value }) => value);
  assert.deepEqual(values, numbers.map((number) => number - 1));
  await node.close();
});

test("closing ends calls that wait", async () => {
  const silent = await made({ peers: [SILENT] });
  await silent.start();
  const syncing = silent.sync();
  const outcome = syncing.then(([done]) => done.error.code, (error) => error.code);
  await silent.status();
  await silent.close();
  assert.ok(["CLOSED", "CANCELLED"].includes(await outcome));
});

test("starting and stopping any number of times is one transition", async () => {
  const node = await made();
  let [started, stopped] = [0, 0];
  node.addEventListener("started", () => started++);
  node.addEventListener("stopped", () => stopped++);
  await Promise.all([node.start(), node.start(), node.start()]);
  assert.equal(node.state, "running");
  await Promise.all([node.stop(), node.stop()]);
  assert.equal(node.state, "stopped");
  await Promise.all([node.start(), node.stop(), node.start()]);
  assert.equal(node.state, "running");
  assert.equal((await node.status()).dials, "this");
  await node.stop();
  assert.deepEqual([started, stopped], [2, 2]);
  await assert.rejects(node.sync(), code("NOT_STARTED"));
});

test("every method can be called inside of every listener", async () => {
  const [one, two] = await pair();
  const heard = new Set();
  const pending = [];
  for (const type of ["started", "stopped", "connected", "disconnected", "synced", "grew", "lagged", "crashed"]) {
    const listener = () => {
      if (heard.has(type)) return;
      heard.add(type);
      for (const node of [one, two]) {
        node.link();
        for (const call of calls(node, { timeout: 5_000 })) pending.push(call().catch((error) => error));
      }
    };
    two.addEventListener(type, listener);
  }
  await two.stop();
  await two.start();
  await one.append(fact(1));
  const until = async (count) => {
    for (let i = 0; i < 500 && heard.size < count; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  // The first stop was overtaken by a start that a listener made.
  await until(5);
  await two.stop();
  await until(6);
  assert.deepEqual([...heard].sort(), ["connected", "disconnected", "grew", "started", "stopped", "synced"]);
  for (const outcome of await Promise.all(pending)) {
    if (outcome instanceof Error) assert.ok(isoroot.IsorootError.is(outcome), String(outcome));
  }
  const closing = [];
  two.addEventListener("grew", () => closing.push(two.close(), one.close()), { once: true });
  await two.append(fact(2));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await Promise.all(closing);
  assert.deepEqual([one.state, two.state], ["closed", "closed"]);
});

test("who is turned away learns why, also in what is logged", async () => {
  const other = await made();
  await other.listen("other");
  await other.start();
  const node = await made({ peers: ["pipe:other"] });
  await node.start();
  const [{ error }] = await node.sync();
  assert.deepEqual([error.code, error.peerCode], ["REFUSED", "NOT_SERVED"]);
  assert.equal(JSON.parse(JSON.stringify(error)).message, error.message);
  await Promise.all([node.close(), other.close()]);
});

test("peers: added once, listed in order, removed", async () => {
  const node = await made({ peers: ["pipe:b", "pipe:b"] });
  assert.equal(await node.addPeer("pipe:a"), true);
  assert.equal(await node.addPeer("pipe:a"), false);
  await assert.rejects(node.addPeer("ftp://x"), code("ADDRESS"));
  await assert.rejects(node.addPeer("ws://192.168.1.1/"), code("ADDRESS"), "plain beyond this machine");
  const plain = await made({ peers: ["ws://192.168.1.1/"], allowPlain: true });
  assert.equal((await plain.peers()).length, 1);
  assert.deepEqual((await node.peers()).map(({ address }) => address), ["pipe:b", "pipe:a"]);
  assert.equal(await node.removePeer("pipe:b"), true);
  assert.equal(await node.removePeer("pipe:b"), false);
  await node.start();
  const [done] = await node.sync({ peers: ["pipe:a"] });
  assert.equal(done.report, null);
  assert.deepEqual([done.error.code, done.error.retryable], ["UNREACHABLE", true]);
  await assert.rejects(node.sync({ peers: ["pipe:b"] }), code("NO_PEER"));
});

test("after a crash every call says so, and a new node works", async () => {
  const [one, two] = await pair();
  const waiting = one.facts({ live: true }).next();
  const told = next(two, "crashed");
  // Those that the crash finds waiting, and some that are answered before.
  const pending = Promise.allSettled([waiting, two.facts({ live: true }).next(), two.sync()]);
  await isoroot.crash("on purpose");
  for (const outcome of await pending) {
    assert.equal(outcome.status, "rejected");
    assert.ok(code("CRASHED")(outcome.reason));
    assert.match(outcome.reason.message, /on purpose/);
    assert.equal(outcome.reason.fault, "internal");
  }
  assert.equal((await told).error.code, "CRASHED");
  assert.equal(two.state, "crashed");
  for (const call of calls(one)) await assert.rejects(call(), code("CRASHED"));
  assert.throws(() => one.link(), code("CRASHED"));
  await one.close();
  // Timers and promises of the old instance end in silence.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const [three, four] = await pair();
  await three.append(fact(1));
  await four.sync();
  assert.equal(await three.root(), await four.root());
});
