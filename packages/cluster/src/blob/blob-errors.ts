import { KayaError } from "@kaya/core";

/** The error for an object that does not exist. */
export function noSuchObject(store: string, name: string, cause?: unknown): KayaError {
  return new KayaError(
    "KAYA_NOT_FOUND",
    `there is no object ${name} in ${store}`,
    cause ? { cause } : undefined,
  );
}
