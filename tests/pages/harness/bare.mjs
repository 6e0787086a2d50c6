// What stories do with the bare page.

import { PATIENCE, until } from "./until.mjs";

/** Opens the bare page in a context, and a node in it. */
export async function tab(context, site, options) {
  const page = await context.newPage();
  await reopen(page, site, options);
  return page;
}

/** Loads the bare page anew in the same tab. */
export async function reopen(page, site, options) {
  await page.goto(site.url);
  await page.waitForSelector("html[data-ready=true]", { state: "attached", timeout: PATIENCE });
  await page.evaluate((options) => open(options), options);
}

export const status = (page) => page.evaluate(() => node.status());

/** Appends `count` facts, each an entry, all at once. */
export const append = (page, prefix, count) =>
  page.evaluate(
    ([prefix, count]) =>
      Promise.all(Array.from({ length: count }, (_, i) => node.append({ predicate: `${prefix}/${i}`, value: i }))).then(() => {}),
    [prefix, count],
  );

/** Waits until all these pages have so many entries, and one root; the root. */
export async function converged(pages, entries) {
  const states = await until(
    `${entries} entries and one root`,
    () => Promise.all(pages.map(async (page) => ({ ...(await status(page)), facts: undefined }))),
    (states) => states.every((state) => state.entries === entries && state.root === states[0].root),
  );
  return states[0].root;
}
