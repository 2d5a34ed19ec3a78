import { entryKey, entryValue } from "../data.js";
import { entriesOf } from "../load.js";
import { rateOf } from "../measure.js";
import type { Scale } from "../scale.js";
import type { Store } from "../system.js";
import { encodePuts, RawLoop } from "../systems/raw-loop.js";

/** Puts of new keys per second with `inFlight` callers. The raw loop writes what a batch of that many puts would be. */
export async function putsPerSecond(store: Store, inFlight: number, scale: Scale): Promise<number> {
  if (store instanceof RawLoop) {
    const bytes = encodePuts(entriesOf(0, inFlight));
    return inFlight * (await rateOf(1, scale, () => store.append(bytes)));
  }
  let index = 0;
  return rateOf(inFlight, scale, () => {
    index++;
    return store.put(entryKey(index), entryValue(index));
  });
}
