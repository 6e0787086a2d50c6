// A story: one test with whatever it starts, which is cleared away at its end, and shown if it failed.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { launch, launchOn } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";
import { site } from "./site.mjs";
import { Hub, run, target } from "./tool.mjs";

/** No story may take longer, in milliseconds. */
const LIMIT = 180_000;
/** How many lines of a hub's log a failure shows. */
const SHOWN = 40;
const logs = join(target, "test-logs");

let shared;
after(async () => (await shared)?.close());

/** What the browser itself says when a hub cannot be reached; nothing that a page can keep it from saying. */
const UNREACHED = /^WebSocket connection to '.*' failed: /;

class Story {
  #name;
  #undo = [];
  #pages = [];
  #said = [];
  #hubs = [];
  #refused = [UNREACHED];

  constructor(name) {
    this.#name = name;
    this.folder = mkdtempSync(join(tmpdir(), "isoroot-story-"));
    this.#undo.push(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** Called at the end, last first. */
  atEnd(undo) {
    this.#undo.push(undo);
  }

  /** A hub of its own; `given` are more of its options. */
  async hub(...given) {
    const hub = new Hub(this.folder, given);
    this.#hubs.push(hub);
    this.atEnd(() => hub.kill());
    await hub.start();
    return hub;
  }

  /** A hub behind a network that can be cut; `url` is its address there. */
  async hubBehindProxy(...given) {
    const proxy = await Proxy.open();
    this.atEnd(() => proxy.close());
    // The hub must know every name that it is dialled by, or it would take the proxy for an impostor.
    const hub = await this.hub("--name", `127.0.0.1:${proxy.port}`, ...given);
    proxy.target = hub.port;
    return { hub, proxy, url: `ws://127.0.0.1:${proxy.port}/sync` };
  }

  /** The bare page, at an origin of its own. */
  async site() {
    const served = await site();
    this.atEnd(() => served.close());
    return served;
  }

  /** Runs the native tool in this story's folder. */
  tool(...given) {
    return run(this.folder, ...given);
  }

  /** A fresh profile: another person's browser. */
  async context() {
    shared ??= launch();
    const context = await (await shared).newContext();
    this.atEnd(() => context.close());
    return this.#watch(context);
  }

  /** A whole browser on this profile, which can be killed. */
  async browserOn(profile) {
    const own = await launchOn(profile);
    this.atEnd(() => own.kill());
    this.#watch(own.context);
    return own;
  }

  /** Lets pages say in the console what matches this; nothing else may be an error. */
  expects(pattern) {
    this.#refused.push(pattern);
  }

  #watch(context) {
    context.on("page", (page) => {
      const number = this.#pages.push(page);
      const say = (bad, text) => this.#said.push({ bad, text: `page ${number}: ${text}` });
      const expected = (text) => this.#refused.some((pattern) => pattern.test(text));
      page.on("console", (message) => {
        // Also where it is the browser that complains, as it does of its content security policy.
        const bad = ["error", "warning"].includes(message.type()) && !expected(message.text());
        say(bad, `${message.type()}: ${message.text()}`);
      });
      page.on("pageerror", (error) => say(true, `uncaught: ${error.stack ?? error}`));
      page.on("crash", () => say(true, "crashed"));
    });
    return context;
  }

  /** Holds that no page had anything to complain of. */
  assertQuiet() {
    assert.deepEqual(this.#said.filter(({ bad }) => bad).map(({ text }) => text), [], "what pages complained of");
  }

  /** Shows what there is to see of a failure. */
  async show() {
    mkdirSync(logs, { recursive: true });
    for (const [index, page] of this.#pages.entries()) {
      if (page.isClosed()) continue;
      const path = join(logs, `${this.#name}-page-${index + 1}.png`);
      // A page that hangs has no picture to give; the failure itself matters more.
      const taken = await page.screenshot({ path, timeout: 5_000 }).catch((error) => error);
      console.log(taken instanceof Error ? `no picture: ${taken.message}` : `picture: ${path}`);
    }
    for (const { text } of this.#said) console.log(text);
    for (const [index, hub] of this.#hubs.entries()) {
      const path = join(logs, `${this.#name}-hub-${index + 1}.log`);
      writeFileSync(path, hub.log);
      console.log(`hub ${hub.address}, its last lines of ${path}:\n${hub.log.split("\n").slice(-SHOWN).join("\n")}`);
    }
  }

  async end() {
    for (const undo of this.#undo.reverse()) await undo();
  }
}

/** A test, named like a row of the checklist. */
export function story(name, tell) {
  test(name, { timeout: LIMIT }, async () => {
    const told = new Story(name);
    try {
      await tell(told);
      told.assertQuiet();
    } catch (error) {
      await told.show();
      throw error;
    } finally {
      await told.end();
    }
  });
}
