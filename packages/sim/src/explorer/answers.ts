import { KayaError } from "@kaya/core";

/** True where it resolved, false where it was refused with an error of ours. @throws any other error: a bug */
export async function isGranted(done: Promise<unknown>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    if (KayaError.is(error)) return false;
    throw error;
  }
}

/**
 * Whether a rejected write did certainly not happen: the store goes on, or it never took the write.
 * @param failure why the store failed for good, where it has
 * @throws an error that is not ours: a bug
 */
export function isWithoutEffect(error: unknown, failure: KayaError | undefined): boolean {
  if (!KayaError.is(error)) throw error;
  return failure === undefined || error.code === "KAYA_WRITER_FAILED" || error.code === "KAYA_CLOSED";
}
