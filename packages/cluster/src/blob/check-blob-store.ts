import { describe, KayaError } from "@kaya/core";
import type { BlobStore } from "../blob-store.js";

const METHODS = [
  "put",
  "get",
  "stream",
  "head",
  "list",
  "delete",
] as const satisfies readonly (keyof BlobStore)[];

/** @throws KayaError KAYA_INVALID_ARGUMENT if it is no blob store; `what` begins the message */
export function checkBlobStore(store: unknown, what: string): BlobStore {
  const isStore =
    typeof store === "object" &&
    store !== null &&
    METHODS.every((name) => typeof (store as Partial<BlobStore>)[name] === "function");
  if (isStore) return store as BlobStore;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${what} must be a blob store, as \`directoryBlobStore\` makes one, not ${describe(store)}`,
  );
}
