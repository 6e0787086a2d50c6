// The public types, used as they are meant to be and, where an error is expected, as they are not.

import {
  bytes, type Connection, type EntryId, type Fact, fileHeader, Identity, IsorootError, journalId, type JournalId, type Store, storeId, SyncNode, type Transport,
} from "isoroot";

const notes = new Map<string, Uint8Array>();
/** Always empty: it is the types that are looked at. */
const store: Store = {
  id: storeId(),
  head: () => 0,
  append: async (_journal, at, entries) => ({ done: true, head: at + entries.length }),
  read: () => [],
  fetch: async (_journal, numbers) => numbers.slice(0, 0).map((number) => ({ number, id: "" as EntryId, bytes: new Uint8Array() })),
  ids: () => [],
  note: async (key) => notes.get(key) ?? null,
  setNote: (key, expected, value) => (value && expected === null ? (notes.set(key, value), { done: true }) : { done: false, now: null }),
  notes: () => [...notes],
};
const connection: Connection = { send: async () => {}, receive: async () => null, close: () => {} };
const transport: Transport = { connect: async (address, signal) => (signal.aborted || !address ? Promise.reject() : connection) };

export async function custom(): Promise<void> {
  const node = await SyncNode.create({ store, transports: { mine: transport }, identity: Identity.generate(), peers: ["mine:x"] });
  await node.accept(connection);
  await SyncNode.create({ identity: new Identity(new Uint8Array(32)).exposeSeed() });
  // @ts-expect-error: a store without methods
  await SyncNode.create({ store: { id: storeId() } });
  // @ts-expect-error: a key is bytes
  await SyncNode.create({ identity: "00" });
}

export async function files(file: Blob, signal: AbortSignal): Promise<void> {
  const { journal, genesis } = await fileHeader(file);
  const node = await (genesis ? SyncNode.create({ genesis }) : SyncNode.open({ journal }));
  const { imported, fileRoot, root } = await node.import(file, { signal });
  console.log(imported.toFixed(), fileRoot === root);
  await node.import(new Blob([new Uint8Array(3)]).stream()).catch((error: IsorootError) => error.done?.entries.toFixed());
  await node.export({ signal }).pipeTo(new WritableStream<Uint8Array>());
  // @ts-expect-error: a file is bytes
  await node.import("notes.isoroot");
}

export async function sample(signal: AbortSignal): Promise<void> {
  await using node = await SyncNode.open({ journal: "isoroot:00", store: "notes", peers: ["wss://h/"], replyTimeout: 10_000, signal });
  const journal: JournalId = node.journal;
  const raw: Uint8Array = bytes(journal);
  const again: JournalId = journalId(raw);
  const fact: Fact = { predicate: "note/1", value: { text: "x", tags: ["a", 1n], raw } };
  const { id }: { id: EntryId } = await node.append([fact], { timeout: 1_000 });
  node.addEventListener("synced", (event) => event.detail.report.entries.toFixed());
  node.addEventListener("phase", ({ detail }) => console.log(detail.peer, detail.phase === "live"));
  node.addEventListener("syncFailed", ({ detail }) => console.log(detail.error.retryable));
  // @ts-expect-error: no such phase
  node.addEventListener("phase", ({ detail }) => detail.phase === "over");
  await node.synced({ peer: "wss://h/", signal });
  const wait: number | null | undefined = (await node.peers())[0]?.nextAttempt;
  console.log(wait, (await node.status()).waiting.toFixed());
  node.addEventListener("crashed", ({ detail }) => detail.error.code.toLowerCase());
  for await (const { value, number } of node.facts({ live: true, prefix: "note/", signal })) {
    if (typeof value === "bigint") console.log(number + 1, value + 1n);
  }
  for (const done of await node.sync({ peers: ["wss://h/"] })) {
    if (done.error) console.log(done.error.retryable);
    else console.log(done.report.root, again);
  }
  try {
    await node.start({ signal });
  } catch (error) {
    if (IsorootError.is(error)) console.log(error.code, error.cause);
  }
  // @ts-expect-error: an id of another kind
  await node.get(journal);
  // @ts-expect-error: any text
  await node.get("00");
  // @ts-expect-error: no such event
  node.addEventListener("sinced", () => {});
  // @ts-expect-error: a value that no fact can hold
  await node.append({ predicate: "p", value: undefined });
  // @ts-expect-error: nodes are made by create and open
  new SyncNode();
  // @ts-expect-error: no such option
  await SyncNode.create({ nmae: "x" });
  console.log(await node.get(id));
}
