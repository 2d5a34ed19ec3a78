import { asKayaError, KayaError } from "@kaya/core";

/** The segment before the one that was just created has lost its name. */
export function isGone(path: string): KayaError {
  return new KayaError(
    "KAYA_FSYNC_FAILED",
    `${path} is not there any more: was the directory removed? What is written now could never be opened again.`,
  );
}

/** A half-made segment could not be removed. Returns if that can be tried again: nothing is written until it succeeds. */
export function notTakenBack(failure: unknown, cause: unknown): void {
  if (KayaError.is(cause, "KAYA_IO") || KayaError.is(cause, "KAYA_DISK_FULL")) return;
  if (KayaError.is(cause, "KAYA_DIRECTORY_REPLACED")) throw cause;
  const reason = `${asKayaError(failure, "create a segment").message} And it could not be taken back`;
  throw new KayaError("KAYA_FSYNC_FAILED", `${reason}: ${asKayaError(cause, "remove").message}`, { cause });
}

/** The next segment exists already. */
export function isTaken(path: string, cause: KayaError): KayaError {
  return new KayaError(
    "KAYA_INVARIANT_VIOLATION",
    `W7: ${path} is there before it was created: another process writes to this log. Stop it, then open again. ${cause.message}`,
    { cause },
  );
}
