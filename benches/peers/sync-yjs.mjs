// What Yjs takes to make two documents equal, with the messages of y-protocols, as its WebSocket provider sends
// them: the state vector of each (step 1), and what the other lacks by it (step 2).

import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { messageYjsSyncStep1, readSyncMessage, writeSyncStep1 } from "y-protocols/sync";
import * as Y from "yjs";

import { measure } from "./documents.mjs";

/** The provider's byte for a message of the sync protocol. */
const SYNC = 0;
/** Bytes of an answer that says nothing: two of kinds, one of length, two counts of 0. */
const EMPTY = 5;

const list = (document) => document.getArray("entries");

function add(document, ids) {
  for (const id of ids) list(document).push([id]);
  return document;
}

function copy(base) {
  const document = new Y.Doc();
  Y.applyUpdate(document, base);
  return document;
}

function step1(document) {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, SYNC);
  writeSyncStep1(encoder, document);
  return encoding.toUint8Array(encoder);
}

/** Takes a message; the answer, if it has one. */
function take(document, message) {
  const decoder = decoding.createDecoder(message);
  decoding.readVarUint(decoder);
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, SYNC);
  const kind = readSyncMessage(decoder, encoder, document, undefined);
  return kind === messageYjsSyncStep1 ? encoding.toUint8Array(encoder) : undefined;
}

/** Whether an answer has entries: one without is of two empty lists. */
const carries = (answer) => answer.length > EMPTY;

function* sync([one, other]) {
  const asked = step1(one);
  yield { end: 0, message: asked, legs: 0 };
  const told = take(other, asked);
  yield { end: 1, message: told, entries: carries(told), legs: 1 };
  const askedBack = step1(other);
  yield { end: 1, message: askedBack, legs: 1 };
  take(one, told);
  const toldBack = take(one, askedBack);
  yield { end: 0, message: toldBack, entries: carries(toldBack), legs: 2 };
  take(other, toldBack);
  yield { end: 1 };
  return [one, other];
}

const base = (ids) => Y.encodeStateAsUpdate(add(new Y.Doc(), ids));
measure("yjs", { base, copy, add, sync, size: (document) => list(document).length });
