// Pages and a hub that dies, and pages and native programs that meet there.

import assert from "node:assert/strict";

import { append, converged, status, tab } from "./harness/bare.mjs";
import { story } from "./harness/story.mjs";
import { until } from "./harness/until.mjs";

story("f122_pages_come_back_to_a_hub_that_was_killed_and_end_equal", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const open = async (store) => tab(await story.context(), site, { name: "killed hub", store, peers: [hub.url] });
  const [one, two] = [await open("one"), await open("two")];
  await append(one, "before/one", 20);
  await append(two, "before/two", 20);
  await converged([one, two], 40);

  await hub.kill();
  for (const page of [one, two]) await until("it knows", () => page.evaluate(() => node.peers()), ([peer]) => peer.status !== "connected");
  await append(one, "meanwhile/one", 20);
  await append(two, "meanwhile/two", 20);
  assert.notEqual((await status(one)).root, (await status(two)).root);

  await hub.start();
  const root = await converged([one, two], 80);
  // The hub has what it acknowledged before it was killed, and all the rest.
  const stranger = await tab(await story.context(), site, { name: "killed hub", peers: [hub.url] });
  assert.equal(await converged([stranger], 80), root);
});

story("f122_a_hub_that_lost_its_data_gets_it_back_from_the_pages", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const open = async (store) => tab(await story.context(), site, { name: "lost data", store, peers: [hub.url] });
  const [one, two] = [await open("one"), await open("two")];
  await append(one, "one", 20);
  await append(two, "two", 20);
  await converged([one, two], 40);
  await hub.kill();
  hub.forget();
  await append(one, "meanwhile", 5);
  await hub.start();
  const root = await converged([one, two], 45);
  const stranger = await tab(await story.context(), site, { name: "lost data", peers: [hub.url] });
  assert.equal(await converged([stranger], 45), root);
});

story("f125_the_command_line_and_a_page_end_with_one_root", async (story) => {
  const site = await story.site();
  const hub = await story.hub("--origin", site.origin);
  const { link } = await story.tool("init", "--store", "cli.redb", "--hub", hub.url);
  const page = await tab(await story.context(), site, { journal: link, store: "page" });
  await append(page, "page", 7);
  await story.tool("append", "--store", "cli.redb", "cli/1", '"from the shell"', "cli/2", "42");
  await story.tool("sync", hub.url, "--store", "cli.redb");
  await converged([page], 8);
  const values = await page.evaluate(() => facts("cli/"));
  assert.deepEqual(values.map(({ predicate, value }) => [predicate, value]), [["cli/1", "from the shell"], ["cli/2", 42]]);

  await append(page, "page/later", 3);
  await page.evaluate(() => node.sync());
  await story.tool("sync", hub.url, "--store", "cli.redb");
  const [native, web] = [await story.tool("root", "--store", "cli.redb"), await status(page)];
  assert.equal(native.journal, await page.evaluate(() => node.journal));
  assert.deepEqual([native.root, native.entries, native.facts], [web.root, web.entries, web.facts]);
  assert.equal(native.entries, 11);
});
