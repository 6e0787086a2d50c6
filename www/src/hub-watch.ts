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
  /** What keeps the two from syncing and does not pass by itself: the hub refuses, or the store here fails. */
  readonly trouble: IsorootError | null;
}

/** Codes of refusals that do not pass by themselves. */
const REFUSALS = ["REFUSED", "VERSION"];
/** How often the node is asked though no event came: there is none for a journal that alone fails to sync. */
const LOOK = 2_000;
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
  readonly #looking: ReturnType<typeof setInterval>;
  #offline = false;
  #asking = false;
  #askAgain = false;
  #comparing = false;
  #trouble: IsorootError | null = null;

  constructor(node: SyncNode, show: (view: HubView) => void, failed: (error: unknown) => void) {
    this.#node = node;
    this.#show = show;
    this.#failed = failed;
    this.#entries = Number(memory.get(`synced.${node.journal}`) ?? 0);
    // Also when somebody else starts or stops it, such as from the console.
    node.addEventListener("started", () => (this.#offline = false));
    node.addEventListener("stopped", () => (this.#offline = true));
    node.addEventListener("synced", ({ detail }) => this.#equal(detail.report.root, detail.report.entries));
    for (const type of ["connected", "disconnected", "synced"] as const) {
      node.addEventListener(type, () => (this.#trouble = null));
    }
    for (const type of EVENTS) node.addEventListener(type, () => this.#changed());
    this.#looking = setInterval(() => this.#changed(), LOOK);
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
      clearInterval(this.#looking);
      this.#failed(error);
    } finally {
      this.#asking = false;
    }
  }

  #view(status: Status, peer: PeerInfo | null): HubView {
    const equal = status.root === this.#root;
    const connected = peer?.status === "connected";
    const trouble = cannotKeep(peer) ?? (equal ? null : (connected ? this.#trouble : turnedAway(peer)));
    const waiting = equal ? 0 : Math.max(0, status.entries - this.#entries);
    let state: HubState = waiting > 0 || trouble !== null ? "waiting" : "connecting";
    if (this.#offline) state = "offline";
    else if (connected && trouble === null) state = equal ? "synced" : "syncing";
    return { state, status, waiting, peer, trouble };
  }

  /** Syncs now: when it ends well, both roots are equal. */
  async #compare(): Promise<void> {
    if (this.#comparing) return;
    this.#comparing = true;
    try {
      for (const { report, error } of await this.#node.sync({ timeout: COMPARE })) {
        if (report !== null) {
          this.#equal(report.root, report.entries);
          continue;
        }
        // The node itself asks again, ever more rarely.
        if (REFUSALS.includes(error.code)) this.#trouble = error;
        setTimeout(() => this.#changed(), RETRY);
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

/** Why a hub turns every connection away. One that ends says so once, and is gone at the next attempt. */
function turnedAway(peer: PeerInfo | null): IsorootError | null {
  return peer?.error && peer.failures > 1 && REFUSALS.includes(peer.error.code) ? peer.error : null;
}

/** Why what the hub sends can't be stored here; gone with the next sync that ends well. */
function cannotKeep(peer: PeerInfo | null): IsorootError | null {
  return peer?.error?.fault === "store" ? peer.error : null;
}
