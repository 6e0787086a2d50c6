// The notes of a journal in the order in which they were written, the newest ones only.

import type { EntryId, FactRecord, FactValue } from "isoroot";

/** What begins the predicate of a note; the rest of it names the note. */
export const PREFIX = "note/";

/** A note as it is shown. */
export interface Note {
  readonly fact: string;
  /** The entry that it came in, which is what can be proved. */
  readonly entry: EntryId;
  readonly text: string;
  readonly device: string;
  /** In microseconds since 1970. */
  readonly written: number;
}

/**
 * Keeps the newest `most` notes, and counts the others. The order is that of their entries' clocks, and so
 * the same on every device, whatever order they came in.
 */
export class Notebook {
  readonly #most: number;
  /** The oldest one first. */
  readonly #kept: Note[] = [];
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(fact: FactRecord): void {
    this.#count++;
    const { id, entry, device, entryTimestamp: written } = fact;
    const note = { fact: id, entry, text: asText(fact.value), device, written };
    let place = this.#kept.length;
    while (place > 0 && isLater(this.#kept[place - 1], note)) place--;
    if (place === 0 && this.#kept.length >= this.#most) return;
    this.#kept.splice(place, 0, note);
    if (this.#kept.length > this.#most) this.#kept.shift();
  }

  /** All that there are, also those no longer kept. */
  get count(): number {
    return this.#count;
  }

  /** The newest one first. */
  get newest(): Note[] {
    return [...this.#kept].reverse();
  }
}

function isLater(one: Note | undefined, other: Note): boolean {
  if (one === undefined) return false;
  return one.written === other.written ? one.fact > other.fact : one.written > other.written;
}

function asText(value: FactValue): string {
  if (typeof value === "string") return value;
  // What other tools may have written.
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)) ?? "";
}
