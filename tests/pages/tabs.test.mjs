// Tabs of one browser that share a store: they write at once, and one of them dials for all.

import assert from "node:assert/strict";

import { append, converged, reopen, status, tab } from "./harness/bare.mjs";
import { story } from "./harness/story.mjs";
import { until } from "./harness/until.mjs";

story("f121_three_tabs_that_write_at_once_lose_and_double_nothing", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const context = await story.context();
  const options = { name: "three tabs", store: "shared", peers: [hub.url] };
  const tabs = await Promise.all([1, 2, 3].map(() => tab(context, site, options)));
  const devices = await Promise.all(tabs.map((page) => page.evaluate(() => node.device)));
  assert.equal(new Set(devices).size, 1, "one store, one device");

  await Promise.all(tabs.map((page, i) => append(page, `tab${i}`, 100)));
  const root = await converged(tabs, 300);
  const expected = [0, 1, 2].flatMap((i) => Array.from({ length: 100 }, (_, n) => `tab${i}/${n}`)).sort();
  for (const page of tabs) {
    const facts = await page.evaluate(() => facts());
    assert.deepEqual(facts.map(({ predicate }) => predicate).sort(), expected);
    assert.deepEqual(facts.map(({ number }) => number), facts.map((_, i) => i + 1), "in the order of commit, without a gap");
    // All sign for one device: two entries after the same one would be a fork.
    const chain = await page.evaluate(async () => Promise.all((await facts()).map(async ({ entry }) => (await node.get(entry)).after)));
    assert.deepEqual(chain, facts.map((_, i) => (i === 0 ? [] : [facts[i - 1].entry])), "one chain");
  }

  await Promise.all(tabs.map((page) => reopen(page, site, options)));
  assert.equal(await converged(tabs, 300), root);
  // What the one that dials has sent for all is all that there is.
  const stranger = await tab(await story.context(), site, { name: "three tabs", peers: [hub.url] });
  assert.equal(await converged([stranger], 300), root);
});

story("f122_when_the_tab_that_dials_is_closed_a_later_one_takes_over", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const context = await story.context();
  const options = { name: "late tab", store: "shared", peers: [hub.url] };
  const early = await tab(context, site, options);
  const late = await tab(context, site, options);
  const stranger = await tab(await story.context(), site, { name: "late tab", peers: [hub.url] });
  assert.deepEqual([(await status(early)).dials, (await status(late)).dials], ["this", "other"]);

  // Through the store, the tab that dials, and the hub.
  await append(late, "late", 5);
  await append(stranger, "stranger", 5);
  await converged([early, late, stranger], 10);
  assert.equal((await hub.health()).connections, 2, "one for the two tabs, one for the stranger");

  await early.close({ runBeforeUnload: false });
  await until("the late tab dials", () => status(late), ({ dials }) => dials === "this");
  await append(late, "late/alone", 5);
  await append(stranger, "stranger/later", 5);
  await converged([late, stranger], 20);
});

story("d13_a_tab_that_follows_waits_until_the_hub_is_back_and_has_all", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const context = await story.context();
  const options = { name: "patient tab", store: "shared", peers: [hub.url] };
  const early = await tab(context, site, options);
  const late = await tab(context, site, options);
  assert.deepEqual([(await status(early)).dials, (await status(late)).dials], ["this", "other"]);
  // What the one that dials hears of syncs, the other one hears too.
  await late.evaluate(() => {
    globalThis.heard = [];
    for (const type of ["phase", "syncFailed"]) node.addEventListener(type, ({ detail }) => heard.push(detail.phase ?? detail.error.code));
  });
  await hub.kill();
  await append(late, "meanwhile", 5);
  await late.evaluate(() => {
    globalThis.waited = "waiting";
    void node.synced().then(() => (waited = "done"), (error) => (waited = error.code));
  });
  const aborted = await late.evaluate(async () => {
    const controller = new AbortController();
    const wait = node.synced({ signal: controller.signal });
    setTimeout(() => controller.abort(), 200);
    return wait.catch((error) => error.code);
  });
  assert.deepEqual([aborted, await late.evaluate(() => waited)], ["ABORTED", "waiting"]);
  await hub.start();
  await until("the late tab has waited", () => late.evaluate(() => waited), (waited) => waited === "done");
  const stranger = await tab(await story.context(), site, { name: "patient tab", peers: [hub.url] });
  await converged([early, late, stranger], 5);
  const heard = await late.evaluate(() => heard);
  assert.ok(heard.includes("opening") && heard.includes("live"), heard.join());
  assert.equal((await status(early)).waiting, 0, "nothing is left with the tab that dials");
});
