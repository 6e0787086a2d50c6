// The ten lines that every consumer runs, unchanged.

import { SyncNode } from "isoroot";

export async function run() {
  const one = await SyncNode.create({ name: "consumers" });
  const two = await SyncNode.create({ name: "consumers", peers: ["pipe:one"] });
  await one.listen("one");
  await one.append({ predicate: "note/1", value: "Buy bread" });
  await Promise.all([one.start(), two.start()]);
  const [sync] = await two.sync();
  const facts = [];
  for await (const fact of two.facts({ prefix: "note/" })) facts.push(fact.value);
  const equal = (await one.root()) === (await two.root());
  await Promise.all([one.close(), two.close()]);
  return { facts, equal, error: sync.error?.code ?? null };
}
