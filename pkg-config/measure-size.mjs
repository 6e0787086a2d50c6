// Prints what a page loads of the built package, raw and compressed, and fails above the limits of
// size-limits.json. The copy inside a script is loaded only where the file is not to be had.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../target");
const dist = join(target, "package", "release", "isoroot", "dist");
const limits = JSON.parse(readFileSync(join(here, "size-limits.json"), "utf8"));

let over = false;
console.log("what    file               raw      gzip    brotli     limit of gzip");
for (const [what, file] of [["wasm", "isoroot_bg.wasm"], ["script", "browser.js"]]) {
  const bytes = readFileSync(join(dist, file));
  const [gzip, brotli] = [gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
  const limit = limits[what].gzip;
  over ||= gzip > limit;
  const numbers = [bytes.length, gzip, brotli].map((size) => String(size).padStart(9)).join(" ");
  console.log(`${what.padEnd(7)} ${file.padEnd(15)}${numbers} ${String(limit).padStart(9)}${gzip > limit ? "  OVER" : ""}`);
}
process.exit(over ? 1 : 0);
