// What Automerge takes to make two documents equal that have not met on this connection: sync messages in turn,
// until neither side has one more.

import * as Automerge from "@automerge/automerge";

import { measure } from "./documents.mjs";

function add(document, ids) {
  for (const id of ids) document = Automerge.change(document, (draft) => void draft.entries.push(id));
  return document;
}

function* sync(documents) {
  const states = [Automerge.initSyncState(), Automerge.initSyncState()];
  // Two that find nothing to say, one after the other, are done.
  for (let [legs, silent] = [0, 0]; silent < 2; legs++) {
    const end = legs % 2;
    const [state, message] = Automerge.generateSyncMessage(documents[end], states[end]);
    states[end] = state;
    silent = message ? 0 : silent + 1;
    yield { end, message, legs, entries: message && Automerge.decodeSyncMessage(message).changes.length > 0 };
    if (!message) continue;
    [documents[1 - end], states[1 - end]] = Automerge.receiveSyncMessage(documents[1 - end], states[1 - end], message);
    yield { end: 1 - end };
  }
  return documents;
}

const base = (ids) => add(Automerge.from({ entries: [] }), ids);
const copy = (document) => Automerge.clone(document);
measure("automerge", { base, copy, add, sync, size: (document) => document.entries.length });
