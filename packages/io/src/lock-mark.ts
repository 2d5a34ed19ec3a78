import { describe, KayaError, readOptions } from "@kaya/core";
import type { ReleaseOptions } from "./disk.js";

const MARK = /^[\x21-\x7e]{1,64}$/;

/**
 * Reads how a lock is to be released.
 * @throws KayaError KAYA_INVALID_ARGUMENT, also for a mark that the note in a lock file cannot hold
 */
export function readRelease(options: ReleaseOptions | undefined): {
  readonly clean: boolean;
  readonly mark: string | undefined;
  readonly remove: boolean;
} {
  const { clean, mark, remove } = readOptions(options, ["clean", "mark", "remove"], "the options of release");
  if (mark === undefined || (typeof mark === "string" && MARK.test(mark)))
    return { clean: clean === true, mark, remove: remove === true };
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `a lock's mark has 1 to 64 printable characters without white space, not ${describe(mark)}`,
  );
}
