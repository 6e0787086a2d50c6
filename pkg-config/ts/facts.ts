// Facts as they go in and come out, and reading them page by page.

import { IsorootError } from "./errors.js";
import type { AuthorityId, DeviceId, EntryId, FactId, Position } from "./ids.js";
import type { RawQuery } from "./raw.js";

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
  /** The entry's place in the order of commit here. */
  readonly number: number;
  /** The device that signed it. */
  readonly device: DeviceId;
  /** The entry's clock, in microseconds since 1970. */
  readonly entryTimestamp: number;
  readonly predicate: string;
  readonly value: FactValue;
  readonly authority: AuthorityId | null;
  readonly timestamp: number | null;
  /** The place right behind it: what `after` takes, also after a reload. */
  readonly position: Position;
}

/**
 * An entry that is in the journal and its root, and held back from `facts` for now: its clock is more than
 * 300,000 ms ahead of the one here.
 */
export interface HeldEntry {
  readonly id: EntryId;
  readonly number: number;
  readonly device: DeviceId;
  /** Its clock, in microseconds since 1970. */
  readonly timestamp: number;
  /** Why it is held back. There may be other reasons in later versions. */
  readonly reason: "ahead";
  /** When it is shown, by the clock here, in microseconds since 1970. */
  readonly due: number;
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

/** From one time to another, both included; without an end, from or to any time. */
export interface Range {
  from?: number;
  to?: number;
}

/** Which facts are meant: those for which all that is given holds. */
export interface Query {
  /** Exactly this predicate. */
  predicate?: string;
  /** A predicate that starts with this. */
  prefix?: string;
  /** This authority, spelled out or implied: that of a fact without one is the device that signed it. */
  authority?: AuthorityId | DeviceId;
  /** Signed by this device. */
  device?: DeviceId;
  /** In this entry. */
  entry?: EntryId;
  /** This one. */
  fact?: FactId;
  /** In entries of this time: their clock, `entryTimestamp`, in microseconds since 1970. */
  written?: Range;
  /**
   * With a timestamp of their own in this time, in milliseconds since 1970. A fact without one is in no
   * range. No index holds these: entries that the other parts leave are read to look.
   */
  timestamp?: Range;
}

/** Which facts to read, and how. */
export interface FactsOptions extends Query {
  /**
   * Only what comes behind this place, such as the `position` of the last fact that was seen. None is missed,
   * not even what was held back then and has fallen due since, which comes first. One may come twice where
   * the clock here went back, and all of them if the store is another.
   */
  after?: Position;
  /** At most so many facts. */
  limit?: number;
  /** Whether to wait for more at the end. */
  live?: boolean;
  /**
   * Is called when a `live` reading is more than 1,024 entries behind, with how many: once, until it has
   * caught up. Nothing is lost.
   */
  lagged?: (behind: number) => void;
  /** Ends the reading with an error. */
  signal?: AbortSignal;
}

/** A page of facts as the wasm gives it. @internal */
export interface Page {
  facts: FactRecord[];
  next: Position;
  /** Whether there may be more. */
  more: boolean;
  /** Entries of the log behind it. */
  behind: number;
}

/** A query as the wasm takes it. @internal */
export function rawQuery(query: Query): RawQuery {
  const [entry, index] = query.fact === undefined ? [query.entry] : String(query.fact).split(":");
  if (query.fact !== undefined && (!/^[0-9]{1,3}$/.test(index ?? "") || (query.entry ?? entry) !== entry)) {
    throw new IsorootError("INVALID_ID", "a fact's id is its entry's, a colon and its place there");
  }
  const [writtenFrom, writtenTo] = ends(query.written);
  const [timestampFrom, timestampTo] = ends(query.timestamp);
  return {
    predicate: text(query.predicate),
    prefix: text(query.prefix),
    authority: text(query.authority),
    device: text(query.device),
    entry: text(entry),
    index: index === undefined ? undefined : Number(index),
    writtenFrom,
    writtenTo,
    timestampFrom,
    timestampTo,
  };
}

function text(given: string | undefined): string | undefined {
  return given === undefined ? undefined : String(given);
}

function ends(range: Range | undefined): [number, number] | [undefined, undefined] {
  if (range === undefined) return [undefined, undefined];
  const { from = -Infinity, to = Infinity } = range;
  if (Number.isNaN(Number(from)) || Number.isNaN(Number(to))) {
    throw new IsorootError("INVALID_RANGE", "a range has numbers for its ends");
  }
  return [Number(from), Number(to)];
}

/** Where an iterator reads from. @internal */
export interface FactSource {
  page(options: FactsOptions, after: Position | undefined, limit: number): Promise<Page>;
  /** Counts how often there was something new to read. */
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
  #after: Position | undefined;
  /** Facts that may yet be given. */
  #left: number;
  #lags = false;
  #page: FactRecord[] = [];
  #index = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(source: FactSource, options: FactsOptions) {
    this.#source = source;
    this.#options = options;
    this.#after = options.after;
    this.#left = options.limit ?? Infinity;
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
    while (!this.#ended.signal.aborted && this.#left > 0) {
      const fact = this.#page[this.#index++];
      if (fact !== undefined) {
        this.#left--;
        return { done: false, value: fact };
      }
      // Counted before the page is asked for: what comes in between is not slept over.
      const seen = this.#source.grown();
      const page = await this.#source.page(this.#options, this.#after, Math.min(PAGE, this.#left));
      this.#after = page.next;
      this.#page = page.facts;
      this.#index = 0;
      if (this.#options.live) this.#mark(page);
      if (page.more || page.facts.length > 0) continue;
      if (this.#options.live) await this.#source.growth(seen, this.#ended.signal);
      else this.#ended.abort();
    }
    this.#page = [];
    return { done: true, value: undefined };
  }

  /** Says that it lags behind, once, until it has caught up. */
  #mark({ behind, more }: Page): void {
    if (!more) this.#lags = false;
    if (behind <= LAG || this.#lags) return;
    this.#lags = true;
    this.#options.lagged?.(behind);
  }
}

/** Facts of one page. */
const PAGE = 256;

/** Entries behind the last one at which a reading lags. */
const LAG = 1_024;

/** The same as a genuine array, which runs no code of the caller's when it is read. @internal */
export function list<T>(given: readonly T[]): T[] {
  if (!Array.isArray(given)) throw new IsorootError("INVALID_FACTS", "an entry is an array of facts");
  return Array.from(given);
}
