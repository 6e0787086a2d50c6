// The packed package, unpacked beside a bare page, over HTTP with a strict policy.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { serve } from "../../consumers/serve.mjs";
import { target } from "./tool.mjs";

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127.0.0.1:*; img-src data:";

/** `{ url, origin, close }` of the bare page. */
export async function site() {
  const packages = join(target, "package");
  const packed = readdirSync(packages).find((name) => /^isoroot-.*\.tgz$/.test(name));
  if (!packed) throw new Error(`no package in ${packages}: make package`);
  const folder = mkdtempSync(join(tmpdir(), "isoroot-site-"));
  cpSync(fileURLToPath(new URL("../site", import.meta.url)), folder, { recursive: true });
  execFileSync("tar", ["-xzf", join(packages, packed), "-C", folder]);
  const server = await serve(folder, { "content-security-policy": POLICY, "cache-control": "no-store" });
  const close = async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: server.url, origin: server.url.slice(0, -1), close };
}
