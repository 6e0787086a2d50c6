// How a node is made: which journal, where it is kept, whom it dials.

import { type Store, tameStore, tameTransports, type Transport } from "./custom.js";
import { IsorootError } from "./errors.js";
import type { Identity } from "./identity.js";
import type { DeviceId } from "./ids.js";
import type { RawGiven } from "./raw.js";
import type { WaitOptions } from "./wait.js";

/**
 * What a peer's device may do with the journal: nothing, read it, or write, which includes to read. Who may not
 * write keeps its own entries to itself: a sync ends as equal but for these.
 */
export type Permission = "denied" | "read" | "write";

/** Who may do what, by the device whose key a peer has proved to hold. */
export interface Permissions {
  /** By the device's id. */
  devices?: Readonly<Record<DeviceId, Permission>>;
  /** All that are not named: `"write"` by default. */
  others?: Permission;
}

/** Where a node keeps its journal, and whom it dials. */
export interface NodeOptions extends WaitOptions {
  /**
   * `"memory"`, the default, or the name of a store in IndexedDB, which outlives the page and may be shared
   * by tabs, workers and journals of an origin; or a store of the application's own.
   */
  store?: string | Store;
  /** Transports of the application's own, by the scheme of the addresses that they dial. */
  transports?: Readonly<Record<string, Transport>>;
  /**
   * Addresses to dial once started, such as `wss://hub.example/sync`, or `pipe:NAME` within the page. Unlike
   * those of `addPeer` they are not kept in the store: give them each time.
   */
  peers?: readonly string[];
  /** Whether to dial `ws://` beyond this machine, where nothing that passes is secret or safe from change. */
  allowPlain?: boolean;
  /**
   * How long a peer that was asked something in a sync may take for its next sign of progress, in milliseconds:
   * 30,000 by default. Then the sync fails with `TIMEOUT`, and the peer is dialled anew after a while. To be well
   * above a round trip.
   */
  replyTimeout?: number;
  /** Who may read and write here over a connection, whoever dials. By default everyone may write. */
  permissions?: Permissions;
  /**
   * The device's key, as an identity or its 32 secret bytes, if the store is not to hold it. By default a new
   * store makes one and keeps it. A store that was opened with an identity needs it each time: another is
   * refused with `OTHER_DEVICE`, none with `KEY_NEEDED`. Two stores with one key are two devices in one's
   * clothes: their entries fork, which harms nobody and shows.
   */
  identity?: Identity | Uint8Array;
}

/** Which journal to make. Without a genesis or name it is a new one. */
export interface CreateOptions extends NodeOptions {
  /** The first bytes of the journal. */
  genesis?: Uint8Array;
  /** The open journal that everybody derives from this text, for demos and tests. */
  name?: string;
}

/** Which journal to open. */
export interface OpenOptions extends NodeOptions {
  /** Its link or id. The hub that a link names becomes a peer. Everyone who has it may read and write. */
  journal: string;
}

function table({ devices = {}, others = "write" }: Permissions): [string | undefined, string][] {
  const table: [string | undefined, string][] = [[undefined, others], ...Object.entries(devices)];
  const wrong = table.find(([, permission]) => !["denied", "read", "write"].includes(permission));
  if (wrong) throw new IsorootError("INVALID_PERMISSION", `${String(wrong[1])} is no permission`);
  return table;
}

/** What is around the node, read once; all but its key. @internal */
export function around(options: NodeOptions): Omit<RawGiven, "identity"> {
  const { store, replyTimeout } = options;
  if (replyTimeout !== undefined && !(replyTimeout >= 1)) {
    throw new IsorootError("INVALID_TIMEOUT", "a reply is waited for 1 millisecond at least");
  }
  return {
    store: typeof store === "string" && store !== "memory" ? store : undefined,
    custom: typeof store === "object" ? tameStore(store) : undefined,
    transports: tameTransports(options.transports ?? {}),
    plain: options.allowPlain ?? false,
    reply: replyTimeout,
    permissions: options.permissions ? table(options.permissions) : [],
  };
}
