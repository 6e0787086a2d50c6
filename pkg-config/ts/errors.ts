// The one error class, with a stable code.

/** Who can do something about an error. */
export type Fault = "caller" | "peer" | "network" | "store" | "internal";

const BRAND = Symbol.for("isoroot.error");

/**
 * Every error of Isoroot. `code` is stable and the same in Rust, on the command line and in logs, such as
 * `CLOSED`, `CRASHED`, `TIMEOUT`, `ABORTED`, `STORE_FULL`, `STORE_EVICTED`, `UNREACHABLE`, `INVALID_FACTS`.
 */
export class IsorootError extends Error {
  /** Stable name of what went wrong. */
  readonly code: string;
  /** Who can do something about it. */
  readonly fault: Fault;
  /** Whether the same call may succeed later without anybody having changed anything. */
  readonly retryable: boolean;
  /** The code that the peer gave, where the code is `REFUSED`: why it turned this node away. */
  readonly peerCode: string | undefined;
  /** Where an import failed: what it had done by then. Entries of the file that are here, and how many are new. */
  readonly done: { readonly entries: number; readonly imported: number } | undefined;

  constructor(
    code: string,
    message: string,
    options: { fault?: Fault; retryable?: boolean; peerCode?: string | undefined; done?: IsorootError["done"]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // So that what everybody tests an aborted fetch for holds here too.
    this.name = code === "ABORTED" ? "AbortError" : code === "TIMEOUT" ? "TimeoutError" : "IsorootError";
    this.code = code;
    this.fault = options.fault ?? "caller";
    this.retryable = options.retryable ?? false;
    this.peerCode = options.peerCode;
    this.done = options.done;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** What `JSON.stringify` shows: all but stack and cause. */
  toJSON(): object {
    const { name, code, message, fault, retryable, peerCode, done } = this;
    return { name, code, message, fault, retryable, peerCode, done };
  }

  /** Whether this is one, also of another copy of the package. */
  static is(error: unknown): error is IsorootError {
    return typeof error === "object" && error !== null && BRAND in error;
  }
}

/** An error as the wasm describes it. @internal */
export interface PlainError {
  code: string;
  message: string;
  fault: Fault;
  retryable: boolean;
  peerCode?: string | undefined;
  done?: IsorootError["done"];
  cause?: string | undefined;
}

/** What the wasm rejects with, as an error; other things as they are. @internal */
export function fromPlain(thrown: unknown): unknown {
  if (typeof thrown !== "object" || thrown === null || thrown instanceof Error || !("code" in thrown)) {
    return thrown;
  }
  const { code, message, fault, retryable, peerCode, done, cause } = thrown as PlainError;
  return new IsorootError(code, message, { fault, retryable, peerCode, done, cause });
}
