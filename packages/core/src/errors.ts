import { describe } from "./describe.js";

/** Stable error codes. Their meaning and exit code are part of the public contract. */
export type KayaErrorCode =
  | "KAYA_NOT_FOUND"
  | "KAYA_CORRUPTION"
  | "KAYA_INVALID_ARGUMENT"
  | "KAYA_UNSUPPORTED_VERSION"
  | "KAYA_INVARIANT_VIOLATION"
  | "KAYA_LOCK_CONFLICT"
  | "KAYA_IO"
  | "KAYA_INTERNAL"
  | "KAYA_DISK_FULL"
  | "KAYA_FSYNC_FAILED"
  | "KAYA_WRITER_FAILED"
  | "KAYA_CLOSED"
  | "KAYA_CONFLICT"
  | "KAYA_BUSY"
  | "KAYA_LOG_TRUNCATED"
  | "KAYA_READ_ONLY"
  | "KAYA_DIRECTORY_REPLACED"
  | "KAYA_DECODE_FAILED"
  | "KAYA_NOT_UNIQUE";

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
 * The one error class of every Kaya package. `code` is stable; `message` names the file, the offset, what was
 * found and what to do; `cause` is the error underneath, where there is one.
 */
export class KayaError extends Error {
  override readonly name = "KayaError";
  readonly code: KayaErrorCode;
  /** With KAYA_CONFLICT: the first key that was not as the write wanted it. With KAYA_DECODE_FAILED: the key of what could not be decoded. With KAYA_NOT_UNIQUE: the row that has what another one wants. */
  declare readonly key?: Uint8Array;
  /** With KAYA_CONFLICT: of the write that made the key what it is. Absent where the key is absent and that write is not known any more. */
  declare readonly sequence?: number;

  constructor(
    code: KayaErrorCode,
    message: string,
    options?: { cause?: unknown; key?: Uint8Array; sequence?: number | undefined },
  ) {
    // Own properties only: a polluted Object.prototype must not add a cause.
    const { cause, key, sequence } = { cause: undefined, key: undefined, sequence: undefined, ...options };
    super(message, options !== undefined && Object.hasOwn(options, "cause") ? { cause } : NO_OPTIONS);
    this.code = code;
    if (key !== undefined) this.key = key;
    if (sequence !== undefined) this.sequence = sequence;
    Object.defineProperty(this, MARKER, { value: true });
  }

  /** The exit code a command line ends with on this error. */
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
