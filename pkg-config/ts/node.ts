// A node: one journal on this device, kept equal with its peers while started.

import { BloomFilter } from "./bloom.js";
import { type Connection, type Store, tameConnection, tameStore, tameTransports, type Transport } from "./custom.js";
import { fromPlain, IsorootError, type PlainError } from "./errors.js";
import { SyncNodeEvent, type SyncNodeEventMap, type SyncReport } from "./events.js";
import {
  type Entry,
  type Fact,
  FactIterator,
  type FactRecord,
  type FactsOptions,
  type HeldEntry,
  type Page,
  rawQuery,
} from "./facts.js";
import { type FileSource, type ImportReport, isWhole, pieces } from "./files.js";
import { type Identity, seedOf } from "./identity.js";
import { type DeviceId, entryId, type EntryId, type JournalId, type Position, type Root, type StoreId } from "./ids.js";
import { type Instance, load } from "./load.js";
import type { Proved } from "./proofs.js";
import type { RawEvent, RawExporting, RawGiven, RawNode, RawSync } from "./raw.js";
import type { Statistics } from "./statistics.js";
import { type Question, SILENCE, Tabs } from "./tabs.js";
import { judging, type Received, type ReceiveOptions, type Submission, submissions } from "./verification.js";
import { aborted, type Call, TIMEOUT, type WaitOptions, within } from "./wait.js";

/** How a node stands. It can be used in all states but `closed` and `crashed`; it dials while `running`. */
export type State = "stopped" | "starting" | "running" | "stopping" | "closed" | "crashed";

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

/** How a node stands with a peer. */
export interface PeerInfo {
  readonly address: string;
  /** `waiting` is the time between a failure and the next attempt. */
  readonly status: "idle" | "connecting" | "connected" | "waiting";
  readonly device: DeviceId | null;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** What the last failure was. */
  readonly error: IsorootError | null;
}

/** How syncing with one peer went. */
export type PeerSync =
  | { readonly peer: string; readonly report: SyncReport; readonly error: null }
  | { readonly peer: string; readonly report: null; readonly error: IsorootError };

/** An entry that is durable here. */
export interface Appended {
  readonly id: EntryId;
  /** Its place in the order of commit here. */
  readonly number: number;
}

/** A node and its journal at one moment. */
export interface Status {
  readonly state: State;
  /** Two nodes are in sync exactly when their roots are equal. */
  readonly root: Root;
  readonly entries: number;
  readonly facts: number;
  /** Different predicates. */
  readonly predicates: number;
  /** Different authorities; that of a fact that names none is its device. */
  readonly authorities: number;
  /** Devices that have written. */
  readonly devices: number;
  /** Entries that are held back from `facts` for now. */
  readonly heldBack: number;
  /** The place behind all that is shown: `after` it comes what is new. */
  readonly position: Position;
  readonly store: StoreId;
  /** The last entry's place in this store. */
  readonly number: number;
  /** Connections that are open or being made. */
  readonly connections: number;
  /** Who dials: this node, another tab that shares store and journal, or nobody. */
  readonly dials: "this" | "other" | "none";
}

/**
 * One journal on this device. Appending and reading work started or stopped, connected or not.
 *
 * A node lives until it is closed: `await node.close()`, or `await using node = await SyncNode.open(…)`.
 */
export class SyncNode extends EventTarget implements AsyncDisposable {
  /** The journal's id. */
  readonly journal: JournalId;
  /** The device that signs here. */
  readonly device: DeviceId;
  readonly #raw: RawNode;
  readonly #instance: Instance;
  #state: State = "stopped";
  #closing: Promise<void> | undefined;
  #growth = 0;
  readonly #sleepers = new Set<() => void>();
  /** The other nodes on this store and journal, where there may be any. */
  readonly #tabs: Tabs | undefined;
  /** Whether this node dials: of those that share a store and a journal one does. */
  #dials = false;

