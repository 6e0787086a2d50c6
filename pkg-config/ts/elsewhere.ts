// Of the tabs that share a store and a journal one dials: what the others ask of it, and how it answers.

import type { Growth } from "./growth.js";
import type { RawNode, RawPeer, RawSync } from "./raw.js";
import { type Question, SILENCE, type Tabs } from "./tabs.js";
import { type Call, within } from "./wait.js";

/** How long another tab may take to say how its peers are, in milliseconds. */
const ELSEWHERE = 2_000;

/** How long what one tab has appended may take to reach another, in milliseconds. */
const FOLLOWED = 10_000;

/** What another tab asks of the one that dials. */
export async function answer(raw: RawNode, growth: Growth, question: Question): Promise<unknown> {
  if ((await raw.status()).dials !== "this") return SILENCE;
  if (question.what === "peers") return raw.peers();
  // What the other tab has appended reaches this one by the store.
  await reaches(raw, growth, question.number);
  const outcome = await raw.sync(question.peers ?? undefined).then(
    (syncs) => ({ syncs }),
    (error: unknown) => ({ error }),
  );
  const { dials, number } = await raw.status();
  // Stopped meanwhile: whoever dials now is asked again.
  if (dials !== "this") return SILENCE;
  if ("error" in outcome) throw outcome.error;
  return { ...outcome, number };
}

/** Syncs by the tab that dials. */
export async function syncElsewhere(
  raw: RawNode,
  growth: Growth,
  tabs: Tabs,
  peers: readonly string[] | undefined,
  call: Call,
): Promise<RawSync[]> {
  const { number } = await raw.status();
  // Stopped or taken over meanwhile: nobody else would answer.
  if ((await raw.status()).dials !== "other") return raw.sync(peers);
  const synced = await tabs.ask({ what: "sync", number, peers: peers ?? null }, call);
  await reaches(raw, growth, synced.number);
  return synced.syncs;
}

/** The peers, as the node sees them that dials. */
export async function peersElsewhere(raw: RawNode, tabs: Tabs | undefined, call: Call): Promise<RawPeer[]> {
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
