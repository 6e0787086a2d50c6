/** Who can do something about an error. */
export type Fault = "caller" | "peer" | "network" | "store" | "internal";
/**
 * Every error of Isoroot. `code` is stable and the same in Rust, on the command line and in logs, such as
 * `CLOSED`, `CRASHED`, `TIMEOUT`, `ABORTED`, `STORE_FULL`, `STORE_EVICTED`, `UNREACHABLE`, `INVALID_FACTS`.
 */
export declare class IsorootError extends Error {
    /** Stable name of what went wrong. */
    readonly code: string;
    /** Who can do something about it. */
    readonly fault: Fault;
    /** Whether the same call may succeed later without anybody having changed anything. */
    readonly retryable: boolean;
    /** The code that the peer gave, where the code is `REFUSED`: why it turned this node away. */
    readonly peerCode: string | undefined;
    /** Where an import failed: what it had done by then. Entries of the file that are here, and how many are new. */
    readonly done: {
        readonly entries: number;
        readonly imported: number;
    } | undefined;
    constructor(code: string, message: string, options?: {
        fault?: Fault;
        retryable?: boolean;
        peerCode?: string | undefined;
        done?: IsorootError["done"];
        cause?: unknown;
    });
    /** What `JSON.stringify` shows: all but stack and cause. */
    toJSON(): object;
    /** Whether this is one, also of another copy of the package. */
    static is(error: unknown): error is IsorootError;
}

declare const kind: unique symbol;
/** Lower-case hex that names a thing of one kind. */
export type Hex<Kind extends string> = string & {
    readonly [kind]: Kind;
};
/** Names a journal: the hash of its first bytes. */
export type JournalId = Hex<"journal">;
/** Names a device: its Ed25519 public key. */
export type DeviceId = Hex<"device">;
/** Names an authority: an Ed25519 public key. */
export type AuthorityId = Hex<"authority">;
/** Names an entry: a hash over its journal and its signed bytes. */
export type EntryId = Hex<"entry">;
/** Names one store. */
export type StoreId = Hex<"store">;
/** A Merkle root. Two nodes are in sync exactly when theirs are equal. */
export type Root = Hex<"root">;
/** Names a fact: its entry, a colon, its place there. */
export type FactId = string & {
    readonly [kind]: "fact";
};
/** A reader's place in a journal, as one store keeps it: text to be kept and given back. */
export type Position = string & {
    readonly [kind]: "position";
};
/** The bytes of an id or root. */
export declare function bytes(id: Hex<string>): Uint8Array;
/** A journal's id, from hex or its 32 bytes. */
export declare function journalId(id: string | Uint8Array): JournalId;
/** A device's id, from hex or its 32 bytes. */
export declare function deviceId(id: string | Uint8Array): DeviceId;
/** An authority's id, from hex or its 32 bytes. */
export declare function authorityId(id: string | Uint8Array): AuthorityId;
/** An entry's id, from hex or its 32 bytes. */
export declare function entryId(id: string | Uint8Array): EntryId;

/**
 * The secret key of a device. Whoever has it is that device. It is never printed: not by `console.log`, not
 * as JSON, not in an error.
 */
export declare class Identity {
    #private;
    /** The identity of 32 secret, uniformly random bytes: the seed of an Ed25519 key. They are copied. */
    constructor(seed: Uint8Array);
    /** A new one, from the random bytes of the system. */
    static generate(): Identity;
    /** A copy of the secret bytes, to keep them where nobody else gets at them. */
    exposeSeed(): Uint8Array;
}

/** An entry as a store keeps it. */
export interface StoredEntry {
    readonly id: EntryId;
    /** Its bytes, as signed: at most 1,048,576. */
    readonly bytes: Uint8Array;
}
/** An entry and its place: 1, 2, 3 … in the order of commit in this store, for each journal. */
export interface NumberedEntry extends StoredEntry {
    readonly number: number;
}
/**
 * Keeps the entries of journals in the order of commit, and small notes. It knows nothing of facts.
 *
 * - `append` is atomic, and happens only if the head is still `at`: several writers lose nothing.
 * - Who has seen number `n` never later sees a new entry at or below `n`.
 * - When there is no room left, throw an `IsorootError` with the code `STORE_FULL` or a
 *   `QuotaExceededError`: reading goes on, and so do writes that fit. After any other failed write a node
 *   writes nothing more until it is opened again.
 * - When its data was removed while it was in use, throw an `IsorootError` with the code `STORE_EVICTED`.
 *
 * What is thrown, and an answer of another form, fails the call with `STORE_FAILED`. A node calls it as long
 * as it lives; opening and closing it is the application's. One store object is for one node.
 */
