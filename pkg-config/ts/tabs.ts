// The tabs that share a store and a journal: one dials, the others hear its news, and ask it to sync.
//
// They talk over a BroadcastChannel, which everything of the origin may use: what does not have the form of
// a message is passed over, and what has it is answered as a call of the page's own would be.

import type { PlainError } from "./errors.js";
import type { RawEvent, RawPeer, RawSync } from "./raw.js";
import type { Call } from "./wait.js";

/** What a tab asks of the one that dials. */
export type Question =
  | { readonly what: "peers" }
  /** To sync all that the store holds up to this number, with these peers or with all. */
  | { readonly what: "sync"; readonly number: number; readonly peers: readonly string[] | null; readonly patient: boolean };

/** How it went, and up to which number the store held what came in. */
export interface Synced {
  syncs: RawSync[];
  number: number;
}

/** The node that takes part. */
export interface Member {
  /** The journal's id. */
  readonly journal: string;
  /** News of the one that dials. */
  heard(event: RawEvent): void;
  /** Another tab has added or removed a peer. */
  changed(address: string, added: boolean): void;
  /** Answers if this node dials, else is silent. A plain error is an answer too. */
  asked(question: Question): Promise<unknown>;
}

/** No answer: it is for another tab to give. */
export const SILENCE = Symbol("silence");

/** The node is closed. */
const CLOSED: PlainError = { code: "CLOSED", message: "the node is closed", fault: "caller", retryable: false };

/** What the wasm says of a sync in a node that is not started. */
export const NOT_STARTED: PlainError = {
  code: "NOT_STARTED",
  message: "the sync service is not started",
  fault: "caller",
  retryable: false,
};

/** The events that a dialling node tells the others. */
const NEWS = new Set(["connected", "disconnected", "phase", "syncFailed", "synced"]);

interface Asked {
  readonly question: Question;
  readonly settle: (answer: Answer) => void;
}

interface Answer {
  readonly value?: unknown;
  readonly error?: PlainError;
}

/** One node's place among the others. */
export class Tabs {
  readonly #channel: BroadcastChannel;
  readonly #member: Member;
  readonly #me = Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");
  readonly #asked = new Map<number, Asked>();
  #count = 0;
  #closed = false;

  private constructor(channel: BroadcastChannel, member: Member) {
    this.#channel = channel;
    this.#member = member;
    channel.onmessage = ({ data }) => this.#hear(data);
    // On Node it would keep the process alive.
    (channel as { unref?: () => void }).unref?.();
  }

  /** Nothing where tabs can't talk to each other. */
  static join(store: string, member: Member): Tabs | undefined {
    if (typeof BroadcastChannel !== "function") return undefined;
    return new Tabs(new BroadcastChannel(`isoroot:${store}/${member.journal}:tabs`), member);
  }

