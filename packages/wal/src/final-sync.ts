import { asKayaError, KayaError } from "@kaya/core";
import type { SynchronousDisk } from "./sealed-file.js";

/** A directory's sync that tried no fsync (`Disk.syncDir`): no written byte is in doubt. */
const NOT_TRIED = ["KAYA_IO", "KAYA_DIRECTORY_REPLACED"] as const;

/** W4 depends on the code: a failed sync is final, whatever code the disk gives. */
export async function finalSync(sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (cause) {
    throw asFinal(cause);
  }
}

/** `finalSync`, synchronously. */
export function finalSyncNow(sync: () => void): void {
  try {
    sync();
  } catch (cause) {
    throw asFinal(cause);
  }
}

function asFinal(cause: unknown): KayaError {
  if (KayaError.is(cause, "KAYA_FSYNC_FAILED")) return cause;
  return new KayaError("KAYA_FSYNC_FAILED", asKayaError(cause, "sync the log").message, { cause });
}

/** The same for a directory, where opening it may fail before there is a sync. */
export async function finalDirSync(sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (cause) {
    if (NOT_TRIED.some((code) => KayaError.is(cause, code))) throw cause;
    await finalSync(sync);
  }
}

/** `finalDirSync`, synchronously. */
export function finalDirSyncNow(disk: SynchronousDisk, dir: string): void {
  try {
    disk.syncDirSync(dir);
  } catch (cause) {
    throw NOT_TRIED.some((code) => KayaError.is(cause, code)) ? cause : asFinal(cause);
  }
}
