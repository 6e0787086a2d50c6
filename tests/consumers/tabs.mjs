// Pages that share a store of an origin: one dials, all append and see, another takes over.

import assert from "node:assert/strict";

/** Runs in a page: opens the journal that all tabs share. */
const OPEN = `import("isoroot").then(async ({ SyncNode }) => {
  globalThis.node = await SyncNode.create({ name: "tabs", store: "tabs", peers: ["ws://127.0.0.1:9/sync"] });
  await node.start();
  globalThis.outcome = await node.status();
})`;

const count = async (page, entries) => {
  await page.waitForFunction((entries) => node.status().then((status) => status.entries === entries), entries, { timeout: 20_000, polling: 100 });
  return page.evaluate(() => node.root());
};

/** `url` is a page that can import the package. */
export async function tabs(browser, url) {
  const context = await browser.newContext();
  const open = async () => {
    const page = await context.newPage();
    await page.goto(url);
    await page.evaluate(OPEN);
    return page;
  };
  const dials = (page) => page.evaluate(() => node.status().then((status) => status.dials));
  const [one, two, three] = [await open(), await open(), await open()];
  assert.deepEqual([await dials(one), await dials(two), await dials(three)], ["this", "other", "other"]);
  const code = await two.evaluate(() => node.sync().catch((error) => error.code));
  assert.equal(code, "OTHER_TAB");

  // All at once: nothing lost, nothing doubled.
  const append = (name) => Promise.all(Array.from({ length: 40 }, (_, i) => node.append({ predicate: `${name}/${i}`, value: i })));
  await Promise.all([one.evaluate(append, "a"), two.evaluate(append, "b"), three.evaluate(append, "c")]);
  const roots = [await count(one, 120), await count(two, 120), await count(three, 120)];
  assert.equal(new Set(roots).size, 1);

  // The one that dials is gone without a word: the next in turn takes over.
  await one.close({ runBeforeUnload: false });
  await two.waitForFunction(() => node.status().then((status) => status.dials === "this"), undefined, { timeout: 10_000, polling: 50 });
  assert.equal(await dials(three), "other");
  await two.evaluate(() => node.stop());
  await three.waitForFunction(() => node.status().then((status) => status.dials === "this"), undefined, { timeout: 10_000, polling: 50 });
  await two.evaluate(() => node.start());
  assert.equal(await dials(two), "other");

  // All is there after a reload, and the device is the same.
  const device = await three.evaluate(() => node.device);
  await three.reload();
  await three.evaluate(OPEN);
  assert.equal(await count(three, 120), roots[0]);
  assert.equal(await three.evaluate(() => node.device), device);
  await context.close();
}
