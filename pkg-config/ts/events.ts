// What a node tells those who listen, typed.

import type { IsorootError } from "./errors.js";
import type { DeviceId, JournalId, Root } from "./ids.js";
import type { SyncNode } from "./node.js";

/** What a sync did. */
export interface SyncReport {
  readonly entriesSent: number;
  readonly entriesReceived: number;
  /** Bytes of the entries. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Bytes of all that was sent about this journal. */
  readonly wireSent: number;
  readonly wireReceived: number;
  /** Entries that either side refused: the journals are equal but for these. */
  readonly refused: number;
  /** Rounds of comparing; 0 if the roots were equal from the start. */
  readonly rounds: number;
  readonly milliseconds: number;
  /** The root that both sides have. */
  readonly root: Root;
  readonly entries: number;
}

/**
 * How far a sync is: the peer was asked and has not answered; the two find out what they differ in; entries travel;
 * the roots were equal, and what is new follows by itself. A phase that is over at once may be passed over.
 */
export type SyncPhase = "opening" | "comparing" | "exchanging" | "live";

/** An event of a node; `detail` says more. */
export class SyncNodeEvent<Type extends string, Detail> extends Event {
  declare readonly type: Type;
  readonly detail: Detail;

  constructor(type: Type, detail: Detail) {
    super(type);
    this.detail = detail;
  }
}

/** The events of a node by their type. */
export interface SyncNodeEventMap {
  /** The node was started. */
  started: SyncNodeEvent<"started", null>;
  /** The node was stopped. */
  stopped: SyncNodeEvent<"stopped", null>;
  /** A connection is open, and both sides have proved who they are. */
  connected: SyncNodeEvent<"connected", { readonly peer: string; readonly device: DeviceId }>;
  /** A connection ended, or could not be made. */
  disconnected: SyncNodeEvent<"disconnected", { readonly peer: string; readonly error: IsorootError }>;
  /** The sync with a peer has come this far. */
  phase: SyncNodeEvent<
    "phase",
    { readonly peer: string; readonly journal: JournalId; readonly phase: SyncPhase }
  >;
  /**
   * A sync ended before the roots were equal; or the journal is no longer kept equal with a peer, though the
   * connection goes on. It is tried again.
   */
  syncFailed: SyncNodeEvent<
    "syncFailed",
    { readonly peer: string; readonly journal: JournalId; readonly error: IsorootError }
  >;
  /** A sync ended with equal roots. */
  synced: SyncNodeEvent<
    "synced",
    { readonly peer: string; readonly journal: JournalId; readonly report: SyncReport }
  >;
  /** The journal has new entries, own ones or others'; `number` is the last one's place here. */
  grew: SyncNodeEvent<"grew", { readonly journal: JournalId; readonly number: number }>;
  /** A peer has made entries durable: everything whose number here is at most `upto`. */
  delivered: SyncNodeEvent<
    "delivered",
    { readonly peer: string; readonly device: DeviceId; readonly journal: JournalId; readonly upto: number }
  >;
  /** So many entries that were held back, since they were ahead of the clock here, are shown from now on. */
  due: SyncNodeEvent<"due", { readonly journal: JournalId; readonly entries: number }>;
  /** Listeners were too slow: so many events are gone. */
  lagged: SyncNodeEvent<"lagged", { readonly missed: number }>;
  /** Isoroot itself has failed. Open the journal again: what was acknowledged is in the store. */
  crashed: SyncNodeEvent<"crashed", { readonly error: IsorootError }>;
}

/** Is called with the events of one type. */
export type SyncNodeListener<Type extends keyof SyncNodeEventMap> =
  | ((this: SyncNode, event: SyncNodeEventMap[Type]) => void)
  | { handleEvent(event: SyncNodeEventMap[Type]): void };
