// The form that adds a note.

import type { SyncNode } from "isoroot";

import { PREFIX } from "./notebook.js";
import { find, part } from "./page.js";
import { showProblem } from "./problem.js";

/** Lets notes be written into this journal. */
export function takeNotes(node: SyncNode): void {
  const form = find<HTMLFormElement>("#composer");
  const input = part<HTMLInputElement>("note-input");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    input.focus();
    if (text === "") return;
    input.value = "";
    // A predicate of its own: a later fact about the same note could change it or strike it out.
    const predicate = `${PREFIX}${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    node.append({ predicate, value: text }).catch((error: unknown) => {
      // It is not lost: it goes back to where it came from.
      if (input.value === "") input.value = text;
      showProblem(error);
    });
  });
  input.disabled = false;
  find<HTMLButtonElement>("button", form).disabled = false;
}
