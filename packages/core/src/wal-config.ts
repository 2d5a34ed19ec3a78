import { Problems } from "./validation.js";

const MiB = 1024 * 1024;

/** Bytes of a record's header, and so of the smallest record. */
export const RECORD_HEADER_BYTES = 40;

/** The default of `maxRecordBytes`: 32 MiB, a record's header included. */
export const DEFAULT_MAX_RECORD_BYTES = 32 * MiB;

// payload_len is a u32 and offsets are doubles: this keeps all lengths and sums far below both limits.
const MAX_BYTES = 2 ** 31;

/**
 * How recovery treats the first bad record (`packages/wal/FORMAT.md` has the table).
 *
 * - `tail`: cuts a damaged tail of the last segment, refuses damage anywhere else.
 * - `prefix`: stops at the first damage, wherever it is; what is behind goes to quarantine.
 * - `absolute`: refuses any damage but a zero-filled tail.
 */
export type RecoveryMode = "tail" | "prefix" | "absolute";

/** The configuration of the log, with all defaults filled in. */
export interface WalConfig {
  /** A segment is closed before it would grow past this many bytes. From 40, the smallest record, to 2 GiB. Default 64 MiB. */
  readonly segmentMaxBytes: number;
  /** Largest record, header included; from 40, a header alone, to `segmentMaxBytes`. Default 32 MiB. */
  readonly maxRecordBytes: number;
  /** Most bytes of one group-commit write; a larger record goes alone. Default 4 MiB. */
  readonly maxBatchBytes: number;
  /**
   * Most bytes of zeros that are written ahead of the log in one step, once several small durable writes came one after the other: an fsync over
   * space that is there is faster than one that makes the file longer. 0 writes none. Default 1 MiB.
   */
  readonly preallocateBytes: number;
  /** How recovery treats damage: `"tail"`, `"prefix"` or `"absolute"`. Default `"tail"`. */
  readonly recovery: RecoveryMode;
  /**
   * Most bytes of torn ends that stay in `wal/quarantine/`: an opening removes what is over it, oldest first, but never the newest one, and never
   * what was kept for damage that no crash explains. Default: 2^53 - 1, everything stays.
   */
  readonly quarantineMaxBytes: number;
}

/**
 * Defaults and validation.
 * @throws KayaError KAYA_INVALID_ARGUMENT naming every unknown or impossible value at once.
 */
export function resolveWalConfig(partial?: Partial<WalConfig>): WalConfig {
  const problems = new Problems();
  const config = readWalConfig(partial, "config", problems);
  problems.throwIfAny("wal configuration");
  return config;
}

/** The same for a configuration inside another one; problems are added to the caller's list. */
export function readWalConfig(partial: unknown, path: string, problems: Problems): WalConfig {
  const given = problems.object(partial, path, [
    "segmentMaxBytes",
    "maxRecordBytes",
    "maxBatchBytes",
    "preallocateBytes",
    "recovery",
    "quarantineMaxBytes",
  ]);
  const name = (key: string) => (path === "config" ? key : `${path}.${key}`);
  const before = problems.count;
  const segmentMaxBytes = problems.integer(
    given.segmentMaxBytes,
    name("segmentMaxBytes"),
    64 * MiB,
    RECORD_HEADER_BYTES,
    MAX_BYTES,
  );
  // If only the segments are made smaller, records must still fit them.
  const defaultRecord = Math.min(DEFAULT_MAX_RECORD_BYTES, segmentMaxBytes);
  const maxRecordBytes = problems.integer(
    given.maxRecordBytes,
    name("maxRecordBytes"),
    defaultRecord,
    RECORD_HEADER_BYTES,
    MAX_BYTES,
  );
  // Only if both are valid by themselves: a default is nothing to compare with.
  if (problems.count === before && maxRecordBytes > segmentMaxBytes) {
    problems.add(
      `${name("maxRecordBytes")} (${maxRecordBytes}) must not be over ${name("segmentMaxBytes")} (${segmentMaxBytes})`,
    );
  }
  return {
    segmentMaxBytes,
    maxRecordBytes,
    maxBatchBytes: problems.integer(given.maxBatchBytes, name("maxBatchBytes"), 4 * MiB, 1, MAX_BYTES),
    preallocateBytes: problems.integer(given.preallocateBytes, name("preallocateBytes"), MiB, 0, 64 * MiB),
    recovery: problems.oneOf(given.recovery, name("recovery"), "tail", ["tail", "prefix", "absolute"]),
    quarantineMaxBytes: problems.integer(
      given.quarantineMaxBytes,
      name("quarantineMaxBytes"),
      Number.MAX_SAFE_INTEGER,
      0,
    ),
  };
}
