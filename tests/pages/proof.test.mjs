// A note is proved, and the proof checked where there is no journal: on a page, and by the command line tool.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { device, equal, root, write, www } from "./harness/demo.mjs";
import { story } from "./harness/story.mjs";
import { toolPath } from "./harness/tool.mjs";
import { until } from "./harness/until.mjs";

const verdict = (page) => page.locator("[data-testid=verdict]").getAttribute("data-state");
const becomes = (page, wanted) => until(`the verdict is ${wanted}`, () => verdict(page), (now) => now === wanted);

/** Opens the page that checks proofs, in another person's browser. */
async function checker(context, hub, root = "") {
  const page = await context.newPage();
  await page.goto(`http://${hub.address}/verify.html${root}`);
  await page.waitForSelector("html[data-ready=true]", { state: "attached" });
  return page;
}

const choose = (page, file) => page.locator("[data-testid=proof-input]").setInputFiles(file);
const facts = (page) => page.locator("[data-testid=facts] > li").allTextContents();

/** Runs the tool and gives its exit code. */
const exit = (cwd, ...given) => promisify(execFile)(toolPath(), given, { cwd }).then(() => 0, ({ code }) => code);

story("c5_a_note_is_proved_and_the_proof_is_checked_without_a_journal", async (story) => {
  const hub = await story.hub("--www", www);
  const page = await device(await story.context(), `http://${hub.address}/`);
  for (const text of ["Buy bread", "Call Ada", "Water the plants"]) await write(page, text);
  await equal([page], ["Buy bread", "Call Ada", "Water the plants"]);
  const note = page.locator("[data-testid=notes] > li", { hasText: "Call Ada" });
  const saving = page.waitForEvent("download");
  await note.locator("button.prove").click();
  const file = join(story.folder, "note.proof");
  await (await saving).saveAs(file);
  const trusted = await root(page);

  // The page that it offers has the root; the proof is given to it.
  const offered = await page.locator("#proved a").getAttribute("href");
  assert.equal(offered, `/verify.html#${trusted}`);
  const stranger = await checker(await story.context(), hub, `#${trusted}`);
  assert.equal(await verdict(stranger), "empty");
  await choose(stranger, file);
  await becomes(stranger, "in");
  const shown = await facts(stranger);
  assert.equal(shown.length, 1);
  assert.match(shown[0], /^note\/.*Call Ada$/);

  // Any bit of it, put back again.
  await stranger.locator("[data-testid=flip]").click();
  await becomes(stranger, "false");
  await stranger.locator("[data-testid=flip]").click();
  await becomes(stranger, "in");

  // Another root: that of one note more.
  await write(page, "Later");
  await until("it is in", () => root(page), (now) => now !== trusted);
  await stranger.locator("[data-testid=root-input]").fill(await root(page));
  await becomes(stranger, "false");
  assert.deepEqual(await stranger.locator("#evidence").isVisible(), false);

  // The tool says the same of the same file, and why not.
  assert.equal(await exit(story.folder, "verify", "--root", trusted, "note.proof"), 0);
  assert.equal(await exit(story.folder, "verify", "--root", await root(page), "note.proof"), 1);
  const spoilt = readFileSync(file);
  spoilt[Math.floor(spoilt.length / 2)] ^= 1;
  writeFileSync(join(story.folder, "spoilt.proof"), spoilt);
  assert.notEqual(await exit(story.folder, "verify", "--root", trusted, "spoilt.proof"), 0);
});

story("c5_what_the_tool_proves_the_page_checks_also_that_something_is_not_there", async (story) => {
  const hub = await story.hub("--www", www);
  await story.tool("init", "--store", "cli.redb");
  const { entry: id } = await story.tool("append", "--store", "cli.redb", "invoice/7", '"paid"', "invoice/8", "42");
  const { root } = await story.tool("root", "--store", "cli.redb");
  assert.equal(await exit(story.folder, "prove", id, "--store", "cli.redb", "--output", "in.proof"), 0);
  const absent = "ab".repeat(32);
  assert.equal(await exit(story.folder, "prove", absent, "--store", "cli.redb", "--output", "absent.proof"), 0);

  const page = await checker(await story.context(), hub);
  // As it is printed, with what stands around it.
  await page.locator("[data-testid=root-input]").fill(`root ${root}  1 entry`);
  await choose(page, join(story.folder, "in.proof"));
  await becomes(page, "in");
  assert.deepEqual(await facts(page), ["invoice/7paid", "invoice/842"]);
  await choose(page, join(story.folder, "absent.proof"));
  await becomes(page, "absent");
  await choose(page, { name: "picture.png", mimeType: "image/png", buffer: Buffer.alloc(2_000_000) });
  await becomes(page, "false");
  await choose(page, { name: "text.txt", mimeType: "text/plain", buffer: Buffer.from("no proof at all") });
  await until("it says so", () => page.locator(".verdict-title").textContent(), (now) => now === "This is no proof");
});
