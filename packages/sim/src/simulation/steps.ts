import type { DurabilityMode, EngineConfig, WalConfig } from "@kaya/core";
import type { FailedSyncOutcome } from "@kaya/io";

/** The range of a step; the names are those of `RangeOptions` of the engine. */
export interface StepRange {
  /** Only keys that begin with this text. */
  readonly prefix?: string;
  /** Only keys after this one. */
  readonly gt?: string;
  /** Only this key and keys after it. */
  readonly gte?: string;
  /** Only keys before this one. */
  readonly lt?: string;
  /** Only this key and keys before it. */
  readonly lte?: string;
  /** True: from the last key to the first. */
  readonly reverse?: boolean;
  /** At most this many entries. */
  readonly limit?: number;
}

/** A put of a value with that many bytes, which lives so many milliseconds, 0 or less for none; without a length a delete; or a range that is cleared. */
export type StepOperation = KeyOperation | { readonly clear: Omit<StepRange, "reverse" | "limit"> };

export interface KeyOperation {
  readonly key: string;
  readonly length?: number;
  readonly lives?: number;
}

/**
 * A batch's condition on a key: as it can be read now, as it will be after the writes under way, absent, or one that never holds.
 */
export interface StepCondition {
  readonly key: string;
  readonly is: "as-read" | "as-written" | "absent" | "wrong";
}

/** With `now` a write is done when its call returns: `putSync` and the like. */
interface MaybeNow {
  readonly durability: DurabilityMode;
  readonly now?: true;
}

/** Starts a write and does not wait for it. `id` makes its values unlike all others. */
export type WriteStep =
  | ({
      readonly step: "put";
      readonly id: number;
      readonly key: string;
      readonly length: number;
      /** As of an operation of a batch. */
      readonly lives?: number;
    } & MaybeNow)
  | ({ readonly step: "delete"; readonly key: string } & MaybeNow)
  | ({
      readonly step: "batch";
      readonly id: number;
      readonly operations: readonly StepOperation[];
      readonly conditions?: readonly StepCondition[];
    } & MaybeNow)
  | { readonly step: "clear"; readonly range: StepRange; readonly durability: DurabilityMode }
  /** Its function must get the state after all writes under way. With `promised` it gives a promise. */
  | {
      readonly step: "update";
      readonly id: number;
      readonly key: string;
      readonly length: number;
      readonly durability: DurabilityMode;
      readonly promised?: true;
    };

/** `open-…` take a point in time that the matching `read-…` looks at again, whatever was written since. */
export type ReadStep =
  | { readonly step: "get" | "get-sync" | "has"; readonly key: string }
  | { readonly step: "get-many"; readonly keys: readonly string[] }
  | { readonly step: "count" | "size"; readonly range: StepRange }
  | { readonly step: "scan"; readonly range: StepRange; readonly pageSize: number }
  | { readonly step: "open-scan"; readonly range: StepRange; readonly pageSize: number }
  | { readonly step: "read-scan" }
  | { readonly step: "open-snapshot" }
  | {
      readonly step: "read-snapshot";
      readonly keys: readonly string[];
      readonly range: StepRange;
      readonly close: boolean;
    };

/** Starts a compaction of a range and does not wait for it. */
export interface CompactStep {
  readonly step: "compact";
  readonly range: Omit<StepRange, "reverse" | "limit">;
}

/** The disk does nothing by itself: these say how far it goes. */
export type ProgressStep =
  /** Starts a `sync` and does not wait for it. */
  | { readonly step: "sync" }
  /** The same with a flush. */
  | { readonly step: "flush" }
  | CompactStep
  /** The disk does that many operations. */
  | { readonly step: "advance"; readonly operations: number }
  /** Waits for that many of the writes in flight, oldest first; without a number for all, and the syncs, flushes and compactions. */
  | { readonly step: "settle"; readonly writes?: number };

/** So many milliseconds pass, and somebody sets the wall clock by `jump`. Nothing else moves the time. */
export interface TimeStep {
  readonly step: "time";
  readonly ms: number;
  readonly jump?: number;
}

/** A fault that waits: `after` counts operations that it could meet, so that it always meets one. */
export type WaitingFault = { readonly after: number } & PlannedFault;

/** A fault that is to come, and with `next` another that begins to wait when the first has struck. */
export type FaultStep = { readonly step: "fault"; readonly next?: WaitingFault } & WaitingFault;

export type PlannedFault =
  | { readonly kind: "fsync-failed" | "io-error"; readonly outcome: FailedSyncOutcome }
  | { readonly kind: "disk-full" | "no-descriptors"; readonly times: number }
  | { readonly kind: "partial-write"; readonly bytes: number }
  | { readonly kind: "read-error" };

