// Files of journals: written as streams, read from whatever has bytes.

import { fromPlain, IsorootError } from "./errors.js";
import type { JournalId, Root } from "./ids.js";
import { load } from "./load.js";
import { aborted, within } from "./wait.js";

/** Where the bytes of a file come from. */
export type FileSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Blob | Uint8Array;

/** What importing a file did. */
export interface ImportReport {
  /** Entries in the file. */
  readonly entries: number;
  /** How many of them were not here before. */
  readonly imported: number;
  /** The root of the file. */
  readonly fileRoot: Root;
  /** The root of the journal here, with what else it holds. */
  readonly root: Root;
  /** Entries of the journal here. */
  readonly rootEntries: number;
}

/** What a file says of itself. */
export interface FileHeader {
  /** The journal that it holds. */
  readonly journal: JournalId;
  /** The first bytes of the journal, for `SyncNode.create`; null where they were not known. */
  readonly genesis: Uint8Array | null;
}

/** Bytes that are handed to the wasm at once. */
const PIECE = 262_144;

/** More bytes than any head of a file takes. */
const HEAD = 2_048;

function isBytes(given: unknown): given is Uint8Array {
  return ArrayBuffer.isView(given) && Object.prototype.toString.call(given) === "[object Uint8Array]";
}

function isBlob(given: FileSource): given is Blob {
  return typeof (given as Blob)?.stream === "function" && typeof (given as Blob).slice === "function";
}

/** Whether it can be read twice. @internal */
export function isWhole(source: FileSource): source is Blob | Uint8Array {
  return isBytes(source) || isBlob(source);
}

/**
 * Which journal a file holds, to open it by: `SyncNode.create({ genesis })` where that is known, else
 * `SyncNode.open({ journal })`. Whether the file is right is for `import` to see.
 */
export async function fileHeader(file: Blob | Uint8Array): Promise<FileHeader> {
  if (!isWhole(file)) throw notAFile();
  const start = isBytes(file) ? file.subarray(0, HEAD) : new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const instance = await within(load(), "loading Isoroot", {});
  try {
    const header = instance.exports.fileHeader(start);
    if (header) return header as FileHeader;
  } catch (error) {
    throw instance.crash ?? fromPlain(error);
  }
  throw new IsorootError("FILE_INCOMPLETE", "the file ends before it says which journal it holds");
}

function notAFile(): IsorootError {
  return new IsorootError("INVALID_FILE", "a file is a Blob, a Uint8Array, or a stream of Uint8Arrays");
}

/**
 * The bytes of a source in pieces, the next one read when it is asked for. Ends with the signal at once, also
 * in the middle of a read; the source is told. Where the source itself fails, `failed` is done first. @internal
 */
export async function* pieces(
  source: FileSource,
  signal: AbortSignal | undefined,
  failed: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  if (isBytes(source)) {
    for (let at = 0; at < source.length; at += PIECE) yield source.subarray(at, at + PIECE);
    return;
  }
  const { read, end } = reading(isBlob(source) ? (source.stream() as ReadableStream<Uint8Array>) : source);
  let ended = false;
  try {
    while (true) {
      const { done, value } = await orAborted(read(), signal).catch(async (error: unknown) => {
        // What that comes to is not what there is to be told: the source's own error is, as it is.
        if (!signal?.aborted) await failed().catch(() => {});
        throw error;
      });
      if (done) {
        ended = true;
        return;
      }
      if (!isBytes(value)) throw notAFile();
      for (let at = 0; at < value.length; at += PIECE) yield value.subarray(at, at + PIECE);
    }
  } finally {
    end(ended);
  }
}

/** What `next` gives until it gives nothing, as a stream. @internal */
export function streamed(next: () => Promise<Uint8Array | null>): ReadableStream<Uint8Array> {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const piece = await next();
    if (piece) controller.enqueue(piece);
    else controller.close();
  };
  // Nothing is read ahead: it begins with the first question.
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

interface Reading {
  read(): Promise<{ done?: boolean | undefined; value?: Uint8Array | undefined }>;
  /** Lets go of the source; unless it has ended, nobody wants more of it. */
  end(ended: boolean): void;
}

function reading(source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): Reading {
  if (typeof (source as ReadableStream<Uint8Array>)?.getReader === "function") {
    const reader = (source as ReadableStream<Uint8Array>).getReader();
    return {
      read: () => reader.read(),
      end: (ended) => {
        if (!ended) reader.cancel().catch(() => {});
        reader.releaseLock();
      },
    };
  }
  const iterate = (source as AsyncIterable<Uint8Array>)?.[Symbol.asyncIterator];
  if (typeof iterate !== "function") throw notAFile();
  const iterator = iterate.call(source);
  return {
    read: async () => iterator.next(),
    end: (ended) => {
      if (!ended) void (async () => iterator.return?.())().catch(() => {});
    },
  };
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(aborted(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
