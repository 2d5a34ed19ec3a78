import type { Lsn, SequenceNumber } from "@kaya/core";

/** Where an epoch began: its writer appended the records behind `lsn`, up to the `lsn` of the next epoch. */
export interface EpochStart {
  /** The epoch: 1 for the first writer, then one more for each. */
  readonly epoch: number;
  /** The last record before it. */
  readonly lsn: Lsn;
  /** The node that wrote in it. */
  readonly writer: string;
}

/** The end of the shared log, and the node that may append to it. The head is never deleted, because it fences earlier writers. */
export interface LogHead {
  /** The epoch of the writer that claimed the log last. */
  readonly epoch: number;
  /** The last record. */
  readonly lsn: Lsn;
  /** The last operation. */
  readonly sequence: SequenceNumber;
  /** The id that the local log of each node has: with it tokens of the change feed work on every node. */
  readonly logId: string;
  /** The node that claimed it last. */
  readonly writer: string;
  /** The address of that node, for clients; undefined if it gave none. */
  readonly address: string | undefined;
  /** Bytes of all entries that were ever appended, those that were trimmed included, and 256 more for what the store needs for each. */
  readonly bytes: number;
  /** Where the first epoch and the last ones began, oldest first: at most `MAX_EPOCH_STARTS`. They say whether a write of an earlier epoch is in the log. */
  readonly starts: readonly EpochStart[];
  /** Opaque. Two heads have the same version only if nothing changed in between. */
  readonly version: string;
}

/** How many epochs a head remembers. */
export const MAX_EPOCH_STARTS = 64;

/** A node's claim of the log. */
export interface LogClaim {
  /** The id of the node that claims. */
  readonly writer: string;
  /** Where clients reach it. */
  readonly address?: string | undefined;
  /** For the first claim of a log: where it begins. Ignored otherwise. */
  readonly origin: {
    /** The id of the log: 16 lower-case hex digits. */
    readonly logId: string;
    /** The last record before the log begins: 0 for an empty log. */
    readonly lsn: Lsn;
    /** The last operation before the log begins: 0 for an empty log. */
    readonly sequence: SequenceNumber;
  };
}

/** One group commit: its records as a segment of the log has them. */
export interface LogEntry {
  /** The first of its records. */
  readonly firstLsn: Lsn;
  /** The last of its records; the entry is named by it. */
  readonly lastLsn: Lsn;
  /** The last operation of its last record. */
  readonly lastSequence: SequenceNumber;
  /** The records, encoded, one behind the other. */
  readonly bytes: Uint8Array;
}

/** Entries that were read, oldest first, without a gap. */
export interface LogPage {
  /** The first entry may begin with records that the reader has already: an entry is never cut. */
  readonly entries: readonly LogEntry[];
  /** The head as of the moment when the entries were read, or later. */
  readonly head: LogHead;
}

/** A copy of the data as of `lsn`, in a blob store. A node that needs trimmed records begins with the base. */
export interface LogBase {
  /** The last record that is in it. */
  readonly lsn: Lsn;
  /** The last operation that is in it. */
  readonly sequence: SequenceNumber;
  /** `LogHead.bytes` as of `lsn`, or less. */
  readonly bytes: number;
  /** The epoch of the writer that made it. */
  readonly epoch: number;
  /** Its name in the blob store. */
  readonly name: string;
  /** Opaque. Two bases have the same version only if nothing changed in between, and nobody claimed the log. */
  readonly version: string;
}

/** The facts that a node publishes about itself while it lives. */
export interface NodeInfo {
  /** Unique among the nodes of a log. */
  readonly id: string;
  /** Where clients reach it; undefined if it published no address. */
  readonly address: string | undefined;
  /** Its role when it published. */
  readonly role: "writer" | "follower";
  /** True for a node that never becomes the writer by itself. */
  readonly isFollowerOnly: boolean;
  /** The last record that it had when it published. */
  readonly lsn: Lsn;
}

/** The nodes that are present. */
export interface Members {
  /** Nodes whose presence has not run out, in order of their ids. */
  readonly nodes: readonly NodeInfo[];
  /** The node that was asked to become the writer; undefined if none was, or it did. */
  readonly wanted: string | undefined;
}

/** A presence that runs out by itself if it is not renewed. It says when to try to become the writer, and protects nothing. */
export interface Presence {
  /** Publishes the node's facts anew, and renews the presence. @throws KayaError KAYA_NOT_FOUND if it ran out: announce again */
  renew(node: NodeInfo, options?: CallOptions): Promise<void>;
  /** Ends the presence now, so that others need not wait until it runs out. */
  end(options?: CallOptions): Promise<void>;
}

