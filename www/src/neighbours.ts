// The other tabs of this browser, which tell each other their roots directly: what the tiles are compared by.

import type { Status, SyncNode } from "isoroot";

import { find, made, part } from "./page.js";
import { draw, hueOfDevice } from "./pattern.js";

interface Word {
  readonly device: string;
  /** Empty when the tab goes. */
  readonly root: string;
  readonly entries: number;
  /** Whether the others are asked to say theirs. */
  readonly asks: boolean;
}

/** How often a tab says its root though nothing has changed. */
const AGAIN = 10_000;
/** When a tab that says nothing is gone: browsers let hidden ones speak once a minute. */
const GONE = 150_000;

/** Tells the other tabs this one's root, and shows theirs. Returns what is to be told each change. */
export function meetNeighbours(node: SyncNode): (status: Status) => void {
  const channel = new BroadcastChannel(`isoroot-demo:${node.journal}`);
  const heard = new Map<string, Word & { at: number }>();
  let own: Word = { device: node.device, root: "", entries: 0, asks: false };
  const tell = (asks: boolean) => {
    if (own.root !== "") channel.postMessage({ ...own, asks });
  };
  const show = () => {
    for (const [device, { at }] of heard) if (Date.now() - at > GONE) heard.delete(device);
    drawAll([...heard.values()].sort((one, other) => (one.device < other.device ? -1 : 1)), own.root);
  };
  channel.onmessage = ({ data }: MessageEvent<Word>) => {
    if (data.root === "") heard.delete(data.device);
    else heard.set(data.device, { ...data, at: Date.now() });
    if (data.asks) tell(false);
    show();
  };
  addEventListener("pagehide", () => channel.postMessage({ ...own, root: "", asks: false }));
  setInterval(() => {
    tell(false);
    show();
  }, AGAIN);
  return ({ root, entries }) => {
    if (root === own.root) return;
    const first = own.root === "";
    own = { ...own, root, entries };
    tell(first);
    show();
  };
}

function drawAll(words: readonly Word[], own: string): void {
  find("#neighbours").replaceChildren(...words.map((word) => itemOf(word, own)));
  part("second-device").textContent = words.length === 0 ? "Open a second device" : "Open one more device";
}

function itemOf(word: Word, own: string): HTMLLIElement {
  const same = word.root === own;
  const item = made("li", same ? "neighbour same" : "neighbour");
  const tile = made("span", "small-tile");
  tile.append(draw(word.root));
  const dot = made("span", "dot");
  dot.style.setProperty("--device", String(hueOfDevice(word.device)));
  const name = made("span", "neighbour-name");
  name.append(dot, made("code", "digits", word.device.slice(0, 6)));
  const text = made("span", "neighbour-text");
  text.append(name, made("strong", "", same ? "same tile, same notes" : "differs from this device"));
  item.append(tile, text);
  return item;
}
