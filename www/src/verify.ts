// The page that checks a proof: a root, a file, and yes or no. No journal, no hub, no account.

import { IsorootError, verify, type Verified } from "isoroot";

import { count, find, made, part, say } from "./page.js";
import { hueOfDevice } from "./pattern.js";

/** The longest file that can be evidence: an entry of 1 MiB, and a proof. */
const LONGEST = 1_048_576 + 65_536;

/** What has been chosen so far. */
let chosen: Uint8Array | undefined;
/** The same, or with one bit changed to see what that does. */
let proof: Uint8Array | undefined;
/** Counts the checks, so that a late answer does not overwrite a newer one. */
let turn = 0;

const FLIP = "Flip a bit of the proof";

type State = "empty" | "in" | "absent" | "false";

const ICONS: Record<State, string> = { empty: "#i-empty", in: "#i-in", absent: "#i-absent", false: "#i-false" };

function show(state: State, title: string, detail: string): void {
  const verdict = part("verdict");
  verdict.dataset["state"] = state;
  find("use", verdict).setAttribute("href", ICONS[state]);
  say(find(".verdict-title", verdict), title);
  say(find(".verdict-detail", verdict), detail);
}

/** The root as it was pasted: hex digits, with whatever stands around them in a line of `isoroot root`. */
function rootOf(text: string): string | undefined {
  return /(?:^|[^0-9a-f])([0-9a-f]{64})(?:$|[^0-9a-f])/i.exec(text)?.[1]?.toLowerCase();
}

async function check(): Promise<void> {
  const own = ++turn;
  const text = part<HTMLInputElement>("root-input").value.trim();
  const root = rootOf(text);
  find("#evidence").hidden = true;
  find("#flip").hidden = proof === chosen;
  if (root === undefined) {
    if (text !== "") return show("false", "That is no root", "A root has 64 hex digits.");
    return show("empty", "Nothing to check yet", proof === undefined ? "Paste a root and choose a proof." : "Paste the root to check it against.");
  }
  if (proof === undefined) return show("empty", "Nothing to check yet", "Choose a proof.");
  try {
    const evidence = await verify(proof, root);
    if (own !== turn) return;
    if (evidence.in) {
      show("in", "Yes, it is in the journal", `Its device signed it, and it is one of the ${among(evidence.entries)} under this root.`);
    } else {
      show("absent", "It is not in the journal", `Of the ${among(evidence.entries)} under this root none has this id: that is proved too.`);
    }
    showEvidence(evidence);
    find("#flip").hidden = false;
  } catch (error) {
    if (own !== turn) return;
    if (!(error instanceof IsorootError)) throw error;
    const title = { PROOF_FALSE: "No: the proof does not hold", PROOF_MALFORMED: "This is no proof" }[error.code];
    show("false", title ?? "This page has failed", sentence(error.message));
  }
}

function among(entries: number): string {
  return count(entries, "entry", "entries");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

function showEvidence(evidence: Verified): void {
  const [about, facts] = [find(".about"), part("facts")];
  about.replaceChildren(...pair("Entry", made("code", "", evidence.id)), ...pair("Journal", made("code", "", evidence.journal)));
  facts.replaceChildren();
  say(find("#evidence-title"), evidence.in ? "The entry" : "What was asked for");
  if (evidence.in) {
    const { entry } = evidence;
    const device = made("span", "signer");
    const dot = made("span", "dot");
    dot.style.setProperty("--device", String(hueOfDevice(entry.device)));
    device.append(dot, made("code", "", entry.device));
    const time = made("time", "", new Date(entry.timestamp / 1_000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }));
    about.append(...pair("Signed by", device), ...pair("Written", time));
    for (const fact of entry.facts) {
      const item = made("li", "fact");
      item.append(made("code", "predicate", fact.predicate), made("span", "value", shown(fact.value)));
      facts.append(item);
    }
  }
  find("#evidence").hidden = false;
}

function pair(term: string, value: HTMLElement): [HTMLElement, HTMLElement] {
  const description = document.createElement("dd");
  description.append(value);
  return [made("dt", "", term), description];
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return inner.toString();
    return inner instanceof Uint8Array ? `${inner.length} bytes` : inner;
  });
}

async function take(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  if (file.size > LONGEST) {
    chosen = proof = undefined;
    turn += 1;
    return show("false", "This is no proof", `The file has ${file.size.toLocaleString("en")} bytes, more than any proof.`);
  }
  chosen = proof = new Uint8Array(await file.arrayBuffer());
  say(find("#flip-bit"), FLIP);
  await check();
}

/** Changes one bit, chosen anew each time, or puts it back. */
function flip(): void {
  if (chosen === undefined || chosen.length === 0) return;
  if (proof !== chosen) {
    proof = chosen;
  } else {
    proof = chosen.slice();
    const place = Math.floor(Math.random() * proof.length);
    proof[place] = (proof[place] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
  }
  say(find("#flip-bit"), proof === chosen ? FLIP : "Put the bit back");
  obeyed(check());
}

const failed = (error: unknown): void => show("false", "This page has failed", error instanceof Error ? error.message : String(error));
const obeyed = (work: Promise<void>): void => void work.catch(failed);

addEventListener("unhandledrejection", ({ reason }) => failed(reason));
part("root-input").addEventListener("input", () => obeyed(check()));
find("#check-form").addEventListener("submit", (event) => event.preventDefault());
part<HTMLInputElement>("proof-input").addEventListener("change", ({ currentTarget }) => {
  obeyed(take((currentTarget as HTMLInputElement).files?.[0]));
});
find("#flip-bit").addEventListener("click", flip);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  obeyed(take(event.dataTransfer?.files[0]));
});

// A link may bring the root: /verify.html#ROOT.
part<HTMLInputElement>("root-input").value = rootOf(location.hash.slice(1)) ?? "";
obeyed(check());
document.documentElement.dataset["ready"] = "true";
