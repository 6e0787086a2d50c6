// A journal in numbers.

import type { Root } from "./ids.js";

/** A journal in numbers, all of one moment. */
export interface Statistics {
  readonly root: Root;
  readonly entries: number;
  readonly facts: number;
  /** Different predicates. */
  readonly predicates: number;
  /** Different authorities; that of a fact that names none is its device. */
  readonly authorities: number;
  /** Devices that have written. */
  readonly devices: number;
  /** Entries that are held back from `facts` for now. */
  readonly heldBack: number;
  /** Entries that later ones of their device name, and that are not here: gaps. */
  readonly missing: number;
  /** Devices whose entries fork: two stores with one key, or a restored backup. */
  readonly forked: number;
  /** How many halvings part the deepest entry of the Merkle map from its root, 0 to 256. */
  readonly depth: number;
  /** Bytes of all entries, as signed. What the store takes is more. */
  readonly bytes: number;
  /**
   * The share of other pairs that a Bloom filter over all facts, made for 1 %, is expected to let pass; null if it
   * would be larger than filters are.
   */
  readonly bloomRate: number | null;
}
