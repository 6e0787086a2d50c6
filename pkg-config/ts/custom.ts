// Stores and transports that an application brings, and what stands between them and the wasm.
//
// Their code never runs on the wasm's stack, and what they answer is looked at before it goes in: whatever
// they throw, reject with or give instead of an answer becomes a typed error.

import { IsorootError } from "./errors.js";
import { bytes, type EntryId, type JournalId, type StoreId } from "./ids.js";

/** An entry as a store keeps it. */
export interface StoredEntry {
  readonly id: EntryId;
  /** Its bytes, as signed: at most 1,048,576. */
  readonly bytes: Uint8Array;
}

/** An entry and its place: 1, 2, 3 … in the order of commit in this store, for each journal. */
export interface NumberedEntry extends StoredEntry {
  readonly number: number;
}

/**
 * Keeps the entries of journals in the order of commit, and small notes. It knows nothing of facts.
 *
 * - `append` is atomic, and happens only if the head is still `at`: several writers lose nothing.
 * - Who has seen number `n` never later sees a new entry at or below `n`.
 * - When there is no room left, throw an `IsorootError` with the code `STORE_FULL` or a
 *   `QuotaExceededError`: reading goes on, and so do writes that fit. After any other failed write a node
 *   writes nothing more until it is opened again.
 * - When its data was removed while it was in use, throw an `IsorootError` with the code `STORE_EVICTED`.
 *
 * What is thrown, and an answer of another form, fails the call with `STORE_FAILED`. A node calls it as long
 * as it lives; opening and closing it is the application's. One store object is for one node.
 */
export interface Store {
  /** Names this store among all: 32 random hex digits, the same as long as its content lasts. See `storeId`. */
  readonly id: StoreId;
  /** The last number of a journal, 0 if it is empty or unknown. */
  head(journal: JournalId): Promise<number> | number;
  /** Appends all as one if the head is `at`. Resolves when they are as durable as asked. */
  append(
    journal: JournalId,
    at: number,
    entries: readonly StoredEntry[],
    durability: "strict" | "relaxed",
  ): Promise<Appending> | Appending;
  /** Entries in order from this number on, as many as take at most so many bytes; at least one, if there is one. */
  read(journal: JournalId, from: number, maxBytes: number): Promise<readonly NumberedEntry[]> | readonly NumberedEntry[];
  /** The entries of these numbers, in this order, without those that are not there. */
  fetch(journal: JournalId, numbers: readonly number[]): Promise<readonly NumberedEntry[]> | readonly NumberedEntry[];
  /** The ids from this number on, in order, at most so many. */
  ids(journal: JournalId, from: number, max: number): Promise<readonly EntryId[]> | readonly EntryId[];
  /** Resolves with the head when it is beyond `after`. Without it, a node looks for itself each second. */
  changed?(journal: JournalId, after: number, signal: AbortSignal): Promise<number>;
  note(key: string): Promise<Uint8Array | null> | Uint8Array | null;
  /** Replaces a note, durably, if it still is `expected`; null is no note. */
  setNote(key: string, expected: Uint8Array | null, value: Uint8Array | null): Promise<Noting> | Noting;
  /** The notes whose keys start with this, in the order of their keys. */
  notes(prefix: string): Promise<readonly (readonly [string, Uint8Array])[]> | readonly (readonly [string, Uint8Array])[];
}

/** Whether an append happened, and the head as it is now. */
export interface Appending {
  readonly done: boolean;
  readonly head: number;
}

/** Whether a note was set; if not, what it is. */
export type Noting = { readonly done: true } | { readonly done: false; readonly now: Uint8Array | null };

/** An open connection: frames of at most 65,536 bytes, in order, none lost, both ways. */
export interface Connection {
  /** Sends a frame; resolves when the next one can be taken, which is how a slow peer holds back a fast one. */
  send(frame: Uint8Array): Promise<void> | void;
  /** The next frame, or null when the peer has closed. It is not called again before it has answered. */
  receive(): Promise<Uint8Array | null>;
  /** Ends the connection, after all that was sent. A `receive` that waits then answers, in whatever way. */
  close(reason: string): Promise<void> | void;
  /** Bytes that both ends of this very connection share and nobody else has, if there are any. */
  readonly binding?: Uint8Array;
  /** The other end, for messages. */
  readonly remote?: string;
}

/** Opens connections. What it throws is a peer that was not reached. */
export interface Transport {
  /** Dials an address of its scheme. The signal is aborted when nobody wants it any more. */
  connect(address: string, signal: AbortSignal): Promise<Connection>;
}

