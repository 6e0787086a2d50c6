// Builds the npm package: target/package/isoroot-x.y.z.tgz, from the crate and pkg-config/ts.
//
//   node pkg-config/build-package.mjs          the package that is published
//   node pkg-config/build-package.mjs --test   one that can be made to panic, for the tests of that
//
// Steps: cargo makes the wasm, wasm-bindgen its glue, wasm-opt makes it smaller, rolldown joins the facade
// into one script for each environment, tsc writes its types, which are joined into one file.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

import { joinTypes } from "./join-types.mjs";
import { OPTIMIZE, TARGET_FEATURES, wasmEnvironment } from "./wasm-flags.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const test = process.argv.includes("--test");
const work = join(target, "package", test ? "test" : "release");
const staged = join(work, "isoroot");
const dist = join(staged, "dist");

function run(command, args, options = {}) {
  execFileSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], ...options });
}

function version() {
  const manifest = readFileSync(join(root, "Cargo.toml"), "utf8");
  const found = /^version = "(.*)"$/m.exec(manifest);
  if (!found) throw new Error("no version in Cargo.toml");
  return found[1];
}

function buildWasm() {
  // With the crate's own kind, an rlib, cargo would leave link-time optimisation out.
  const cargo = ["rustc", "--locked", "--lib", "--crate-type", "cdylib", "--profile", "web"];
  // Nothing in it would take the traces.
  const crateFeatures = `${test ? "bindings-test" : "bindings"},tracing/max_level_off`;
  // The texts of panics name files: not those of whoever built it.
  const registry = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src/");
  const flags = `${TARGET_FEATURES} --remap-path-prefix=${registry}=`;
  run("cargo", [...cargo, "--target", "wasm32-unknown-unknown", "--features", crateFeatures], {
    env: { ...wasmEnvironment(), RUSTFLAGS: flags, CARGO_TARGET_DIR: target },
  });
  const wasm = join(target, "wasm32-unknown-unknown", "web", "isoroot.wasm");
  const bindgen = ["--target", "web", "--omit-default-module-path", "--no-typescript", "--out-name", "isoroot"];
  run("wasm-bindgen", [...bindgen, "--out-dir", work, wasm]);
  // The names between wasm and glue are replaced by short ones, and printed. Functions of one name side by
  // side are alike, which is what gzip makes use of.
  const names = ["--minify-imports-and-exports-and-modules", "--reorder-functions-by-name"];
  const out = join(dist, "isoroot_bg.wasm");
  const optimize = [...OPTIMIZE, ...names, join(work, "isoroot_bg.wasm"), "-o", out];
  const printed = execFileSync(join(here, "node_modules/.bin/wasm-opt"), optimize, { cwd: root, encoding: "utf8" });
  return { wasm: readFileSync(out), shortened: JSON.parse(printed) };
}

/**
 * wasm-bindgen writes a module with one global state. Ours is a function that makes as many instances as
 * are asked for: after a panic a new one takes over, and nothing of the old one is ever called again.
 */
function makeGlue({ imports, exports }) {
  const names = [];
  const imported = new Map(imports.map(([, name, short]) => [name, short]));
  const exported = new Map(exports);
  const body = readFileSync(join(work, "isoroot.js"), "utf8")
    .replace('"./isoroot_bg.js": import0', '"a": import0')
    .replace(/^ {8}(\w+)(?=: function)/gm, (_, name) => imported.get(name))
    .replace(/(?<=\bwasm\.)\w+/g, (name) => exported.get(name) ?? name)
    .replace(/^export (?=(?:async )?(?:class|function) (\w+))/gm, (_, name) => {
      names.push(name);
      return "";
    })
    .replace(/^export \{.*\};$/m, "")
    .replace(/\bwasm = instance\.exports;/, "wasm = guarded(instance.exports, failed);");
  if (/^(export|import)\b/m.test(body) || body.includes("import.meta") || !body.includes("guarded(")) {
    throw new Error("wasm-bindgen's glue has another form than build-package.mjs knows");
  }
  const unguarded = exports.filter(([name]) => name.startsWith("__wbindgen_")).map(([, short]) => short);
  return `/* What wasm-bindgen wrote, as a function. */
export async function instantiate(module, failed) {
${body}
await __wbg_init({ module_or_path: module });
return { ${names.join(", ")} };
}

/**
 * The functions of an instance, until an exception leaves one of them: its memory may then be half changed,
 * so they do nothing from then on, and timers and promises that still hold them end in silence.
 */
function guarded(exports, failed) {
  let dead = false;
  // What the glue reads out of an answer: no error, no text.
  const nothing = [0, 0, 0, 0];
  const guard = (call) => (...given) => {
    if (dead) return nothing;
    try {
      return call(...given);
    } catch (error) {
      dead = true;
      failed(error);
      return nothing;
    }
  };
  const functions = Object.entries(exports).map(([name, value]) => [
    name,
    typeof value !== "function" || ${JSON.stringify(unguarded)}.includes(name) ? value : guard(value),
  ]);
  return Object.fromEntries(functions);
}
`;
}

