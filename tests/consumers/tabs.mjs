// Pages that share a store of an origin: one dials, all append and see, another takes over.

import assert from "node:assert/strict";
import { createServer } from "node:net";

/** Nobody answers there. */
const NOWHERE = "ws://127.0.0.1:9/sync";

/**
 * Runs in a page: opens the journal that all tabs share, and a hub in the page itself, whose device tells
 * which tab dials.
 */
const OPEN = `import("isoroot").then(async ({ SyncNode }) => {
  globalThis.hub = await SyncNode.create({ name: "tabs" });
  await hub.listen("hub");
  await hub.start();
  globalThis.node = await SyncNode.create({ name: "tabs", store: "tabs", peers: ["pipe:hub"] });
  globalThis.heard = [];
  for (const type of ["connected", "disconnected", "synced"]) {
    node.addEventListener(type, ({ detail }) => heard.push({ type, ...detail, error: detail.error?.code }));
  }
  await node.start();
  globalThis.outcome = await node.status();
})`;

const count = async (page, entries) => {
  await page.waitForFunction((entries) => node.status().then((status) => status.entries === entries), entries, { timeout: 20_000, polling: 100 });
  return page.evaluate(() => node.root());
};
const dials = (page) => page.evaluate(() => node.status().then((status) => status.dials));
const becomes = (page, who) =>
  page.waitForFunction((who) => node.status().then((status) => status.dials === who), who, { timeout: 10_000, polling: 50 });
const peers = (page) => page.evaluate(() => node.peers().then((peers) => peers.map((peer) => [peer.address, peer.status, peer.device])));
const heard = (page, type, device) =>
  page.waitForFunction(([type, device]) => globalThis.heard.some((event) => event.type === type && (!device || event.device === device)), [type, device], { timeout: 10_000 });
const sync = (page, options) =>
  page.evaluate((options) => node.sync(options).then((syncs) => syncs.map(({ peer, report, error }) => [peer, report?.root ?? null, error?.code ?? null]), (error) => error.code), options);

/** `url` is a page that can import the package. */
export async function tabs(browser, url) {
  const context = await browser.newContext();
  const problems = [];
  const open = async () => {
    const page = await context.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(url);
    await page.evaluate(OPEN);
    return page;
  };
  const [one, two, three] = [await open(), await open(), await open()];
  assert.deepEqual([await dials(one), await dials(two), await dials(three)], ["this", "other", "other"]);
  const hubs = await Promise.all([one, two, three].map((page) => page.evaluate(() => hub.device)));

  // Those that follow hear and see what the one that dials does.
  await two.evaluate(() => node.append({ predicate: "first", value: 1 }));
  // Through the store, before anybody syncs: what comes afterwards would change the root under the sync.
  for (const page of [one, three]) await page.waitForFunction(async () => (await node.status()).entries === 1);
  for (const page of [one, two, three]) {
    const [[, root, error]] = await sync(page);
    assert.equal(error, null);
    assert.equal(root, await page.evaluate(() => node.root()));
    assert.equal(root, await one.evaluate(() => hub.root()));
    assert.deepEqual(await peers(page), [["pipe:hub", "connected", hubs[0]]]);
    await heard(page, "synced");
  }
  assert.equal(await sync(two, { peers: [NOWHERE] }), "NO_PEER");
  assert.equal(await two.evaluate(() => node.sync({ signal: AbortSignal.abort() }).catch((error) => error.code)), "ABORTED");
  // What the hub has is in the follower's journal when its sync is done.
  await one.evaluate(() => hub.append({ predicate: "second", value: 2 }));
  await sync(three);
  assert.equal(await three.evaluate(() => node.root()), await one.evaluate(() => hub.root()));

  // What others say on the channel breaks nothing.
  await two.evaluate(nonsense);
  assert.deepEqual(await peers(two), [["pipe:hub", "connected", hubs[0]]]);
  assert.equal((await sync(three))[0][2], null);
  assert.ok(!(await three.evaluate(() => globalThis.heard.some((event) => event.peer === "forged"))));

  // Peers that one tab adds or removes are the others' too.
  const added = [["pipe:hub", "connected", hubs[0]], [NOWHERE, "connecting", null]];
  const addresses = (peers) => peers.map(([address]) => address);
  assert.equal(await three.evaluate((address) => node.addPeer(address), NOWHERE), true);
  for (const page of [one, two, three]) assert.deepEqual(addresses(await peers(page)), addresses(added));
  await heard(two, "disconnected");
  assert.equal((await sync(two, { peers: [NOWHERE] }))[0][2], "UNREACHABLE");
  assert.equal(await two.evaluate((address) => node.removePeer(address), NOWHERE), true);
  for (const page of [one, two, three]) assert.deepEqual(addresses(await peers(page)), ["pipe:hub"]);

  // All at once: nothing lost, nothing doubled.
  const append = (name) => Promise.all(Array.from({ length: 40 }, (_, i) => node.append({ predicate: `${name}/${i}`, value: i })));
  await Promise.all([one.evaluate(append, "a"), two.evaluate(append, "b"), three.evaluate(append, "c")]);
  const roots = [await count(one, 122), await count(two, 122), await count(three, 122)];
  assert.equal(new Set(roots).size, 1);

  // The one that dials is gone without a word, in the middle of a sync for another: the next in turn takes
  // over, and does it.
  const silent = await silence();
  await three.evaluate((address) => node.addPeer(address), silent.address);
  const syncing = sync(three, { peers: [silent.address] });
  await silent.dialled;
  const early = await Promise.race([syncing, new Promise((resolve) => setTimeout(resolve, 300, "waits"))]);
  assert.equal(early, "waits");
  await one.close({ runBeforeUnload: false });
  silent.hangUp();
  assert.deepEqual(await syncing, [[silent.address, null, "UNREACHABLE"]]);
  await becomes(two, "this");
  await three.evaluate((address) => node.removePeer(address), silent.address);
  assert.equal(await dials(three), "other");
  await heard(three, "connected", hubs[1]);
  assert.deepEqual(await peers(three), [["pipe:hub", "connected", hubs[1]]]);
  await two.evaluate(() => node.stop());
  await becomes(three, "this");
  await heard(three, "connected", hubs[2]);
  // Who is stopped neither asks nor hears.
  assert.equal(await sync(two), "NOT_STARTED");
  await two.evaluate(() => globalThis.heard.splice(0));
  await sync(three);
  assert.deepEqual(await two.evaluate(() => globalThis.heard), []);
  await two.evaluate(() => node.start());
  assert.equal(await dials(two), "other");

  // All is there after a reload, and the device is the same.
  const device = await three.evaluate(() => node.device);
  await three.reload();
  await three.evaluate(OPEN);
  assert.equal(await count(three, 122), roots[0]);
  assert.equal(await three.evaluate(() => node.device), device);
  assert.deepEqual(problems, []);
  await context.close();
}

