// Ids: lower-case hex that the compiler tells apart, and their bytes.

import { IsorootError } from "./errors.js";

declare const kind: unique symbol;

/** Lower-case hex that names a thing of one kind. */
export type Hex<Kind extends string> = string & { readonly [kind]: Kind };
/** Names a journal: the hash of its first bytes. */
export type JournalId = Hex<"journal">;
/** Names a device: its Ed25519 public key. */
export type DeviceId = Hex<"device">;
/** Names an authority: an Ed25519 public key. */
export type AuthorityId = Hex<"authority">;
/** Names an entry: a hash over its journal and its signed bytes. */
export type EntryId = Hex<"entry">;
/** Names one store. */
export type StoreId = Hex<"store">;
/** A Merkle root. Two nodes are in sync exactly when theirs are equal. */
export type Root = Hex<"root">;
/** Names a fact: its entry, a colon, its place there. */
export type FactId = string & { readonly [kind]: "fact" };
/** A reader's place in a journal, as one store keeps it: text to be kept and given back. */
export type Position = string & { readonly [kind]: "position" };

/** The bytes of an id or root. */
export function bytes(id: Hex<string>): Uint8Array {
  const out = new Uint8Array(id.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(id.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** A journal's id, from hex or its 32 bytes. */
export function journalId(id: string | Uint8Array): JournalId {
  return hex(id) as JournalId;
}

/** A device's id, from hex or its 32 bytes. */
export function deviceId(id: string | Uint8Array): DeviceId {
  return hex(id) as DeviceId;
}

/** An authority's id, from hex or its 32 bytes. */
export function authorityId(id: string | Uint8Array): AuthorityId {
  return hex(id) as AuthorityId;
}

/** An entry's id, from hex or its 32 bytes. */
export function entryId(id: string | Uint8Array): EntryId {
  return hex(id) as EntryId;
}

function hex(id: string | Uint8Array): string {
  const text = typeof id === "string" ? id : Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new IsorootError("INVALID_ID", "an id is 32 bytes, as bytes or hex");
  return text.toLowerCase();
}