/** A store's id from hex or its 16 bytes; a new one without. */
export function storeId(id?: string | Uint8Array): StoreId {
  const given = id ?? crypto.getRandomValues(new Uint8Array(16));
  const text = typeof given === "string" ? given : Array.from(given, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!/^[0-9a-f]{32}$/i.test(text)) throw new IsorootError("INVALID_ID", "a store's id is 16 bytes, as bytes or hex");
  return text.toLowerCase() as StoreId;
}

/** What the wasm calls: it never throws, and rejects with failures. @internal */
export type Tame = (method: string, ...given: never[]) => Promise<unknown>;

/** @internal */
export interface TameStore {
  id: Uint8Array;
  call: Tame;
}

/** @internal */
export interface TameConnection {
  call: Tame;
  binding: Uint8Array;
  remote: string;
}

/** Why something failed: in words, and of which of the kinds that the wasm knows. */
interface Failure {
  kind: "full" | "evicted" | "frame" | "";
  message: string;
}

const RECORD_BYTES = 1_048_576;
const FRAME_BYTES = 65_536;
/** How often a store without `changed` is looked at, in milliseconds. */
const LOOK = 1_000;

class Malformed extends Error {}

function words(error: unknown): string {
  try {
    return error instanceof Error ? error.message || error.name : String(error);
  } catch {
    return "what was thrown has no text";
  }
}

function failure(what: string, error: unknown): Failure {
  let kind: Failure["kind"] = "";
  try {
    const { code, name } = error as { code?: unknown; name?: unknown };
    if (code === "STORE_FULL" || name === "QuotaExceededError") kind = "full";
    if (code === "STORE_EVICTED") kind = "evicted";
    if (code === "FRAME") kind = "frame";
  } catch {
    // Then it is of no kind that is known.
  }
  return { kind, message: `${what}: ${words(error)}` };
}

/** Calls one of these, from a stack of its own. */
function tame(methods: Record<string, (...given: never[]) => unknown>): Tame {
  return async (method, ...given) => {
    await null;
    try {
      return await methods[method]?.(...given);
    } catch (error) {
      throw failure(method, error);
    }
  };
}

function malformed(what: string): never {
  throw new Malformed(`the answer is not ${what}`);
}

function whole(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : malformed("a number");
}

/** A genuine copy, on which nothing of the application's hangs. */
function copy(value: unknown, max = Infinity): Uint8Array {
  if (!(value instanceof Uint8Array)) return malformed("bytes");
  const made = new Uint8Array(value);
  return made.length <= max ? made : malformed(`of at most ${max} bytes`);
}

const orNone = (value: unknown) => (value === null || value === undefined ? undefined : copy(value));

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? Array.from(value) : malformed("a list");
}

function entryBytes(id: unknown): Uint8Array {
  return typeof id === "string" && /^[0-9a-f]{64}$/.test(id) ? bytes(id as EntryId) : malformed("an entry's id");
}

/** Number, id and bytes of each, one after the other. */
function flat(entries: unknown): unknown[] {
  return list(entries).flatMap((entry) => {
    const { number, id, bytes } = entry as NumberedEntry;
    return [whole(number), entryBytes(id), copy(bytes, RECORD_BYTES)];
  });
}

const hex = (id: Uint8Array) => Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("") as EntryId;
const nullable = (note: Uint8Array | undefined) => note ?? null;

/** What a connection that is dropped has to send what was given before, in milliseconds. */
const CLOSING = 4_000;
/** Why a connection is given up. */
const UNWANTED = "it is no longer wanted";

