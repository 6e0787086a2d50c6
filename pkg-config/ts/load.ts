// Instances of the wasm: made when first needed, shared, and replaced after a crash.

import { compile } from "#source";
import { fromPlain, IsorootError } from "./errors.js";
import { instantiate } from "./glue.js";
import type { Exports } from "./raw.js";
import { type WaitOptions, within } from "./wait.js";

/** A wasm instance, alive until it crashes. Nothing of it is called afterwards. */
export class Instance {
  readonly exports: Exports;
  #crash: IsorootError | undefined;
  readonly #listeners = new Set<(error: IsorootError) => void>();

  private constructor(exports: Exports) {
    this.exports = exports;
  }

  static async make(module: WebAssembly.Module): Promise<Instance> {
    const made: Instance[] = [];
    // What panicked says so first, then its call ends with an exception that says nothing.
    let message: string | undefined;
    const exports = await instantiate(module, (error) => {
      for (const instance of made) instance.#end(message ?? String(error), error);
    });
    const instance = new Instance(exports);
    made.push(instance);
    exports.onCrash((panic) => {
      message = panic;
    });
    return instance;
  }

  /** Why it is dead, if it is. */
  get crash(): IsorootError | undefined {
    return this.#crash;
  }

  /** Calls once when it crashes. */
  onCrash(listener: (error: IsorootError) => void): void {
    this.#listeners.add(listener);
  }

  offCrash(listener: (error: IsorootError) => void): void {
    this.#listeners.delete(listener);
  }

  #end(message: string, cause: unknown): void {
    const options = { fault: "internal", cause } as const;
    this.#crash = new IsorootError("CRASHED", `Isoroot has crashed; open the journal again: ${message}`, options);
    if (current === this) current = undefined;
    for (const listener of [...this.#listeners]) listener(this.#crash);
    this.#listeners.clear();
  }
}

let current: Instance | undefined;
let coming: Promise<Instance> | undefined;
let compiled: Promise<WebAssembly.Module> | undefined;

/** The instance in use. */
export function load(): Promise<Instance> {
  if (current !== undefined) return Promise.resolve(current);
  // Whoever asks while it is being made gets the same; after a failure the next one tries again.
  coming ??= make().finally(() => {
    coming = undefined;
  });
  return coming;
}

async function make(): Promise<Instance> {
  try {
    refuseIfForbidden();
    compiled ??= compile();
    current = await Instance.make(await compiled);
    return current;
  } catch (error) {
    compiled = undefined;
    if (IsorootError.is(error)) throw error;
    throw new IsorootError("LOAD", `the WebAssembly of Isoroot could not be loaded: ${String(error)}`, {
      fault: "internal",
      retryable: true,
      cause: error,
    });
  }
}

/** Tries the smallest module that there is: if that is refused, so is ours, and browsers say it obscurely. */
function refuseIfForbidden(): void {
  if (typeof WebAssembly !== "object") {
    throw new IsorootError("NO_WASM", "there is no WebAssembly here, which Isoroot needs");
  }
  if (compilesElsewhere) return;
  try {
    new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  } catch (cause) {
    throw new IsorootError(
      "CSP",
      "the page's Content-Security-Policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src",
      { cause },
    );
  }
}

/** Workers of Cloudflare get modules ready-made, and may not compile any. */
const compilesElsewhere = globalThis.navigator?.userAgent === "Cloudflare-Workers";

/** What the wasm answers, unless it is gone. */
export function asking<T>(instance: Instance, ask: () => T): T {
  if (instance.crash) throw instance.crash;
  try {
    return ask();
  } catch (error) {
    throw instance.crash ?? fromPlain(error);
  }
}

/** Runs a check that needs no node. */
export async function checking<T>(options: WaitOptions, check: (instance: Instance) => T): Promise<T> {
  const instance = await within(load(), "loading Isoroot", options);
  return asking(instance, () => check(instance));
}
