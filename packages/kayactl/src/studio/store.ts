import type { ChangeOperation } from "@kaya/engine";
import type { Look, StoreInfo, Written } from "./api.js";
import type { Reading } from "./reading.js";
import type { WriteRequest } from "./value.js";

/** Receives writes in the order of the log. */
export interface ChangeSink {
  /** From now on each change is reported. */
  begun(): void;
  /** One record. Its bytes are valid only during the call. */
  changed(lsn: number, operations: Iterable<ChangeOperation>): void;
  /** Records that are not reported: the log does not have them any more. */
  missed(records: number): void;
  /** Reads show everything that was reported. */
  settled(): void;
}

/** A data directory as the studio sees it: its own, or one that another process may have open. */
export interface StudioStore {
  info(): Promise<StoreInfo>;

  /** Calls `work` with the data as it is now. @throws KayaError as the engine's reads; as `work` */
  read<T>(work: (reading: Reading) => Promise<T>): Promise<T>;

  look(): Promise<Look>;

  /**
   * Reports all writes from now on to a sink. Resolves when the signal aborts.
   * @throws KayaError if the store cannot be followed any more
   */
  follow(sink: ChangeSink, signal: AbortSignal): Promise<void>;

  /** @throws KayaError KAYA_READ_ONLY */
  assertWritable(): void;

  /** Durable when it resolves. @throws KayaError KAYA_READ_ONLY, KAYA_CONFLICT; as the engine's writes */
  put(request: WriteRequest, value: Uint8Array): Promise<Written>;

  /** As `put`. */
  delete(request: WriteRequest): Promise<Written>;

  /** The longest value that may be written, in bytes; 0 if nothing may be written. */
  readonly maxValueBytes: number;
}
