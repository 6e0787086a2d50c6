// The demo page: opens the journal of this tab's device, and joins the parts of the page to it.
//
// In the browser's console, `isoroot.node` is the open node: try `await isoroot.node.status()`, or
// `await isoroot.node.append({ predicate: "note/console", value: "Hello" })`.

import type { SyncNode } from "isoroot";

import { takeNotes } from "./composer.js";
import { storeOfThisTab } from "./device.js";
import { HubWatch } from "./hub-watch.js";
import { showWaysToJoin } from "./join.js";
import { openJournal } from "./journal.js";
import { meetNeighbours } from "./neighbours.js";
import { showNotes } from "./note-list.js";
import { find, part, say } from "./page.js";
import { hueOfDevice } from "./pattern.js";
import { PageError, showProblem } from "./problem.js";
import { obeySwitch, showHub } from "./status.js";
import { showRoot } from "./tile.js";

declare global {
  interface Window {
    isoroot?: { readonly node: SyncNode };
  }
}

async function run(): Promise<void> {
  if (typeof indexedDB === "undefined" || typeof BroadcastChannel === "undefined") {
    throw new PageError("OLD_BROWSER", "IndexedDB or BroadcastChannel is missing");
  }
  const node = await openJournal(await storeOfThisTab()).catch((error: unknown) => {
    showClosed();
    throw error;
  });
  window.isoroot = { node };
  showDevice(node.device);
  showWaysToJoin(node);
  const tellNeighbours = meetNeighbours(node);
  const watch = new HubWatch(
    node,
    (view) => {
      showRoot(view.status);
      showHub(view);
      tellNeighbours(view.status);
      if (view.status.entries === 0) find("#notes-empty").hidden = false;
    },
    showProblem,
  );
  showNotes(node).catch(showProblem);
  takeNotes(node);
  await obeySwitch(watch);
  document.documentElement.dataset["ready"] = "true";
}

function showDevice(device: string): void {
  const chip = part("device");
  chip.dataset["device"] = device;
  chip.title = `Device ${device}`;
  say(find(".digits", chip), device.slice(0, 6));
  find(".dot", chip).style.setProperty("--device", String(hueOfDevice(device)));
}

/** No journal is open here. */
function showClosed(): void {
  say(find(".hex"), "");
  say(find(".entries"), "No journal is open");
  say(find(".status-text"), "Not connected");
}

addEventListener("error", ({ error, message }) => showProblem(error ?? new Error(message)));
addEventListener("unhandledrejection", ({ reason }) => showProblem(reason));
// Another journal is another page.
addEventListener("hashchange", () => location.reload());
// A page that comes back from the browser's memory has lost its connections and locks.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

run().catch(showProblem);
