// Of the tabs that share a store and a journal one dials: what the others ask of it, and how it answers.

import type { PlainError } from "./errors.js";
import type { Growth } from "./growth.js";
import type { RawNode, RawPeer, RawSync } from "./raw.js";
import { type Question, SILENCE, type Tabs } from "./tabs.js";
import { type Call, within } from "./wait.js";

/** How long another tab may take to say how its peers are, in milliseconds. */
const ELSEWHERE = 2_000;

/** How long to wait until another tab is asked again, at first and at most, in milliseconds. */
const AGAIN = 1_000;
const AGAIN_MAX = 30_000;

/** How long what one tab has appended may take to reach another, in milliseconds. */
const FOLLOWED = 10_000;

/** What another tab asks of the one that dials. */
export async function answer(raw: RawNode, growth: Growth, question: Question): Promise<unknown> {
  if ((await raw.status()).dials !== "this") return SILENCE;
  if (question.what === "peers") return raw.peers();
  // What the other tab has appended reaches this one by the store.
  await reaches(raw, growth, question.number);
  const sync = () => raw.sync(question.peers ?? undefined, false, { gone: false });
  // One that is on its way may have begun before the peer had all that it had when this was asked.
  const outcome = await (question.patient ? sync().then(sync) : sync()).then(
    (syncs) => ({ syncs }),
    (error: unknown) => ({ error }),
  );
  const { dials, number } = await raw.status();
  // Stopped meanwhile: whoever dials now is asked again.
  if (dials !== "this") return SILENCE;
  if ("error" in outcome) throw outcome.error;
  return { ...outcome, number };
}

/** With which peers to sync, or with all; and whether to wait through what may pass by itself. */
export interface Syncing {
  readonly peers: readonly string[] | undefined;
  readonly patient: boolean;
}

/** Syncs here, or by the tab that dials. */
export async function syncAnywhere(
  raw: RawNode,
  growth: Growth,
  tabs: Tabs | undefined,
  syncing: Syncing,
  call: Call,
): Promise<RawSync[]> {
  call.ended = () => raw.forget();
  try {
    return await raw.sync(syncing.peers, syncing.patient, call);
  } catch (error) {
    if ((error as PlainError)?.code !== "OTHER_TAB" || !tabs) throw error;
    if (!syncing.patient) return syncElsewhere(raw, growth, tabs, syncing, call);
    return patiently(() => syncElsewhere(raw, growth, tabs, syncing, call), call);
  }
}

/** The tab that dials has not all that is here. */
const BEHIND = Symbol("behind");

/** Tries until each has succeeded. Nothing is left with the other tab when this one no longer waits. */
async function patiently(sync: () => Promise<RawSync[]>, call: Call): Promise<RawSync[]> {
  for (let wait = AGAIN; ; wait = Math.min(2 * wait, AGAIN_MAX)) {
    const syncs = await sync().catch((error: unknown) => {
      if (error !== BEHIND) throw error;
    });
    const error = syncs?.find(({ error }) => error && !error.retryable)?.error;
    if (error) throw error;
    if (syncs && (call.gone || syncs.every(({ error }) => !error))) return syncs;
    if (call.gone) return [];
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait);
      call.ended = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Syncs by the tab that dials. */
async function syncElsewhere(
  raw: RawNode,
  growth: Growth,
  tabs: Tabs,
  { peers, patient }: Syncing,
  call: Call,
): Promise<RawSync[]> {
  const { number } = await raw.status();
  // Stopped or taken over meanwhile: nobody else would answer.
  if ((await raw.status()).dials !== "other") {
    call.ended = () => raw.forget();
    return raw.sync(peers, patient, call);
  }
  const synced = await tabs.ask({ what: "sync", number, peers: peers ?? null, patient }, call);
  await reaches(raw, growth, synced.number);
  // A tab that has not followed the store yet has synced without what is here.
  if (patient && synced.number < number) throw BEHIND;
  return synced.syncs;
}

/** The peers, as the node sees them that dials. */
export async function peersAnywhere(raw: RawNode, tabs: Tabs | undefined, call: Call): Promise<RawPeer[]> {
  if (!tabs || (await raw.status()).dials !== "other") return raw.peers();
  const answer = within(tabs.ask({ what: "peers" }, call), "asking", { timeout: ELSEWHERE }, undefined, call);
  // A tab that does not answer, or not yet: its peers are known, if not how they are.
  return answer.catch(() => raw.peers());
}

/** Resolves when the journal here is as long as that, or after a while. */
async function reaches(raw: RawNode, growth: Growth, number: number): Promise<void> {
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), FOLLOWED);
  try {
    while (!ended.signal.aborted) {
      const seen = growth.count;
      if ((await raw.status()).number >= number) return;
      await growth.beyond(seen, ended.signal);
    }
  } finally {
    clearTimeout(timer);
  }
}
