// How the page is built: nothing inline, since the hub's Content-Security-Policy forbids it.

import { defineConfig } from "vite";

export default defineConfig({
  build: {
    rollupOptions: { input: ["index.html", "verify.html"] },
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // The package keeps a second copy of its WebAssembly inside a script, which pages load only if the
    // file is not to be had.
    chunkSizeWarningLimit: 1_000,
  },
});
