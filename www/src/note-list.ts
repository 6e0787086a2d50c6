// The list of notes in the page.

import type { SyncNode } from "isoroot";

import { Notebook, PREFIX, type Note } from "./notebook.js";
import { count, find, made, part, say } from "./page.js";
import { hueOfDevice } from "./pattern.js";
import { saveProof } from "./prove.js";

/** How many notes are shown at most. */
const SHOWN = 500;
/** How long notes are gathered before the list is drawn. */
const GATHER = 30;

/** Shows the notes that are there, and each that comes; ends with an error when reading does. */
export async function showNotes(node: SyncNode): Promise<void> {
  const notebook = new Notebook(SHOWN);
  let waiting = false;
  for await (const fact of node.facts({ prefix: PREFIX, live: true })) {
    notebook.add(fact);
    if (waiting) continue;
    waiting = true;
    // Not before the next frame: a hidden page has none, and its title and count matter too.
    setTimeout(() => {
      waiting = false;
      draw(notebook, node);
    }, GATHER);
  }
}

function draw(notebook: Notebook, node: SyncNode): void {
  const list = part<HTMLOListElement>("notes");
  const items = new Map([...list.children].map((item) => [(item as HTMLElement).dataset["fact"], item]));
  const newest = notebook.newest;
  newest.forEach((note, index) => {
    const item = items.get(note.fact) ?? itemOf(note, node);
    items.delete(note.fact);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const item of items.values()) item.remove();
  find("#notes-empty").hidden = notebook.count > 0;
  const all = notebook.count.toLocaleString("en");
  const cut = notebook.count > newest.length;
  say(find("#notes-count"), cut ? `the newest ${newest.length} of ${all}` : count(notebook.count, "note", "notes"));
}

function itemOf(note: Note, node: SyncNode): HTMLLIElement {
  const item = made("li", "note");
  item.dataset["fact"] = note.fact;
  const text = made("p", "text", note.text);
  text.dir = "auto";
  const line = made("p", "by");
  const dot = made("span", "dot");
  dot.style.setProperty("--device", String(hueOfDevice(note.device)));
  const device = made("code", "digits", note.device.slice(0, 6));
  device.title = `Device ${note.device}`;
  line.append(dot, device);
  if (note.device === node.device) line.append(made("span", "own", "this device"));
  line.append(timeOf(note.written));
  const prove = made("button", "prove", "Prove it");
  prove.type = "button";
  prove.title = "Save a proof of this note, to be checked by whoever has the root";
  prove.addEventListener("click", () => void saveProof(node, note.entry));
  line.append(prove);
  item.append(text, line);
  return item;
}

function timeOf(microseconds: number): HTMLTimeElement {
  const date = new Date(microseconds / 1_000);
  const today = date.toDateString() === new Date().toDateString();
  const shown = date.toLocaleString("en-GB", today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
  const time = made("time", "", shown);
  time.dateTime = date.toISOString();
  return time;
}
