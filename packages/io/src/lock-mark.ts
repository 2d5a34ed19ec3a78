import { describe, KayaError } from "@kaya/core";

const MARK = /^[\x21-\x7e]{1,64}$/;

/** @throws KayaError KAYA_INVALID_ARGUMENT for a mark that the note in a lock file cannot hold */
export function checkMark(mark: string | undefined): void {
  if (mark === undefined || MARK.test(mark)) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `a lock's mark has 1 to 64 printable characters without white space, not ${describe(mark)}`,
  );
}
