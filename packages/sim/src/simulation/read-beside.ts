import type { Gate } from "./gate.js";
import type { Process } from "./process.js";
import { mustHold } from "./violation.js";
import { turn, type Watched } from "./watched.js";

/** More reads than any directory here takes. */
const MOST_READS = 10_000;

/** Another process reads until it has its answer; this one does `beside` operations of the disk between any two of its reads. */
export async function readBeside(
  answer: Watched<unknown>,
  reads: Gate,
  process: Process,
  beside: number,
): Promise<void> {
  for (let n = 0; answer.state === "pending"; n++) {
    mustHold(n < MOST_READS, "hang", () => "who reads beside another process never ends");
    const isAlone = beside === 0 || process.isIdle;
    let some = isAlone ? MOST_READS : 1;
    reads.openWhile(() => some-- > 0);
    await turn();
    reads.close();
    let left = beside;
    if (!isAlone) await process.run(() => left-- > 0);
  }
}