export interface Store {
    /** Names this store among all: 32 random hex digits, the same as long as its content lasts. See `storeId`. */
    readonly id: StoreId;
    /** The last number of a journal, 0 if it is empty or unknown. */
    head(journal: JournalId): Promise<number> | number;
    /** Appends all as one if the head is `at`. Resolves when they are as durable as asked. */
    append(journal: JournalId, at: number, entries: readonly StoredEntry[], durability: "strict" | "relaxed"): Promise<Appending> | Appending;
    /** Entries in order from this number on, as many as take at most so many bytes; at least one, if there is one. */
    read(journal: JournalId, from: number, maxBytes: number): Promise<readonly NumberedEntry[]> | readonly NumberedEntry[];
    /** The entries of these numbers, in this order, without those that are not there. */
    fetch(journal: JournalId, numbers: readonly number[]): Promise<readonly NumberedEntry[]> | readonly NumberedEntry[];
    /** The ids from this number on, in order, at most so many. */
    ids(journal: JournalId, from: number, max: number): Promise<readonly EntryId[]> | readonly EntryId[];
    /** Resolves with the head when it is beyond `after`. Without it, a node looks for itself each second. */
    changed?(journal: JournalId, after: number, signal: AbortSignal): Promise<number>;
    note(key: string): Promise<Uint8Array | null> | Uint8Array | null;
    /** Replaces a note, durably, if it still is `expected`; null is no note. */
    setNote(key: string, expected: Uint8Array | null, value: Uint8Array | null): Promise<Noting> | Noting;
    /** The notes whose keys start with this, in the order of their keys. */
    notes(prefix: string): Promise<readonly (readonly [string, Uint8Array])[]> | readonly (readonly [string, Uint8Array])[];
}
/** Whether an append happened, and the head as it is now. */
export interface Appending {
    readonly done: boolean;
    readonly head: number;
}
/** Whether a note was set; if not, what it is. */
export type Noting = {
    readonly done: true;
} | {
    readonly done: false;
    readonly now: Uint8Array | null;
};
/** An open connection: frames of at most 65,536 bytes, in order, none lost, both ways. */
export interface Connection {
    /** Sends a frame; resolves when the next one can be taken, which is how a slow peer holds back a fast one. */
    send(frame: Uint8Array): Promise<void> | void;
    /** The next frame, or null when the peer has closed. It is not called again before it has answered. */
    receive(): Promise<Uint8Array | null>;
    /** Ends the connection, after all that was sent. A `receive` that waits then answers, in whatever way. */
    close(reason: string): Promise<void> | void;
    /** Bytes that both ends of this very connection share and nobody else has, if there are any. */
    readonly binding?: Uint8Array;
    /** The other end, for messages. */
    readonly remote?: string;
}
/** Opens connections. What it throws is a peer that was not reached. */
export interface Transport {
    /** Dials an address of its scheme. The signal is aborted when nobody wants it any more. */
    connect(address: string, signal: AbortSignal): Promise<Connection>;
}
/** A store's id from hex or its 16 bytes; a new one without. */
export declare function storeId(id?: string | Uint8Array): StoreId;

/**
 * How long to wait. What ends is the wait: what was asked for goes on, and may still happen. Only an `append` or a
 * sync that had not begun is taken back.
 */
export interface WaitOptions {
    /** Gives up with `ABORTED`, whose cause is the signal's reason. */
    signal?: AbortSignal;
    /** Gives up with `TIMEOUT` after so many milliseconds. `Infinity` never does. */
    timeout?: number;
}

/**
 * What a fact says. A number that is a whole one within ±(2^53 − 1) is an integer, any other a float; a
 * bigint is an integer of 64 bits. An integer comes back as a number within ±(2^53 − 1), else as a bigint.
 */
