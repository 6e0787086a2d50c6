// The wasm on Node, Deno and Bun: the file beside this script.

import { readFile } from "node:fs/promises";

import { inline, isModule } from "./source.js";

export async function compile(): Promise<WebAssembly.Module> {
  try {
    const bytes = await readFile(new URL("./isoroot_bg.wasm", import.meta.url));
    if (isModule(bytes)) return await WebAssembly.compile(bytes);
  } catch {
    // Bundled into one script, without the file.
  }
  return inline();
}
