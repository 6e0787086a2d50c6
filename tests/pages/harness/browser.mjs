// Headless Chromium: one for all stories of a file, or one of its own that a story may kill.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const tools = fileURLToPath(new URL("../../../pkg-config/", import.meta.url));
const { chromium } = await import(`${tools}node_modules/playwright-core/index.mjs`);
const { binary, args } = JSON.parse(readFileSync(`${tools}webdriver.json`, "utf8"))["goog:chromeOptions"];

/** A browser whose contexts are profiles in memory. */
export function launch() {
  return chromium.launch({ executablePath: binary, args });
}

/** A browser on a profile in this folder. `kill` ends all its processes as a loss of power would. */
export async function launchOn(profile) {
  const given = [...args, "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"];
  // A group of its own, so that no part of it lives on.
  const child = spawn(binary, given, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await exit;
  };
  for await (const line of createInterface({ input: child.stderr })) {
    const address = /^DevTools listening on (\S+)$/.exec(line)?.[1];
    if (!address) continue;
    child.stderr.resume();
    const browser = await chromium.connectOverCDP(address);
    return { browser, context: browser.contexts()[0], kill };
  }
  throw new Error("Chromium does not run");
}
