import { asKayaError, KayaError } from "@kaya/core";

/** Why a synchronous commit cannot go on, in the words of its error. */
const BUSY = {
  tail: "the end of the log that recovery found is being made durable",
  segment: "the next segment is being created",
  write: "a batch is being written",
  undo: "a failed write is being taken back",
  apply: "a batch is being applied",
  sync: "an fsync is under way, and this disk has no way to make another one beside it",
  hold: "writes are held up until there is room in memory",
  inside: "this call was made by a subscriber or a callback of another commit",
} as const;

export type BusyReason = keyof typeof BUSY;

export function busyError(reason: BusyReason): KayaError {
  return new KayaError(
    "KAYA_BUSY",
    `nothing was written: ${BUSY[reason]}, which a synchronous write cannot wait for. Await what is under way (\`sync\`), then write again.`,
  );
}

/** Not the code of the failed write, which means that nothing was appended: this is as final as a failed fsync. */
export function notUndone(failure: KayaError, undo: unknown): KayaError {
  const why = asKayaError(undo, "take back a failed write").message;
  return new KayaError(
    "KAYA_FSYNC_FAILED",
    `a failed write could not be taken back: whether it is there shows when the log is opened again. First: ${failure.message} Then: ${why}`,
    { cause: failure },
  );
}

/** W4: the records are in the log. */
export function behindTheWrite(error: unknown): KayaError {
  const cause = asKayaError(error, "apply what was written");
  if (isFinal(cause) && KayaError.is(error)) return cause;
  return new KayaError(
    "KAYA_INTERNAL",
    `what was written to the log could not be applied: whether a write that is rejected with this is there shows when the log is opened again. First: ${cause.message}`,
    { cause: error },
  );
}

/**
 * A failed fsync cannot be undone, another directory is not ours to change, and after a broken invariant the state is unknown.
 */
export function isFinal(error: KayaError): boolean {
  return (
    error.code === "KAYA_FSYNC_FAILED" ||
    error.code === "KAYA_DIRECTORY_REPLACED" ||
    error.code === "KAYA_INVARIANT_VIOLATION" ||
    error.code === "KAYA_INTERNAL"
  );
}
