// Waiting for a condition, with a limit in time and a word on what was last seen.

/** How long anything may take on a machine that has other things to do, in milliseconds. */
export const PATIENCE = 60_000;

/**
 * Asks again and again until the answer is what `holds` wants; the answer. The pause between two questions
 * bounds only how soon that is noticed.
 */
export async function until(what, ask, holds = Boolean, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}; last seen: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