/** The kind of a planned fault. */
export type FaultKind = PlannedFault["kind"];

/** Somebody outside follows the changes, from where it was in the last process; it leaves again. */
export type FeedStep = { readonly step: "follow" | "unfollow" };

/** A named consumer registers, leaves, reads its feed, or acknowledges: so many thousandths of the way through what it was given. */
export type ConsumerStep =
  | { readonly step: "add-consumer"; readonly name: string }
  | { readonly step: "remove-consumer"; readonly name: string }
  | { readonly step: "consume"; readonly name: string }
  | { readonly step: "acknowledge"; readonly name: string; readonly permille: number };

/** A backup in the background, onto a new disk or onto the last one's, over its backup and leftovers. The oldest one can be cancelled. */
type BackupStep =
  | { readonly step: "backup"; readonly into: "new" | "used" }
  | { readonly step: "cancel-backup" };

/**
 * Another process builds a directory as of an LSN: so many thousandths of the way from the first to one behind the last. This one does
 * `beside` operations of the disk between any two of its reads.
 */
export interface RecoverToStep {
  readonly step: "recover-to";
  readonly permille: number;
  readonly beside: number;
}

/** Another process looks, read-only, in the same way: this one does `beside` operations of the disk between any two of its reads. */
export interface LookStep {
  readonly step: "look";
  readonly beside: number;
}

export type CopyStep = BackupStep | RecoverToStep | LookStep;

/** Options of an engine beside its log's: from tiny memtables, tables and levels on, so that few writes go through all of them. */
export type StoreConfig = Pick<EngineConfig, "memory" | "tables" | "compression">;

/** Starts a transaction. Its function waits for what the following steps say. */
export interface OpenTransactionStep {
  readonly step: "open-transaction";
  readonly durability: DurabilityMode;
  readonly attempts: number;
}

/** One of the transactions that are open, or nothing where there is none: `of` counts them round. */
export type TransactionStep =
  | OpenTransactionStep
  | { readonly step: "transaction-get"; readonly of: number; readonly keys: readonly string[] }
  /** Leaves the loop after `take` entries; without it counts them too. */
  | {
      readonly step: "transaction-scan";
      readonly of: number;
      readonly range: StepRange;
      readonly take?: number;
    }
  | {
      readonly step: "transaction-write";
      readonly of: number;
      readonly id: number;
      readonly operations: readonly StepOperation[];
    }
  /** Its function ends, or throws. */
  | { readonly step: "end-transaction"; readonly of: number; readonly fails?: true };

/** A row that gets a unique key, where it has one, and its other keys; without a row it is deleted. */
export interface RowChange {
  readonly key: string;
  readonly row?: { readonly unique?: string; readonly many: readonly string[] };
}

/** Steps of the store with indexes, which is a second one in the run. They do not wait for writes. */
export type IndexStep =
  | {
      readonly step: "index-write";
      readonly rows: readonly RowChange[];
      readonly durability: DurabilityMode;
      readonly inTransaction?: true;
    }
  | { readonly step: "index-clear"; readonly durability: DurabilityMode }
  /** Declares one more index, or that one anew with another version, and does not wait until it is built. */
  | { readonly step: "index-build" }
  /** Waits for everything, and compares rows and indexes. */
  | { readonly step: "index-verify" };

/** Steps that come by themselves, and not by their weights. */
export type TransactingStepName = TransactionStep["step"] | "update";

/** The life of the process. The step after one that needs an engine opens it, and finishes what is half done. */
export type LifeStep =
  /** Cuts the power, wherever the disk is. */
  | { readonly step: "crash"; readonly survive: "nothing" | "everything" }
  | { readonly step: "crash"; readonly survive: "random"; readonly seed: number }
  | { readonly step: "kill" }
  /** Starts a close and does not wait for it. */
  | { readonly step: "close" }
  /** Closes, and starts to open with another configuration. */
  | { readonly step: "reopen"; readonly config: WalConfig; readonly store?: StoreConfig }
  /** A second engine on the same directory, which must be refused. */
  | { readonly step: "intrude" };

/** One step of a simulated run. */
export type Step =
  | WriteStep
  | ReadStep
  | ProgressStep
  | TimeStep
  | FeedStep
  | ConsumerStep
  | CopyStep
  | TransactionStep
  | IndexStep
  | FaultStep
  | LifeStep;
/** The name of a step. */
export type StepName = Step["step"];