/** Resolves with `work`, or when so many milliseconds are over. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work, over]);
  clearTimeout(timer);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK));

const METHODS = ["head", "append", "read", "fetch", "ids", "note", "setNote", "notes"] as const;

/** @internal */
export function tameStore(store: Store): TameStore {
  const missing = METHODS.find((name) => typeof store[name] !== "function");
  if (missing) throw new IsorootError("INVALID_STORE", `the store has no method ${missing}`);
  const id = bytes(storeId(String(store.id)));
  let broken: Failure | undefined;
  const write = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    if (broken) throw new Error(`an earlier write failed: ${broken.message}`);
    try {
      return await work();
    } catch (error) {
      const failed = failure(what, error);
      if (failed.kind !== "full") broken = failed;
      throw error;
    }
  };
  const told = new Map<string, number>();
  const methods = {
    head: async (journal: JournalId) => whole(await store.head(journal)),
    append: (journal: JournalId, at: number, ids: Uint8Array[], records: Uint8Array[], relaxed: boolean) =>
      write("append", async () => {
        const entries = records.map((bytes, i) => ({ id: hex(ids[i] as Uint8Array), bytes }));
        const { done, head } = await store.append(journal, at, entries, relaxed ? "relaxed" : "strict");
        return [done === true, whole(head)];
      }),
    read: async (journal: JournalId, from: number, max: number) => flat(await store.read(journal, from, max)),
    fetch: async (journal: JournalId, numbers: number[]) => flat(await store.fetch(journal, numbers)),
    ids: async (journal: JournalId, from: number, max: number) => list(await store.ids(journal, from, max)).map(entryBytes),
    changed: async (journal: JournalId, after: number, ended: AbortSignal) => {
      const controller = new AbortController();
      ended.addEventListener("abort", () => queueMicrotask(() => controller.abort()));
      // Told before that there is more, and it was not so: not asked again at once, and for ever.
      if (told.get(journal) === after) await pause();
      told.set(journal, after);
      while (!ended.aborted) {
        const head = whole(await (store.changed ? store.changed(journal, after, controller.signal) : store.head(journal)));
        if (head > after) return head;
        await pause();
      }
      return after;
    },
    note: async (key: string) => orNone(await store.note(key)),
    setNote: (key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined) =>
      write("setNote", async () => {
        const outcome = await store.setNote(key, nullable(expected), nullable(value));
        return outcome.done === true ? [true] : [false, orNone(outcome.now)];
      }),
    notes: async (prefix: string) =>
      list(await store.notes(prefix)).flatMap((note) => {
        const [key, value] = note as [unknown, unknown];
        return typeof key === "string" ? [key, copy(value)] : malformed("a key and its note");
      }),
  };
  return { id, call: tame(methods) };
}

/** @internal */
export function tameConnection(connection: Connection): TameConnection {
  for (const name of ["send", "receive", "close"] as const) {
    if (typeof connection?.[name] !== "function") throw new IsorootError("INVALID_TRANSPORT", `a connection has no method ${name}`);
  }
  let sending: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  let over = false;
  const methods = {
    send: (frame: Uint8Array) => {
      if (closing) throw new Error("the connection is closed");
      if (frame.length > FRAME_BYTES) throw new IsorootError("FRAME", `a frame of ${frame.length} bytes`);
      const sent = sending.then(() => connection.send(frame));
      sending = sent.catch(() => {});
      return sent.then(() => {});
    },
    receive: async () => {
      const frame = over || closing ? null : await connection.receive();
      // Who has closed gets nothing more.
      if (closing || frame === null || frame === undefined) {
        over = true;
        return undefined;
      }
      const made = copy(frame);
      if (made.length > FRAME_BYTES) throw new IsorootError("FRAME", `a frame of ${made.length} bytes`);
      return made;
    },
    // By whichever half ends first, and once. What is being sent has some time: whoever does not read must
    // not keep the connection open.
    close: (reason: string) => (closing ??= atMost(CLOSING, sending).then(() => connection.close(reason)).then(() => {})),
  };
  const binding = connection.binding === undefined ? new Uint8Array() : copy(connection.binding);
  return { call: tame(methods), binding, remote: String(connection.remote ?? "") };
}

/** Pairs of scheme and what dials it. @internal */
export function tameTransports(transports: Readonly<Record<string, Transport>>): [string, Tame][] {
  return Object.entries(transports).map(([scheme, transport]) => {
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme) || ["ws", "wss", "pipe"].includes(scheme)) {
      throw new IsorootError("INVALID_TRANSPORT", `${scheme} is no scheme that a transport can have`);
    }
    if (typeof transport?.connect !== "function") throw new IsorootError("INVALID_TRANSPORT", `${scheme} has no method connect`);
    const connect = async (address: string, ended: AbortSignal) => {
      if (ended.aborted) throw new Error(UNWANTED);
      const controller = new AbortController();
      let opened: TameConnection | undefined;
      // Also when it was opened just now, and nobody has taken it.
      const giveUp = () => {
        controller.abort();
        opened?.call("close", UNWANTED as never).catch(() => {});
      };
      ended.addEventListener("abort", () => queueMicrotask(giveUp), { once: true });
      opened = tameConnection(await transport.connect(address, controller.signal));
      if (ended.aborted) giveUp();
      return opened;
    };
    return [`${scheme}:`, tame({ connect })];
  });
}
