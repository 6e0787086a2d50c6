// How this device stands with its hub: asked of the node whenever something happens.

import { IsorootError, type PeerInfo, type Status, type SyncNode } from "isoroot";

import { memory } from "./device.js";

/** How things stand. */
export type HubState = "offline" | "connecting" | "syncing" | "synced" | "waiting";

/** All that the page shows of it. */
export interface HubView {
  readonly state: HubState;
  readonly status: Status;
  /** Entries that the hub is not known to have. */
  readonly waiting: number;
  readonly peer: PeerInfo | null;
}

/** How long until the hub is asked again after it did not answer a comparison. */
const RETRY = 2_000;
/** How long a comparison may take. */
const COMPARE = 30_000;
const EVENTS = ["started", "stopped", "connected", "disconnected", "synced", "grew", "lagged"] as const;

/**
 * Watches a node. Notes follow to a connected hub by themselves, but no event says when the hub has them:
 * after each change the two roots are compared, which costs less than 200 bytes when they are equal.
 */
export class HubWatch {
  readonly #node: SyncNode;
  readonly #show: (view: HubView) => void;
  readonly #failed: (error: unknown) => void;
  /** How much the hub had at the last sync. */
  #root = "";
  #entries: number;
  #offline = false;
  #asking = false;
  #askAgain = false;
  #comparing = false;

  constructor(node: SyncNode, show: (view: HubView) => void, failed: (error: unknown) => void) {
    this.#node = node;
    this.#show = show;
    this.#failed = failed;
    this.#entries = Number(memory.get(`synced.${node.journal}`) ?? 0);
    for (const type of EVENTS) node.addEventListener(type, () => this.#changed());
    node.addEventListener("synced", ({ detail }) => this.#equal(detail.report.root, detail.report.entries));
    node.addEventListener("crashed", ({ detail }) => failed(detail.error));
  }

  /** Goes on without the hub, or with it again. */
  async goOffline(offline: boolean): Promise<void> {
    this.#offline = offline;
    this.#changed();
    await (offline ? this.#node.stop() : this.#node.start());
  }

  /** Dials now, whatever the time between attempts. */
  async tryNow(): Promise<void> {
    await this.#compare();
    this.#changed();
  }

  #equal(root: string, entries: number): void {
    this.#root = root;
    this.#entries = entries;
    memory.set(`synced.${this.#node.journal}`, String(entries));
    this.#changed();
  }

  #changed(): void {
    this.#askAgain = true;
    if (!this.#asking) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    try {
      while (this.#askAgain) {
        this.#askAgain = false;
        const [status, peers] = await Promise.all([this.#node.status(), this.#node.peers()]);
        const view = this.#view(status, peers[0] ?? null);
        this.#show(view);
        if (view.state === "syncing") void this.#compare();
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#asking = false;
    }
  }

  #view(status: Status, peer: PeerInfo | null): HubView {
    const equal = status.root === this.#root;
    const waiting = equal ? 0 : Math.max(0, status.entries - this.#entries);
    let state: HubState = waiting > 0 ? "waiting" : "connecting";
    if (this.#offline) state = "offline";
    else if (peer?.status === "connected") state = equal ? "synced" : "syncing";
    return { state, status, waiting, peer };
  }

  /** Syncs now: when it ends well, both roots are equal. */
  async #compare(): Promise<void> {
    if (this.#comparing) return;
    this.#comparing = true;
    try {
      for (const { report } of await this.#node.sync({ timeout: COMPARE })) {
        if (report !== null) this.#equal(report.root, report.entries);
        else setTimeout(() => this.#changed(), RETRY);
      }
    } catch (error) {
      // Stopped meanwhile, or too slow: the events that follow say more.
      const passing = ["NOT_STARTED", "CANCELLED", "OTHER_TAB", "TIMEOUT"];
      if (!IsorootError.is(error) || !passing.includes(error.code)) this.#failed(error);
      else setTimeout(() => this.#changed(), RETRY);
    } finally {
      this.#comparing = false;
    }
  }
}
