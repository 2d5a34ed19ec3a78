import { type Bytes, toBytes } from "./input.js";
import type { Value } from "./store/key-state.js";
import type { Turns } from "./turns.js";

/**
 * The values of many keys, so many in a turn of the event loop. Keys of one block share its read.
 * @throws KayaError KAYA_INVALID_ARGUMENT, and as `find`
 */
export async function getInSlices(
  find: (key: Uint8Array) => Value,
  keys: readonly Bytes[],
  turns: Turns,
): Promise<(Uint8Array | undefined)[]> {
  const values = new Array<Uint8Array | undefined>(keys.length);
  for (let begin = 0; begin < keys.length; begin += turns.operations) {
    if (begin > 0) await turns.next();
    const end = Math.min(begin + turns.operations, keys.length);
    const reads: Promise<void>[] = [];
    try {
      for (let i = begin; i < end; i++) {
        const value = find(toBytes(keys[i] as Bytes, "key"));
        if (!(value instanceof Promise)) values[i] = value;
        else
          reads.push(
            value.then((read) => {
              values[i] = read;
            }),
          );
      }
    } finally {
      // Where one fails the others are waited for too: they read what the caller lets go of then.
      await settleAll(reads);
    }
  }
  return values;
}

async function settleAll(reads: readonly Promise<void>[]): Promise<void> {
  if (reads.length === 0) return;
  const failed = (await Promise.allSettled(reads)).find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
