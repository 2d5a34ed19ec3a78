import type { Bytes } from "./input.js";
import type { Snapshot } from "./snapshot.js";
import type { Turns } from "./turns.js";

/** The values of many keys, so many in a turn of the event loop. */
export async function getInSlices(
  snapshot: Snapshot,
  keys: readonly Bytes[],
  turns: Turns,
): Promise<(Uint8Array | undefined)[]> {
  const values = new Array<Uint8Array | undefined>(keys.length);
  for (let i = 0; i < keys.length; i++) {
    if (i > 0 && i % turns.operations === 0) await turns.next();
    values[i] = snapshot.getSync(keys[i] as Bytes);
  }
  return values;
}
