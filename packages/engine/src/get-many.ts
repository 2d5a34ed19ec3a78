import type { Bytes } from "./input.js";
import type { Snapshot } from "./snapshot.js";
import type { Turns } from "./turns.js";

/** The values of many keys, so many in a turn of the event loop. */
export async function getInSlices(
  snapshot: Snapshot,
  keys: readonly Bytes[],
  turns: Turns,
): Promise<(Uint8Array | undefined)[]> {
  const values: (Uint8Array | undefined)[] = [];
  for (const key of keys) {
    if (values.length > 0 && values.length % turns.operations === 0) await turns.next();
    values.push(snapshot.getSync(key));
  }
  return values;
}
