// What the import of a wasm file gives under `workerd`.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
