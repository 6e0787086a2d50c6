// How a node stands, with its journal and with its peers.

import { fromPlain, type IsorootError, type PlainError } from "./errors.js";
import type { SyncReport } from "./events.js";
import type { DeviceId, EntryId, Position, Root, StoreId } from "./ids.js";
import type { RawPeer, RawStatus, RawSync } from "./raw.js";

/** How a node stands. It can be used in all states but `closed` and `crashed`; it dials while `running`. */
export type State = "stopped" | "starting" | "running" | "stopping" | "closed" | "crashed";

/** How a node stands with a peer. */
export interface PeerInfo {
  readonly address: string;
  /** `waiting` is the time between a failure and the next attempt. */
  readonly status: "idle" | "connecting" | "connected" | "waiting";
  readonly device: DeviceId | null;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** What the last failure was. */
  readonly error: IsorootError | null;
  /** Milliseconds until the next attempt, if the node waits for that. */
  readonly nextAttempt: number | null;
}

/** How syncing with one peer went. */
export type PeerSync =
  | { readonly peer: string; readonly report: SyncReport; readonly error: null }
  | { readonly peer: string; readonly report: null; readonly error: IsorootError };

/** An entry that is durable here. */
export interface Appended {
  readonly id: EntryId;
  /** Its place in the order of commit here. */
  readonly number: number;
}

/** A node and its journal at one moment. */
export interface Status {
  readonly state: State;
  /** Two nodes are in sync exactly when their roots are equal. */
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
  /** The place behind all that is shown: `after` it comes what is new. */
  readonly position: Position;
  readonly store: StoreId;
  /** The last entry's place in this store. */
  readonly number: number;
  /**
   * What the journal was loaded from when it was opened: its checkpoint and the records behind that, or all of
   * its records: there was no checkpoint, or one that did not agree with them and is made anew.
   */
  readonly loadedFrom: "records" | "checkpoint" | "recordsAgain";
  /** Number of the last entry that the checkpoint was about; null if it was not loaded from one. */
  readonly checkpoint: number | null;
  /** Connections that are open or being made. */
  readonly connections: number;
  /** Calls of `sync` and `synced` that wait here for a peer, each counted once for each of its peers. */
  readonly waiting: number;
  /** Who dials: this node, another tab that shares store and journal, or nobody. */
  readonly dials: "this" | "other" | "none";
}

/** As the wasm tells it, which knows all but the state. @internal */
export function toStatus(state: State, status: RawStatus): Status {
  return { state, ...status };
}

/** Likewise of peers. @internal */
export function toPeers(peers: readonly RawPeer[]): PeerInfo[] {
  return peers.map((peer) => ({ ...peer, error: toError(peer.error) }) as PeerInfo);
}

/** Likewise of syncs. @internal */
export function toSyncs(syncs: readonly RawSync[]): PeerSync[] {
  return syncs.map(({ peer, report, error }) => ({ peer, report, error: toError(error) }) as PeerSync);
}

function toError(error: PlainError | null): IsorootError | null {
  return error && (fromPlain(error) as IsorootError);
}
