// What a named store remembers: the peers that were added, and whose device it is.

import assert from "node:assert/strict";

const NOWHERE = "ws://127.0.0.1:9/";

/** Runs in a page. */
const OPEN = `globalThis.open = async (more) => {
  const { SyncNode } = await import("isoroot");
  globalThis.node = await SyncNode.create({ name: "reload", store: "reload", ...more });
  return node.device;
};
globalThis.failure = (opening) => opening.then(() => null, (error) => [error.code, String(error) + JSON.stringify(error)]);`;

const addresses = (page) => page.evaluate(() => node.peers().then((peers) => peers.map(({ address }) => address)));

/** `url` is a page that can import the package. */
export async function reload(browser, url) {
  const context = await browser.newContext();
  const [one, two] = [await context.newPage(), await context.newPage()];
  const load = (page) => page.goto(url).then(() => page.evaluate(OPEN));
  const open = (page, more) => page.evaluate((more) => globalThis.open(more), more);
  const add = (page, address) => page.evaluate((address) => node.addPeer(address), address);

  // Peers of the options are given each time, those that were added are kept.
  await load(one);
  const device = await open(one, { peers: [`${NOWHERE}option`] });
  for (const address of ["b", "a", "c"]) assert.equal(await add(one, NOWHERE + address), true);
  await add(one, "pipe:x");
  assert.equal(await one.evaluate((address) => node.removePeer(address), `${NOWHERE}c`), true);
  await load(one);
  assert.equal(await open(one), device);
  assert.deepEqual(await addresses(one), [`${NOWHERE}b`, `${NOWHERE}a`]);

  // Several tabs at once.
  await load(two);
  await open(two);
  const many = (page, tab) =>
    page.evaluate((tab) => Promise.all(Array.from({ length: 20 }, (_, i) => node.addPeer(`ws://127.0.0.1:9/${tab}${i}`))), tab);
  await Promise.all([many(one, "one"), many(two, "two")]);
  await Promise.all([one, two].map((page, i) => page.evaluate((address) => node.removePeer(address), `${NOWHERE}${"ab"[i]}`)));
  const expected = ["one", "two"].flatMap((tab) => Array.from({ length: 20 }, (_, i) => `${NOWHERE}${tab}${i}`)).sort();
  for (const page of [one, two]) assert.deepEqual((await addresses(page)).sort(), expected);
  await load(two);
  await open(two);
  assert.deepEqual((await addresses(two)).sort(), expected);
  // Of this journal, and of no other in the store; the hub of a link is kept too.
  const other = await two.evaluate(async () => {
    const { SyncNode } = await import("isoroot");
    const { journal } = await SyncNode.create();
    const before = await SyncNode.open({ journal: `isoroot:${journal}?hub=wss%3A%2F%2Fhub.example%2Fsync`, store: "reload" });
    await before.close();
    const after = await SyncNode.open({ journal, store: "reload" });
    return (await after.peers()).map(({ address }) => address);
  });
  assert.deepEqual(other, ["wss://hub.example/sync"]);

  // A store that made its key itself; and one that was given it.
  const outcomes = await two.evaluate(async () => {
    const { Identity } = await import("isoroot");
    const [mine, yours] = [new Uint8Array(32).fill(7), new Identity(new Uint8Array(32).fill(8))];
    const differs = await failure(open({ identity: mine }));
    const made = await open({ store: "brought", identity: mine });
    await node.append({ predicate: "p", value: 1 });
    const again = await open({ store: "brought", identity: new Identity(mine) });
    return { differs, made, again, entries: (await node.status()).entries, other: await failure(open({ store: "brought", identity: yours })), none: await failure(open({ store: "brought" })) };
  });
  assert.deepEqual([outcomes.differs[0], outcomes.other[0], outcomes.none[0]], ["OTHER_DEVICE", "OTHER_DEVICE", "KEY_NEEDED"]);
  assert.equal(outcomes.made, outcomes.again);
  assert.equal(outcomes.entries, 1);
  for (const [, shown] of [outcomes.differs, outcomes.other, outcomes.none]) assert.ok(!/0707|0808|7,7|8,8/.test(shown));
  await context.close();
}