export type FactValue = null | boolean | number | bigint | string | Uint8Array | readonly FactValue[] | {
    readonly [key: string]: FactValue;
};
/** One small immutable statement. */
export interface Fact {
    /** What it is about: 1 to 256 bytes of UTF-8. */
    readonly predicate: string;
    /** What it says: at most 65,536 bytes encoded. */
    readonly value: FactValue;
    /** On whose behalf, if not the device's own. A claim. */
    readonly authority?: AuthorityId | null;
    /** When it holds, in milliseconds since 1970. Free for the application. */
    readonly timestamp?: number | null;
}
/** A fact with all that is known of it. */
export interface FactRecord {
    readonly id: FactId;
    /** The entry that it came in. */
    readonly entry: EntryId;
    /** The entry's place in the order of commit here. */
    readonly number: number;
    /** The device that signed it. */
    readonly device: DeviceId;
    /** The entry's clock, in microseconds since 1970. */
    readonly entryTimestamp: number;
    readonly predicate: string;
    readonly value: FactValue;
    readonly authority: AuthorityId | null;
    readonly timestamp: number | null;
    /** The place right behind it: what `after` takes, also after a reload. */
    readonly position: Position;
}
/**
 * An entry that is in the journal and its root, and held back from `facts` for now: its clock is more than
 * 300,000 ms ahead of the one here.
 */
export interface HeldEntry {
    readonly id: EntryId;
    readonly number: number;
    readonly device: DeviceId;
    /** Its clock, in microseconds since 1970. */
    readonly timestamp: number;
    /** Why it is held back. There may be other reasons in later versions. */
    readonly reason: "ahead";
    /** When it is shown, by the clock here, in microseconds since 1970. */
    readonly due: number;
}
/** An entry: facts that were appended and signed together. */
export interface Entry {
    readonly id: EntryId;
    readonly device: DeviceId;
    /** Its clock, in microseconds since 1970. */
    readonly timestamp: number;
    /** The device's own entries before it. */
    readonly after: readonly EntryId[];
    readonly facts: readonly Required<Fact>[];
    /** Its bytes as signed. */
    readonly record: Uint8Array;
}
/** From one time to another, both included; without an end, from or to any time. */
export interface Range {
    from?: number;
    to?: number;
}
/** Which facts are meant: those for which all that is given holds. */
export interface Query {
    /** Exactly this predicate. */
    predicate?: string;
    /** A predicate that starts with this. */
    prefix?: string;
    /** This authority, spelled out or implied: that of a fact without one is the device that signed it. */
    authority?: AuthorityId | DeviceId;
    /** Signed by this device. */
    device?: DeviceId;
    /** In this entry. */
    entry?: EntryId;
    /** This one. */
    fact?: FactId;
    /** In entries of this time: their clock, `entryTimestamp`, in microseconds since 1970. */
    written?: Range;
    /**
     * With a timestamp of their own in this time, in milliseconds since 1970. A fact without one is in no
     * range. No index holds these: entries that the other parts leave are read to look.
     */
    timestamp?: Range;
}
/** Which facts to read, and how. */
export interface FactsOptions extends Query {
    /**
     * Only what comes behind this place, such as the `position` of the last fact that was seen. None is missed,
     * not even what was held back then and has fallen due since, which comes first. One may come twice where
     * the clock here went back, and all of them if the store is another.
     */
    after?: Position;
    /** At most so many facts. */
    limit?: number;
    /** Whether to wait for more at the end. */
    live?: boolean;
    /**
     * Is called when a `live` reading is more than 1,024 entries behind, with how many: once, until it has
     * caught up. Nothing is lost.
     */
    lagged?: (behind: number) => void;
    /** Ends the reading with an error. */
    signal?: AbortSignal;
}

/** Where the bytes of a file come from. */
export type FileSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Blob | Uint8Array;
/** What importing a file did. */
export interface ImportReport {
    /** Entries in the file. */
    readonly entries: number;
    /** How many of them were not here before. */
    readonly imported: number;
    /** The root of the file. */
    readonly fileRoot: Root;
    /** The root of the journal here, with what else it holds. */
    readonly root: Root;
    /** Entries of the journal here. */
    readonly rootEntries: number;
}
/** What a file says of itself. */
export interface FileHeader {
    /** The journal that it holds. */
    readonly journal: JournalId;
    /** The first bytes of the journal, for `SyncNode.create`; null where they were not known. */
    readonly genesis: Uint8Array | null;
}
/**
 * Which journal a file holds, to open it by: `SyncNode.create({ genesis })` where that is known, else
 * `SyncNode.open({ journal })`. Whether the file is right is for `import` to see.
 */
