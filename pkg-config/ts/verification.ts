// Entries that somebody hands over, judged against a root: what is given and what comes back.

import { IsorootError } from "./errors.js";
import { entryId, type EntryId, type Root } from "./ids.js";
import type { RawJudging, RawSubmission } from "./raw.js";
import type { WaitOptions } from "./wait.js";

/** An entry that is handed over. */
export interface Submission {
  /** Its bytes, as signed: the `record` of an entry. */
  readonly record: Uint8Array;
  /** The id that it is said to have, if one is named. */
  readonly id?: EntryId | string | undefined;
  /** A proof about its id alone, as `node.proveAll([id])` makes it. Looked at only where `shown` is `"each"`. */
  readonly proof?: Uint8Array | undefined;
}

/** How entries are judged, and what becomes of them. */
export interface ReceiveOptions extends WaitOptions {
  /**
   * How the entries are shown to be under the root. `"fullSet"`: together they are all that is under it.
   * `"each"`: each by a proof of its own; one without is unproved. `together`: all by one proof, as
   * `node.proveAll` makes it of their ids. `"not"`, the default: what is authentic is unproved.
   */
  readonly shown?: "not" | "fullSet" | "each" | { readonly together: Uint8Array };
  /** What becomes of authentic entries without a proof: `"refuse"`, the default, or `"admit"`, as a sync does. */
  readonly unproved?: "refuse" | "admit";
  /** Only judges: nothing is taken in. */
  readonly dryRun?: boolean;
}

/** An entry that is neither proved nor unproved but false, and why. */
export interface Rejected {
  /** Its place among what was handed over, from 0. */
  readonly place: number;
  /** The id of its bytes, entry or not. */
  readonly id: EntryId;
  /** The first reason, such as `BAD_SIGNATURE` or `NOT_UNDER_ROOT`: a stable name. */
  readonly code: string;
  /** The same for people. */
  readonly message: string;
}

/** An authentic entry, with two marks that are no verdicts. */
export interface Judged {
  readonly id: EntryId;
  /** It was in the journal here already: taking it in changes nothing. */
  readonly isKnown: boolean;
  /** It is over 300,000 ms ahead of the clock here, and held back from `facts` until it is due. */
  readonly isAhead: boolean;
}

/** The verdicts on what was handed over, and what was done. */
export interface Received {
  /** Authentic, and proved to be under the root. In the journal now, if this was no dry run. */
  readonly verified: readonly Judged[];
  /** Authentic, and came without a proof. In the journal only if they were admitted or had been there before. */
  readonly unproved: readonly Judged[];
  /** Neither. Nothing of them is kept. */
  readonly rejected: readonly Rejected[];
  /** How many came more than once: each is judged once, where it came first. */
  readonly duplicates: number;
  /** How many entries were taken in that were not here before. */
  readonly new: number;
  /** The root here afterwards. */
  readonly root: Root;
}

/** What is handed over, read once: what comes after runs none of the caller's code. @internal */
export function submissions(given: readonly Submission[]): RawSubmission[] {
  if (!Array.isArray(given)) throw new IsorootError("INVALID_SUBMISSION", "what is handed over is an array of entries");
  return Array.from(given as readonly Submission[], (submission) => {
    const { record, id, proof } = Object(submission) as Submission;
    return {
      record: genuine(record),
      id: id === undefined ? undefined : entryId(id),
      proof: proof === undefined ? undefined : genuine(proof),
    };
  });
}

/** How it is to be judged. What is not known here is refused: it may have been meant to be strict. @internal */
export function judging({ shown = "not", unproved = "refuse", dryRun = false }: ReceiveOptions): RawJudging {
  if (unproved !== "refuse" && unproved !== "admit") {
    throw new IsorootError("INVALID_SUBMISSION", 'unproved is "refuse" or "admit"');
  }
  const rest = { admit: unproved === "admit", dry: Boolean(dryRun) };
  if (shown === "not" || shown === "fullSet" || shown === "each") return { shown, together: undefined, ...rest };
  if (typeof shown === "object" && shown !== null) {
    return { shown: "together", together: genuine(shown.together), ...rest };
  }
  throw new IsorootError("INVALID_SUBMISSION", 'shown is "not", "fullSet", "each" or { together: proof }');
}

function genuine(bytes: Uint8Array): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  throw new IsorootError("INVALID_SUBMISSION", "records and proofs are bytes, in a Uint8Array");
}
