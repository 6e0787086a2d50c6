// What the wasm exports, as this facade uses it. Its promises reject with plain errors.

import type { Tame, TameConnection, TameStore } from "./custom.js";
import type { PlainError } from "./errors.js";
import type { SyncReport } from "./events.js";
import type { Entry, Fact, HeldEntry, Page } from "./facts.js";
import type { ImportReport } from "./files.js";
import type { EntryId, Position, Root, StoreId } from "./ids.js";
import type { Proved, Verified } from "./proofs.js";
import type { Delivery, PeerDelivery, Receipt } from "./receipts.js";
import type { Statistics } from "./statistics.js";
import type { Received } from "./verification.js";
import type { Call } from "./wait.js";

export interface RawAppended {
  id: EntryId;
  number: number;
}

export interface RawPeer {
  address: string;
  status: "idle" | "connecting" | "connected" | "waiting";
  device: string | null;
  failures: number;
  error: PlainError | null;
  nextAttempt: number | null;
}

export interface RawSync {
  peer: string;
  report: SyncReport | null;
  error: PlainError | null;
}

export interface RawStatus {
  root: Root;
  entries: number;
  facts: number;
  predicates: number;
  authorities: number;
  devices: number;
  heldBack: number;
  position: Position;
  store: StoreId;
  number: number;
  loadedFrom: "records" | "checkpoint" | "recordsAgain";
  checkpoint: number | null;
  connections: number;
  waiting: number;
  dials: "this" | "other" | "none";
}

/** Which facts are meant. Of a range both ends are given or neither. */
export interface RawQuery {
  predicate: string | undefined;
  prefix: string | undefined;
  authority: string | undefined;
  device: string | undefined;
  entry: string | undefined;
  /** Which of its facts, if one is meant. */
  index: number | undefined;
  writtenFrom: number | undefined;
  writtenTo: number | undefined;
  timestampFrom: number | undefined;
  timestampTo: number | undefined;
}

export interface RawFilter {
  readonly count: number;
  readonly rate: number;
  mightContain(predicate: string, value: unknown): boolean;
  merged(other: Uint8Array): RawFilter;
  toBytes(): Uint8Array;
}

/** An entry that is handed over. */
export interface RawSubmission {
  record: Uint8Array;
  id: string | undefined;
  proof: Uint8Array | undefined;
}

/** How entries are judged, and what becomes of them. */
export interface RawJudging {
  shown: "not" | "fullSet" | "each" | "together";
  together: Uint8Array | undefined;
  admit: boolean;
  dry: boolean;
}

export interface RawEvent {
  type: string;
  detail: Record<string, unknown> | null;
}

export interface RawNode {
  readonly journal: string;
  readonly device: string;
  readonly hub: string | undefined;
  start(): Promise<void>;
  stop(): Promise<string[]>;
  isRunning(): Promise<boolean>;
  addPeer(address: string, keep: boolean): Promise<boolean>;
  removePeer(address: string, forget: boolean): Promise<boolean>;
  dialKeptPeers(): Promise<number>;
  peers(): Promise<RawPeer[]>;
  listen(name: string): Promise<void>;
  accept(connection: TameConnection): Promise<void>;
  appendAll(entries: readonly (readonly Fact[])[], call: Call): Promise<RawAppended[]>;
  page(query: RawQuery, after: string | undefined, limit: number): Promise<Page>;
  heldBack(after: string | undefined, limit: number): Promise<HeldEntry[]>;
  get(entry: string): Promise<Entry | null>;
  prove(entry: string): Promise<Uint8Array>;
  proveAll(entries: string[]): Promise<Proved>;
  requestReceipt(peer: string, previous: Uint8Array | undefined): Promise<Uint8Array>;
  deliveries(): Promise<PeerDelivery[]>;
  delivery(entry: string, device: string): Promise<Delivery | null>;
  status(): Promise<RawStatus>;
  statistics(): Promise<Statistics>;
  bloom(rate: number, expected: number | undefined): Promise<RawFilter>;
  receive(root: string, entries: RawSubmission[], judging: RawJudging, call: Call): Promise<Received>;
  sync(peers: readonly string[] | undefined, patient: boolean, call: Call): Promise<RawSync[]>;
  /** A call is gone that waited for a sync. */
  forget(): void;
  events(): Promise<RawEvent[]>;
  export(): RawExporting;
  import(check: boolean): RawImporting;
  persist(): Promise<boolean>;
  close(): Promise<void>;
}

export interface RawExporting {
  next(): Promise<Uint8Array | null>;
}

export interface RawImporting {
  push(bytes: Uint8Array): Promise<void>;
  /** No more can be read of it: takes in what came whole. */
  unreadable(): Promise<void>;
  finish(): Promise<ImportReport>;
}

/** Where a node keeps its journal, and how it dials. */
export interface RawGiven {
  /** The name of a store in IndexedDB. */
  store: string | undefined;
  custom: TameStore | undefined;
  transports: [string, Tame][];
  plain: boolean;
  /** How long a peer may take for a reply, in milliseconds. */
  reply: number | undefined;
  /** What a device, or each that is not named, may do. */
  permissions: [string | undefined, string][];
  identity: Uint8Array | undefined;
}

export interface Exports {
  Node: {
    create(given: RawGiven, genesis: Uint8Array | undefined, name: string | undefined): Promise<RawNode>;
    open(given: RawGiven, journal: string): Promise<RawNode>;
  };
  onCrash(handler: (message: string) => void): void;
  checkReceipts(receipts: Uint8Array[], journal: string, device: string): Receipt[];
  contradict(one: Uint8Array, other: Uint8Array): boolean;
  verifyEvidence(evidence: Uint8Array, root: string): Verified;
  verifyProof(proof: Uint8Array, root: string, entries: string[]): boolean[];
  readFilter(bytes: Uint8Array): RawFilter;
  parseLink(link: string): { journal: string; hub: string | null };
  formatLink(journal: string, hub: string | undefined): string;
  fileHeader(bytes: Uint8Array): { journal: string; genesis: Uint8Array | null } | undefined;
  /** Only in test builds. */
  panicOnPurpose?(message: string): void;
  checkStore?(open: () => TameStore): Promise<void>;
  checkTransport?(connect: () => [TameConnection, TameConnection], held: number): Promise<void>;
}