export declare function fileHeader(file: Blob | Uint8Array): Promise<FileHeader>;

/** What a sync did. */
export interface SyncReport {
    readonly entriesSent: number;
    readonly entriesReceived: number;
    /** Bytes of the entries. */
    readonly bytesSent: number;
    readonly bytesReceived: number;
    /** Bytes of all that was sent about this journal. */
    readonly wireSent: number;
    readonly wireReceived: number;
    /** Entries that either side refused: the journals are equal but for these. */
    readonly refused: number;
    /** Rounds of comparing; 0 if the roots were equal from the start. */
    readonly rounds: number;
    readonly milliseconds: number;
    /** The root that both sides have. */
    readonly root: Root;
    readonly entries: number;
}
/**
 * How far a sync is: the peer was asked and has not answered; the two find out what they differ in; entries travel;
 * the roots were equal, and what is new follows by itself. A phase that is over at once may be passed over.
 */
export type SyncPhase = "opening" | "comparing" | "exchanging" | "live";
/** An event of a node; `detail` says more. */
export declare class SyncNodeEvent<Type extends string, Detail> extends Event {
    readonly type: Type;
    readonly detail: Detail;
    constructor(type: Type, detail: Detail);
}
/** The events of a node by their type. */
export interface SyncNodeEventMap {
    /** The node was started. */
    started: SyncNodeEvent<"started", null>;
    /** The node was stopped. */
    stopped: SyncNodeEvent<"stopped", null>;
    /** A connection is open, and both sides have proved who they are. */
    connected: SyncNodeEvent<"connected", {
        readonly peer: string;
        readonly device: DeviceId;
    }>;
    /** A connection ended, or could not be made. */
    disconnected: SyncNodeEvent<"disconnected", {
        readonly peer: string;
        readonly error: IsorootError;
    }>;
    /** The sync with a peer has come this far. */
    phase: SyncNodeEvent<"phase", {
        readonly peer: string;
        readonly journal: JournalId;
        readonly phase: SyncPhase;
    }>;
    /**
     * A sync ended before the roots were equal; or the journal is no longer kept equal with a peer, though the
     * connection goes on. It is tried again.
     */
    syncFailed: SyncNodeEvent<"syncFailed", {
        readonly peer: string;
        readonly journal: JournalId;
        readonly error: IsorootError;
    }>;
    /** A sync ended with equal roots. */
    synced: SyncNodeEvent<"synced", {
        readonly peer: string;
        readonly journal: JournalId;
        readonly report: SyncReport;
    }>;
    /** The journal has new entries, own ones or others'; `number` is the last one's place here. */
    grew: SyncNodeEvent<"grew", {
        readonly journal: JournalId;
        readonly number: number;
    }>;
    /** A peer has made entries durable: everything whose number here is at most `upto`. */
    delivered: SyncNodeEvent<"delivered", {
        readonly peer: string;
        readonly device: DeviceId;
        readonly journal: JournalId;
        readonly upto: number;
    }>;
    /** So many entries that were held back, since they were ahead of the clock here, are shown from now on. */
    due: SyncNodeEvent<"due", {
        readonly journal: JournalId;
        readonly entries: number;
    }>;
    /** Listeners were too slow: so many events are gone. */
    lagged: SyncNodeEvent<"lagged", {
        readonly missed: number;
    }>;
    /** Isoroot itself has failed. Open the journal again: what was acknowledged is in the store. */
    crashed: SyncNodeEvent<"crashed", {
        readonly error: IsorootError;
    }>;
}
/** Is called with the events of one type. */
export type SyncNodeListener<Type extends keyof SyncNodeEventMap> = ((this: SyncNode, event: SyncNodeEventMap[Type]) => void) | {
    handleEvent(event: SyncNodeEventMap[Type]): void;
};

