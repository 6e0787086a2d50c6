// What is told of syncs on their way, and waiting for peers: patiently, until one gives up, no longer than is set.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pipe } from "./custom.mjs";
import { code, isoroot, made, next } from "./isoroot.mjs";

const fact = (i) => ({ predicate: `note/${i}`, value: i });
const soon = (milliseconds = 20) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const waiting = async (node) => (await node.status()).waiting;

/** Two nodes of one journal, of which the second dials the first; it is not there yet. */
async function pair(name, options = {}) {
  const one = await made({ name });
  const two = await made({ name, peers: [`pipe:${name}`], ...options });
  await one.start();
  await two.start();
  return { one, two, there: () => one.listen(name), peer: `pipe:${name}` };
}

/** The details of all events of these types from now on. */
function heard(node, ...types) {
  const events = [];
  for (const type of types) node.addEventListener(type, ({ detail }) => events.push({ type, ...detail }));
  return events;
}

test("d1_phases_and_failures_of_syncs_are_events", async () => {
  const { one, two, there, peer } = await pair("phases");
  await one.append(fact(1));
  await two.append(fact(2));
  const events = heard(two, "phase", "synced", "syncFailed");
  await there();
  await two.synced();
  await soon();
  assert.equal(events[0].phase, "opening");
  assert.deepEqual(events.slice(-2).map(({ type, phase }) => phase ?? type), ["live", "synced"]);
  for (const { type, phase, peer: of, journal } of events) {
    assert.deepEqual([of, journal], [peer, two.journal]);
    assert.ok(type !== "phase" || ["opening", "comparing", "exchanging", "live"].includes(phase));
  }
  const stranger = await made();
  const failed = next(stranger, "syncFailed");
  await stranger.addPeer(peer);
  await stranger.start();
  const { error, journal } = await failed;
  assert.deepEqual([error.code, error.peerCode, error.retryable, journal], ["REFUSED", "NOT_SERVED", false, stranger.journal]);
  assert.ok(isoroot.IsorootError.is(error));
  assert.ok(!events.some(({ type }) => type === "syncFailed"));
});

test("d13_synced_waits_until_a_peer_is_there_and_has_all", async () => {
  const { one, two, there, peer } = await pair("patient");
  const { id } = await two.append(fact(1));
  const other = await one.append(fact(2));
  let done = 0;
  const waits = [two.synced(), two.synced({ peer })].map((wait) => wait.then(() => done++));
  await soon(300);
  assert.deepEqual([done, await waiting(two)], [0, 2]);
  const [info] = await two.peers();
  assert.equal(info.error.retryable, true);
  assert.ok(info.status !== "waiting" || (info.nextAttempt > 0 && info.nextAttempt < 300_000));
  await there();
  await Promise.all(waits);
  assert.equal(await waiting(two), 0);
  assert.ok((await one.get(id)) && (await two.get(other.id)));
  assert.equal(await two.delivery(id, one.device), "durable");
  assert.deepEqual(await two.deliveries(), [{ device: one.device, upto: 2, pending: 0 }]);
  assert.equal((await two.peers())[0].nextAttempt, null);
  // The peer says that it leaves, which passes.
  const left = next(two, "disconnected");
  await one.stop();
  assert.deepEqual([(await left).error.peerCode, (await left).error.retryable], ["CANCELLED", true]);
  const back = two.synced({ peer });
  await soon();
  await one.start();
  await back;
});

