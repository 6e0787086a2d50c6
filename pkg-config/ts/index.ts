// Isoroot for JavaScript: journals of small facts, equal on every device, proved by one Merkle root.

export { BloomFilter } from "./bloom.js";
export {
  storeId,
  type Appending,
  type Connection,
  type Noting,
  type NumberedEntry,
  type Store,
  type StoredEntry,
  type Transport,
} from "./custom.js";
export { IsorootError, type Fault } from "./errors.js";
export { SyncNodeEvent, type SyncNodeEventMap, type SyncNodeListener, type SyncPhase, type SyncReport } from "./events.js";
export type { Entry, Fact, FactRecord, FactsOptions, FactValue, HeldEntry, Query, Range } from "./facts.js";
export { fileHeader, type FileHeader, type FileSource, type ImportReport } from "./files.js";
export { Identity } from "./identity.js";
export {
  authorityId,
  bytes,
  deviceId,
  entryId,
  journalId,
  type AuthorityId,
  type DeviceId,
  type EntryId,
  type FactId,
  type Hex,
  type JournalId,
  type Position,
  type Root,
  type StoreId,
} from "./ids.js";
export { SyncNode } from "./node.js";
export type { CreateOptions, NodeOptions, OpenOptions, Permission, Permissions } from "./options.js";
export { verify, verifyProof, type Proved, type Verified } from "./proofs.js";
export { checkReceipts, contradict, type Delivery, type PeerDelivery, type Receipt } from "./receipts.js";
export type { Statistics } from "./statistics.js";
export type { Appended, PeerInfo, PeerSync, State, Status } from "./status.js";
export type { Judged, Received, ReceiveOptions, Rejected, Submission } from "./verification.js";
export type { WaitOptions } from "./wait.js";
