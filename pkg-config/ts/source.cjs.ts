// The wasm where modules are CommonJS. Bundlers turn that into modules too, in which nothing can be required:
// then Node is asked itself, and without the file's folder the other copy is taken.

import { inline, isModule } from "./source.js";

export async function compile(): Promise<WebAssembly.Module> {
  try {
    const fs = globalThis.process.getBuiltinModule?.("node:fs") ?? (require("node:fs") as typeof import("node:fs"));
    const bytes = await fs.promises.readFile(`${__dirname}/isoroot_bg.wasm`);
    if (isModule(bytes)) return await WebAssembly.compile(bytes);
  } catch {
    // Bundled into one script, without the file.
  }
  return inline();
}