  /** This node dials from now on: whoever waits for an answer gets it here. */
  lead(): void {
    this.#post({ kind: "lead" });
    for (const [id, { question }] of [...this.#asked]) {
      void this.#answer(question).then((answer) => answer && this.#settle(id, answer));
    }
  }

  /** Tells the others what happened to this node's connections. */
  tell(event: RawEvent): void {
    if (NEWS.has(event.type)) this.#post({ kind: "event", event });
  }

  /** Tells the others that this node has added or removed a peer. */
  change(address: string, added: boolean): void {
    this.#post({ kind: added ? "added" : "removed", address });
  }

  /**
   * Asks the tab that dials, and whoever takes over from it if it dies before it has answered. Waits as long
   * as the call does.
   */
  ask(question: { what: "peers" }, call: Call): Promise<RawPeer[]>;
  ask(question: Question & { what: "sync" }, call: Call): Promise<Synced>;
  ask(question: Question, call: Call): Promise<unknown> {
    const id = this.#count++;
    if (this.#closed) return Promise.reject(CLOSED);
    return new Promise((resolve, reject) => {
      const settle = ({ value, error }: Answer) => (error ? reject(error) : resolve(value));
      this.#asked.set(id, { question, settle });
      call.ended = () => this.#asked.delete(id);
      this.#post({ kind: "ask", id, question });
    });
  }

  /** Fails all that waits: this node no longer follows. */
  leave(error: PlainError): void {
    for (const id of [...this.#asked.keys()]) this.#settle(id, { error });
  }

  close(): void {
    this.#channel.onmessage = null;
    this.#channel.close();
    this.#closed = true;
    this.leave(CLOSED);
  }

  #hear(message: unknown): void {
    if (!isMessage(message) || message.from === this.#me) return;
    const { kind, event, address, id, to, question, answer } = message as Record<string, unknown>;
    if (kind === "lead") {
      for (const [id, { question }] of this.#asked) this.#post({ kind: "ask", id, question });
    } else if (kind === "event" && isNews(event, this.#member.journal)) {
      this.#member.heard(event);
    } else if ((kind === "added" || kind === "removed") && isText(address)) {
      this.#member.changed(address, kind === "added");
    } else if (kind === "ask" && isNumber(id) && isQuestion(question)) {
      const { from } = message;
      void this.#answer(question).then((answer) => answer && this.#post({ kind: "answer", to: from, id, answer }));
    } else if (kind === "answer" && to === this.#me && isNumber(id)) {
      const asked = this.#asked.get(id);
      if (asked && isAnswer(answer, asked.question)) this.#settle(id, answer);
    }
  }

  async #answer(question: Question): Promise<Answer | undefined> {
    try {
      const value = await this.#member.asked(question);
      return value === SILENCE ? undefined : { value };
    } catch (error) {
      return isError(error) ? { error } : undefined;
    }
  }

  #settle(id: number, answer: Answer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.settle(answer);
  }

  #post(message: { kind: string; [field: string]: unknown }): void {
    try {
      this.#channel.postMessage({ isoroot: 1, from: this.#me, ...message });
    } catch {
      // Closed meanwhile.
    }
  }
}

type Is = (value: unknown) => boolean;

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const orNull = (is: Is): Is => (value) => value === null || is(value);
const list = (is: Is): Is => (value) => Array.isArray(value) && value.every(is);
/** Has these fields. What comes over a channel is plain, so that reading it runs nobody's code. */
const fields = (shape: Record<string, Is>): Is => (value) =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(shape).every(([name, is]) => is((value as Record<string, unknown>)[name]));

const isMessage = fields({ isoroot: (value) => value === 1, from: isText, kind: isText }) as (
  message: unknown,
) => message is { from: string; kind: string };

const orNothing = (is: Is): Is => (value) => value === undefined || is(value);
const isError = fields({ code: isText, message: isText, fault: isText, retryable: (value) => typeof value === "boolean", peerCode: orNothing(isText) }) as (
  value: unknown,
) => value is PlainError;

const isReport = fields({
  ...Object.fromEntries(
    ["entriesSent", "entriesReceived", "bytesSent", "bytesReceived", "wireSent", "wireReceived", "refused", "rounds", "milliseconds", "entries"].map(
      (name) => [name, isNumber],
    ),
  ),
  root: isText,
});

const PHASES = new Set<unknown>(["opening", "comparing", "exchanging", "live"]);

const DETAILS: Record<string, Is> = {
  connected: fields({ peer: isText, device: isText }),
  disconnected: fields({ peer: isText, error: isError }),
  phase: fields({ peer: isText, journal: isText, phase: (value) => PHASES.has(value) }),
  syncFailed: fields({ peer: isText, journal: isText, error: isError }),
  synced: fields({ peer: isText, journal: isText, report: isReport }),
};

function isNews(value: unknown, journal: string): value is RawEvent {
  if (!fields({ type: isText })(value)) return false;
  const { type, detail } = value as RawEvent;
  if (!NEWS.has(type) || DETAILS[type]?.(detail) !== true) return false;
  return !detail || !("journal" in detail) || detail["journal"] === journal;
}

function isQuestion(value: unknown): value is Question {
  return (
    fields({ what: (what) => what === "peers" })(value) ||
    fields({ what: (what) => what === "sync", number: isNumber, peers: orNull(list(isText)) })(value)
  );
}

const STATUS = new Set<unknown>(["idle", "connecting", "connected", "waiting"]);
const ANSWERS: Record<Question["what"], Is> = {
  peers: list(
    fields({ address: isText, status: (value) => STATUS.has(value), device: orNull(isText), failures: isNumber, error: orNull(isError), nextAttempt: orNull(isNumber) }),
  ),
  sync: fields({ syncs: list(fields({ peer: isText, report: orNull(isReport), error: orNull(isError) })), number: isNumber }),
};

function isAnswer(value: unknown, { what }: Question): value is Answer {
  if (typeof value !== "object" || value === null) return false;
  const { value: given, error } = value as Answer;
  return error === undefined ? ANSWERS[what](given) : isError(error);
}
