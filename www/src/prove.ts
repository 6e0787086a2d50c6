// Saving the proof that a note is in the journal, as a file, and where it can be checked.

import type { EntryId, SyncNode } from "isoroot";

import { find } from "./page.js";
import { showProblem } from "./problem.js";

/** Saves the proof of an entry, and offers the page that checks it, with the root that it holds for. */
export async function saveProof(node: SyncNode, entry: EntryId): Promise<void> {
  try {
    // A proof is of one moment. Should an entry come between the two, both are asked for again.
    let root;
    let proof;
    do {
      root = await node.root();
      proof = await node.prove(entry);
    } while (root !== (await node.root()));
    save(proof, `${entry.slice(0, 8)}.proof`);
    offerCheck(root);
  } catch (error) {
    showProblem(error);
  }
}

function save(bytes: Uint8Array, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function offerCheck(root: string): void {
  const proved = find("#proved");
  find<HTMLAnchorElement>("a", proved).href = `/verify.html#${root}`;
  proved.hidden = false;
}
