// A node: one journal on this device, kept equal with its peers while started.

import { BloomFilter } from "./bloom.js";
import { type Connection, tameConnection } from "./custom.js";
import { peersAnywhere, syncAnywhere } from "./elsewhere.js";
import { IsorootError } from "./errors.js";
import { SyncNodeEvent, type SyncNodeEventMap, type SyncNodeListener } from "./events.js";
import {
  type Entry,
  type Fact,
  FactIterator,
  type FactRecord,
  type FactsOptions,
  type HeldEntry,
  list,
  rawQuery,
} from "./facts.js";
import { type FileSource, type ImportReport, isWhole, pieces, streamed } from "./files.js";
import { Growth } from "./growth.js";
import { seedOf } from "./identity.js";
import { type DeviceId, entryId, type EntryId, type JournalId, type Root } from "./ids.js";
import { asking, type Instance, load } from "./load.js";
import { around, type CreateOptions, type NodeOptions, type OpenOptions } from "./options.js";
import type { Proved } from "./proofs.js";
import type { Delivery, PeerDelivery } from "./receipts.js";
import { News } from "./news.js";
import type { RawExporting, RawGiven, RawNode, RawSync } from "./raw.js";
import type { Statistics } from "./statistics.js";
import { type Appended, type PeerInfo, type PeerSync, type State, type Status, toPeers, toStatus, toSyncs } from "./status.js";
import { NOT_STARTED } from "./tabs.js";
import { judging, type Received, type ReceiveOptions, type Submission, submissions } from "./verification.js";
import { aborted, type Call, endless, TIMEOUT, type WaitOptions, within } from "./wait.js";

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
  readonly #growth: Growth;
  readonly #news: News;

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
    const surroundings = around(options);
    if (signal?.aborted) throw aborted(signal);
    const end = Date.now() + (options.timeout ?? TIMEOUT);
    const rest = (): WaitOptions => ({ ...(signal && { signal }), timeout: Math.max(1, end - Date.now()) });
    const identity = seedOf(options.identity);
    const instance = await within(load(), "loading Isoroot", rest()).catch((error: unknown) => {
      identity?.fill(0);
      throw error;
    });
    const making = make(instance, { ...surroundings, identity });
    // The wasm has its own copy.
    identity?.fill(0);
    let node: SyncNode | undefined;
    try {
      const raw = await within(making, what, rest(), instance);
      node = new SyncNode(raw, instance, surroundings.store);
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
    this.#growth = new Growth(instance);
    this.journal = raw.journal as JournalId;
    this.device = raw.device as DeviceId;
    instance.onCrash(this.#onCrash);
    this.#news = new News(this, raw, this.#growth, store);
  }

  /** How the node stands. */
  get state(): State {
    return this.#state;
  }

  /** The link that invites to the journal. Everyone who has it may read and write. */
  link(hub?: string): string {
    return asking(this.#instance, () => this.#instance.exports.formatLink(this.journal, hub));
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
    this.#news.tabs?.leave(NOT_STARTED);
    if (ends) this.#become("stopping");
    await stopped;
    if (this.#state === "stopping") {
      this.#become("stopped");
      this.dispatchEvent(new SyncNodeEvent("stopped", null));
    }
  }

  /**
   * Stops, and ends the node for good: what still waits and every later call fails with `CLOSED`. Resolves
   * when what was being written is written, the checkpoint too, or after some seconds without that. Closing
   * what is closed or crashed changes nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#state === "crashed") return;
    this.#become("closed");
    this.#growth.wake();
    this.#news.tabs?.close();
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
        page: (options, after, limit) =>
          this.#call("reading", signal ? { signal } : {}, async (raw) =>
            raw.page(rawQuery(options), after === undefined ? undefined : String(after), limit),
          ),
        grown: () => this.#growth.count,
        growth: (seen, ended) => this.#growth.beyond(seen, ended, signal),
      },
      { ...options },
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

  /**
   * Has a connected peer sign for what it holds of the journal: a receipt, to be kept as evidence, for
   * `checkReceipts`. `previous` is the receipt that was had from it before, so that they form a chain.
   */
  requestReceipt(peer: string, options: WaitOptions & { previous?: Uint8Array } = {}): Promise<Uint8Array> {
    return this.#call("asking for a receipt", options, (raw) => raw.requestReceipt(String(peer), options.previous));
  }

  /** How far each peer has the journal, of those that anything is known of since the node was opened. */
  deliveries(options: WaitOptions = {}): Promise<PeerDelivery[]> {
    return this.#call("asking", options, (raw) => raw.deliveries());
  }

  /** Where an entry is as far as a peer's device goes; null if the entry is not here. */
  delivery(entry: EntryId, device: DeviceId, options: WaitOptions = {}): Promise<Delivery | null> {
    return this.#call("asking", options, (raw) => raw.delivery(String(entry), String(device)));
  }

  /** The Merkle root: two nodes are in sync exactly when theirs are equal. */
  async root(options: WaitOptions = {}): Promise<Root> {
    return (await this.status(options)).root;
  }

  /** The node and its journal as they are now. */
  async status(options: WaitOptions = {}): Promise<Status> {
    const status = await this.#call("asking", options, (raw) => raw.status());
    return toStatus(this.#state, status);
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
   * other pairs pass, 0.01 by default, 0.00001 to 0.99999, if there are no more than `expected`, by default as
   * many as facts are here. Reads all facts.
   */
  async bloom(options: WaitOptions & { rate?: number; expected?: number } = {}): Promise<BloomFilter> {
    const { rate = 0.01, expected } = options;
    const made = this.#call("reading", options, (raw) => raw.bloom(Number(rate), expected && Number(expected)));
    return BloomFilter.of(this.#instance, await made);
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
    let exporting: RawExporting | undefined;
    return streamed(() => this.#call("exporting", endless(signal), (raw) => (exporting ??= raw.export()).next()));
  }

  /**
   * Takes in what is new in a file of this journal, and checks all of it: every signature, that nothing is
   * missing, the root. A file of another journal fails with `OTHER_JOURNAL`; `fileHeader` says which it is.
   *
   * A `Blob` or `Uint8Array` is checked whole first: if anything is wrong with it, nothing is imported. A
   * stream is imported as it comes, never faster than it is stored. If it turns out wrong, the entries before
   * that stay, each as authentic as if a peer had sent it, and `done` of the error says how many they are. If
   * the stream itself fails, every entry that came whole before that is taken in, and its own error comes out. If
   * the signal is aborted, what was taken in by then stays.
   */
  async import(source: FileSource, options: { signal?: AbortSignal } = {}): Promise<ImportReport> {
    if (isWhole(source)) await this.#read(source, true, options.signal);
    return this.#read(source, false, options.signal);
  }

  async #read(source: FileSource, check: boolean, signal: AbortSignal | undefined): Promise<ImportReport> {
    const call = <T>(work: (raw: RawNode) => Promise<T>) => this.#call("importing", endless(signal), work);
    const importing = await call(async (raw) => raw.import(check));
    const failed = () => call(() => importing.unreadable());
    for await (const piece of pieces(source, signal, failed)) await call(() => importing.push(piece));
    return call(() => importing.finish());
  }

  /**
   * Syncs now, with these peers of the node or with all; how it went with each. A peer that is not reached
   * is a failure in the result. The node must be started.
   *
   * Of the tabs that share a store and a journal the one that dials does it for the others, or the next one
   * if it dies meanwhile. Aborting ends the wait and frees what is kept for it; the sync itself goes on, since it is
   * for the node's sake that its peers are kept equal.
   */
  async sync(options: WaitOptions & { peers?: readonly string[] } = {}): Promise<PeerSync[]> {
    const peers = options.peers && Array.from(options.peers, String);
    return toSyncs(await this.#sync("syncing", peers, false, options));
  }

  /**
   * Resolves when all that is here now is durable at a peer of the node, or at all of them, and all that they have
   * is here. It waits through lost connections, peers that are away and the time between attempts, for as long as it
   * takes if no `timeout` is given. It fails when the node is stopped or closed, a peer is removed, and for what does
   * not pass by itself (an error that is not `retryable`): a peer that refuses the journal or breaks the protocol,
   * another device, a store that fails. Aborting ends the wait and frees what is kept for it.
   */
  async synced(options: WaitOptions & { peer?: string } = {}): Promise<void> {
    const { peer, timeout = Infinity } = options;
    await this.#sync("waiting for peers", peer === undefined ? peer : [String(peer)], true, { ...options, timeout });
  }

  #sync(what: string, peers: string[] | undefined, patient: boolean, options: WaitOptions): Promise<RawSync[]> {
    return this.#call(what, options, (raw, call) =>
      syncAnywhere(raw, this.#growth, this.#news.tabs, { peers, patient }, call),
    );
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
      if (!ours) this.#news.tabs?.change(address, added);
      return changed;
    });
  }

  /**
   * The peers that are dialled, in the order in which they were added, as the node sees them that dials: this
   * one, or the one of another tab that shares store and journal.
   */
  async peers(options: WaitOptions = {}): Promise<PeerInfo[]> {
    return toPeers(await this.#call("asking", options, (raw, call) => peersAnywhere(raw, this.#news.tabs, call)));
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
    this.#news.tabs?.close();
    this.#growth.wake();
    // From a stack of its own: this one ends in the wreck.
    queueMicrotask(() => this.dispatchEvent(new SyncNodeEvent("crashed", { error })));
  };
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
