// The wasm in Cloudflare's workers, where only modules that were deployed may run.

import module from "./isoroot_bg.wasm";

export function compile(): Promise<WebAssembly.Module> {
  return Promise.resolve(module);
}
