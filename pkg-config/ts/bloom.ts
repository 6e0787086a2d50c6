// Bloom filters: which statements a journal may hold, in little space.

import { IsorootError } from "./errors.js";
import type { FactValue } from "./facts.js";
import { asking, type Instance, load } from "./load.js";
import type { RawFilter } from "./raw.js";
import { type WaitOptions, within } from "./wait.js";

/**
 * Says of pairs of predicate and value that they are not in, or that they may be. It never denies a pair that is
 * in; of others it lets pass a share that it was made for. `node.bloom` makes one, and it does not change.
 */
export class BloomFilter {
  readonly #instance: Instance;
  readonly #raw: RawFilter;

  private constructor(instance: Instance, raw: RawFilter) {
    this.#instance = instance;
    this.#raw = raw;
  }

  /** @internal */
  static of(instance: Instance, raw: RawFilter): BloomFilter {
    return new BloomFilter(instance, raw);
  }

  /** The filter with these bytes, from whomever. Fails with `INVALID_FILTER` if they are none. */
  static async from(bytes: Uint8Array, options: WaitOptions = {}): Promise<BloomFilter> {
    const instance = await within(load(), "loading Isoroot", options);
    if (!(bytes instanceof Uint8Array)) throw new IsorootError("INVALID_FILTER", "a filter is bytes, in a Uint8Array");
    return new BloomFilter(
      instance,
      asking(instance, () => instance.exports.readFilter(bytes)),
    );
  }

  /** How many pairs are in; pairs that others cover by chance are not counted. */
  get count(): number {
    return asking(this.#instance, () => this.#raw.count);
  }

  /** The share of other pairs that it lets pass, as far as can be told from the count. */
  get rate(): number {
    return asking(this.#instance, () => this.#raw.rate);
  }

  /** Whether a fact with this predicate and value may be in. If not, it is not. */
  mightContain(predicate: string, value: FactValue): boolean {
    return asking(this.#instance, () => this.#raw.mightContain(predicate, value));
  }

  /**
   * One that holds what this one or the other holds, with the count estimated. Both must have been made for the
   * same rate and number of facts, as by `node.bloom({ expected })`; else it fails with `INVALID_FILTER`.
   */
  merge(other: BloomFilter): BloomFilter {
    const bytes = other.toBytes();
    return new BloomFilter(
      this.#instance,
      asking(this.#instance, () => this.#raw.merged(bytes)),
    );
  }

  /** Its bytes, for `from` here or elsewhere. */
  toBytes(): Uint8Array {
    return asking(this.#instance, () => this.#raw.toBytes());
  }
}
