// The demo page as people use it: two devices, a network that goes, a reload, the keyboard, the terminal.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { device, equal, flip, id, ready, root, says, shows, state, texts, write, www } from "./harness/demo.mjs";
import { story } from "./harness/story.mjs";
import { toolPath } from "./harness/tool.mjs";
import { until } from "./harness/until.mjs";

const page = (hub) => `http://${hub.address}/`;

story("f125_two_browsers_show_each_others_notes_and_one_root", async (story) => {
  const hub = await story.hub("--www", www);
  const one = await device(await story.context(), page(hub));
  const two = await device(await story.context(), page(hub));
  assert.notEqual(await id(one), await id(two));
  await write(one, "Buy bread");
  await equal([one, two], ["Buy bread"]);
  await write(two, "Call Ada <b>& Grace</b>");
  const both = await equal([one, two], ["Buy bread", "Call Ada <b>& Grace</b>"]);
  assert.match(both, /^[0-9a-f]{64}$/);
  assert.equal(await two.locator("[data-testid=root]").getAttribute("data-entries"), "2");
});

story("f122_a_cut_network_keeps_nobody_from_writing_and_all_is_equal_when_it_is_back", async (story) => {
  const { hub, proxy } = await story.hubBehindProxy("--www", www);
  const away = await device(await story.context(), `http://127.0.0.1:${proxy.port}/`);
  const home = await device(await story.context(), page(hub));
  await write(away, "before");
  const before = await equal([away, home], ["before"]);

  proxy.cut();
  await until("it is noticed", () => state(away), (now) => now !== "synced");
  for (const i of [1, 2, 3]) {
    await write(away, `away ${i}`);
    await write(home, `home ${i}`);
  }
  await shows(away, ["before", "away 1", "away 2", "away 3"]);
  await shows(home, ["before", "home 1", "home 2", "home 3"]);
  await says(home, "synced");
  await says(away, "waiting");
  assert.equal(new Set([before, await root(away), await root(home)]).size, 3);

  proxy.mend();
  await equal([away, home], ["before", ...[1, 2, 3].flatMap((i) => [`away ${i}`, `home ${i}`])]);
});

story("f122_the_offline_switch_keeps_notes_back_until_it_is_switched_again", async (story) => {
  const hub = await story.hub("--www", www);
  const [one, two] = [await device(await story.context(), page(hub)), await device(await story.context(), page(hub))];
  await write(one, "before");
  await equal([one, two], ["before"]);

  await flip(one);
  await says(one, "offline");
  assert.equal(await one.locator("[data-testid=offline]").getAttribute("aria-checked"), "true");
  await write(one, "mine");
  await write(two, "theirs");
  await shows(one, ["before", "mine"]);
  await shows(two, ["before", "theirs"]);
  assert.notEqual(await root(one), await root(two));

  // Offline stays offline when the page is loaded anew, and so does what was written.
  await one.reload();
  await ready(one);
  await says(one, "offline");
  await shows(one, ["before", "mine"]);

  await flip(one);
  await equal([one, two], ["before", "mine", "theirs"]);
});

story("f121_a_reload_keeps_notes_root_and_device", async (story) => {
  const hub = await story.hub("--www", www);
  const one = await device(await story.context(), page(hub));
  for (const text of ["one", "two", "three"]) await write(one, text);
  const before = [await equal([one], ["one", "two", "three"]), await id(one)];
  await one.reload();
  await ready(one);
  assert.deepEqual([await equal([one], ["one", "two", "three"]), await id(one)], before);
});

story("f122_the_page_tells_that_the_hub_died_and_comes_back_by_itself", async (story) => {
  const hub = await story.hub("--www", www);
  const [one, two] = [await device(await story.context(), page(hub)), await device(await story.context(), page(hub))];
  await write(one, "before");
  await equal([one, two], ["before"]);
  await hub.kill();
  await write(one, "meanwhile one");
  await write(two, "meanwhile two");
  await says(one, "waiting");
  await says(two, "waiting");
  await hub.start();
  await equal([one, two], ["before", "meanwhile one", "meanwhile two"]);
});

story("f124_a_second_device_is_opened_from_the_page_and_gets_the_notes", async (story) => {
  const hub = await story.hub("--www", www);
  const context = await story.context();
  const one = await device(context, page(hub));
  await write(one, "for the second");
  await equal([one], ["for the second"]);
  const [two] = await Promise.all([context.waitForEvent("page"), one.locator("[data-testid=second-device]").click()]);
  await ready(two);
  await equal([one, two], ["for the second"]);
  assert.notEqual(await id(one), await id(two));
});

story("f124_a_note_and_the_switch_need_no_mouse", async (story) => {
  const hub = await story.hub("--www", www);
  const one = await device(await story.context(), page(hub));
  const focused = () => one.evaluate(() => document.activeElement?.dataset["testid"] ?? "");
  const tabTo = async (name) => {
    for (let presses = 0; (await focused()) !== name; presses++) {
      assert.ok(presses < 40, `Tab does not lead to ${name}`);
      await one.keyboard.press("Tab");
    }
  };
  await tabTo("note-input");
  await one.keyboard.type("Typed, not clicked");
  await one.keyboard.press("Enter");
  await equal([one], ["Typed, not clicked"]);
  assert.equal(await focused(), "note-input", "the next note can follow");
  await one.keyboard.type("   ");
  await one.keyboard.press("Enter");
  await tabTo("offline");
  await one.keyboard.press("Space");
  await says(one, "offline");
  await one.keyboard.press("Space");
  await says(one, "synced");
  await tabTo("second-device");
  assert.deepEqual(await texts(one), ["Typed, not clicked"], "a note of nothing is none");
});

story("f125_the_commands_that_the_page_shows_join_it", async (story) => {
  const hub = await story.hub("--www", www);
  const one = await device(await story.context(), page(hub));
  await write(one, "Hello from the page");
  await equal([one], ["Hello from the page"]);

  const bin = join(story.folder, "bin");
  mkdirSync(bin);
  symlinkSync(toolPath(), join(bin, "isoroot"));
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const shell = async (script) => (await promisify(execFile)("bash", ["-euc", script], { cwd: story.folder, env })).stdout;
  const commands = await one.locator("#commands").textContent();
  const printed = await shell(commands);
  const shared = await equal([one], ["Hello from the page", "Hello from the terminal"]);
  assert.ok(printed.includes(shared), `${shared} in ${printed}`);
  assert.match(await shell("isoroot log --store demo.redb"), /Hello from the page/);
});

story("f125_what_stands_in_a_link_does_not_become_a_command", async (story) => {
  const hub = await story.hub("--www", www);
  const hostile = `isoroot:${"ab".repeat(32)}?hub=ws://127.0.0.1:45999/';touch$IFS@1;'`;
  const one = await device(await story.context(), `${page(hub)}#${hostile}`);
  const commands = await one.locator("#commands").textContent();
  assert.match(commands, /^isoroot open 'isoroot:[0-9a-f]{64}\?hub=[A-Za-z0-9%._~-]+' --store demo\.redb\n/);
  assert.match(await one.locator("#invitation").textContent(), /\?hub=[A-Za-z0-9%._~-]+$/);
});
