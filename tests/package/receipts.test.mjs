// Receipts and delivery: what a peer has, what it has signed for, and that lies are evidence.

import assert from "node:assert/strict";
import { test } from "node:test";

import { code, isoroot, made, next } from "./isoroot.mjs";

const { SyncNode, checkReceipts, contradict } = isoroot;

/** Two nodes of one journal, of which one dials the other. */
async function pair(name) {
  const hub = await made();
  await hub.start();
  await hub.listen(name);
  const node = await SyncNode.open({ journal: hub.link() });
  await node.addPeer(`pipe:${name}`);
  await node.start();
  return { hub, node, peer: `pipe:${name}` };
}

test("f92_receipts_of_a_peer_are_a_chain_that_can_be_checked_by_others", async (t) => {
  const { hub, node, peer } = await pair("receipts");
  t.after(() => node.close());
  await assert.rejects(node.requestReceipt("pipe:nobody"), code("NOT_CONNECTED"));
  await node.append({ predicate: "p", value: 1 });
  await node.sync();
  const first = await node.requestReceipt(peer);
  await node.append({ predicate: "p", value: 2 });
  await node.sync();
  const second = await node.requestReceipt(peer, { previous: first });
  const of = { journal: node.journal, device: hub.device };
  const [one, two] = await checkReceipts([first, second], of);
  assert.deepEqual([one.entries, two.entries], [1, 2]);
  assert.deepEqual([two.root, two.device, one.previous], [await node.root(), hub.device, null]);
  assert.ok(Number.isSafeInteger(two.time) && two.time >= one.time);
  assert.equal(await contradict(first, second), false);

  await assert.rejects(checkReceipts([second], of), code("BAD_RECEIPT"));
  await assert.rejects(checkReceipts([first, second], { ...of, device: node.device }), code("BAD_RECEIPT"));
  await assert.rejects(checkReceipts([], of), code("BAD_RECEIPT"));
  for (let bit = 0; bit < first.length * 8; bit += 37) {
    const broken = first.slice();
    broken[bit >> 3] ^= 1 << (bit & 7);
    await assert.rejects(checkReceipts([broken], of), code("BAD_RECEIPT"));
  }
});

test("d13_delivery_of_an_entry_is_known", async (t) => {
  const { hub, node } = await pair("delivery");
  t.after(() => node.close());
  await node.sync();
  const delivered = next(node, "delivered");
  const { id, number } = await node.append({ predicate: "p", value: 1 });
  const told = await delivered;
  assert.deepEqual([told.device, told.journal, told.upto], [hub.device, node.journal, number]);
  assert.equal(await node.delivery(id, hub.device), "durable");
  assert.equal(await node.delivery("00".repeat(32), hub.device), null);
  assert.deepEqual(await node.deliveries(), [{ device: hub.device, upto: 1, pending: 0 }]);
  await node.stop();
  const late = await node.append([{ predicate: "p", value: 2 }]);
  assert.equal(await node.delivery(late.id, hub.device), "pending");
  assert.deepEqual(await node.deliveries(), [{ device: hub.device, upto: 1, pending: 1 }]);
});
