// The tile: the root of this device as a picture, as digits, and as the colour of the page and the tab.

import type { Status } from "isoroot";

import { count, find, part, say } from "./page.js";
import { draw, drawAsAddress, hueOf } from "./pattern.js";

let shown = "";

/** Shows the root and how many entries it stands for. */
export function showRoot({ root, entries }: Status): void {
  const card = part("root");
  card.dataset["entries"] = String(entries);
  say(find(".entries", card), count(entries, "entry", "entries"));
  if (root === shown) return;
  shown = root;
  card.dataset["root"] = root;
  const digits = root.slice(0, 8);
  const tile = find(".tile", card);
  tile.setAttribute("aria-label", `Tile of the root that begins with ${digits}`);
  tile.replaceChildren(draw(root));
  const hex = find(".hex", card);
  say(hex, digits);
  hex.title = root;
  document.documentElement.style.setProperty("--hue", String(hueOf(root)));
  document.title = `${digits} · Isoroot notes`;
  find<HTMLLinkElement>("#icon").href = drawAsAddress(root);
}
