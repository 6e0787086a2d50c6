// inline.js is written by build-package.mjs.

/** The wasm in base64. */
declare const base64: string;
export default base64;
