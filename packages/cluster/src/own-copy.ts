import type { BatchOperation, Bytes } from "@kaya/engine";

/** Copies bytes, because the caller may change them later. A string needs no copy. Any other value is returned unchanged, and refused later. */
export function copyOf<T>(given: T): T {
  return given instanceof Uint8Array ? (new Uint8Array(given) as unknown as T & Bytes) : given;
}

/** Copies the bytes of the operations of a batch. */
export function copyOfOperations(operations: readonly BatchOperation[]): readonly BatchOperation[] {
  if (!Array.isArray(operations)) return operations;
  return operations.map((each: BatchOperation) => {
    if (typeof each !== "object" || each === null || each.type === "clear") return each;
    if (each.type === "put") return { ...each, key: copyOf(each.key), value: copyOf(each.value) };
    return { ...each, key: copyOf(each.key) };
  });
}
