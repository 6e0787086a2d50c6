// Stores and transports written in JavaScript: held to the contract, and to their promises when they fail.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Joined, MemoryStore, pipe } from "./custom.mjs";
import { all, code, isoroot, made, next, SyncNode } from "./isoroot.mjs";

const fact = (i) => ({ predicate: `note/${i}`, value: i });

test("f119_a_store_written_in_js_keeps_the_contract", () => isoroot.checkStore(() => new MemoryStore()));

test("f119_a_transport_written_in_js_keeps_the_contract", () => isoroot.checkTransport(pipe, 2 * 32 * 65_536));

test("the checks bite", async () => {
  class Gaps extends MemoryStore {
    async ids(...given) {
      return (await super.ids(...given)).slice(1);
    }
  }
  await assert.rejects(isoroot.checkStore(() => new Gaps()), code("CRASHED"));
});

test("f119_what_was_appended_is_there_when_the_store_is_opened_again", async () => {
  const store = new MemoryStore();
  const first = await made({ name: "js", store });
  await first.append([fact(1), fact(2)]);
  await first.addPeer("ws://127.0.0.1:9/");
  const { root, store: id } = await first.status();
  assert.equal(id, store.id);
  await first.close();
  const second = await made({ name: "js", store });
  assert.equal(second.device, first.device);
  assert.equal(await second.root(), root);
  assert.deepEqual((await all(second.facts())).map(({ value }) => value), [1, 2]);
  assert.deepEqual((await second.peers()).map(({ address }) => address), ["ws://127.0.0.1:9/"]);
  // Another handle of the same store: each sees the other's entries.
  const third = await made({ name: "js", store });
  const grew = next(second, "grew");
  await third.append(fact(3));
  await grew;
  assert.equal(await second.root(), await third.root());
  await Promise.all([second, third].map((node) => Promise.all(Array.from({ length: 20 }, (_, i) => node.append(fact(i))))));
  for (const node of [second, third]) {
    while ((await node.status()).entries < 42) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(await second.root(), await third.root());
  await second.close();
  await third.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(store.waiting, 0, "who no longer waits has been told by the signal");
});

test("f119_two_nodes_sync_by_a_transport_written_in_js", async () => {
  const joined = new Joined();
  const one = await made({ name: "joined" });
  const two = await made({ name: "joined", store: new MemoryStore(), transports: { join: joined }, peers: ["join:one", "join:nobody"] });
  joined.nodes.set("join:one", one);
  await one.start();
  await two.start();
  await one.appendAll(Array.from({ length: 500 }, (_, i) => [fact(i)]));
  const syncs = await two.sync();
  assert.equal(syncs[0].error, null);
  assert.deepEqual([syncs[1].error.code, /nobody of this name/.test(syncs[1].error.message)], ["UNREACHABLE", true]);
  assert.equal(await one.root(), await two.root());
  const grew = next(one, "grew");
  await two.append(fact(501));
  await grew;
  assert.equal(await one.root(), await two.root());
  const lost = next(one, "disconnected");
  await two.close();
  await lost;
  await one.stop();
  await assert.rejects(one.accept(pipe()[0]), code("NOT_STARTED"));
  await assert.rejects(one.accept({}), code("INVALID_TRANSPORT"));
  for (const scheme of ["ws", "pipe", "A", ""]) {
    await assert.rejects(SyncNode.create({ transports: { [scheme]: joined } }), code("INVALID_TRANSPORT"));
  }
  await assert.rejects(SyncNode.create({ transports: { join: {} } }), code("INVALID_TRANSPORT"));
});

test("f119_a_store_that_misbehaves_is_a_typed_error", async () => {
  await assert.rejects(SyncNode.create({ store: {} }), code("INVALID_STORE"));
  await assert.rejects(SyncNode.create({ store: Object.assign(new MemoryStore(), { id: "12" }) }), code("INVALID_ID"));
  const hostile = Object.create(Uint8Array.prototype);
  const answers = [
    () => { throw new Error("mine"); }, () => Promise.reject(new Error("mine")), () => Promise.reject(undefined), () => { throw Object.create(null); },
    () => { throw { get code() { throw new Error("mine"); } }; }, () => undefined, () => null, () => NaN, () => -1, () => 1.5, () => "x", () => 1n, () => ({}), () => hostile, () => [hostile], () => [null],
    () => [[1, 2]], () => [{ number: 1, id: "x", bytes: new Uint8Array() }], () => [{ number: 1, id: "00".repeat(32), bytes: hostile }],
    () => [{ number: 1, id: "00".repeat(32), bytes: new Uint8Array(2_000_000) }], () => [{ number: 7, id: "00".repeat(32), bytes: new Uint8Array(3) }],
    () => new Proxy([], { get() { throw new Error("mine"); } }), () => ({ then() { throw new Error("mine"); } }), () => ({ done: true, head: "x" }),
    () => ({ get done() { throw new Error("mine"); } }), () => ({ done: false, head: 1, now: null }), () => ({ done: true, head: 1 }), () => 1e9, () => [],
  ];
  const found = new Set();
  for (const method of ["head", "append", "read", "fetch", "ids", "changed", "note", "setNote", "notes"]) {
    for (const answer of answers) {
      const store = new MemoryStore();
      const good = await made({ name: "hostile", store });
      await good.append(fact(0));
      await good.close();
      store[method] = answer;
      const outcome = await (async () => {
        const node = await made({ name: "hostile", store });
        await node.append(fact(1), { timeout: 200 });
        await all(node.facts());
        await node.addPeer("pipe:x");
        await node.addPeer("ws://127.0.0.1:9/");
        await node.close();
      })().catch((error) => error);
      if (outcome === undefined) continue;
      assert.ok(isoroot.IsorootError.is(outcome), `${method}: ${outcome?.stack}`);
      assert.ok(["STORE_FAILED", "STORE_DAMAGED", "TIMEOUT"].includes(outcome.code), `${method} ${answer}: ${outcome.code} ${outcome.message}`);
      found.add(outcome.code);
    }
  }
  assert.ok(found.has("STORE_FAILED") && found.has("STORE_DAMAGED"));
  // Nothing has crashed: the instance is the same.
  const node = await made();
  await node.append(fact(1));
});

test("f119_no_room_is_told_and_another_failed_write_is_final", async () => {
  const store = new MemoryStore();
  const node = await made({ name: "full", store });
  const append = store.append;
  store.append = () => Promise.reject(new DOMException("no room", "QuotaExceededError"));
  await assert.rejects(node.append(fact(1)), code("STORE_FULL"));
  store.append = append;
  await node.append(fact(2));
  store.append = () => Promise.reject(new Error("the disk is gone"));
  await assert.rejects(node.append(fact(3)), code("STORE_FAILED"));
  store.append = append;
  await assert.rejects(node.append(fact(4)), (error) => code("STORE_FAILED")(error) && /the disk is gone/.test(error.message));
  assert.deepEqual((await all(node.facts())).map(({ value }) => value), [2]);
  const again = await made({ name: "full", store });
  await again.append(fact(5));
});

test("f61_closing_waits_for_the_checkpoint_and_the_next_node_opens_from_it", async () => {
  const store = new MemoryStore();
  const entries = Array.from({ length: 300 }, (_, value) => [fact(value)]);
  const first = await made({ name: "checkpoint", store });
  assert.deepEqual(await from(first), ["records", null]);
  await first.appendAll(entries);
  const { setNote } = store;
  const [begun, released] = [gate(), gate()];
  const kept = [];
  store.setNote = async (key, expected, value) => {
    begun.open();
    await released.opened;
    if (key.startsWith("checkpoint/")) kept.push(key);
    return setNote.call(store, key, expected, value);
  };
  let closed = false;
  const closing = first.close().then(() => (closed = true));
  await begun.opened;
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false, "it is still being written");
  assert.equal(first.state, "closed");
  await assert.rejects(first.append(fact(1)), code("CLOSED"));
  released.open();
  await closing;
  assert.equal(kept.length, 2, "a chunk and the head");
  store.setNote = setNote;

  const second = await made({ name: "checkpoint", store });
  assert.deepEqual(await from(second), ["checkpoint", 300]);
  await second.close();
  const [head] = kept.toSorted((a, b) => a.length - b.length);
  const note = await store.note(head);
  const wrong = note.slice();
  wrong[wrong.length - 1] ^= 1;
  await store.setNote(head, note, wrong);
  const third = await made({ name: "checkpoint", store });
  assert.deepEqual(await from(third), ["recordsAgain", null]);
  assert.equal((await all(third.facts())).length, 300);
});