/** A proof about several entries. */
export interface Proved {
    /** The root that it holds for: that of the journal at the moment when it was made. */
    readonly root: Root;
    /** How many entries the journal has then. */
    readonly entries: number;
    /** The proof, for `verifyProof`. */
    readonly proof: Uint8Array;
}
/** What evidence shows. */
export type Verified = {
    /** The entry that it is about. */
    readonly id: EntryId;
    /**
     * The journal that it names. Where the entry is in, the entry names it too. Where it is not, this is the
     * word of whoever gave the evidence: the root alone says of which journal that is.
     */
    readonly journal: JournalId;
    /** How many entries the journal with this root has. */
    readonly entries: number;
} & ({
    /** The entry is in the journal. */
    readonly in: true;
    /** The entry, which its device has signed. */
    readonly entry: Entry;
} | {
    /** No entry with this id is in the journal. */
    readonly in: false;
    readonly entry: null;
});
/**
 * Checks evidence, the bytes that `node.prove` gives, against a root that you trust. It needs no journal, and
 * no trust in who gave the evidence. Fails with `PROOF_FALSE` if it does not hold, with `PROOF_MALFORMED` if
 * the bytes are no evidence.
 */
export declare function verify(evidence: Uint8Array, root: Root | string, options?: WaitOptions): Promise<Verified>;
/**
 * Checks a proof of `node.proveAll` against a root that you trust: for each of the ids, which are those that it
 * was made for, whether its entry is in the journal. Fails as `verify` does.
 */
export declare function verifyProof(proof: Uint8Array, root: Root | string, ids: readonly (EntryId | string)[], options?: WaitOptions): Promise<boolean[]>;

/** What a receipt says, once it has been checked. */
export interface Receipt {
    readonly journal: JournalId;
    /** Who has signed it. */
    readonly device: DeviceId;
    /** The root of what the device holds. */
    readonly root: Root;
    /** How many entries that are. */
    readonly entries: number;
    /** The device's clock, in microseconds since 1970. Its word only. */
    readonly time: number;
    /** The hash of the receipt before it, in hex, or null for the first. */
    readonly previous: string | null;
}
/** Where an entry is, as far as one peer goes: not sent, on its way, or durable there. */
export type Delivery = "pending" | "sent" | "durable";
/** How far one peer has the journal. */
export interface PeerDelivery {
    /** Its device. */
    readonly device: DeviceId;
    /** Everything with a number up to this in this store is durable there. */
    readonly upto: number;
    /** How many own entries are not known to be. */
    readonly pending: number;
}
/**
 * Checks receipts of a device that you trust to be named here, the oldest first, each asked for with the one
 * before it: at most 100. Fails with `BAD_RECEIPT` if they are no such chain.
 */
export declare function checkReceipts(receipts: readonly Uint8Array[], of: {
    readonly journal: JournalId | string;
    readonly device: DeviceId | string;
}, options?: WaitOptions): Promise<Receipt[]>;
/**
 * Whether two receipts of one device cannot both be true: it has signed for two sets of one size. It has lied,
 * or lost what it had. Both are evidence of that, to be shown to others.
 */
export declare function contradict(one: Uint8Array, other: Uint8Array, options?: WaitOptions): Promise<boolean>;

/**
 * Says of pairs of predicate and value that they are not in, or that they may be. It never denies a pair that is
 * in; of others it lets pass a share that it was made for. `node.bloom` makes one, and it does not change.
 */
export declare class BloomFilter {
    #private;
    private constructor();
    /** The filter with these bytes, from whomever. Fails with `INVALID_FILTER` if they are none. */
    static from(bytes: Uint8Array, options?: WaitOptions): Promise<BloomFilter>;
    /** How many pairs are in; pairs that others cover by chance are not counted. */
    get count(): number;
    /** The share of other pairs that it lets pass, as far as can be told from the count. */
    get rate(): number;
    /** Whether a fact with this predicate and value may be in. If not, it is not. */
    mightContain(predicate: string, value: FactValue): boolean;
    /**
     * One that holds what this one or the other holds, with the count estimated. Both must have been made for the
     * same rate and number of facts, as by `node.bloom({ expected })`; else it fails with `INVALID_FILTER`.
     */
    merge(other: BloomFilter): BloomFilter;
    /** Its bytes, for `from` here or elsewhere. */
    toBytes(): Uint8Array;
}

