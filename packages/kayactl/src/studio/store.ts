import type { ChangeOperation } from "@kaya/engine";
import type { Look, StoreInfo, Written } from "./api.js";
import type { Reading } from "./reading.js";
import type { WriteRequest } from "./value.js";

/** Who is told of writes, in the order of the log. */
export interface ChangeSink {
  /** From now on each change is told. */
  begun(): void;
  /** One record. Its bytes are lent. */
  changed(lsn: number, operations: Iterable<ChangeOperation>): void;
  /** So many records were in the log and are not there any more. */
  missed(records: number): void;
  /** Reads show all of that now. */
  settled(): void;
}

/** A data directory as the studio sees it: its own, or one that another process may have open. */
export interface StudioStore {
  info(): Promise<StoreInfo>;

  /** Calls with the data as it is now, and lets go of it then. @throws KayaError as the engine's reads; as `work` */
  read<T>(work: (reading: Reading) => Promise<T>): Promise<T>;

  look(): Promise<Look>;

  /**
   * Tells a sink of all writes from now on, until the signal aborts: then it resolves.
   * @throws KayaError where they cannot be followed any more
   */
  follow(sink: ChangeSink, signal: AbortSignal): Promise<void>;

  /** @throws KayaError KAYA_READ_ONLY */
  assertWritable(): void;

  /** Durable when it resolves. @throws KayaError KAYA_READ_ONLY, KAYA_CONFLICT; as the engine's writes */
  put(request: WriteRequest, value: Uint8Array): Promise<Written>;

  /** As `put`. */
  delete(request: WriteRequest): Promise<Written>;

  /** Of a value that may be put, in bytes; 0 where nothing may be written. */
  readonly maxValueBytes: number;
}
