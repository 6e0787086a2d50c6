// Checking proofs, which needs a root that is trusted, and no node.

import { IsorootError } from "./errors.js";
import type { Entry } from "./facts.js";
import { entryId, type EntryId, type JournalId, type Root } from "./ids.js";
import { checking } from "./load.js";
import type { WaitOptions } from "./wait.js";

/** A proof about several entries. */
export interface Proved {
  /** The root that it holds for: that of the journal at the moment when it was made. */
  readonly root: Root;
  /** How many entries the journal has then. */
  readonly entries: number;
  /** The proof, for `verifyProof`. */
  readonly proof: Uint8Array;
}

/** What evidence shows. */
export type Verified = {
  /** The entry that it is about. */
  readonly id: EntryId;
  /**
   * The journal that it names. Where the entry is in, the entry names it too. Where it is not, this is the
   * word of whoever gave the evidence: the root alone says of which journal that is.
   */
  readonly journal: JournalId;
  /** How many entries the journal with this root has. */
  readonly entries: number;
} & (
  | {
      /** The entry is in the journal. */
      readonly in: true;
      /** The entry, which its device has signed. */
      readonly entry: Entry;
    }
  | {
      /** No entry with this id is in the journal. */
      readonly in: false;
      readonly entry: null;
    }
);

/**
 * Checks evidence, the bytes that `node.prove` gives, against a root that you trust. It needs no journal, and
 * no trust in who gave the evidence. Fails with `PROOF_FALSE` if it does not hold, with `PROOF_MALFORMED` if
 * the bytes are no evidence.
 */
export function verify(evidence: Uint8Array, root: Root | string, options: WaitOptions = {}): Promise<Verified> {
  return checking(options, ({ exports }) => exports.verifyEvidence(genuine(evidence), entryId(root)));
}

/**
 * Checks a proof of `node.proveAll` against a root that you trust: for each of the ids, which are those that it
 * was made for, whether its entry is in the journal. Fails as `verify` does.
 */
export function verifyProof(
  proof: Uint8Array,
  root: Root | string,
  ids: readonly (EntryId | string)[],
  options: WaitOptions = {},
): Promise<boolean[]> {
  return checking(options, ({ exports }) => {
    const asked = ids.map((id) => entryId(id));
    // In lower-case hex the order of texts is that of ids.
    const ascending = [...new Set<string>(asked)].sort();
    const answers = exports.verifyProof(genuine(proof), entryId(root), ascending);
    const known = new Map(ascending.map((id, place) => [id, answers[place] === true]));
    return asked.map((id) => known.get(id) === true);
  });
}

function genuine(bytes: Uint8Array): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  throw new IsorootError("INVALID_PROOF", "evidence and proofs are bytes, in a Uint8Array");
}
