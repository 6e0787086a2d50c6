// What the npm package's wasm is built with, beside the profile `web` of Cargo.toml; the benchmarks measure
// the same.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** For the compiler. */
export const TARGET_FEATURES = "-C target-feature=+simd128";

// What wasm32 of all engines since 2023 has. All features at once would write what Node 20 refuses.
const FEATURES = [
  "bulk-memory",
  "nontrapping-float-to-int",
  "sign-ext",
  "mutable-globals",
  "reference-types",
  "multivalue",
  "simd",
];

/** For wasm-opt. */
export const OPTIMIZE = [...FEATURES.map((name) => `--enable-${name}`), "--strip-debug", "--strip-producers", "-Oz", "-Oz"];

/** The settings that point to the compiler for wasm, as setup.sh prints them. */
export function wasmEnvironment() {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const script = 'wasm_env=$(pkg-config/setup.sh env); eval "$wasm_env"; env -0';
  const printed = execFileSync("bash", ["-c", script], { cwd: root, encoding: "utf8" });
  const pairs = printed.split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}