/** A journal in numbers, all of one moment. */
export interface Statistics {
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
    /** Entries that later ones of their device name, and that are not here: gaps. */
    readonly missing: number;
    /** Devices whose entries fork: two stores with one key, or a restored backup. */
    readonly forked: number;
    /** How many halvings part the deepest entry of the Merkle map from its root, 0 to 256. */
    readonly depth: number;
    /** Bytes of all entries, as signed. What the store takes is more. */
    readonly bytes: number;
    /**
     * The share of other pairs that a Bloom filter over all facts, made for 1 %, is expected to let pass; null if it
     * would be larger than filters are.
     */
    readonly bloomRate: number | null;
}

/** An entry that is handed over. */
export interface Submission {
    /** Its bytes, as signed: the `record` of an entry. */
    readonly record: Uint8Array;
    /** The id that it is said to have, if one is named. */
    readonly id?: EntryId | string | undefined;
    /** A proof about its id alone, as `node.proveAll([id])` makes it. Looked at only where `shown` is `"each"`. */
    readonly proof?: Uint8Array | undefined;
}
/** How entries are judged, and what becomes of them. */
export interface ReceiveOptions extends WaitOptions {
    /**
     * How the entries are shown to be under the root. `"fullSet"`: together they are all that is under it.
     * `"each"`: each by a proof of its own; one without is unproved. `together`: all by one proof, as
     * `node.proveAll` makes it of their ids. `"not"`, the default: what is authentic is unproved.
     */
    readonly shown?: "not" | "fullSet" | "each" | {
        readonly together: Uint8Array;
    };
    /** What becomes of authentic entries without a proof: `"refuse"`, the default, or `"admit"`, as a sync does. */
    readonly unproved?: "refuse" | "admit";
    /** Only judges: nothing is taken in. */
    readonly dryRun?: boolean;
}
/** An entry that is neither proved nor unproved but false, and why. */
export interface Rejected {
    /** Its place among what was handed over, from 0. */
    readonly place: number;
    /** The id of its bytes, entry or not. */
    readonly id: EntryId;
    /** The first reason, such as `BAD_SIGNATURE` or `NOT_UNDER_ROOT`: a stable name. */
    readonly code: string;
    /** The same for people. */
    readonly message: string;
}
/** An authentic entry, with two marks that are no verdicts. */
export interface Judged {
    readonly id: EntryId;
    /** It was in the journal here already: taking it in changes nothing. */
    readonly isKnown: boolean;
    /** It is over 300,000 ms ahead of the clock here, and held back from `facts` until it is due. */
    readonly isAhead: boolean;
}
/** The verdicts on what was handed over, and what was done. */
export interface Received {
    /** Authentic, and proved to be under the root. In the journal now, if this was no dry run. */
    readonly verified: readonly Judged[];
    /** Authentic, and came without a proof. In the journal only if they were admitted or had been there before. */
    readonly unproved: readonly Judged[];
    /** Neither. Nothing of them is kept. */
    readonly rejected: readonly Rejected[];
    /** How many came more than once: each is judged once, where it came first. */
    readonly duplicates: number;
    /** How many entries were taken in that were not here before. */
    readonly new: number;
    /** The root here afterwards. */
    readonly root: Root;
}

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

/** How a node stands. It can be used in all states but `closed` and `crashed`; it dials while `running`. */
export type State = "stopped" | "starting" | "running" | "stopping" | "closed" | "crashed";
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
    /** Milliseconds until the next attempt, if the node waits for that. */
    readonly nextAttempt: number | null;
}
/** How syncing with one peer went. */
export type PeerSync = {
    readonly peer: string;
    readonly report: SyncReport;
    readonly error: null;
} | {
    readonly peer: string;
    readonly report: null;
    readonly error: IsorootError;
};
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
    /**
     * What the journal was loaded from when it was opened: its checkpoint and the records behind that, or all of
     * its records: there was no checkpoint, or one that did not agree with them and is made anew.
     */
    readonly loadedFrom: "records" | "checkpoint" | "recordsAgain";
    /** Number of the last entry that the checkpoint was about; null if it was not loaded from one. */
    readonly checkpoint: number | null;
    /** Connections that are open or being made. */
    readonly connections: number;
    /** Calls of `sync` and `synced` that wait here for a peer, each counted once for each of its peers. */
    readonly waiting: number;
    /** Who dials: this node, another tab that shares store and journal, or nobody. */
    readonly dials: "this" | "other" | "none";
}

