// Installs the packed file in fresh projects of each kind that the README names, and runs the same ten
// lines there: in Node itself, and in headless Chromium where a browser is needed.
//
//   node tests/consumers/run.mjs [PART OF A NAME]

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";
import { chromium } from "playwright-core";
import * as vite from "vite";
import webpack from "webpack";

import { reload } from "./reload.mjs";
import { serve } from "./serve.mjs";
import { tabs } from "./tabs.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const packages = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "package");
const packed = readdirSync(packages).find((name) => /^isoroot-.*\.tgz$/.test(name));
if (!packed) throw new Error(`no package in ${packages}: make package`);

const EXPECTED = { facts: ["Buy bread"], equal: true, error: null };
const PAGE = `<!doctype html><meta charset="utf-8"><script type="module" src="./main.js"></script>`;
const PAGE_MAIN = `import { run } from "./program.mjs";
run().then((done) => (globalThis.outcome = done), (error) => (globalThis.outcome = { code: error.code, message: error.message }));
`;

const FLAGS = JSON.parse(readFileSync(join(root, "pkg-config/webdriver.json"), "utf8"))["goog:chromeOptions"];
let browser;

/** A fresh project with the packed file installed. */
function project(files = {}) {
  const folder = mkdtempSync(join(tmpdir(), "isoroot-consumer-"));
  const all = { "package.json": `{ "private": true, "type": "module" }`, ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
  cpSync(join(here, "program.mjs"), join(folder, "program.mjs"));
  execFileSync("npm", ["install", "--offline", "--silent", "--no-audit", "--no-fund", join(packages, packed)], { cwd: folder });
  return folder;
}

/** Runs a script in a project, and reads what it prints. */
function node(folder, script) {
  return JSON.parse(execFileSync(process.execPath, [script], { cwd: folder, encoding: "utf8" }));
}

const PRINT = "run().then((done) => console.log(JSON.stringify(done)));\n";

async function launched() {
  browser ??= await chromium.launch({ executablePath: FLAGS.binary, args: FLAGS.args });
  return browser;
}

/** What a page says, and which paths it asked for. */
async function visit(url) {
  const page = await (await launched()).newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
  try {
    await page.waitForFunction(() => globalThis.outcome !== undefined, undefined, { timeout: 30_000 });
  } catch (error) {
    throw new Error(`the page said nothing: ${problems.join("; ")}`, { cause: error });
  }
  const outcome = await page.evaluate(() => globalThis.outcome);
  await page.close();
  return outcome;
}

async function visitFolder(folder, headers) {
  const server = await serve(folder, headers);
  try {
    return { outcome: await visit(server.url), requests: server.requests };
  } finally {
    await server.close();
  }
}

/** A page without any tool: the browser is told where the package is. */
function plainPage() {
  const map = JSON.stringify({ imports: { isoroot: "./node_modules/isoroot/dist/browser.js" } });
  const html = `<!doctype html><script type="importmap">${map}</script><script type="module" src="./main.js"></script>`;
  return project({ "index.html": html, "main.js": PAGE_MAIN });
}

const fetched = (requests, name) => requests.some((path) => path.endsWith(name));

const TESTS = {
  async "Node, import"() {
    const folder = project({ "main.js": `import { run } from "./program.mjs";\n${PRINT}` });
    assert.deepEqual(node(folder, "main.js"), EXPECTED);
  },

  async "Node, require, and one class for both"() {
    const source = readFileSync(join(here, "program.mjs"), "utf8")
      .replace(/import (\{.*\}) from "isoroot";/, 'const $1 = require("isoroot");')
      .replace("export async function", "async function");
    const same = `import("isoroot").then((found) => { if (found.SyncNode !== SyncNode) throw new Error("two classes"); });\n`;
    const folder = project({ "main.cjs": source + PRINT + same });
    assert.deepEqual(node(folder, "main.cjs"), EXPECTED);
    // A Node that cannot require modules takes the twin.
    const twin = `const { SyncNode } = require("./node_modules/isoroot/dist/node.cjs");
      import("./node_modules/isoroot/dist/node-import.mjs").then((found) => console.log(found.SyncNode === SyncNode));`;
    writeFileSync(join(folder, "twin.cjs"), twin);
    assert.equal(node(folder, "twin.cjs"), true);
    writeFileSync(join(folder, "old.cjs"), (source + PRINT).replace('require("isoroot")', 'require("./node_modules/isoroot/dist/node.cjs")'));
    assert.deepEqual(node(folder, "old.cjs"), EXPECTED);
  },

  async "TypeScript"() {
    for (const [module, moduleResolution, file] of [["nodenext", "nodenext", "sample.mts"], ["nodenext", "nodenext", "sample.cts"], ["esnext", "bundler", "sample.ts"]]) {
      const options = { module, moduleResolution, target: "es2022", lib: ["es2022", "esnext.disposable", "dom"], strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false, types: [] };
      const folder = project({ "tsconfig.json": JSON.stringify({ compilerOptions: options, files: [file] }) });
      cpSync(join(here, "sample.ts"), join(folder, file));
      execFileSync(join(here, "node_modules/.bin/tsc"), ["-p", "."], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
    }
  },

  async "plain page, no tools"() {
    const { outcome, requests } = await visitFolder(plainPage());
    assert.deepEqual(outcome, EXPECTED);
    assert.ok(fetched(requests, ".wasm") && !fetched(requests, "inline.js"), "the second copy is not fetched");
  },

  async "plain page whose wasm file is lost"() {
    const folder = plainPage();
    rmSync(join(folder, "node_modules/isoroot/dist/isoroot_bg.wasm"));
    const { outcome, requests } = await visitFolder(folder);
    assert.deepEqual(outcome, EXPECTED);
    assert.ok(fetched(requests, "inline.js"));
  },

  async "Content-Security-Policy"() {
    const folder = plainPage();
    // The import map stands in the page itself.
    const policy = (more) => ({ "content-security-policy": `default-src 'self'; script-src 'self' 'unsafe-inline'${more}` });
    const refused = await visitFolder(folder, policy(""));
    assert.equal(refused.outcome.code, "CSP");
    assert.match(refused.outcome.message, /'wasm-unsafe-eval'/);
    const allowed = await visitFolder(folder, policy(" 'wasm-unsafe-eval'"));
    assert.deepEqual(allowed.outcome, EXPECTED);
  },

  async "tabs that share a store"() {
    const server = await serve(plainPage());
    try {
      await tabs(await launched(), server.url);
    } finally {
      await server.close();
    }
  },

  async "a store that is opened again"() {
    const server = await serve(plainPage());
    try {
      await reload(await launched(), server.url);
    } finally {
      await server.close();
    }
  },

  async "the README's program, as it stands"() {
    const readme = readFileSync(join(root, "pkg-config/ts/README.md"), "utf8");
    const programs = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, program]) => program);
    assert.equal(programs.length, 1);
    // The repository's README shows the same one.
    assert.ok(readFileSync(join(root, "README.md"), "utf8").includes(programs[0]));
    const folder = project({ "main.js": programs[0] });
    const printed = execFileSync(process.execPath, ["main.js"], { cwd: folder, encoding: "utf8", timeout: 20_000 });
    assert.match(printed, /^note\/1 Buy bread\n[0-9a-f]{64}\n$/);
  },

  async "Vite, build"() {
    const folder = project({ "index.html": PAGE, "main.js": PAGE_MAIN });
    await vite.build({ root: folder, logLevel: "error", configFile: false });
    const { outcome, requests } = await visitFolder(join(folder, "dist"));
    assert.deepEqual(outcome, EXPECTED);
    assert.ok(fetched(requests, ".wasm"), "the file, as an asset");
    assert.ok(requests.filter((path) => path.includes("inline")).length === 0);
  },

  async "Vite, development server"() {
    const folder = project({ "index.html": PAGE, "main.js": PAGE_MAIN });
    const server = await vite.createServer({ root: folder, logLevel: "error", configFile: false, server: { host: "127.0.0.1", port: 0, watch: null, hmr: false } });
    try {
      await server.listen();
      assert.deepEqual(await visit(`http://127.0.0.1:${server.httpServer.address().port}/`), EXPECTED);
    } finally {
      await server.close();
    }
  },

  async "webpack"() {
    const folder = project({ "index.html": PAGE, "entry.js": PAGE_MAIN });
    const config = { context: folder, mode: "production", entry: "./entry.js", output: { path: join(folder, "dist"), filename: "main.js" }, performance: { hints: false } };
    const stats = await new Promise((resolve, reject) => webpack(config, (error, done) => (error ? reject(error) : resolve(done))));
    assert.deepEqual(stats.toJson({ errors: true, warnings: true }).errors, []);
    assert.deepEqual(stats.toJson({ warnings: true }).warnings, []);
    cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
    const { outcome, requests } = await visitFolder(join(folder, "dist"));
    assert.deepEqual(outcome, EXPECTED);
    assert.ok(fetched(requests, ".wasm"), "the file, as an asset");
  },

  async "esbuild, for browsers"() {
    const folder = project({ "entry.js": PAGE_MAIN });
    mkdirSync(join(folder, "dist"));
    await esbuild.build({ absWorkingDir: folder, entryPoints: ["entry.js"], bundle: true, format: "esm", minify: true, outfile: "dist/main.js", logLevel: "error" });
    writeFileSync(join(folder, "dist/index.html"), PAGE);
    assert.deepEqual((await visitFolder(join(folder, "dist"))).outcome, EXPECTED);
  },

  async "esbuild, one script for Node"() {
    const folder = project({ "entry.js": `import { run } from "./program.mjs";\n${PRINT}` });
    for (const [format, outfile] of [["esm", "dist/esm.mjs"], ["cjs", "dist/cjs.cjs"]]) {
      await esbuild.build({ absWorkingDir: folder, entryPoints: ["entry.js"], bundle: true, platform: "node", format, outfile, logLevel: "error" });
      assert.deepEqual(node(folder, outfile), EXPECTED, format);
    }
  },

  async "package.json and files"() {
    const folder = join(project(), "node_modules/isoroot");
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    assert.equal(manifest.dependencies, undefined);
    assert.deepEqual(Object.keys(manifest.exports["."]), ["types", "workerd", "bun", "deno", "node", "browser", "default"]);
    assert.deepEqual(Object.keys(manifest.exports["."].node), ["module-sync", "import", "require"]);
    const targets = JSON.stringify(manifest.exports).match(/\.\/[^"]+/g).filter((path) => path !== "./package.json");
    for (const path of targets) readFileSync(join(folder, path));
    for (const name of ["browser.js", "node.js", "node.cjs", "workerd.js"]) {
      const script = readFileSync(join(folder, "dist", name), "utf8");
      assert.ok(!script.includes("panicOnPurpose") && !script.includes("eval("), name);
    }
    const golden = readFileSync(join(root, "pkg-config/ts/api.d.ts"), "utf8");
    assert.equal(readFileSync(join(folder, "dist/index.d.ts"), "utf8"), golden, "the public types have moved: see pkg-config/ts/api.d.ts");
  },
};

let [passed, failed] = [0, 0];
for (const [name, test] of Object.entries(TESTS)) {
  if (process.argv[2] && !name.includes(process.argv[2])) continue;
  const begun = Date.now();
  try {
    await test();
    passed++;
    console.log(`ok      ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
await browser?.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
