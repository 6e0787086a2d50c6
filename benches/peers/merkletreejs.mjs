// Takes the time of merkletreejs, with the hash function of Node: `node --expose-gc merkletreejs.mjs`. Prints
// a figure a line, as JSON. The ids go in as they are: no hash for each leaf.

import { createHash } from "node:crypto";

import { MerkleTree } from "merkletreejs";

import { allHold, figure, MILLION, PROOFS, timed } from "./figures.mjs";

/** Of those that rebuild or search the whole tree. */
const FEW = 2;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

function id(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return sha256(bytes);
}

const ids = (first, count) => Array.from({ length: count }, (_, i) => id(first + i));

function held() {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const build = (leaves) => new MerkleTree(leaves, sha256);

build(ids(0, 10_000));
const few = ids(0, MILLION / 10);
timed(`build ${few.length}`, 1, () => build(few));
const before = held();
let leaves = ids(0, MILLION);
const tree = timed(`build ${MILLION}`, 1, () => build(leaves));
leaves = undefined;
const bytes = held() - before;

const asked = Array.from({ length: PROOFS }, (_, i) => (i * 611_953) % MILLION).map((at) => ({ at, id: id(at) }));
const proofs = timed("make", 1_000 / PROOFS, () => asked.map(({ at, id }) => tree.getProof(id, at)));
const root = tree.getRoot();
const check = () => proofs.filter((proof, i) => tree.verify(proof, asked[i].id, root)).length;
allHold(timed("check", 1_000 / PROOFS, check), PROOFS);
figure("proof bytes", proofs.reduce((sum, proof) => sum + 32 * proof.length, 0) / PROOFS);
timed("make by search", 1_000 / FEW, () => asked.slice(0, FEW).map(({ id }) => tree.getProof(id)));

const one = ids(MILLION, 1);
timed("insert 1", 1_000, () => tree.addLeaf(one[0]));
const many = ids(MILLION + 1, 1_000);
timed("insert 1000", 1, () => tree.addLeaves(many));
figure("memory", bytes / MILLION);
