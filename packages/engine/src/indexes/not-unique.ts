import { describe, KayaError } from "@kaya/core";
import { showKey } from "../conditions.js";
import type { DeclaredIndex } from "./index-options.js";
import type { Violation } from "./maintain.js";

/** Two rows want one key of a unique index: `key` of the error is that of the row that has it. */
export function notUnique(
  what: "write" | "build",
  prefix: Uint8Array,
  { name, keys }: DeclaredIndex,
  { indexKey, rowKey, owner }: Violation,
): KayaError {
  const [has, wants] = [Buffer.concat([prefix, owner]), Buffer.concat([prefix, rowKey])];
  const shown = shownKey(keys, indexKey);
  const happened = what === "write" ? "nothing was written" : `the index ${describe(name)} cannot be built`;
  const next =
    what === "write"
      ? "Give one of them another key"
      : "Change or delete one of them, and ask for the index again";
  return new KayaError(
    "KAYA_NOT_UNIQUE",
    `${happened}: the row ${showKey(wants)} has the key ${shown} in the index ${describe(name)}, which is unique, and the row ${showKey(has)} has it already. ${next}.`,
    { key: new Uint8Array(has) },
  );
}

/** An index key as people read it. */
export function shownKey(keys: DeclaredIndex["keys"], indexKey: Uint8Array): string {
  try {
    const key = keys.decode(indexKey);
    return Array.isArray(key) ? JSON.stringify(key) : describe(key);
  } catch {
    return showKey(indexKey); // of another codec
  }
}
