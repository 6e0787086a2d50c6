// Builds the demo page of www/ into target/www, over the packed package, as everybody gets it.
//
//   node pkg-config/build-page.mjs
//
// Needs `make package` before. The package is unpacked into www/node_modules and not written into the lock
// file, which would hold the path and hash of what was just built.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const www = join(root, "www");
const modules = join(www, "node_modules");
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
const out = join(target, "www");

// Compressing what is smaller does not pay.
const COMPRESSED = 1_024;

function run(command, args, cwd = root) {
  execFileSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
}

/** The packed file of this version. */
function packed() {
  const version = /^version = "(.*)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))?.[1];
  const file = join(target, "package", `isoroot-${version}.tgz`);
  if (!existsSync(file)) throw new Error(`${file} is not there: make package`);
  return file;
}

function installTools() {
  const [lock, installed] = [join(www, "package-lock.json"), join(modules, "installed-by")];
  if (existsSync(installed) && readFileSync(lock).equals(readFileSync(installed))) return;
  console.log("page: installing the tools of www/package-lock.json (about 10 s)");
  run("npm", ["--prefix", www, "ci", "--no-audit", "--no-fund", "--silent"]);
  cpSync(lock, installed);
}

function installPackage(file) {
  const folder = join(modules, "isoroot");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run("tar", ["-xzf", file, "-C", folder, "--strip-components=1"]);
  // What Vite keeps of packages that it has seen goes by the lock file, where this one is not.
  rmSync(join(modules, ".vite"), { recursive: true, force: true });
}

/** Lays compressed copies beside the files, which `isoroot hub --www` sends to those who take them. */
function compress() {
  for (const name of readdirSync(out, { recursive: true })) {
    if (!/\.(html|js|css|svg|wasm)$/.test(name)) continue;
    const file = join(out, name);
    const content = readFileSync(file);
    if (content.length < COMPRESSED) continue;
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
    writeFileSync(`${file}.br`, brotliCompressSync(content));
  }
}

const file = packed();
installTools();
installPackage(file);
run(join(modules, ".bin/tsc"), ["-p", "."], www);
run(join(modules, ".bin/vite"), ["build", "--logLevel", "warn", "--outDir", out, "--emptyOutDir"], www);
compress();
console.log(`page: ${out}`);
