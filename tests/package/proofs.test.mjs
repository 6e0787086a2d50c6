// Proofs: made by one node, checked by whoever has the root, and all vectors for other languages.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { code, isoroot, made } from "./isoroot.mjs";

const { verify, verifyProof } = isoroot;
const ABSENT = "00".repeat(31) + "ff";

function unhex(hex) {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

test("c5_evidence_of_a_node_is_checked_without_one", async () => {
  const node = await made();
  const facts = [{ predicate: "note/1", value: "Buy bread" }, { predicate: "note/2", value: 2n ** 60n }];
  const { id } = await node.append(facts);
  await node.append({ predicate: "note/3", value: null });
  const [root, evidence] = [await node.root(), await node.prove(id)];
  const shown = await verify(evidence, root);
  assert.deepEqual({ ...shown, entry: null }, { in: true, journal: node.journal, id, entries: 2, entry: null });
  assert.deepEqual(shown.entry, await node.get(id));
  const absent = await verify(await node.prove(ABSENT), root.toUpperCase());
  assert.deepEqual(absent, { in: false, journal: node.journal, id: ABSENT, entries: 2, entry: null });
});

test("c5_false_evidence_is_refused_with_its_reason", async () => {
  const node = await made();
  const { id } = await node.append({ predicate: "p", value: 1 });
  const [root, evidence] = [await node.root(), await node.prove(id)];
  await assert.rejects(verify(evidence, ABSENT), (error) => code("PROOF_FALSE")(error) && /another root/.test(error.message));
  await node.append({ predicate: "p", value: 2 });
  await assert.rejects(verify(evidence, await node.root()), code("PROOF_FALSE"));
  for (let bit = 0; bit < evidence.length * 8; bit += 13) {
    const broken = evidence.slice();
    broken[bit >> 3] ^= 1 << (bit & 7);
    await assert.rejects(verify(broken, root), (error) => ["PROOF_FALSE", "PROOF_MALFORMED"].includes(error.code));
  }
  for (const bytes of [new Uint8Array(), evidence.slice(1), evidence.slice(0, -1), new Uint8Array(3_000_000)]) {
    await assert.rejects(verify(bytes, root), (error) => code("PROOF_MALFORMED")(error) && error.fault === "peer");
  }
  await assert.rejects(verify("85", root), code("INVALID_PROOF"));
  await assert.rejects(verify(evidence, "85"), code("INVALID_ID"));
  await assert.rejects(node.prove("x"), code("INVALID_ID"));
  assert.equal((await verify(evidence, root)).in, true, "after all that it still is");
});

test("c5_one_proof_is_about_many_entries_in_any_order", async () => {
  const node = await made();
  const entries = Array.from({ length: 50 }, (_, i) => [{ predicate: "p", value: i }]);
  const ids = (await node.appendAll(entries)).map(({ id }) => id);
  const asked = [ids[7], ABSENT, ids[3], ids[7]];
  const { root, entries: count, proof } = await node.proveAll(asked);
  assert.deepEqual([root, count], [await node.root(), 50]);
  assert.deepEqual(await verifyProof(proof, root, asked), [true, false, true, true]);
  await assert.rejects(verifyProof(proof, root, [ids[7]]), code("PROOF_FALSE"));
  await assert.rejects(verifyProof(proof, root, []), code("INVALID_QUESTION"));
  await assert.rejects(node.proveAll([]), code("INVALID_QUESTION"));
  await node.close();
  await assert.rejects(node.proveAll(asked), code("CLOSED"));
  assert.deepEqual(await verifyProof(proof, root, asked), [true, false, true, true], "it needs no node");
});

test("c5_vectors", async () => {
  const vectors = JSON.parse(readFileSync(new URL("../vectors/proofs.json", import.meta.url), "utf8"));
  assert.ok(vectors.length >= 600);
  const malformed = [
    "version", "truncated", "trailing", "padding", "too-deep", "too-large", "not-collapsed", "empty-spelled-out",
    "nothing-asked", "count",
  ];
  for (const { name, root, ids, proof, claim, answers, reason } of vectors) {
    const checked = verifyProof(unhex(proof), root, ids);
    // Whoever claims something compares it with the answer; asking for one id twice is asking once.
    if (answers || ["absent", "present"].includes(reason)) {
      const said = await checked;
      if (answers) assert.deepEqual(said, answers, name);
      else assert.deepEqual(said, [claim !== "in"], name);
    } else if (new Set(ids).size < ids.length) {
      await checked.catch(code("PROOF_FALSE"));
    } else {
      const expected = malformed.includes(reason) ? "PROOF_MALFORMED" : reason === "question" ? "INVALID_QUESTION" : "PROOF_FALSE";
      await assert.rejects(checked, (error) => code(expected)(error) ?? true, name);
    }
  }
});
