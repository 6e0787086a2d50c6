// How others join: the commands of the native tool, the page's own address with the journal, and copying.

import type { SyncNode } from "isoroot";

import { linkOfThisPage, ownHub } from "./journal.js";
import { find, part, say } from "./page.js";

/** How long a button says that it has copied. */
const COPIED = 2_000;

/** The hub that the link in the page's address names, if any. */
function hubOfThisPage(): string | undefined {
  const [, hub] = linkOfThisPage()?.split("?hub=") ?? [];
  try {
    return hub && decodeURIComponent(hub);
  } catch {
    return undefined;
  }
}

/** Shows how to join this journal. */
export function showWaysToJoin(node: SyncNode): void {
  // Written anew: what stands in the address may be anybody's, and the commands go into a shell.
  const link = node.link(hubOfThisPage() ?? ownHub());
  const commands = [
    `isoroot open '${link}' --store demo.redb`,
    `isoroot append note/terminal '"Hello from the terminal"' --store demo.redb`,
    "isoroot sync --store demo.redb",
    "isoroot root --store demo.redb",
  ];
  say(find("#commands"), commands.join("\n"));
  say(find("#invitation"), `${location.origin}${location.pathname}#${link}`);
  part<HTMLAnchorElement>("second-device").href = `${location.pathname}${location.hash}`;
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    const source = find(`#${button.dataset["copy"] ?? ""}`);
    button.addEventListener("click", () => void copy(source, button));
  }
}

async function copy(source: HTMLElement, button: HTMLButtonElement): Promise<void> {
  const offer = button.dataset["offer"] ?? button.textContent ?? "";
  button.dataset["offer"] = offer;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
  } catch {
    // Without leave to write the clipboard, or where the page has none.
    getSelection()?.selectAllChildren(source);
    said = "Selected";
  }
  button.textContent = said;
  setTimeout(() => (button.textContent = offer), COPIED);
}
