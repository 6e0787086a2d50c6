// The public types, used as they are meant to be and, where an error is expected, as they are not.

import { bytes, type EntryId, type Fact, IsorootError, journalId, type JournalId, SyncNode } from "isoroot";

export async function sample(signal: AbortSignal): Promise<void> {
  await using node = await SyncNode.open({ journal: "isoroot:00", store: "notes", peers: ["wss://h/"], signal });
  const journal: JournalId = node.journal;
  const raw: Uint8Array = bytes(journal);
  const again: JournalId = journalId(raw);
  const fact: Fact = { predicate: "note/1", value: { text: "x", tags: ["a", 1n], raw } };
  const { id }: { id: EntryId } = await node.append([fact], { timeout: 1_000 });
  node.addEventListener("synced", (event) => event.detail.report.entries.toFixed());
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