test("d13_synced_fails_for_what_waiting_does_not_mend", async () => {
  const { two, there, peer } = await pair("hopeless");
  await assert.rejects(two.synced({ peer: "pipe:unknown" }), code("NO_PEER"));
  await assert.rejects((await made()).synced(), code("NOT_STARTED"));
  await assert.rejects(two.synced({ timeout: 20 }), code("TIMEOUT"));
  const removed = two.synced({ peer });
  await two.removePeer(peer);
  await assert.rejects(removed, code("CANCELLED"));
  await two.addPeer(peer);
  const stopped = two.synced({ peer });
  await two.stop();
  await assert.rejects(stopped, code("CANCELLED"));
  await two.start();
  const closed = two.synced();
  await soon();
  await two.close();
  await assert.rejects(closed, (error) => ["CLOSED", "CANCELLED"].includes(error.code));
  // One that refuses is told at once, though another is waited for; and nothing is left of that.
  await there();
  const stranger = await made({ peers: ["pipe:nobody", peer] });
  await stranger.start();
  await assert.rejects(stranger.synced(), (error) => code("REFUSED")(error) && error.peerCode === "NOT_SERVED");
  assert.equal(await waiting(stranger), 0);
});

test("f41_an_aborted_wait_is_freed_at_once", async () => {
  const { one, two, there, peer } = await pair("aborted");
  const reason = new Error("enough");
  for (const call of [(signal) => two.synced({ signal }), (signal) => two.synced({ peer, signal })]) {
    const controller = new AbortController();
    const waits = Array.from({ length: 300 }, () => call(controller.signal));
    const kept = two.synced({ peer, timeout: 5_000 });
    for (let i = 0; i < 10 && (await waiting(two)) < 301; i++);
    assert.equal(await waiting(two), 301);
    controller.abort(reason);
    // Asked in the same turn.
    assert.equal(await waiting(two), 1);
    for (const wait of waits) await assert.rejects(wait, (error) => code("ABORTED")(error) && error.cause === reason);
    await assert.rejects(two.synced({ peer, timeout: 10 }), code("TIMEOUT"));
    assert.equal(await waiting(two), 1, "so is one whose time is over");
    await two.stop();
    await assert.rejects(kept, code("CANCELLED"));
    await two.start();
  }
  // One that is aborted before it has begun never waits.
  const early = new AbortController();
  const wait = two.synced({ signal: early.signal });
  early.abort();
  assert.equal(await waiting(two), 0);
  await assert.rejects(wait, code("ABORTED"));
  // The sync itself is for the node's sake: it goes on, and ends what others wait for.
  await there();
  const others = two.synced({ peer });
  const controller = new AbortController();
  const syncing = two.sync({ signal: controller.signal });
  controller.abort();
  await assert.rejects(syncing, code("ABORTED"));
  await others;
  assert.equal(await waiting(two), 0);
  assert.equal(await one.root(), await two.root());
});

test("f40_a_reply_is_waited_for_as_long_as_is_set", async () => {
  const one = await made({ name: "silent" });
  await one.start();
  let silent = false;
  /** From the first answer about the journal on nothing comes any more. */
  const transport = {
    async connect() {
      const [here, there] = pipe();
      await one.accept(there);
      const receive = async () => {
        const frame = await here.receive();
        silent ||= frame?.[0] === 17 || frame?.[0] === 18;
        return silent ? new Promise(() => {}) : frame;
      };
      return { send: (frame) => here.send(frame), receive, close: () => here.close() };
    },
  };
  for (const replyTimeout of [300, 900]) {
    silent = false;
    const two = await made({ name: "silent", transports: { hush: transport }, peers: ["hush:one"], replyTimeout });
    const opening = next(two, "phase");
    const failed = next(two, "syncFailed");
    await two.start();
    await opening;
    const began = performance.now();
    const { error } = await failed;
    const waited = performance.now() - began;
    assert.deepEqual([error.code, error.retryable], ["TIMEOUT", true]);
    // No shorter than set but for the rounding of clocks, and not the 30 s that it is by default.
    assert.ok(waited > replyTimeout - 20 && waited < replyTimeout + 600, `${waited} ms`);
    const { connections } = await two.status();
    assert.equal(connections, 0);
    await two.close();
  }
  for (const replyTimeout of [0, -1, NaN]) await assert.rejects(made({ replyTimeout }), code("INVALID_TIMEOUT"));
});