/** A server that takes connections and says nothing, until it is told to hang up. */
async function silence() {
  const sockets = [];
  let [hungUp, called] = [false, () => {}];
  const dialled = new Promise((resolve) => (called = resolve));
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (hungUp) return socket.destroy();
    sockets.push(socket);
    called();
  });
  server.unref();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hangUp = () => {
    hungUp = true;
    for (const socket of sockets) socket.destroy();
  };
  return { address: `ws://127.0.0.1:${server.address().port}/`, dialled, hangUp };
}

/** Runs in a page: says on the tabs' channel what nobody should. */
async function nonsense() {
  const channel = new BroadcastChannel(`isoroot:tabs/${node.journal}:tabs`);
  const head = { isoroot: 1, from: "x" };
  const messages = [
    undefined, null, 0, "lead", [], {}, new Uint8Array(3), { isoroot: 2, kind: "lead" }, { ...head }, { ...head, from: 1, kind: "lead" },
    { ...head, kind: "lead" }, { ...head, kind: "ask" }, { ...head, kind: "ask", id: 1, question: { what: "sync", number: NaN, peers: [] } },
    { ...head, kind: "ask", id: 1, question: { what: "sync", number: 0, peers: [1] } }, { ...head, kind: "ask", id: NaN, question: { what: "peers" } },
    { ...head, kind: "ask", id: 1, question: { what: "sync", number: 0, peers: ["nowhere"] } }, { ...head, kind: "ask", id: 1, question: { what: "peers" } },
    { ...head, kind: "answer", to: "x", id: 0, answer: null }, { ...head, kind: "event" }, { ...head, kind: "event", event: { type: "synced", detail: null } },
    { ...head, kind: "event", event: { type: "connected", detail: { peer: "forged" } } },
    { ...head, kind: "event", event: { type: "disconnected", detail: { peer: "forged", error: { code: 1 } } } },
    { ...head, kind: "event", event: { type: "synced", detail: { peer: "forged", journal: "00", report: {} } } },
    { ...head, kind: "event", event: { type: "crashed", detail: { peer: "forged" } } }, { ...head, kind: "event", event: { type: "constructor", detail: {} } },
    { ...head, kind: "added" }, { ...head, kind: "added", address: "nonsense" }, { ...head, kind: "removed", address: {} }, { ...head, kind: "__proto__" },
  ];
  for (const message of messages) channel.postMessage(message);
  await new Promise((resolve) => setTimeout(resolve, 100));
  channel.close();
}
