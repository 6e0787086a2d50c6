// The native tool: single runs of it, and a hub that can be killed and started again.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { PATIENCE } from "./until.mjs";

/** Where cargo builds. */
export const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../../target", import.meta.url));

/** The program. */
export function toolPath() {
  const built = ["debug", "release"].map((profile) => join(target, profile, "isoroot"));
  const found = [process.env.ISOROOT_TOOL, ...built].find((path) => path && existsSync(path));
  if (!found) throw new Error(`no tool in ${target}: cargo build --features cli`);
  return found;
}

/** Runs the tool in a folder; the JSON object that it prints last, which may be none. */
export async function run(folder, ...given) {
  const { stdout } = await promisify(execFile)(toolPath(), [...given, "--json"], { cwd: folder, timeout: PATIENCE });
  const last = stdout.trim().split("\n").at(-1);
  return last ? JSON.parse(last) : null;
}

/** A hub with its own data folder, on a port that the system chooses the first time. */
export class Hub {
  /** What it logs. */
  level = "isoroot=debug";
  /** What all runs of it wrote to standard error. */
  log = "";
  #folder;
  #given;
  #process;

  constructor(folder, given) {
    this.#folder = folder;
    this.#given = given;
  }

  /** Starts it, again on the same port and data if it ran before. */
  async start() {
    const listen = this.address ?? "127.0.0.1:0";
    const given = ["hub", "--listen", listen, "--data", "hub", "--json", ...this.#given];
    const env = { ...process.env, ISOROOT_LOG: this.level, NO_COLOR: "1" };
    const child = spawn(toolPath(), given, { cwd: this.#folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([once(lines, "line"), once(lines, "close")]);
    if (!line) throw new Error(`the hub did not start: ${this.log}`);
    const said = JSON.parse(line);
    this.url = said.url;
    this.address = said.address;
    this.port = Number(said.address.split(":").at(-1));
  }

  /** What it says of itself. */
  async health() {
    return (await fetch(`http://${this.address}/healthz`)).json();
  }

  /** Ends it as a loss of power would: no goodbye, nothing written any more. */
  kill() {
    return this.#end("SIGKILL");
  }

  /** Ends it in good order. */
  stop() {
    return this.#end("SIGTERM");
  }

  /** Loses all its data, while it does not run. */
  forget() {
    rmSync(join(this.#folder, "hub"), { recursive: true });
  }

  async #end(signal) {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }
}
