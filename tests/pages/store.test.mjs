// What a browser keeps: after reloads, after a kill in the middle of writing, and when there is no room left.

import assert from "node:assert/strict";
import { join } from "node:path";

import { append, converged, reopen, status, tab } from "./harness/bare.mjs";
import { story } from "./harness/story.mjs";
import { until } from "./harness/until.mjs";

/** Facts of one entry; more than one, so that a torn entry could be seen. */
const TOGETHER = 3;

/** Appends entries one after the other, for as long as it lives, and tells each that was acknowledged. */
const write = (page) =>
  page.evaluate(async (together) => {
    for (let n = 0; ; n++) {
      const { id } = await node.append(Array.from({ length: together }, (_, i) => ({ predicate: `n/${n}`, value: i })));
      await acknowledged(n, id);
    }
  }, TOGETHER);

/** Holds that the reopened node has every acknowledged entry whole, and that its device's chain goes on. */
async function assertWhole(page, ids) {
  const facts = await page.evaluate(() => facts("n/"));
  const entries = facts.length / TOGETHER;
  assert.ok(entries >= ids.length, `${ids.length} acknowledged, ${entries} there`);
  const expected = Array.from({ length: facts.length }, (_, i) => [`n/${Math.floor(i / TOGETHER)}`, i % TOGETHER]);
  assert.deepEqual(facts.map(({ predicate, value }) => [predicate, value]), expected, "whole, in order, without a gap");
  assert.deepEqual(ids, facts.filter((_, i) => i % TOGETHER === 0).slice(0, ids.length).map(({ entry }) => entry));

  const last = facts.at(-1);
  const next = await page.evaluate(async () => node.get((await node.append({ predicate: "next", value: null })).id));
  assert.equal(next.device, last.device, "the device is the same");
  assert.ok(next.after.includes(last.entry), "its chain goes on where it was cut");
}

async function tellsTo(context, ids) {
  await context.exposeFunction("acknowledged", (n, id) => {
    ids[n] = id;
  });
}

story("f121_reloads_keep_everything_and_store_nothing_more", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const context = await story.context();
  const options = { name: "reloads", store: "kept", peers: [hub.url] };
  const page = await tab(context, site, options);
  await append(page, "note", 20);
  const look = () =>
    page.evaluate(async () => {
      const { root, entries } = await node.status();
      return { device: node.device, root, entries, stored: await stored(), facts: await facts() };
    });
  const reload = async () => {
    await reopen(page, site, options);
    // Only when it has met the hub has it written all that it will.
    await page.evaluate(() => node.sync());
  };
  await reload();
  const before = await look();
  const room = () => page.evaluate(async () => (await navigator.storage.estimate()).usage);
  const used = await room();
  for (let i = 0; i < 50; i++) await reload();
  assert.deepEqual(await look(), before);
  const more = (await room()) - used;
  console.log(`the browser's own estimate: ${used} bytes, ${more} more after 50 reloads`);
  assert.ok(more < 262_144, "its log is compacted when it likes, but does not grow for ever");
});

story("f121_a_tab_closed_in_the_middle_of_writing_loses_nothing_acknowledged", async (story) => {
  const site = await story.site();
  const context = await story.context();
  const ids = [];
  await tellsTo(context, ids);
  const options = { name: "closed", store: "kept" };
  const page = await tab(context, site, options);
  const writing = write(page).catch((error) => error);
  await until("entries are acknowledged", () => ids.length, (count) => count >= 100);
  await page.close({ runBeforeUnload: false });
  assert.match(String(await writing), /closed/);
  await assertWhole(await tab(context, site, options), [...ids]);
});

story("f121_a_browser_killed_in_the_middle_of_writing_loses_nothing_acknowledged", async (story) => {
  const site = await story.site();
  const profile = join(story.folder, "profile");
  const options = { name: "killed", store: "kept" };
  const ids = [];
  const killed = await story.browserOn(profile);
  await tellsTo(killed.context, ids);
  const page = await tab(killed.context, site, options);
  const writing = write(page).catch((error) => error);
  await until("entries are acknowledged", () => ids.length, (count) => count >= 100);
  await killed.kill();
  await writing;
  const again = await story.browserOn(profile);
  await assertWhole(await tab(again.context, site, options), [...ids]);
});

/** Facts too many for what is left, each an entry; how many went in, and why no more. */
const fill = (page) =>
  page.evaluate(async () => {
    for (let written = 0; written < 100; written++) {
      try {
        // What compresses well takes less room than it has bytes.
        const value = crypto.getRandomValues(new Uint8Array(30_000));
        await node.append({ predicate: `much/${written}`, value });
      } catch (error) {
        const { code, fault, retryable } = error;
        return { written, code, fault, retryable, typed: error instanceof isoroot.IsorootError };
      }
    }
    return { written: 100 };
  });

/** The bare page on an origin that may take so many bytes, until `lift`. */
async function cramped(story, site, quotaSize, options) {
  const context = await story.context();
  const page = await context.newPage();
  const browser = await context.newCDPSession(page);
  const limit = (room) => browser.send("Storage.overrideQuotaForOrigin", { origin: site.origin, ...room });
  // Before the database is opened: the browser asks how much room there is only when it has little left.
  await limit({ quotaSize });
  await reopen(page, site, options);
  return { page, lift: () => limit({}) };
}

story("f121_a_full_disk_is_told_reading_goes_on_and_so_does_writing_once_there_is_room", async (story) => {
  const site = await story.site();
  const options = { name: "full", store: "kept" };
  const { page, lift } = await cramped(story, site, 500_000, options);
  await append(page, "before", 10);
  const full = await fill(page);
  assert.deepEqual(full, { written: full.written, code: "STORE_FULL", fault: "store", retryable: false, typed: true });
  assert.ok(full.written > 0, "what fitted was written");
  assert.deepEqual(await fill(page), { ...full, written: 0 }, "and is told again");

  const there = 10 + full.written;
  assert.equal((await page.evaluate(() => facts("before/"))).length, 10);
  assert.equal((await page.evaluate(() => facts())).length, there);
  assert.equal((await status(page)).entries, there);

  await lift();
  await append(page, "after", 10);
  const { root, entries } = await status(page);
  assert.equal(entries, there + 10);
  await reopen(page, site, options);
  assert.equal((await status(page)).root, root);
  assert.equal((await page.evaluate(() => facts("after/"))).length, 10);
});

story("f121_what_others_send_to_a_full_disk_comes_once_there_is_room", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const options = { name: "full of others", store: "kept", peers: [hub.url] };
  const { page, lift } = await cramped(story, site, 500_000, options);
  await append(page, "mine", 10);
  const stranger = await tab(await story.context(), site, { ...options, store: "memory" });
  await converged([page, stranger], 10);
  assert.deepEqual(await fill(stranger), { written: 100 });
  const why = () => page.evaluate(async () => (await node.peers())[0].error?.code);
  await until("no more goes in", why, (code) => code === "STORE_FULL", 15_000);
  assert.equal((await page.evaluate(() => facts("mine/"))).length, 10);
  await lift();
  await append(page, "mine/later", 10);
  await converged([page, stranger], 120);
});