test("f61_closing_does_not_wait_for_ever", async () => {
  const store = new MemoryStore();
  const node = await made({ name: "stuck", store });
  await node.appendAll(Array.from({ length: 300 }, (_, value) => [fact(value)]));
  store.setNote = () => new Promise(() => {});
  const begun = Date.now();
  await node.close();
  // A stop may take 2 s, and so may what is being written.
  assert.ok(Date.now() - begun < 10_000);
});

/** Something that opens once. */
function gate() {
  const made = {};
  made.opened = new Promise((resolve) => (made.open = resolve));
  return made;
}

/** Where a node's journal was loaded from. */
async function from(node) {
  const { loadedFrom, checkpoint } = await node.status();
  return [loadedFrom, checkpoint];
}

test("f119_the_node_can_be_used_inside_of_a_store's_methods", async () => {
  const store = new MemoryStore();
  const node = await made({ name: "inside", store });
  const inner = [];
  for (const method of ["append", "fetch", "note", "changed"]) {
    const original = store[method];
    store[method] = (...given) => {
      if (inner.length < 50) inner.push(node.status(), node.append(fact(inner.length)), node.peers());
      return original.apply(store, given);
    };
  }
  await node.append(fact(1));
  await all(node.facts());
  while (inner.length < 50) await node.append(fact(inner.length));
  for (const outcome of await Promise.allSettled(inner)) assert.equal(outcome.status, "fulfilled");
});

