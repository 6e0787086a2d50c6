// The built package under test, and what the tests share.

import { after } from "node:test";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
/** The folder of the package that can be made to panic. */
export const dist = join(target, "package", "test", "isoroot", "dist");
export const isoroot = await import(pathToFileURL(join(dist, "node.js")).href);
export const { SyncNode, IsorootError } = isoroot;

const nodes = [];
after(() => Promise.all(nodes.map((node) => node.close())));

/** A node that is closed at the end. */
export async function made(options) {
  const node = await SyncNode.create(options);
  nodes.push(node);
  return node;
}

/** All facts of an iterator. */
export async function all(facts) {
  const found = [];
  for await (const fact of facts) found.push(fact);
  return found;
}

/** Runs something under a wall clock that is so many milliseconds ahead. */
export async function ahead(milliseconds, what) {
  const now = Date.now;
  Date.now = () => now() + milliseconds;
  try {
    return await what();
  } finally {
    Date.now = now;
  }
}

/** The next event of this type. */
export function next(node, type) {
  return new Promise((resolve) => node.addEventListener(type, (event) => resolve(event.detail), { once: true }));
}

/** For `assert.rejects`: an error with this code. */
export function code(expected) {
  return (error) => {
    if (!IsorootError.is(error)) throw error;
    if (error.code !== expected) throw new Error(`${expected} expected, not ${error.code}: ${error.message}`);
    return true;
  };
}
