// Joins the declarations of the facade's files into one file, which exports what index.ts does.

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Files in the order of reading; what is not exported by the first is not exported at all. */
const FILES = ["errors", "ids", "identity", "custom", "wait", "facts", "files", "events", "proofs", "receipts", "bloom", "statistics", "verification", "options", "status", "node"];

export function joinTypes(folder) {
  const read = (name) => readFileSync(join(folder, `${name}.d.ts`), "utf8");
  const index = read("index");
  const names = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list]) =>
    list.split(",").map((name) => name.trim().replace(/^type /, "")).filter(Boolean),
  );
  const declarations = FILES.map((name) =>
    read(name)
      .replace(/^import [^;]*;\n/gm, "")
      .replace(/^export \{\};\n/gm, "")
      .replace(/^export (?:declare )?(abstract class|class|function|const|type|interface) (\w+)/gm, (_, kind, name) => {
        const declare = kind === "type" || kind === "interface" ? "" : "declare ";
        return `${names.includes(name) ? "export " : ""}${declare}${kind} ${name}`;
      })
      .trim(),
  );
  return `${declarations.join("\n\n")}\n\nexport {};\n`;
}
