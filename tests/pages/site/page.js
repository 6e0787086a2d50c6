// A page with nothing on it: the package as installed, for stories that need no demo.

import * as isoroot from "./package/dist/browser.js";

const codec = new TextEncoder();

/** The bytes of a stored value, whatever it is made of, so that two equal contents have equal numbers of them. */
function bytesOf(value) {
  if (value instanceof ArrayBuffer) return value.byteLength;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value === "string") return codec.encode(value).length;
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + bytesOf(item), 0);
  if (value !== null && typeof value === "object") {
    return Object.entries(value).reduce((sum, [key, item]) => sum + codec.encode(key).length + bytesOf(item), 0);
  }
  return 8;
}

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** What each database of the origin holds: records and bytes, by database and object store. */
async function stored() {
  const found = {};
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const objects = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([done(objects.getAllKeys()), done(objects.getAll())]);
      found[`${name}/${store}`] = { records: keys.length, bytes: bytesOf(keys) + bytesOf(values) };
    }
    database.close();
  }
  return found;
}

/** Opens a node and starts it, for those who dial somebody. */
async function open({ journal, ...options }) {
  const { SyncNode } = isoroot;
  globalThis.node = journal ? await SyncNode.open({ journal, ...options }) : await SyncNode.create(options);
  await globalThis.node.start();
  return globalThis.node.device;
}

/** All facts, as far as tests look at them. */
async function facts(prefix) {
  const found = [];
  for await (const { predicate, value, entry, number, device } of globalThis.node.facts(prefix ? { prefix } : {})) {
    found.push({ predicate, value, entry, number, device });
  }
  return found;
}

Object.assign(globalThis, { isoroot, open, facts, stored });
document.documentElement.dataset.ready = "true";
