// What happens in a node: fetched from the wasm, told to those who listen and to the tabs that share its store.

import { answer } from "./elsewhere.js";
import { fromPlain } from "./errors.js";
import { SyncNodeEvent } from "./events.js";
import type { Growth } from "./growth.js";
import type { RawEvent, RawNode } from "./raw.js";
import type { State } from "./status.js";
import { Tabs } from "./tabs.js";

/** The node that tells it. */
export interface Teller {
  readonly journal: string;
  readonly state: State;
  dispatchEvent(event: Event): boolean;
}

/** The news of one node, until it is closed. */
export class News {
  /** The other nodes on this store and journal, where there may be any. */
  readonly tabs: Tabs | undefined;
  readonly #node: Teller;
  readonly #raw: RawNode;
  readonly #growth: Growth;
  /** Whether this node dials: of those that share a store and a journal one does. */
  #dials = false;

  constructor(node: Teller, raw: RawNode, growth: Growth, store: string | undefined) {
    this.#node = node;
    this.#raw = raw;
    this.#growth = growth;
    this.tabs = store === undefined ? undefined : this.#join(store);
    void this.#pump();
  }

  /** Takes part in what the tabs that share the store tell each other. */
  #join(store: string): Tabs | undefined {
    return Tabs.join(store, {
      journal: this.#node.journal,
      heard: (event) => {
        const { state } = this.#node;
        if (!this.#dials && (state === "starting" || state === "running")) this.#tell(event);
      },
      changed: (address, added) => {
        // It may be of a kind that is not dialled here.
        void (added ? this.#raw.addPeer(address, false) : this.#raw.removePeer(address, false)).catch(() => {});
      },
      asked: (question) => answer(this.#raw, this.#growth, question),
    });
  }

  /** Fetches events in batches, and calls the listeners from here, where no wasm is on the stack. */
  async #pump(): Promise<void> {
    try {
      while (true) for (const event of await this.#raw.events()) this.#happened(event);
    } catch {
      // Closed.
    }
  }

  #happened(event: RawEvent): void {
    if (event.type === "started" || event.type === "stopped") {
      // The wasm tells when it dials, which of the tabs that share a store one does.
      this.#dials = event.type === "started";
      if (this.#dials && this.tabs) {
        // Asked, it knows that it dials.
        void this.#raw.status().then(() => this.tabs?.lead(), () => {});
      }
      return;
    }
    this.tabs?.tell(event);
    this.#tell(event);
  }

  #tell({ type, detail }: RawEvent): void {
    if (this.#node.state === "closed") return;
    if (type === "grew" || type === "due" || type === "lagged") this.#growth.wake();
    const error = detail?.["error"];
    const told = error ? { ...detail, error: fromPlain(error) } : detail;
    this.#node.dispatchEvent(new SyncNodeEvent(type, told));
  }
}