/**
 * One journal on this device. Appending and reading work started or stopped, connected or not.
 *
 * A node lives until it is closed: `await node.close()`, or `await using node = await SyncNode.open(…)`.
 */
export declare class SyncNode extends EventTarget implements AsyncDisposable {
    #private;
    /** The journal's id. */
    readonly journal: JournalId;
    /** The device that signs here. */
    readonly device: DeviceId;
    /**
     * A node on a new journal, or on the one with this genesis or name if the store has it.
     */
    static create(options?: CreateOptions): Promise<SyncNode>;
    /** A node on a journal that somebody else made, or that the store has. */
    static open(options: OpenOptions): Promise<SyncNode>;
    private constructor();
    /** How the node stands. */
    get state(): State;
    /** The link that invites to the journal. Everyone who has it may read and write. */
    link(hub?: string): string;
    /**
     * Dials the peers, and keeps the journal equal with theirs. Of the tabs that share a store and a journal
     * one dials, the others follow through the store. Starting what runs changes nothing.
     */
    start(options?: WaitOptions): Promise<void>;
    /** Ends all connections. Reading and appending go on. Stopping what is stopped changes nothing. */
    stop(options?: WaitOptions): Promise<void>;
    /**
     * Stops, and ends the node for good: what still waits and every later call fails with `CLOSED`. Resolves
     * when what was being written is written, the checkpoint too, or after some seconds without that. Closing
     * what is closed or crashed changes nothing.
     */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    /**
     * Appends one fact, or several as one entry: all or none. Resolves when it is durable here.
     *
     * If the signal is aborted before this has returned to the event loop, nothing is appended. Later, and if
     * the time runs out, it may have been, or may yet be: look before you append it again.
     */
    append(facts: Fact | readonly Fact[], options?: WaitOptions): Promise<Appended>;
    /**
     * Appends an entry for each array of facts, in this order, each whole or not at all. Much faster than one
     * by one. Aborting is as with `append`, for all of them.
     */
    appendAll(entries: readonly (readonly Fact[])[], options?: WaitOptions): Promise<Appended[]>;
    /**
     * Facts in the order of commit here; what has fallen due since `after` comes first. It reads a page when it
     * needs one, so a slow reader holds up nobody; `live` goes on with each new fact as it comes or falls due,
     * missing none.
     */
    facts(options?: FactsOptions): AsyncIterableIterator<FactRecord>;
    /**
     * Entries that are in the journal and its root, and held back from `facts` for now: at most `limit`, 1,000 by
     * default, the first that is due first, behind the entry `after` if it still is one.
     */
    heldBack(options?: WaitOptions & {
        after?: EntryId;
        limit?: number;
    }): Promise<HeldEntry[]>;
    /** The entry with this id, if it is here; also one that is held back. */
    get(entry: EntryId, options?: WaitOptions): Promise<Entry | null>;
    /**
     * Evidence that the entry with this id is in the journal, with the entry, or that it is not: bytes for anyone
     * who has the root of this moment and calls `verify`. A fact is proved by its whole entry.
     */
    prove(entry: EntryId, options?: WaitOptions): Promise<Uint8Array>;
    /** One proof about 1 to 10,000 entries, each in the journal or not, for `verifyProof`. */
    proveAll(entries: readonly EntryId[], options?: WaitOptions): Promise<Proved>;
    /**
     * Has a connected peer sign for what it holds of the journal: a receipt, to be kept as evidence, for
     * `checkReceipts`. `previous` is the receipt that was had from it before, so that they form a chain.
     */
    requestReceipt(peer: string, options?: WaitOptions & {
        previous?: Uint8Array;
    }): Promise<Uint8Array>;
    /** How far each peer has the journal, of those that anything is known of since the node was opened. */
    deliveries(options?: WaitOptions): Promise<PeerDelivery[]>;
    /** Where an entry is as far as a peer's device goes; null if the entry is not here. */
    delivery(entry: EntryId, device: DeviceId, options?: WaitOptions): Promise<Delivery | null>;
    /** The Merkle root: two nodes are in sync exactly when theirs are equal. */
    root(options?: WaitOptions): Promise<Root>;
    /** The node and its journal as they are now. */
    status(options?: WaitOptions): Promise<Status>;
    /**
     * The journal in numbers, with what takes work to find out: every entry is read. For people, and for now and
     * then.
     */
    statistics(options?: WaitOptions): Promise<Statistics>;
    /**
     * A Bloom filter over predicate and value of every fact that `facts` gives now. It lets a share of `rate` of
     * other pairs pass, 0.01 by default, 0.00001 to 0.99999, if there are no more than `expected`, by default as
     * many as facts are here. Reads all facts.
     */
    bloom(options?: WaitOptions & {
        rate?: number;
        expected?: number;
    }): Promise<BloomFilter>;
    /**
     * Judges entries of this journal that somebody hands over, at most 10,000, against a root that you trust, and
     * takes in what is proved to be under it, durably. What is only authentic is taken in if `unproved` says so; what
     * is neither is told with its reason. A sync needs none of this.
     *
     * If the signal is aborted or the time runs out while they are judged, nothing is taken in; later it may be.
     */
    receive(root: Root | string, entries: readonly Submission[], options?: ReceiveOptions): Promise<Received>;
    /**
     * The journal as one file, which proves itself: of the moment at which it is first read from, whatever is
     * appended meanwhile. It is read from the store as it is asked for; only the last piece makes it whole.
     * To keep it: `new Response(node.export()).blob()`, or `pipeTo` a file.
     */
    export(options?: {
        signal?: AbortSignal;
    }): ReadableStream<Uint8Array>;
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
    import(source: FileSource, options?: {
        signal?: AbortSignal;
    }): Promise<ImportReport>;
    /**
     * Syncs now, with these peers of the node or with all; how it went with each. A peer that is not reached
     * is a failure in the result. The node must be started.
     *
     * Of the tabs that share a store and a journal the one that dials does it for the others, or the next one
     * if it dies meanwhile. Aborting ends the wait and frees what is kept for it; the sync itself goes on, since it is
     * for the node's sake that its peers are kept equal.
     */
    sync(options?: WaitOptions & {
        peers?: readonly string[];
    }): Promise<PeerSync[]>;
    /**
     * Resolves when all that is here now is durable at a peer of the node, or at all of them, and all that they have
     * is here. It waits through lost connections, peers that are away and the time between attempts, for as long as it
     * takes if no `timeout` is given. It fails when the node is stopped or closed, a peer is removed, and for what does
     * not pass by itself (an error that is not `retryable`): a peer that refuses the journal or breaks the protocol,
     * another device, a store that fails. Aborting ends the wait and frees what is kept for it.
     */
    synced(options?: WaitOptions & {
        peer?: string;
    }): Promise<void>;
    /**
     * Dials this address from now on, while started. Resolves to whether it is new. The store keeps it for this
     * journal, so it is dialled after a reload as well; the other tabs that share both hear of it. A `pipe:` is
     * of this page alone, and neither kept nor told.
     */
    addPeer(address: string, options?: WaitOptions): Promise<boolean>;
    /**
     * No longer dials this address, and ends its connection; the store forgets it. Resolves to whether it was
     * there.
     */
    removePeer(address: string, options?: WaitOptions): Promise<boolean>;
    /**
     * The peers that are dialled, in the order in which they were added, as the node sees them that dials: this
     * one, or the one of another tab that shares store and journal.
     */
    peers(options?: WaitOptions): Promise<PeerInfo[]>;
    /**
     * Takes connections from nodes of this page that dial `pipe:NAME`, until this one is closed. Connections
     * come in while it is started. A name that is in use fails with `ADDRESS`.
     */
    listen(name: string, options?: WaitOptions): Promise<void>;
    /**
     * Takes a connection that a peer has opened, by whatever transport. The node must be started. The connection
     * is the node's from then on.
     */
    accept(connection: Connection, options?: WaitOptions): Promise<void>;
    /** Asks the browser not to delete what the origin stores when room gets scarce; whether it agrees. */
    persist(options?: WaitOptions): Promise<boolean>;
}
export interface SyncNode {
    addEventListener<Type extends keyof SyncNodeEventMap>(type: Type, listener: SyncNodeListener<Type> | null, options?: boolean | AddEventListenerOptions): void;
    removeEventListener<Type extends keyof SyncNodeEventMap>(type: Type, listener: SyncNodeListener<Type> | null, options?: boolean | EventListenerOptions): void;
}

export {};
