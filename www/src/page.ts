// The page's elements, found once, by the names that index.html gives them.

/** The element with this selector, which index.html has. */
export function find<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E {
  const found = within.querySelector<E>(selector);
  if (found === null) throw new Error(`index.html has no ${selector}`);
  return found;
}

/** The element with this `data-testid`. */
export function part<E extends Element = HTMLElement>(name: string): E {
  return find<E>(`[data-testid="${name}"]`);
}

/** Sets a text, only where it has changed: what is read aloud is not read twice. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A new element of this class with this text. */
export function made<K extends keyof HTMLElementTagNameMap>(tag: K, name: string, text = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

/** A count with its noun: `1 note`, `1,200 notes`. */
export function count(number: number, one: string, many: string): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
