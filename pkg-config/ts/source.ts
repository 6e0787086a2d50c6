// Making a module of bytes, from wherever they are; shared by browsers and Node.

/** Whether these are the first bytes of a module, and not of some page that says "not found". */
export function isModule(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

/** The copy inside a script, which loads where the file does not. It is fetched only then. */
export async function inline(): Promise<WebAssembly.Module> {
  const { default: base64 } = await import("./inline.js");
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return WebAssembly.compile(bytes);
}
