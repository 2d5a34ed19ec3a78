import type { Lsn } from "@kaya/core";
import {
  type InspectedRecord,
  inspectRecords,
  isWarning,
  type SegmentLocation,
  type WalWarning,
} from "@kaya/wal";
import type { Context } from "./context.js";
import { Interrupted } from "./output.js";

/** May give a promise to be waited for. Most records need none, and there are many. */
export type Visit<T> = (item: T) => Promise<void> | undefined;

/** Goes over the segments of a log in order: LSNs go on from one to the next. */
export class LogInspector {
  readonly #context: Context;
  readonly #coveredLsn: Lsn;
  readonly #lastLsn: Lsn;
  #expectedLsn: Lsn | undefined;
  #isPast = false;

  /**
   * @param coveredLsn what a checkpoint covers: records up to there may be missing
   * @param lastLsn nothing behind this record is looked at
   */
  constructor(context: Context, coveredLsn: Lsn = 0, lastLsn: Lsn = Number.POSITIVE_INFINITY) {
    this.#context = context;
    this.#coveredLsn = coveredLsn;
    this.#lastLsn = lastLsn;
  }

  /** Whether a record behind `lastLsn` was met: later segments need not be read. */
  get isPast(): boolean {
    return this.#isPast;
  }

  /** Gives each record to `visit`, and what is wrong with the segment to the caller. */
  async segment({ disk, path }: SegmentLocation, visit: Visit<InspectedRecord>): Promise<WalWarning[]> {
    const { maxRecordBytes } = this.#context.options;
    const { signal } = this.#context.io;
    const warnings: WalWarning[] = [];
    const items = inspectRecords(disk, path, {
      ...(maxRecordBytes !== undefined && { maxRecordBytes }),
      ...(this.#expectedLsn !== undefined && { expectedLsn: this.#expectedLsn }),
    });
    for await (const item of items) {
      if (signal?.aborted) throw new Interrupted();
      if (isWarning(item)) {
        if (!this.#isCovered(item)) warnings.push(item);
        continue;
      }
      if (item.row.lsn > this.#lastLsn) {
        this.#isPast = true;
        break;
      }
      this.#expectedLsn = item.row.lsn + 1;
      const visited = visit(item);
      if (visited !== undefined) await visited;
    }
    return warnings;
  }

  /** @param lsn what the next segment must begin with; undefined: any */
  expect(lsn: Lsn | undefined): void {
    this.#expectedLsn = lsn;
  }

  /** R6: a crash may bring some of the segments back that a checkpoint made superfluous. */
  #isCovered(warning: WalWarning): boolean {
    if (warning.kind !== "NonMonotonicLsn") return false;
    return warning.found > warning.expected && warning.found <= this.#coveredLsn + 1;
  }
}
