// The wasm in browsers: the file beside this script, which bundlers know by this very expression.

import { inline, isModule } from "./source.js";

export async function compile(): Promise<WebAssembly.Module> {
  try {
    const response = await fetch(new URL("./isoroot_bg.wasm", import.meta.url));
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok && isModule(bytes)) return await WebAssembly.compile(bytes);
  } catch {
    // Not there, or not to be fetched from here: the other copy may be.
  }
  return inline();
}
