// What went wrong, in plain words, and what to do.

import { IsorootError } from "isoroot";

import { find, part, say } from "./page.js";

interface Problem {
  readonly title: string;
  readonly advice: string;
  /** What the button does, besides closing the message. */
  readonly act?: "reload" | "demo";
  /** Whether the page can't go on. */
  readonly final?: boolean;
}

const SAVED = "What was saved is safe in this browser.";
const PROBLEMS: Record<string, Problem> = {
  STORE_FULL: {
    title: "This browser has no room left for notes.",
    advice: "What was just added or came in is not saved. Free some disk space, or remove the data of other sites, and try again.",
  },
  STORE_OPEN: {
    title: "This browser does not let the page keep notes.",
    advice: "Private windows and strict settings forbid it. Allow site data for this page, or use another window, and reload.",
    act: "reload",
    final: true,
  },
  STORE_FAILED: {
    title: "The browser's store has failed.",
    advice: `The last note may not be saved. ${SAVED} Reload the page.`,
    act: "reload",
  },
  STORE_EVICTED: {
    title: "The notes on this device were removed.",
    advice: "The browser or somebody has cleared the data of this page. Reload the page: it gets from the hub what the hub has.",
    act: "reload",
    final: true,
  },
  STORE_DAMAGED: {
    title: "The notes on this device are damaged.",
    advice: "Close this tab and open a second device: it gets the notes from the hub.",
    final: true,
  },
  STORE_TOO_NEW: {
    title: "The notes on this device were written by a newer version of this page.",
    advice: "Reload to get that version.",
    act: "reload",
    final: true,
  },
  CRASHED: {
    title: "Isoroot has stopped working in this page.",
    advice: `${SAVED} Reload the page. If it happens again, please report it.`,
    act: "reload",
    final: true,
  },
  CLOSED: { title: "The journal was closed.", advice: `${SAVED} Reload the page.`, act: "reload", final: true },
  NO_WASM: {
    title: "This browser can't run the page.",
    advice: "WebAssembly is missing or switched off. Use a current Firefox, Chrome, Edge or Safari.",
    final: true,
  },
  CSP: {
    title: "WebAssembly is forbidden here.",
    advice: "The server's Content-Security-Policy needs 'wasm-unsafe-eval' in script-src. `isoroot hub --www` sends that.",
    final: true,
  },
  LOAD: {
    title: "The program could not be loaded.",
    advice: "Look whether the hub still runs and the browser is a current one, and reload.",
    act: "reload",
    final: true,
  },
  OLD_BROWSER: {
    title: "This browser is too old for the page.",
    advice: "Use a current Firefox, Chrome, Edge or Safari.",
    final: true,
  },
  INVALID_LINK: {
    title: "The address of this page names no journal.",
    advice: "After # there should be a whole link, isoroot: and 64 digits. Check how it was copied.",
    act: "demo",
    final: true,
  },
  INVALID_FACTS: { title: "This note can't be saved.", advice: "It may be too long: shorten it and add it again." },
  REFUSED: {
    title: "The hub turns this device away.",
    advice: "Notes stay on this device. Below is what the hub said. Whoever runs it can list the journal (--journals) or name this address (--name).",
  },
  VERSION: {
    title: "The hub speaks another version of Isoroot.",
    advice: "Notes stay on this device. Reload the page, or update the hub.",
    act: "reload",
  },
  UNEXPECTED: { title: "Something unexpected has happened in this page.", advice: `${SAVED} Reload the page.`, act: "reload" },
};
const OTHER: Problem = { title: "That did not work.", advice: "Try again, or reload the page.", act: "reload" };
const SAME: Record<string, string> = { INVALID_ID: "INVALID_LINK", STORE_IN_USE: "STORE_OPEN" };

/** An error of the page itself, with one of the codes above. */
export class PageError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

let final = false;
let lasting = "";

/** Shows a problem until it is dismissed, or another one comes. One that ends the page stays. */
export function showProblem(error: unknown): void {
  console.error(error);
  if (final) return;
  const code = IsorootError.is(error) || error instanceof PageError ? error.code : "UNEXPECTED";
  const problem = PROBLEMS[SAME[code] ?? code] ?? OTHER;
  final = problem.final ?? false;
  if (final) showEnd();
  const box = part("error");
  box.dataset["code"] = code;
  say(find(".problem-title", box), problem.title);
  say(find(".problem-advice", box), problem.advice);
  say(find(".problem-code", box), `${code}: ${error instanceof Error ? error.message : String(error)}`);
  const act = find<HTMLButtonElement>("#problem-act");
  act.hidden = problem.act === undefined;
  act.textContent = problem.act === "demo" ? "Open the demo's journal" : "Reload";
  act.onclick = () => {
    if (problem.act === "demo") location.hash = "";
    location.reload();
  };
  const close = find<HTMLButtonElement>("#problem-close");
  close.hidden = final;
  close.onclick = hideProblem;
  box.hidden = false;
}

/** What the page said of the hub no longer holds, and nothing can be written. */
function showEnd(): void {
  const line = part("status");
  line.dataset["state"] = "offline";
  find("use", line).setAttribute("href", "#i-offline");
  say(find(".status-text", line), "Not connected");
  say(find(".status-detail", line), "");
  for (const control of document.querySelectorAll<HTMLButtonElement | HTMLInputElement>("#composer input, main button")) {
    control.disabled = true;
  }
}

function hideProblem(): void {
  const box = part("error");
  box.hidden = true;
  box.dataset["code"] = "";
}

/** Shows a problem that goes on, and not again once it was dismissed; none takes the last one back. */
export function showLasting(error: IsorootError | null): void {
  if (lasting === (error?.code ?? "")) return;
  if (!final && lasting !== "" && part("error").dataset["code"] === lasting) hideProblem();
  lasting = error?.code ?? "";
  if (error !== null) showProblem(error);
}
