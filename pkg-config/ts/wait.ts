// Waiting no longer than asked for, nor than the instance lives.

import { fromPlain, IsorootError } from "./errors.js";
import type { Instance } from "./load.js";

/**
 * How long to wait. What ends is the wait: what was asked for goes on, and may still happen. Only an `append` or a
 * sync that had not begun is taken back.
 */
export interface WaitOptions {
  /** Gives up with `ABORTED`, whose cause is the signal's reason. */
  signal?: AbortSignal;
  /** Gives up with `TIMEOUT` after so many milliseconds. `Infinity` never does. */
  timeout?: number;
}

/** The time limit where none is given, in milliseconds. @internal */
export const TIMEOUT = 30_000;

/** The longest delay that `setTimeout` takes. */
const LONGEST = 0x7fff_ffff;

/** A call that somebody waits for. @internal */
export interface Call {
  /** Nobody does any more: what was not begun need not be. The wasm reads it. */
  gone: boolean;
  /** What to do when that comes to be. */
  ended?: () => void;
}

/** For what takes as long as it takes. @internal */
export function endless(signal: AbortSignal | undefined): WaitOptions {
  return { timeout: Infinity, ...(signal && { signal }) };
}

/** Why a wait is over before it begins. @internal */
export function aborted(signal: AbortSignal): IsorootError {
  return new IsorootError("ABORTED", "the call was aborted", { cause: signal.reason });
}

/**
 * The outcome of `work`, unless the signal, the time or the instance ends first. The work goes on then:
 * what it does may still happen. @internal
 */
export function within<T>(
  work: Promise<T>,
  what: string,
  { signal, timeout = TIMEOUT }: WaitOptions,
  instance?: Instance,
  call?: Call,
): Promise<T> {
  if (!(timeout > 0)) throw new IsorootError("INVALID_TIMEOUT", "a time limit is above 0 milliseconds");
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      instance?.offCrash(onCrash);
      finish();
    };
    const fail = (error: unknown) => {
      if (call) {
        call.gone = true;
        call.ended?.();
      }
      settle(() => reject(error));
    };
    const onAbort = () => fail(aborted(signal as AbortSignal));
    const onCrash = (error: IsorootError) => fail(error);
    const expired = () =>
      fail(
        new IsorootError("TIMEOUT", `${what} took more than ${timeout} ms; it may still happen`, {
          fault: "network",
          retryable: true,
        }),
      );
    const timer = timeout <= LONGEST ? setTimeout(expired, timeout) : undefined;
    signal?.addEventListener("abort", onAbort);
    instance?.onCrash(onCrash);
    if (signal?.aborted) onAbort();
    if (instance?.crash) onCrash(instance.crash);
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => fail(fromPlain(error)),
    );
  });
}
