import type { Engine } from "@kaya/engine";
import { type Change, isRange } from "./state.js";
import { mustHold } from "./violation.js";
import type { World } from "./world.js";

/** More than the memtable takes for an entry beside its key and value. */
const ENTRY_BYTES = 80;

/** No write is refused for the nodes of the tree: a few, and those that are copied because somebody still looks at them. */
const NODES_BYTES = 2_500;
const COPIED_NODES_BYTES = 20_000;

/** Only a write that puts something, and that may not fit, is refused for want of memory. */
export function mustLackMemory(
  { memoryLimitBytes }: World,
  engine: Engine,
  changes: readonly Change[],
): void {
  const puts = changes.flatMap((change) =>
    isRange(change) || change.value === undefined ? [] : [change.key.length + change.value.length],
  );
  const most = puts.reduce((sum, length) => sum + length + ENTRY_BYTES, 0);
  const taken = takenBy(engine) + engine.stats().pendingBytes;
  mustHold(
    puts.length > 0 && memoryLimitBytes !== undefined && taken + most > memoryLimitBytes,
    "wrong-refusal",
    () =>
      `a write of at most ${most} bytes was refused for want of memory: ${taken} of ${memoryLimitBytes} are taken`,
  );
}

/** The data stays within its limit. */
export function mustFitMemory({ memoryLimitBytes }: World, engine: Engine): void {
  if (memoryLimitBytes === undefined) return;
  const taken = takenBy(engine);
  const nodes = engine.stats().snapshots.open === 0 ? NODES_BYTES : COPIED_NODES_BYTES;
  mustHold(taken <= memoryLimitBytes + nodes, "wrong-account", () => {
    return `the data takes ${taken} bytes, and memoryLimitBytes is ${memoryLimitBytes}`;
  });
}

function takenBy(engine: Engine): number {
  const { liveBytes, snapshots } = engine.stats();
  return liveBytes + snapshots.bytes;
}
