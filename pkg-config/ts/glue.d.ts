// glue.js is what wasm-bindgen writes, made into a function by build-package.mjs, so that each instance has
// a state of its own.

import type { Exports } from "./raw.js";

/** Makes an instance; `failed` is told what leaves one of its functions as an exception. */
export function instantiate(module: WebAssembly.Module, failed: (error: unknown) => void): Promise<Exports>;
