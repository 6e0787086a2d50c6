// Receipts: what a device has signed for. Checked without a node.

import { IsorootError } from "./errors.js";
import type { DeviceId, JournalId, Root } from "./ids.js";
import { checking } from "./load.js";
import type { WaitOptions } from "./wait.js";

/** What a receipt says, once it has been checked. */
export interface Receipt {
  readonly journal: JournalId;
  /** Who has signed it. */
  readonly device: DeviceId;
  /** The root of what the device holds. */
  readonly root: Root;
  /** How many entries that are. */
  readonly entries: number;
  /** The device's clock, in microseconds since 1970. Its word only. */
  readonly time: number;
  /** The hash of the receipt before it, in hex, or null for the first. */
  readonly previous: string | null;
}

/** Where an entry is, as far as one peer goes: not sent, on its way, or durable there. */
export type Delivery = "pending" | "sent" | "durable";

/** How far one peer has the journal. */
export interface PeerDelivery {
  /** Its device. */
  readonly device: DeviceId;
  /** Everything with a number up to this in this store is durable there. */
  readonly upto: number;
  /** How many own entries are not known to be. */
  readonly pending: number;
}

/**
 * Checks receipts of a device that you trust to be named here, the oldest first, each asked for with the one
 * before it: at most 100. Fails with `BAD_RECEIPT` if they are no such chain.
 */
export function checkReceipts(
  receipts: readonly Uint8Array[],
  of: { readonly journal: JournalId | string; readonly device: DeviceId | string },
  options: WaitOptions = {},
): Promise<Receipt[]> {
  return checking(options, ({ exports }) =>
    exports.checkReceipts([...receipts], String(of.journal), String(of.device)),
  );
}

/**
 * Whether two receipts of one device cannot both be true: it has signed for two sets of one size. It has lied,
 * or lost what it had. Both are evidence of that, to be shown to others.
 */
export function contradict(one: Uint8Array, other: Uint8Array, options: WaitOptions = {}): Promise<boolean> {
  if (!(one instanceof Uint8Array && other instanceof Uint8Array)) {
    throw new IsorootError("BAD_RECEIPT", "receipts are bytes, in a Uint8Array");
  }
  return checking(options, ({ exports }) => exports.contradict(one, other));
}