/** A call that may be given up. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. A call that changes the log may still be done. */
  readonly signal?: AbortSignal;
}

/**
 * A log that a majority of machines keeps, with one writer at a time. `etcdLog` and `SimLog` are two; `sharedLogContract` tests any other.
 *
 * Every answer is linearizable. A change is durable on a majority when its call resolves. `claim`, `append`, `setBase` and `want` make **one attempt**: an
 * error says what is known of it.
 *
 * - KAYA_FENCED: the expected head or base was replaced. This attempt did nothing, and the same compare can never succeed.
 * - KAYA_DISK_FULL: there is no room (in etcd: NOSPACE). This attempt did nothing.
 * - KAYA_NO_MAJORITY: no request was delivered. This attempt did nothing.
 * - KAYA_IN_DOUBT: no answer came. It may have been done, **or may be done later**.
 * - KAYA_INVALID_ARGUMENT, KAYA_IO (refused: certificates, passwords): this attempt did nothing.
 *
 * Calls that only read try all machines, and reject with KAYA_NO_MAJORITY if none answers in time.
 */
export interface SharedLog {
  /** For messages: which log this is, without secrets. */
  readonly name: string;
  /** The most bytes that an entry may have. */
  readonly maxEntryBytes: number;

  /** The head; undefined before the first claim. */
  head(options?: CallOptions): Promise<LogHead | undefined>;

  /**
   * Makes a node the only one that may append: replaces the head by one of the next epoch, if it is still the expected one. In the same
   * transaction the base gets another `version`, so that an earlier writer can neither replace it nor trim.
   * @returns the new head
   */
  claim(expected: LogHead | undefined, claim: LogClaim, options?: CallOptions): Promise<LogHead>;

  /**
   * Appends an entry, if the head is still the expected one.
   * @returns the new head
   */
  append(expected: LogHead, entry: LogEntry, options?: CallOptions): Promise<LogHead>;

  /**
   * Entries with records behind an LSN, as many as `maxBytes` holds, and at least one if there is any.
   * @throws KayaError KAYA_LOG_TRUNCATED if the next record was trimmed: begin with the base; KAYA_CORRUPTION if entries do not continue each
   *   other; KAYA_NOT_FOUND before the first claim
   */
  read(after: Lsn, options?: CallOptions & { readonly maxBytes?: number }): Promise<LogPage>;

  /**
   * The entries behind an LSN as they are appended, in pages; a page without entries when only the head changed. The first page comes at once, even if
   * it is empty. Lost connections are opened again. While no majority answers, it waits, and calls `onTrouble` with the error. It ends without an error
   * when `signal` aborts.
   * @throws KayaError KAYA_LOG_TRUNCATED if the next record was trimmed: begin with the base; KAYA_CORRUPTION if entries do not continue each other;
   *   KAYA_NOT_FOUND before the first claim
   */
  follow(
    after: Lsn,
    options: { readonly signal: AbortSignal; readonly onTrouble?: (error: unknown) => void },
  ): AsyncIterable<LogPage>;

  /** The newest base; undefined if there is none. */
  base(options?: CallOptions): Promise<LogBase | undefined>;

  /**
   * Names a base that is durable in the blob store, if the expected one is still the base, and its LSN is behind that one's.
   * @param expected the answer of `base` after this node's claim
   */
  setBase(
    expected: LogBase | undefined,
    next: Omit<LogBase, "version">,
    options?: CallOptions,
  ): Promise<LogBase>;

  /**
   * Removes entries whose records are all at or below `through`, which must be at or below the base's LSN; if the base is still that one. It may be
   * called again.
   */
  trim(base: LogBase, through: Lsn, options?: CallOptions): Promise<void>;

  /** Announces a node. Its presence lasts `ttlMs` from each renewal. */
  announce(node: NodeInfo, ttlMs: number, options?: CallOptions): Promise<Presence>;

  /** The nodes that are present, and the node that was asked to become the writer. */
  members(options?: CallOptions): Promise<Members>;

  /** Asks a node to become the writer; undefined withdraws the request. */
  want(nodeId: string | undefined, options?: CallOptions): Promise<void>;

  /** Calls `onChange` when the answer of `members` may have changed, and after each lost connection. Ends when `signal` aborts. */
  watchMembers(onChange: () => void, options: { readonly signal: AbortSignal }): void;

  /** Lets go of connections. Calls under way reject with KAYA_CLOSED; `append`, `claim` and `setBase` may still be done. */
  close(): Promise<void>;
}
