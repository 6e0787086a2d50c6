// Which device this tab is: the name of its store, kept for as long as the tab lives.

const KEY = "isoroot.demo.store";
/** How long a reloaded page waits for the one before it to let go. */
const PATIENCE = 1_500;

/**
 * The name of this tab's store. A tab that was duplicated has a copy of the other's name, and that one holds
 * the lock on it: then this tab takes a new name.
 */
export async function storeOfThisTab(): Promise<string> {
  const kept = remembered();
  if (kept !== null && (await hold(kept, PATIENCE))) return kept;
  const fresh = `isoroot-demo-${random()}`;
  await hold(fresh, PATIENCE);
  try {
    sessionStorage.setItem(KEY, fresh);
  } catch {
    // Without it the tab is a new device after each reload.
  }
  return fresh;
}

function remembered(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Takes the lock on a name for the life of the page; whether it got it in time. */
function hold(name: string, patience: number): Promise<boolean> {
  // Only pages that were loaded safely have locks: elsewhere a duplicated tab is the same device.
  if (navigator.locks === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(patience);
    const held = () => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    navigator.locks.request(`isoroot-demo:${name}`, { signal }, held).catch(() => resolve(false));
  });
}

function random(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What this tab remembers beside its store, such as that it was offline; gone with the tab. */
export const memory = {
  get(key: string): string | null {
    try {
      return sessionStorage.getItem(`isoroot.demo.${key}`);
    } catch {
      return null;
    }
  },
  set(key: string, value: string): void {
    try {
      sessionStorage.setItem(`isoroot.demo.${key}`, value);
    } catch {
      // Then a reload begins anew.
    }
  },
};
