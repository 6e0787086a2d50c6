// A store and a transport written in JavaScript, as an application would: what the tests run on.

import { isoroot } from "./isoroot.mjs";

/** Keeps all in memory. */
export class MemoryStore {
  id = isoroot.storeId();
  #journals = new Map();
  #notes = new Map();
  #waiting = new Set();

  #entries(journal) {
    return this.#journals.get(journal) ?? [];
  }

  async head(journal) {
    return this.#entries(journal).length;
  }

  async append(journal, at, entries) {
    const kept = this.#entries(journal);
    if (kept.length !== at) return { done: false, head: kept.length };
    this.#journals.set(journal, [...kept, ...entries]);
    for (const look of [...this.#waiting]) look();
    return { done: true, head: at + entries.length };
  }

  async read(journal, from, maxBytes) {
    const page = [];
    let left = maxBytes;
    for (const entry of this.#entries(journal).slice(from - 1)) {
      left -= entry.bytes.length;
      if (left < 0 && page.length > 0) break;
      page.push({ number: from + page.length, ...entry });
    }
    return page;
  }

  async fetch(journal, numbers) {
    const kept = this.#entries(journal);
    return numbers.filter((number) => kept[number - 1]).map((number) => ({ number, ...kept[number - 1] }));
  }

  async ids(journal, from, max) {
    return this.#entries(journal).slice(from - 1, from - 1 + max).map(({ id }) => id);
  }

  changed(journal, after, signal) {
    return new Promise((resolve) => {
      const look = () => {
        const head = this.#entries(journal).length;
        if (head <= after && !signal.aborted) return;
        this.#waiting.delete(look);
        resolve(head);
      };
      this.#waiting.add(look);
      signal.addEventListener("abort", look);
      look();
    });
  }

  get waiting() {
    return this.#waiting.size;
  }

  async note(key) {
    return this.#notes.get(key) ?? null;
  }

  async setNote(key, expected, value) {
    const now = this.#notes.get(key) ?? null;
    if (String(now) !== String(expected) || (now === null) !== (expected === null)) return { done: false, now };
    if (value === null) this.#notes.delete(key);
    else this.#notes.set(key, value);
    return { done: true };
  }

  async notes(prefix) {
    const encoder = new TextEncoder();
    const notes = [...this.#notes].filter(([key]) => key.startsWith(prefix));
    return notes.sort(([a], [b]) => Buffer.compare(encoder.encode(a), encoder.encode(b)));
  }
}

/** Frames that one end may have sent before the other has read them. */
const WINDOW = 16;

/** Both ends of a connection. */
export function pipe() {
  const ways = [way(), way()];
  const end = (out, back) => ({
    send: (frame) => out.put(frame),
    receive: () => back.take(),
    close() {
      out.end();
      back.end();
    },
  });
  return [end(ways[0], ways[1]), end(ways[1], ways[0])];
}

function way() {
  const frames = [];
  let [ended, wake] = [false, []];
  const changed = () => new Promise((resolve) => wake.push(resolve));
  const change = () => wake.splice(0).forEach((woken) => woken());
  return {
    async put(frame) {
      while (frames.length >= WINDOW && !ended) await changed();
      if (ended) throw new Error("the pipe has ended");
      frames.push(frame);
      change();
    },
    async take() {
      while (frames.length === 0 && !ended) await changed();
      const frame = frames.shift() ?? null;
      change();
      return frame;
    },
    end() {
      ended = true;
      change();
    },
  };
}

/** A transport for `join:NAME`, and whom its names lead to. */
export class Joined {
  nodes = new Map();

  async connect(address) {
    const node = this.nodes.get(address);
    if (!node) throw new Error("nobody of this name");
    const [here, there] = pipe();
    await node.accept(there);
    return here;
  }
}
