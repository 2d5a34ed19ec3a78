import { checkBytes as checkAreBytes, describe, isBytes, KayaError } from "@kaya/core";

/** @throws KayaError KAYA_INVALID_ARGUMENT unless it is a whole number from 0 to 2^53 - 1. */
export function checkOffset(value: number, what: string, path: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${path}: ${what} must be a whole number >= 0, not ${describe(value)}`,
  );
}

/** @throws KayaError KAYA_INVALID_ARGUMENT unless it is a Uint8Array whose memory is there. */
export function checkBytes(bytes: unknown, path: string): asserts bytes is Uint8Array {
  checkAreBytes(bytes, `${path}: bytes`);
}

/** What `append` takes, as a list. @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkParts(bytes: Uint8Array | readonly Uint8Array[], path: string): readonly Uint8Array[] {
  const parts: readonly Uint8Array[] =
    isBytes(bytes) || !Array.isArray(bytes) ? [bytes as Uint8Array] : bytes;
  for (const part of parts) checkBytes(part, path);
  return parts;
}

/** The error of a synchronous operation that would have to wait. */
export function busy(path: string, what: string): KayaError {
  return new KayaError(
    "KAYA_BUSY",
    `${path} was not ${what}: an operation of this file is under way, and a synchronous one cannot wait for it. Await it first.`,
  );
}
