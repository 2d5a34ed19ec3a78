import { KayaError, type Lsn } from "@kaya/core";
import type { Change, Engine } from "@kaya/engine";
import type { Strike } from "./armed-faults.js";
import { isRecordOf } from "./recovery-check.js";
import { mustHold } from "./violation.js";
import type { World } from "./world.js";

/** Effects of a fault on a feed, or on its small files. */
const FAILED = ["KAYA_DISK_FULL", "KAYA_IO", "KAYA_FSYNC_FAILED"];

/** A feed gives the next record, as it was written, and durable from then on. */
export function mustBeNext(world: World, engine: Engine, change: Change, expected: Lsn): void {
  const { timeline } = world;
  const { lsn, sequence, operations } = change;
  mustHold(lsn === expected, "wrong-read", () => `a feed gave LSN ${lsn} where LSN ${expected} comes`);
  const attempt = timeline.attempts().find(({ firstLsn, lastLsn }) => firstLsn <= lsn && lsn <= lastLsn);
  const isIt =
    attempt !== undefined && isRecordOf({ lsn, sequence, payload: { type: "batch", operations } }, attempt);
  mustHold(isIt, "never-attempted", () => `a feed gave something else at LSN ${lsn} than what was written`);
  mustHold(lsn <= engine.stats().durableLsn, "wrong-read", () => {
    return `a feed gave LSN ${lsn}; durable is LSN ${engine.stats().durableLsn}`;
  });
  timeline.makeDurable(lsn);
}

/** Whether a feed, or a request beside it, may be rejected with this error: closed, failed, or struck by a fault. */
export function isExplained(error: unknown, { state, failure }: Engine, strikes: readonly Strike[]): boolean {
  return (
    KayaError.is(error) &&
    ((error.code === "KAYA_CLOSED" && state === "closed") ||
      (error.code === "KAYA_WRITER_FAILED" && failure !== undefined) ||
      (FAILED.includes(error.code) && strikes.length > 0))
  );
}

/** A full disk may have had no room for the log's id before it was cut: no token is good any more. */
export function isIdLost({ faults }: World): boolean {
  return faults.strikes.some(({ path }) => path.includes("log-id"));
}

/** A flush that failed may have been done all but for its answer. */
export function mayHaveDropped(engine: Engine, lsn: Lsn): boolean {
  const { tables, flush } = engine.stats();
  return tables.covered.lsn > lsn || flush.isRunning || flush.error !== undefined;
}
