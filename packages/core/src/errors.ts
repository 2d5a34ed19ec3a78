import { describe } from "./describe.js";

/**
 * The codes of errors. They are stable: a code keeps its meaning and its exit code. `docs/errors.md` has the cause, the meaning and what to do
 * for each.
 */
export type KayaErrorCode =
  /** A file, a directory or a consumer is absent. Nothing was changed: check the path, or call `addConsumer`. */
  | "KAYA_NOT_FOUND"
  /** A file is damaged or missing in a way that no crash explains. Nothing was changed: restore the file that the message names, or a backup. */
  | "KAYA_CORRUPTION"
  /** An argument, an option or the configuration is wrong. Nothing was written: correct the call as the message says. */
  | "KAYA_INVALID_ARGUMENT"
  /** A newer version of Kaya wrote the directory or file. Nothing was changed: open it with that version. */
  | "KAYA_UNSUPPORTED_VERSION"
  /** A bug, or a second process that writes to the same files. Open again to see whether the write is there, and report a bug. */
  | "KAYA_INVARIANT_VIOLATION"
  /** Another process, or another engine in this one, has the directory open. Close it there, or open with `readOnly`. */
  | "KAYA_LOCK_CONFLICT"
  /** The system refused an operation; `cause` has its error. A write that was rejected with it is not there. */
  | "KAYA_IO"
  /** An unexpected error, probably a bug; `cause` has it. Open again to see whether the write is there, and report it. */
  | "KAYA_INTERNAL"
  /** No space is left, or the quota is used up. The write was taken back: free space, and write again with the same engine. */
  | "KAYA_DISK_FULL"
  /** The disk could not make a write durable. The engine only reads now: look at the disk, close, open again, and look for the write. */
  | "KAYA_FSYNC_FAILED"
  /** An earlier failure, in `cause`, stopped all writes. This write is not there: act on the cause, close, and open again. */
  | "KAYA_WRITER_FAILED"
  /** An engine, snapshot, scan, transaction or file was used after it was closed. The call did nothing. */
  | "KAYA_CLOSED"
  /** A condition did not hold, or an update or transaction lost in all its attempts. Nothing was written: read again and decide again. */
  | "KAYA_CONFLICT"
  /** A synchronous write would have to wait. Nothing was written: await what the message names, and write again. */
  | "KAYA_BUSY"
  /** The log no longer has the records that were asked for. Read the data as it is now, and follow from a new token. */
  | "KAYA_LOG_TRUNCATED"
  /** The engine was opened with `readOnly`. Nothing was written: open it without. */
  | "KAYA_READ_ONLY"
  /** The directory, or its `LOCK`, was moved, removed or replaced while it was open. Close, and open the one that you want. */
  | "KAYA_DIRECTORY_REPLACED"
  /** The codec of a view cannot read the bytes of `key`. Nothing is damaged: read them as bytes, or with the view that wrote them. */
  | "KAYA_DECODE_FAILED"
  /** Another row, `key`, has this key in a unique index. Nothing was written: choose another value, or change that row. */
  | "KAYA_NOT_UNIQUE"
  /** Another node of the cluster is the writer: `leader` is its address, if it told one. Nothing was written: write there. */
  | "KAYA_NOT_LEADER"
  /** Another node became the writer before this write was in the log. Nothing of it was written: write there. */
  | "KAYA_FENCED"
  /** No majority of the machines that keep the log answered in time. Nothing was written: try again when they are back. */
  | "KAYA_NO_MAJORITY"
  /** No answer says whether the write is in the log. It is there whole or not at all: read, linearizably, once a majority answers. */
  | "KAYA_IN_DOUBT";

const EXIT_CODES: Partial<Record<KayaErrorCode, number>> = {
  KAYA_NOT_FOUND: 2,
  KAYA_CORRUPTION: 3,
  KAYA_INVALID_ARGUMENT: 4,
  KAYA_UNSUPPORTED_VERSION: 4,
  KAYA_INVARIANT_VIOLATION: 5,
  KAYA_LOCK_CONFLICT: 6,
  KAYA_READ_ONLY: 4,
};

// A registered symbol: two copies of this package recognise each other's errors.
const MARKER = Symbol.for("@kaya/core/KayaError");

const NO_OPTIONS = Object.freeze(Object.create(null)) as object;

/**
 * The error class of all Kaya packages. Compare its `code`, which is stable. `message` names the argument, or the file and offset, what was found
 * and what to do. `cause` is the error underneath, if there is one.
 */
export class KayaError extends Error {
  /** Always `"KayaError"`, in each copy of this package. */
  override readonly name = "KayaError";
  /** The kind of the error; stable between versions. */
  readonly code: KayaErrorCode;
  /**
   * KAYA_CONFLICT: the first key that had changed. KAYA_DECODE_FAILED: the key of the bytes that cannot be decoded. KAYA_NOT_UNIQUE: the
   * row that has the index key already. Absent with all other codes.
   */
  declare readonly key?: Uint8Array;
  /** KAYA_CONFLICT: the sequence of the write that changed the key. Absent if the key is absent and that write is not known any more. */
  declare readonly sequence?: number;
  /** KAYA_NOT_LEADER, KAYA_FENCED: what the node that is the writer told as its address. Absent if there is none, or it told nothing. */
  declare readonly leader?: string;

  /**
   * @param code the kind of the error
   * @param message the finding and the remedy, in plain English
   * @param options the error underneath, the key, the sequence and the leader
   */
  constructor(
    code: KayaErrorCode,
    message: string,
    options?: {
      cause?: unknown;
      key?: Uint8Array;
      sequence?: number | undefined;
      leader?: string | undefined;
    },
  ) {
    // Own properties only: a polluted Object.prototype must not add a cause.
    const given = { cause: undefined, key: undefined, sequence: undefined, leader: undefined, ...options };
    const { cause, key, sequence, leader } = given;
    super(message, options !== undefined && Object.hasOwn(options, "cause") ? { cause } : NO_OPTIONS);
    this.code = code;
    if (key !== undefined) this.key = key;
    if (sequence !== undefined) this.sequence = sequence;
    if (leader !== undefined) this.leader = leader;
    Object.defineProperty(this, MARKER, { value: true });
  }

  /** The exit code with which a command line ends on this error: 1 to 6. */
  get exitCode(): number {
    return EXIT_CODES[this.code] ?? 1;
  }

  /** True for a KayaError of any copy of this package; with `code`, only for that code. */
  static is(value: unknown, code?: KayaErrorCode): value is KayaError {
    if (typeof value !== "object" || value === null) return false;
    try {
      return MARKER in value && (code === undefined || (value as { code?: unknown }).code === code);
    } catch {
      return false; // a revoked proxy
    }
  }
}

/** `value` if it is a KayaError already, else a KAYA_INTERNAL error around it. */
export function asKayaError(value: unknown, doing: string): KayaError {
  if (KayaError.is(value)) return value;
  return new KayaError("KAYA_INTERNAL", `${doing}: ${reasonOf(value)}`, { cause: value });
}

// By shape, not by instanceof: an error of another realm is no Error here, and anything can be thrown.
function reasonOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return describe(value);
  try {
    const { message } = value as { message?: unknown };
    return typeof message === "string" ? message : describe(value);
  } catch {
    return describe(value); // a getter that throws
  }
}
