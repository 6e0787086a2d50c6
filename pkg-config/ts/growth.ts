// That a journal has something new to read, for those who wait for it.

import type { Instance } from "./load.js";
import { endless, within } from "./wait.js";

/** Counts how often there was something new, and wakes whoever waits for more. */
export class Growth {
  readonly #instance: Instance;
  readonly #sleepers = new Set<() => void>();
  #count = 0;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** How often so far. */
  get count(): number {
    return this.#count;
  }

  /** There is something new, or there never will be. */
  wake(): void {
    this.#count++;
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Resolves when it is no longer as often as was seen, or when that is no longer wanted. */
  async beyond(seen: number, ended: AbortSignal, signal?: AbortSignal): Promise<void> {
    if (this.#count !== seen || ended.aborted) return;
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#sleepers.add(wake);
    ended.addEventListener("abort", wake);
    try {
      await within(woken, "waiting", endless(signal), this.#instance);
    } finally {
      this.#sleepers.delete(wake);
      ended.removeEventListener("abort", wake);
    }
  }
}
