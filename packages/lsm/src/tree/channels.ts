import { type Channel, channel } from "node:diagnostics_channel";
import { asKayaError, type KayaError, type LogPosition } from "@kaya/core";

/** Names of the `node:diagnostics_channel`s on which a tree tells what it does. */
export const LSM_CHANNELS = {
  /** A flush began, is durable, or failed. Messages are `FlushMessage`s. */
  flush: "kaya:lsm:flush",
  /** A compaction began, is durable, or failed. Messages are `CompactionMessage`s. */
  compaction: "kaya:lsm:compaction",
} as const;

type Phase<Begin, Result> = {
  /** The disk's `root`; undefined for a disk that has none. */
  readonly dataDir: string | undefined;
} & Begin &
  (
    | { readonly phase: "started" }
    | { readonly phase: "finished"; readonly durationMs: number; readonly result: Result }
    | { readonly phase: "failed"; readonly durationMs: number; readonly error: KayaError }
  );

/** What a flush has written. */
export interface FlushResult {
  /** Bytes of the table; 0 if nothing had to be written. */
  readonly bytes: number;
  /** How many entries the table has; 0 if nothing had to be written. */
  readonly entries: number;
  /** The position of the log's last record that is in the tables now. */
  readonly covered: LogPosition;
}

/** What a compaction is going to do. */
export interface CompactionBegin {
  /**
   * `drop`: removes tables unread. `move`: puts a table into another level as it is. `merge`: writes tables
   * anew.
   */
  readonly kind: "drop" | "move" | "merge";
  /** The level that the outputs go to; for a drop the deepest level that loses a table. */
  readonly level: number;
  /** How many tables go in. */
  readonly inputTables: number;
  /** Bytes of the tables that go in. */
  readonly inputBytes: number;
}

/** What a compaction has written. */
export interface CompactionResult {
  /** How many tables were written. */
  readonly outputTables: number;
  /** Bytes of the tables that were written. */
  readonly bytes: number;
}

/** A message of the channel `kaya:lsm:flush`: a flush began, is durable, or failed. */
export type FlushMessage = Phase<unknown, FlushResult>;
/** A message of the channel `kaya:lsm:compaction`: a compaction began, is durable, or failed. */
export type CompactionMessage = Phase<CompactionBegin, CompactionResult>;

// Kept here, because Node forgets a channel without references.
const flushChannel = channel(LSM_CHANNELS.flush);
const compactionChannel = channel(LSM_CHANNELS.compaction);

export function tellFlush(
  dataDir: string | undefined,
  run: () => Promise<FlushResult>,
): Promise<FlushResult> {
  return tell(flushChannel, dataDir, {}, run);
}

export function tellCompaction(
  dataDir: string | undefined,
  begin: CompactionBegin,
  run: () => Promise<CompactionResult>,
): Promise<CompactionResult> {
  return tell(compactionChannel, dataDir, begin, run);
}

async function tell<T>(
  to: Channel,
  dataDir: string | undefined,
  begin: object,
  run: () => Promise<T>,
): Promise<T> {
  const publish = (message: object) => {
    if (to.hasSubscribers) to.publish({ dataDir, ...begin, ...message });
  };
  const started = performance.now();
  publish({ phase: "started" });
  try {
    const result = await run();
    publish({ phase: "finished", durationMs: performance.now() - started, result });
    return result;
  } catch (cause) {
    const error = asKayaError(cause, to.name.toString());
    publish({ phase: "failed", durationMs: performance.now() - started, error });
    throw cause;
  }
}
