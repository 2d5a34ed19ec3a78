import { KayaError } from "@kaya/core";

/** There is no such object. */
export function noSuchObject(store: string, name: string, cause?: unknown): KayaError {
  return new KayaError(
    "KAYA_NOT_FOUND",
    `there is no object ${name} in ${store}`,
    cause ? { cause } : undefined,
  );
}
