import { KayaError, type KayaErrorCode } from "@kaya/engine";

type LevelCode =
  | "LEVEL_LOCKED"
  | "LEVEL_CORRUPTION"
  | "LEVEL_IO_ERROR"
  | "LEVEL_DATABASE_NOT_OPEN"
  | "LEVEL_ABORTED";

/** Codes of abstract-level; its users read `error.cause.code`. */
const OPEN_CODES: Partial<Record<KayaErrorCode, LevelCode>> = {
  KAYA_LOCK_CONFLICT: "LEVEL_LOCKED",
  KAYA_CORRUPTION: "LEVEL_CORRUPTION",
  KAYA_IO: "LEVEL_IO_ERROR",
};

/** The error of a failed open, with abstract-level's code if there is one; then the KayaError is its cause. */
export function toOpenError(error: unknown): unknown {
  const code = KayaError.is(error) ? OPEN_CODES[error.code] : undefined;
  return code === undefined ? error : levelError(code, (error as KayaError).message, error);
}

export function notOpen(): Error {
  return levelError("LEVEL_DATABASE_NOT_OPEN", "Database is not open");
}

export function aborted(signal: AbortSignal): Error {
  const error = levelError("LEVEL_ABORTED", "Operation has been aborted", signal.reason);
  return Object.assign(error, { name: "AbortError" });
}

function levelError(code: LevelCode, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}
