import type { Lsn } from "@kaya/core";
import {
  inspectRecords,
  inspectWal,
  isWarning,
  type SegmentLocation,
  type WalInspectionRow,
  type WalRecord,
  type WalWarning,
} from "@kaya/wal";
import type { Context } from "../context.js";
import { Interrupted } from "../terminal/output.js";

/** May give a promise to be waited for. Most records need none, and there are many. `record` is there where it was asked for. */
export type Visit = (row: WalInspectionRow, record: WalRecord | undefined) => Promise<void> | undefined;

export interface LogInspectorOptions {
  /** What the tables cover: records up to there may be missing. */
  readonly coveredLsn?: Lsn | undefined;
  /** Nothing behind this record is looked at. */
  readonly lastLsn?: Lsn;
}

/** Goes over the segments of a log in order: LSNs go on from one to the next. */
export class LogInspector {
  readonly #context: Context;
  readonly #coveredLsn: Lsn;
  readonly #lastLsn: Lsn;
  #expectedLsn: Lsn | undefined;
  #passedLsn: Lsn | undefined;

  constructor(
    context: Context,
    { coveredLsn = 0, lastLsn = Number.POSITIVE_INFINITY }: LogInspectorOptions = {},
  ) {
    this.#context = context;
    this.#coveredLsn = coveredLsn;
    this.#lastLsn = lastLsn;
  }

  /** The first record behind `lastLsn`. Where there is one, later segments need not be read. */
  get passedLsn(): Lsn | undefined {
    return this.#passedLsn;
  }

  /**
   * Gives each record to `visit`, and what is wrong with the segment to the caller.
   * @param withRecords costs about as much again as the rows alone
   */
  async segment({ disk, path }: SegmentLocation, visit: Visit, withRecords = false): Promise<WalWarning[]> {
    const { maxRecordBytes } = this.#context.options;
    const { signal } = this.#context.io;
    const warnings: WalWarning[] = [];
    const inspect = withRecords ? inspectRecords : inspectWal;
    const items = inspect(disk, path, {
      ...(maxRecordBytes !== undefined && { maxRecordBytes }),
      ...(this.#expectedLsn !== undefined && { expectedLsn: this.#expectedLsn }),
    });
    for await (const item of items) {
      if (signal?.aborted) throw new Interrupted();
      if (isWarning(item)) {
        if (!this.#isCovered(item)) warnings.push(item);
        continue;
      }
      const row = "row" in item ? item.row : item;
      if (row.lsn > this.#lastLsn) {
        this.#passedLsn = row.lsn;
        break;
      }
      this.#expectedLsn = row.lsn + 1;
      const visited = visit(row, "record" in item ? item.record : undefined);
      if (visited !== undefined) await visited;
    }
    return warnings;
  }

  /** @param lsn what the next segment must begin with; undefined: any */
  expect(lsn: Lsn | undefined): void {
    this.#expectedLsn = lsn;
  }

  /** R6: a crash may bring some of the segments back that a flush made superfluous. */
  #isCovered(warning: WalWarning): boolean {
    if (warning.kind !== "NonMonotonicLsn") return false;
    return warning.found > warning.expected && warning.found <= this.#coveredLsn + 1;
  }
}