test("f119_a_transport_that_misbehaves_is_a_typed_error", async () => {
  const never = () => new Promise(() => {});
  const good = { send() {}, receive: never, close() {} };
  const connections = [
    undefined, null, {}, { ...good, binding: "x" }, { ...good, receive: () => null }, { ...good, receive: () => "x" }, { ...good, receive: () => new Uint8Array(70_000) },
    { ...good, receive: () => new Uint8Array(3) }, { ...good, receive: () => { throw new Error("mine"); } }, { ...good, send: () => Promise.reject(null) },
    { ...good, receive: () => null, close: () => { throw new Error("mine"); } }, { ...good, receive: () => Object.create(Uint8Array.prototype) },
    { ...good, get remote() { throw new Error("mine"); } },
  ];
  for (const connection of connections) {
    const node = await made({ transports: { bad: { connect: async () => connection } }, peers: ["bad:x"] });
    await node.start();
    const [{ error }] = await node.sync();
    assert.ok(["UNREACHABLE", "DISCONNECTED", "FRAME", "HANDSHAKE", "PROTOCOL"].includes(error.code) || error.fault === "peer", `${error.code}: ${error.message}`);
    await node.close();
  }
  let aborted = 0;
  const dial = (_, signal) => new Promise(() => signal.addEventListener("abort", () => aborted++));
  const node = await made({ transports: { slow: { connect: dial } }, peers: ["slow:x"] });
  await node.start();
  await node.stop();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(aborted, 1);
});

test("f119_a_connection_lives_until_its_node_ends_it", async () => {
  const heard = [];
  const connect = async (_, signal) => {
    signal.addEventListener("abort", () => heard.push("aborted"));
    return { send() {}, receive: () => new Promise(() => {}), close: () => void heard.push("closed") };
  };
  const node = await made({ transports: { quiet: { connect } }, peers: ["quiet:x"] });
  await node.start();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(heard, [], "it was opened: nobody has given it up");
  await node.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(heard, ["closed"]);
});

test("f119_a_dial_given_up_leaves_no_connection_open", async () => {
  let closed = 0;
  let opens;
  const opened = new Promise((resolve) => (opens = resolve));
  const connection = { send() {}, receive: () => new Promise(() => {}), close: () => void closed++ };
  const node = await made({ transports: { late: { connect: () => opened } }, peers: ["late:x"] });
  await node.start();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await node.removePeer("late:x");
  opens(connection);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(closed, 1);
  await node.close();
});

test("f119_a_peer_that_takes_nothing_does_not_keep_its_connection", { timeout: 30_000 }, async () => {
  const never = () => new Promise(() => {});
  let closed;
  const closing = new Promise((resolve) => (closed = resolve));
  const connect = async () => ({ send: never, receive: never, close: () => closed() });
  const node = await made({ transports: { full: { connect } }, peers: ["full:x"] });
  await node.start();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await node.removePeer("full:x");
  await closing;
  await node.close();
});

test("f119_closing_ends_calls_that_a_hanging_store_holds_up", async () => {
  const store = new MemoryStore();
  const node = await made({ store });
  store.setNote = () => new Promise(() => {});
  store.fetch = () => new Promise(() => {});
  await node.append({ predicate: "p", value: 1 });
  const waiting = [node.addPeer("ws://127.0.0.1:1/sync"), node.facts().next()];
  const outcomes = Promise.allSettled(waiting);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const begun = performance.now();
  await node.close();
  for (const { reason } of await outcomes) assert.equal(reason?.code, "CLOSED");
  assert.ok(performance.now() - begun < 1_500, "at once, not when some time is over");
});
