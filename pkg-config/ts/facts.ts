// Facts as they go in and come out, and reading them page by page.

import type { AuthorityId, DeviceId, EntryId, FactId } from "./ids.js";

/**
 * What a fact says. A number that is a whole one within ±(2^53 − 1) is an integer, any other a float; a
 * bigint is an integer of 64 bits. An integer comes back as a number within ±(2^53 − 1), else as a bigint.
 */
export type FactValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly FactValue[]
  | { readonly [key: string]: FactValue };

/** One small immutable statement. */
export interface Fact {
  /** What it is about: 1 to 256 bytes of UTF-8. */
  readonly predicate: string;
  /** What it says: at most 65,536 bytes encoded. */
  readonly value: FactValue;
  /** On whose behalf, if not the device's own. A claim. */
  readonly authority?: AuthorityId | null;
  /** When it holds, in milliseconds since 1970. Free for the application. */
  readonly timestamp?: number | null;
}

/** A fact with all that is known of it. */
export interface FactRecord {
  readonly id: FactId;
  /** The entry that it came in. */
  readonly entry: EntryId;
  /** The entry's place in the order of commit here: what `after` takes. */
  readonly number: number;
  /** The device that signed it. */
  readonly device: DeviceId;
  /** The entry's clock, in microseconds since 1970. */
  readonly entryTimestamp: number;
  readonly predicate: string;
  readonly value: FactValue;
  readonly authority: AuthorityId | null;
  readonly timestamp: number | null;
}

/** An entry: facts that were appended and signed together. */
export interface Entry {
  readonly id: EntryId;
  readonly device: DeviceId;
  /** Its clock, in microseconds since 1970. */
  readonly timestamp: number;
  /** The device's own entries before it. */
  readonly after: readonly EntryId[];
  readonly facts: readonly Required<Fact>[];
  /** Its bytes as signed. */
  readonly record: Uint8Array;
}

/** Which facts to read, and how. */
export interface FactsOptions {
  /** Only facts with exactly this predicate. */
  predicate?: string;
  /** Only facts whose predicate starts with this. */
  prefix?: string;
  /** Only entries numbered beyond this, such as the `number` of the last fact that was seen. */
  after?: number;
  /** Whether to wait for more at the end. */
  live?: boolean;
  /** Ends the reading with an error. */
  signal?: AbortSignal;
}

/** A page of facts as the wasm gives it. @internal */
export interface Page {
  facts: FactRecord[];
  next: number | null;
}

/** Where an iterator reads from. @internal */
export interface FactSource {
  page(options: FactsOptions, after: number): Promise<Page>;
  /** Counts how often the journal has grown. */
  grown(): number;
  /** Resolves when that is no longer `seen`. */
  growth(seen: number, signal: AbortSignal): Promise<void>;
}

/**
 * Reads on only when asked for more than it holds, a page at a time: a slow reader holds up nobody, and
 * memory stays bounded. @internal
 */
export class FactIterator implements AsyncIterableIterator<FactRecord> {
  readonly #source: FactSource;
  readonly #options: FactsOptions;
  readonly #ended = new AbortController();
  #after: number;
  #page: FactRecord[] = [];
  #index = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(source: FactSource, options: FactsOptions) {
    this.#source = source;
    this.#options = options;
    this.#after = options.after ?? 0;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Calls that overlap are answered in their order. */
  next(): Promise<IteratorResult<FactRecord, undefined>> {
    const next = this.#turn.then(() => this.#next());
    this.#turn = next.catch(() => this.#ended.abort());
    return next;
  }

  return(): Promise<IteratorResult<FactRecord, undefined>> {
    this.#ended.abort();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #next(): Promise<IteratorResult<FactRecord, undefined>> {
    while (!this.#ended.signal.aborted) {
      const fact = this.#page[this.#index++];
      if (fact !== undefined) return { done: false, value: fact };
      // Counted before the page is asked for: what comes in between is not slept over.
      const seen = this.#source.grown();
      const page = await this.#source.page(this.#options, this.#after);
      if (page.next !== null) {
        this.#after = page.next;
        this.#page = page.facts;
        this.#index = 0;
      } else if (this.#options.live) {
        await this.#source.growth(seen, this.#ended.signal);
      } else {
        this.#ended.abort();
      }
    }
    this.#page = [];
    return { done: true, value: undefined };
  }
}
