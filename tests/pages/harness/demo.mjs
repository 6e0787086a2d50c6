// What stories do with the demo page: only what a person could, and looking.

import { join } from "node:path";

import { target } from "./tool.mjs";
import { PATIENCE, until } from "./until.mjs";

/** Where the demo page is built. */
export const www = join(target, "www");

const part = (name) => `[data-testid=${name}]`;

/** Opens the page in a context: a new device. */
export async function device(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  await ready(page);
  return page;
}

export const ready = (page) => page.waitForSelector("html[data-ready=true]", { state: "attached", timeout: PATIENCE });

/** Types a note and sends it, into the field that has the focus afterwards as well. */
export async function write(page, text) {
  await page.locator(part("note-input")).fill(text);
  await page.keyboard.press("Enter");
}

/** The texts that the page shows, sorted. */
export const texts = async (page) => (await page.locator(`${part("notes")} > li .text`).allTextContents()).sort();

export const root = (page) => page.locator(part("root")).getAttribute("data-root");
export const state = (page) => page.locator(part("status")).getAttribute("data-state");
export const id = (page) => page.locator(part("device")).getAttribute("data-device");
export const flip = (page) => page.locator(part("offline")).click();

/** Waits until the page says that it stands so with the hub. */
export const says = (page, wanted) => until(`the page says ${wanted}`, () => state(page), (now) => now === wanted);

/** Waits until all pages show exactly these notes, each once, one root, and that they are in sync. */
export async function equal(pages, notes) {
  const wanted = JSON.stringify([...notes].sort());
  const look = async (page) => ({ notes: await texts(page), root: await root(page), state: await state(page) });
  const seen = await until(
    `all show ${notes.length} notes and one root`,
    () => Promise.all(pages.map(look)),
    (seen) => seen.every(({ notes, root, state }) => JSON.stringify(notes) === wanted && root === seen[0].root && state === "synced"),
  );
  return seen[0].root;
}

/** Waits until a page shows exactly these notes, whatever the hub has. */
export const shows = (page, notes) => {
  const wanted = JSON.stringify([...notes].sort());
  return until(`it shows ${notes.length} notes`, () => texts(page), (seen) => JSON.stringify(seen) === wanted);
};
