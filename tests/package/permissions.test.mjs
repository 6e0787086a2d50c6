// Who may read and write: told when a node is made, held to by the node.

import assert from "node:assert/strict";
import { test } from "node:test";

import { code, isoroot, made } from "./isoroot.mjs";

const { SyncNode } = isoroot;

test("f89_who_may_read_and_write_is_told_when_a_node_is_made", async (t) => {
  const nodes = [];
  t.after(() => Promise.all(nodes.map((node) => node.close())));
  const first = await made();
  const joined = async (options) => {
    const node = await SyncNode.open({ journal: first.link(), ...options });
    await node.append({ predicate: "by", value: nodes.length });
    nodes.push(node);
    return node;
  };
  const [writer, reader, other] = [await joined(), await joined(), await joined()];
  const devices = { [writer.device]: "write", [reader.device]: "read" };
  const hub = await joined({ permissions: { devices, others: "denied" } });
  nodes.push(first);
  await hub.start();
  await hub.listen("permissions");
  const sync = async (node) => {
    await node.addPeer("pipe:permissions");
    await node.start();
    const [{ report, error }] = await node.sync();
    return report ?? error;
  };
  assert.equal((await sync(writer)).refused, 0);
  const read = await sync(reader);
  assert.equal(read.refused, 1);
  const denied = await sync(other);
  assert.deepEqual([denied.code, denied.peerCode], ["REFUSED", "DENIED"]);
  const entries = async (node) => (await node.status()).entries;
  assert.deepEqual(await Promise.all([writer, reader, other, hub].map(entries)), [2, 3, 1, 2]);
});

test("f89_what_is_no_permission_or_no_device_is_an_error", async () => {
  const open = (permissions) => SyncNode.create({ permissions });
  await assert.rejects(open({ others: "all" }), code("INVALID_PERMISSION"));
  await assert.rejects(open({ devices: { ["00".repeat(32)]: true } }), code("INVALID_PERMISSION"));
  await assert.rejects(open({ devices: { somebody: "read" } }), code("INVALID_ID"));
  await (await open({})).close();
});