/** What the package for tests has on top. */
const TEST_ENTRY = `export * from "./index.js";
import { type Connection, type Store, tameConnection, tameStore } from "./custom.js";
import { load } from "./load.js";
import { within } from "./wait.js";
export async function checkStore(make: () => Store): Promise<void> {
  const instance = await load();
  await within(instance.exports.checkStore!(() => tameStore(make())), "checking", { timeout: 60_000 }, instance);
}
export async function checkTransport(make: () => [Connection, Connection], held: number): Promise<void> {
  const instance = await load();
  const connect = () => make().map(tameConnection) as any;
  await within(instance.exports.checkTransport!(connect, held), "checking", { timeout: 60_000 }, instance);
}
export async function crash(message: string): Promise<void> {
  (await load()).exports.panicOnPurpose?.(message);
}
`;

/** One script for one environment. */
async function bundle(entry, source, file, format) {
  const build = await rolldown({
    input: join(work, "ts", entry),
    external: (id) => id.startsWith("node:") || id.endsWith("/inline.js") || id.endsWith(".wasm"),
    resolve: { alias: { "#source": join(work, "ts", source) } },
    platform: "neutral",
    tsconfig: false,
  });
  await build.write({
    file: join(dist, file),
    format,
    exports: "named",
    minify: { compress: true, mangle: true, codegen: { removeWhitespace: true } },
    comments: false,
  });
  await build.close();
}

function manifest() {
  const template = JSON.parse(readFileSync(join(here, "package.template.json"), "utf8"));
  return `${JSON.stringify({ name: "isoroot", version: version(), ...template }, null, 2)}\n`;
}

rmSync(work, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const { wasm, shortened } = buildWasm();
cpSync(join(here, "ts"), join(work, "ts"), { recursive: true });
writeFileSync(join(work, "ts", "glue.js"), makeGlue(shortened));
rmSync(join(work, "ts", "glue.d.ts"));

const entry = test ? "test.ts" : "index.ts";
if (test) writeFileSync(join(work, "ts", entry), TEST_ENTRY);
await bundle(entry, "source.browser.ts", "browser.js", "es");
await bundle(entry, "source.workerd.ts", "workerd.js", "es");
await bundle(entry, "source.node.ts", "node.js", "es");
await bundle(entry, "source.cjs.ts", "node.cjs", "cjs");
writeFileSync(join(dist, "inline.js"), `export default "${wasm.toString("base64")}";\n`);

run(join(here, "node_modules/.bin/tsc"), ["-p", "pkg-config/ts", "--emitDeclarationOnly", "--outDir", join(work, "types")]);
writeFileSync(join(dist, "index.d.ts"), joinTypes(join(work, "types")));

writeFileSync(join(staged, "package.json"), manifest());
// Under node's own conditions the class is the one of node.cjs, also for those who import.
const names = Object.keys(await import(join(dist, "node.js")));
writeFileSync(join(dist, "node-import.mjs"), `import all from "./node.cjs";\nexport const { ${names.join(", ")} } = all;\n`);
writeFileSync(join(dist, "index.d.cts"), readFileSync(join(dist, "index.d.ts")));
for (const file of ["LICENSE-MIT", "LICENSE-APACHE"]) cpSync(join(root, file), join(staged, file));
cpSync(join(here, "ts", "README.md"), join(staged, "README.md"));

const out = join(target, "package");
run("npm", ["pack", "--silent", "--pack-destination", test ? work : out, staged]);
console.log(`package: ${join(test ? work : out, `isoroot-${version()}.tgz`)}`);