  /**
   * A node on a new journal, or on the one with this genesis or name if the store has it.
   */
  static create(options: CreateOptions = {}): Promise<SyncNode> {
    const { genesis, name } = options;
    return SyncNode.#begin(options, "making the journal", ({ exports }, given) =>
      exports.Node.create(given, genesis, name),
    );
  }

  /** A node on a journal that somebody else made, or that the store has. */
  static open(options: OpenOptions): Promise<SyncNode> {
    return SyncNode.#begin(options, "opening the journal", ({ exports }, given) =>
      exports.Node.open(given, String(options.journal)),
    );
  }

  static async #begin(
    options: NodeOptions,
    what: string,
    make: (instance: Instance, given: RawGiven) => Promise<RawNode>,
  ): Promise<SyncNode> {
    const { signal } = options;
    const store = typeof options.store === "string" && options.store !== "memory" ? options.store : undefined;
    const custom = typeof options.store === "object" ? tameStore(options.store) : undefined;
    const transports = tameTransports(options.transports ?? {});
    if (signal?.aborted) throw aborted(signal);
    const end = Date.now() + (options.timeout ?? TIMEOUT);
    const rest = (): WaitOptions => ({ ...(signal && { signal }), timeout: Math.max(1, end - Date.now()) });
    const identity = seedOf(options.identity);
    const instance = await within(load(), "loading Isoroot", rest()).catch((error: unknown) => {
      identity?.fill(0);
      throw error;
    });
    const making = make(instance, { store, custom, transports, plain: options.allowPlain ?? false, identity });
    // The wasm has its own copy.
    identity?.fill(0);
    let node: SyncNode | undefined;
    try {
      const raw = await within(making, what, rest(), instance);
      node = new SyncNode(raw, instance, store);
      await node.#call("reading the peers", rest(), (raw) => raw.dialKeptPeers());
      if (raw.hub) await node.#dialHub(raw.hub, rest());
      for (const peer of options.peers ?? []) await node.#change(String(peer), true, false, rest());
      return node;
    } catch (error) {
      // Nobody will ever hold it: it must not go on in the dark.
      if (node) void node.close();
      else void making.then((raw) => raw.close()).catch(() => {});
      throw error;
    }
  }

  private constructor(raw: RawNode, instance: Instance, store: string | undefined) {
    super();
    this.#raw = raw;
    this.#instance = instance;
    this.journal = raw.journal as JournalId;
    this.device = raw.device as DeviceId;
    instance.onCrash(this.#onCrash);
    this.#tabs = store === undefined ? undefined : this.#join(store);
    void this.#pump();
  }

  /** How the node stands. */
  get state(): State {
    return this.#state;
  }

  /** The link that invites to the journal. Everyone who has it may read and write. */
  link(hub?: string): string {
    if (this.#instance.crash) throw this.#instance.crash;
    try {
      return this.#instance.exports.formatLink(this.journal, hub);
    } catch (error) {
      throw fromPlain(error);
    }
  }

  /**
   * Dials the peers, and keeps the journal equal with theirs. Of the tabs that share a store and a journal
   * one dials, the others follow through the store. Starting what runs changes nothing.
   */
  async start(options: WaitOptions = {}): Promise<void> {
    if (options.signal?.aborted) throw aborted(options.signal);
    const begins = this.#state === "stopped" || this.#state === "stopping";
    const started = this.#call("starting", options, (raw) => raw.start());
    if (begins) this.#become("starting");
    await started;
    if (this.#state === "starting") {
      this.#become("running");
      this.dispatchEvent(new SyncNodeEvent("started", null));
    }
  }

  /** Ends all connections. Reading and appending go on. Stopping what is stopped changes nothing. */
  async stop(options: WaitOptions = {}): Promise<void> {
    if (options.signal?.aborted) throw aborted(options.signal);
    const ends = this.#state === "running" || this.#state === "starting";
    const stopped = this.#call("stopping", options, (raw) => raw.stop());
    this.#tabs?.leave(NOT_STARTED);
    if (ends) this.#become("stopping");
    await stopped;
    if (this.#state === "stopping") {
      this.#become("stopped");
      this.dispatchEvent(new SyncNodeEvent("stopped", null));
    }
  }

  /**
   * Stops, and ends the node for good: what still waits and every later call fails with `CLOSED`. Closing
   * what is closed or crashed changes nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#state === "crashed") return;
    this.#become("closed");
    this.#wake();
    this.#tabs?.close();
    this.#instance.offCrash(this.#onCrash);
    // An instance that crashes now has closed it as well.
    await within(this.#raw.close(), "closing", {}, this.#instance).catch((error: unknown) => {
      if (!this.#instance.crash) throw error;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Appends one fact, or several as one entry: all or none. Resolves when it is durable here.
   *
   * If the signal is aborted before this has returned to the event loop, nothing is appended. Later, and if
   * the time runs out, it may have been, or may yet be: look before you append it again.
   */
  async append(facts: Fact | readonly Fact[], options: WaitOptions = {}): Promise<Appended> {
    const entry = Array.isArray(facts) ? list(facts) : [facts as Fact];
    const [appended] = await this.#call("appending", options, (raw, call) => raw.appendAll([entry], call));
    return appended as Appended;
  }

  /**
   * Appends an entry for each array of facts, in this order, each whole or not at all. Much faster than one
   * by one. Aborting is as with `append`, for all of them.
   */
  appendAll(entries: readonly (readonly Fact[])[], options: WaitOptions = {}): Promise<Appended[]> {
    return this.#call("appending", options, (raw, call) =>
      raw.appendAll(list(entries).map((facts) => list(facts)), call),
    );
  }

  /**
   * Facts in the order of commit here; what has fallen due since `after` comes first. It reads a page when it
   * needs one, so a slow reader holds up nobody; `live` goes on with each new fact as it comes or falls due,
   * missing none.
   */
  facts(options: FactsOptions = {}): AsyncIterableIterator<FactRecord> {
    const { signal } = options;
    return new FactIterator(
      {
        page: (options, after, limit) => this.#page(options, after, limit),
        grown: () => this.#growth,
        growth: (seen, ended) => this.#grows(seen, ended, signal),
      },
      { ...options },
    );
  }

  #page(options: FactsOptions, after: Position | undefined, limit: number): Promise<Page> {
    const { signal } = options;
    return this.#call("reading", signal ? { signal } : {}, async (raw) =>
      raw.page(rawQuery(options), after === undefined ? undefined : String(after), limit),
    );
  }

  /**
   * Entries that are in the journal and its root, and held back from `facts` for now: at most `limit`, 1,000 by
   * default, the first that is due first, behind the entry `after` if it still is one.
   */
  heldBack(options: WaitOptions & { after?: EntryId; limit?: number } = {}): Promise<HeldEntry[]> {
    const { after, limit = 1_000 } = options;
    return this.#call("asking", options, (raw) =>
      raw.heldBack(after === undefined ? undefined : String(after), limit),
    );
  }

  async #grows(seen: number, ended: AbortSignal, signal: AbortSignal | undefined): Promise<void> {
    if (this.#growth !== seen || ended.aborted) return;
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#sleepers.add(wake);
    ended.addEventListener("abort", wake);
    try {
      await within(woken, "waiting", { timeout: Infinity, ...(signal && { signal }) }, this.#instance);
    } finally {
      this.#sleepers.delete(wake);
      ended.removeEventListener("abort", wake);
    }
  }

  #wake(): void {
    this.#growth++;
    for (const wake of [...this.#sleepers]) wake();
  }

  /** The entry with this id, if it is here; also one that is held back. */
  get(entry: EntryId, options: WaitOptions = {}): Promise<Entry | null> {
    return this.#call("reading", options, (raw) => raw.get(String(entry)));
  }

  /**
   * Evidence that the entry with this id is in the journal, with the entry, or that it is not: bytes for anyone
   * who has the root of this moment and calls `verify`. A fact is proved by its whole entry.
   */
  prove(entry: EntryId, options: WaitOptions = {}): Promise<Uint8Array> {
    return this.#call("proving", options, (raw) => raw.prove(String(entry)));
  }

  /** One proof about 1 to 10,000 entries, each in the journal or not, for `verifyProof`. */
  proveAll(entries: readonly EntryId[], options: WaitOptions = {}): Promise<Proved> {
    return this.#call("proving", options, (raw) => raw.proveAll(entries.map(String)));
  }

  /** The Merkle root: two nodes are in sync exactly when theirs are equal. */
  async root(options: WaitOptions = {}): Promise<Root> {
    return (await this.status(options)).root;
  }

  /** The node and its journal as they are now. */
  async status(options: WaitOptions = {}): Promise<Status> {
    const status = await this.#call("asking", options, (raw) => raw.status());
    return { state: this.#state, ...status };
  }

  /**
   * The journal in numbers, with what takes work to find out: every entry is read. For people, and for now and
   * then.
   */
  statistics(options: WaitOptions = {}): Promise<Statistics> {
    return this.#call("counting", options, (raw) => raw.statistics());
  }

  /**
   * A Bloom filter over predicate and value of every fact that `facts` gives now. It lets a share of `rate` of
   * other pairs pass, 0.01 by default, 0.00001 to 0.99999. Reads all facts.
   */
  async bloom(options: WaitOptions & { rate?: number } = {}): Promise<BloomFilter> {
    const rate = Number(options.rate ?? 0.01);
    return BloomFilter.of(this.#instance, await this.#call("reading", options, (raw) => raw.bloom(rate)));
  }

  /**
   * Judges entries of this journal that somebody hands over, at most 10,000, against a root that you trust, and
   * takes in what is proved to be under it, durably. What is only authentic is taken in if `unproved` says so; what
   * is neither is told with its reason. A sync needs none of this.
   *
   * If the signal is aborted or the time runs out while they are judged, nothing is taken in; later it may be.
   */
  async receive(
    root: Root | string,
    entries: readonly Submission[],
    options: ReceiveOptions = {},
  ): Promise<Received> {
    const [claimed, handed, how] = [entryId(root), submissions(entries), judging(options)];
    return this.#call("judging", options, (raw, call) => raw.receive(claimed, handed, how, call));
  }

  /**
   * The journal as one file, which proves itself: of the moment at which it is first read from, whatever is
   * appended meanwhile. It is read from the store as it is asked for; only the last piece makes it whole.
   * To keep it: `new Response(node.export()).blob()`, or `pipeTo` a file.
   */
  export(options: { signal?: AbortSignal } = {}): ReadableStream<Uint8Array> {
    const { signal } = options;
    if (signal?.aborted) throw aborted(signal);
    const endless = { timeout: Infinity, ...(signal && { signal }) };
    let exporting: RawExporting | undefined;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const piece = await this.#call("exporting", endless, (raw) => (exporting ??= raw.export()).next());
      if (piece) controller.enqueue(piece);
      else controller.close();
    };
    // Nothing is read ahead: it begins with the first question.
    return new ReadableStream({ pull }, { highWaterMark: 0 });
  }

  /**
   * Takes in what is new in a file of this journal, and checks all of it: every signature, that nothing is
   * missing, the root. A file of another journal fails with `OTHER_JOURNAL`; `fileHeader` says which it is.
   *
   * A `Blob` or `Uint8Array` is checked whole first: if anything is wrong with it, nothing is imported. A
   * stream is imported as it comes, never faster than it is stored. If it turns out wrong, the entries before
   * that stay, each as authentic as if a peer had sent it, and `done` of the error says how many they are. If
   * the signal is aborted or the stream itself fails, what was taken in by then stays.
   */
  async import(source: FileSource, options: { signal?: AbortSignal } = {}): Promise<ImportReport> {
    if (isWhole(source)) await this.#read(source, true, options.signal);
    return this.#read(source, false, options.signal);
  }

  async #read(source: FileSource, check: boolean, signal: AbortSignal | undefined): Promise<ImportReport> {
    const endless = { timeout: Infinity, ...(signal && { signal }) };
    const importing = await this.#call("importing", endless, async (raw) => raw.import(check));
    for await (const piece of pieces(source, signal)) {
      await this.#call("importing", endless, () => importing.push(piece));
    }
    return this.#call("importing", endless, () => importing.finish());
  }

  /**
   * Syncs now, with these peers of the node or with all; how it went with each. A peer that is not reached
   * is a failure in the result. The node must be started.
   *
   * Of the tabs that share a store and a journal the one that dials does it for the others, or the next one
   * if it dies meanwhile. Aborting ends the wait: the sync itself goes on.
   */
  async sync(options: WaitOptions & { peers?: readonly string[] } = {}): Promise<PeerSync[]> {
    const peers = options.peers && Array.from(options.peers, String);
    const syncs = await this.#call("syncing", options, (raw, call) =>
      raw.sync(peers).catch((error: PlainError) => {
        if (error?.code !== "OTHER_TAB" || !this.#tabs) throw error;
        return this.#syncElsewhere(raw, this.#tabs, peers, call);
      }),
    );
    return syncs.map(({ peer, report, error }) => ({ peer, report, error: toError(error) }) as PeerSync);
  }

  /**
   * Dials this address from now on, while started. Resolves to whether it is new. The store keeps it for this
   * journal, so it is dialled after a reload as well; the other tabs that share both hear of it. A `pipe:` is
   * of this page alone, and neither kept nor told.
   */
  addPeer(address: string, options: WaitOptions = {}): Promise<boolean> {
    return this.#change(String(address), true, true, options);
  }

  /**
   * No longer dials this address, and ends its connection; the store forgets it. Resolves to whether it was
   * there.
   */
  removePeer(address: string, options: WaitOptions = {}): Promise<boolean> {
    return this.#change(String(address), false, true, options);
  }

  /** The hub that a link names is kept if the store has room: without, the journal can still be read. */
  async #dialHub(hub: string, options: WaitOptions): Promise<void> {
    try {
      await this.#change(hub, true, true, options);
    } catch (error) {
      if (!IsorootError.is(error) || error.fault !== "store") throw error;
      await this.#change(hub, true, false, options);
    }
  }

  #change(address: string, added: boolean, keep: boolean, options: WaitOptions): Promise<boolean> {
    const ours = address.startsWith("pipe:");
    return this.#call("changing the peers", options, async (raw) => {
      const changed = await (added ? raw.addPeer(address, keep && !ours) : raw.removePeer(address, !ours));
      if (!ours) this.#tabs?.change(address, added);
      return changed;
    });
  }

  /**
   * The peers that are dialled, in the order in which they were added, as the node sees them that dials: this
   * one, or the one of another tab that shares store and journal.
   */
  async peers(options: WaitOptions = {}): Promise<PeerInfo[]> {
    const peers = await this.#call("asking", options, async (raw, call) => {
      const tabs = this.#tabs;
      if (!tabs || (await raw.status()).dials !== "other") return raw.peers();
      const answer = within(tabs.ask({ what: "peers" }, call), "asking", { timeout: ELSEWHERE }, undefined, call);
      // A tab that does not answer, or not yet: its peers are known, if not how they are.
      return answer.catch(() => raw.peers());
    });
    return peers.map((peer) => ({ ...peer, error: toError(peer.error) }) as PeerInfo);
  }

  /**
   * Takes connections from nodes of this page that dial `pipe:NAME`, until this one is closed. Connections
   * come in while it is started. A name that is in use fails with `ADDRESS`.
   */
  listen(name: string, options: WaitOptions = {}): Promise<void> {
    return this.#call("listening", options, (raw) => raw.listen(String(name)));
  }

  /**
   * Takes a connection that a peer has opened, by whatever transport. The node must be started. The connection
   * is the node's from then on.
   */
  accept(connection: Connection, options: WaitOptions = {}): Promise<void> {
    return this.#call("accepting", options, async (raw) => raw.accept(tameConnection(connection)));
  }

  /** Asks the browser not to delete what the origin stores when room gets scarce; whether it agrees. */
  persist(options: WaitOptions = {}): Promise<boolean> {
    return this.#call("asking", options, (raw) => raw.persist());
  }

  /** Takes part in what the tabs that share the store tell each other. */
  #join(store: string): Tabs | undefined {
    return Tabs.join(store, {
      journal: this.journal,
      heard: (event) => {
        if (!this.#dials && (this.#state === "starting" || this.#state === "running")) this.#tell(event);
      },
      changed: (address, added) => {
        // It may be of a kind that is not dialled here.
        void (added ? this.#raw.addPeer(address, false) : this.#raw.removePeer(address, false)).catch(() => {});
      },
      asked: (question) => this.#answer(question),
    });
  }

  /** What another tab asks of the one that dials. */
  async #answer(question: Question): Promise<unknown> {
    const raw = this.#raw;
    if ((await raw.status()).dials !== "this") return SILENCE;
    if (question.what === "peers") return raw.peers();
    // What the other tab has appended reaches this one by the store.
    await this.#reaches(raw, question.number);
    const outcome = await raw.sync(question.peers ?? undefined).then(
      (syncs) => ({ syncs }),
      (error: unknown) => ({ error }),
    );
    const { dials, number } = await raw.status();
    // Stopped meanwhile: whoever dials now is asked again.
    if (dials !== "this") return SILENCE;
    if ("error" in outcome) throw outcome.error;
    return { ...outcome, number };
  }

  async #syncElsewhere(raw: RawNode, tabs: Tabs, peers: readonly string[] | undefined, call: Call): Promise<RawSync[]> {
    const { number } = await raw.status();
    // Stopped or taken over meanwhile: nobody else would answer.
    if ((await raw.status()).dials !== "other") return raw.sync(peers);
    const synced = await tabs.ask({ what: "sync", number, peers: peers ?? null }, call);
    await this.#reaches(raw, synced.number);
    return synced.syncs;
  }

  /** Resolves when the journal here is as long as that, or after a while. */
  async #reaches(raw: RawNode, number: number): Promise<void> {
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(), FOLLOWED);
    try {
      while (!ended.signal.aborted) {
        const seen = this.#growth;
        if ((await raw.status()).number >= number) return;
        await this.#grows(seen, ended.signal, undefined);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Calls the wasm, unless that is over, and waits no longer than asked for. */
  async #call<T>(
    what: string,
    options: WaitOptions,
    call: (raw: RawNode, call: Call) => Promise<T>,
  ): Promise<T> {
    if (options.signal?.aborted) throw aborted(options.signal);
    if (this.#instance.crash) throw this.#instance.crash;
    if (this.#state === "closed") throw new IsorootError("CLOSED", "the node is closed");
    const waiting: Call = { gone: false };
    return within(call(this.#raw, waiting), what, options, this.#instance, waiting);
  }

  #become(state: State): void {
    if (this.#state !== "closed" && this.#state !== "crashed") this.#state = state;
  }

  readonly #onCrash = (error: IsorootError): void => {
    this.#become("crashed");
    this.#tabs?.close();
    this.#wake();
    // From a stack of its own: this one ends in the wreck.
    queueMicrotask(() => this.dispatchEvent(new SyncNodeEvent("crashed", { error })));
  };

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
      if (this.#dials && this.#tabs) {
        // Asked, it knows that it dials.
        void this.#raw.status().then(() => this.#tabs?.lead(), () => {});
      }
      return;
    }
    this.#tabs?.tell(event);
    this.#tell(event);
  }

  #tell({ type, detail }: RawEvent): void {
    if (this.#state === "closed") return;
    if (type === "grew" || type === "due" || type === "lagged") this.#wake();
    const error = detail?.["error"];
    const told = error ? { ...detail, error: fromPlain(error) } : detail;
    this.dispatchEvent(new SyncNodeEvent(type, told));
  }
}

/** How long another tab may take to say how its peers are, in milliseconds. */
const ELSEWHERE = 2_000;

/** How long what one tab has appended may take to reach another, in milliseconds. */
const FOLLOWED = 10_000;

/** What the wasm says of a sync in a node that is not started. */
const NOT_STARTED: PlainError = {
  code: "NOT_STARTED",
  message: "the sync service is not started",
  fault: "caller",
  retryable: false,
};

/** The same as a genuine array, which runs no code of the caller's when it is read. */
function list<T>(given: readonly T[]): T[] {
  if (!Array.isArray(given)) throw new IsorootError("INVALID_FACTS", "an entry is an array of facts");
  return Array.from(given);
}

function toError(error: PlainError | null): IsorootError | null {
  return error && (fromPlain(error) as IsorootError);
}

// The methods of EventTarget, with the events that there are.
export interface SyncNode {
  addEventListener<Type extends keyof SyncNodeEventMap>(
    type: Type,
    listener: SyncNodeListener<Type> | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof SyncNodeEventMap>(
    type: Type,
    listener: SyncNodeListener<Type> | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** Is called with the events of one type. */
export type SyncNodeListener<Type extends keyof SyncNodeEventMap> =
  | ((this: SyncNode, event: SyncNodeEventMap[Type]) => void)
  | { handleEvent(event: SyncNodeEventMap[Type]): void };
