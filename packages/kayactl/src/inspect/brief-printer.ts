import type { Output } from "../terminal/output.js";
import type { InspectionPrinter, LineSink } from "./inspection-printer.js";
import type { LogSummary } from "./log-summary.js";

/** With more records than this the lines of a directory are of no use to anybody: it is summed up instead. */
export const BRIEF_RECORDS = 1000;

/** Keeps lines back until it is known whether they are few. */
export class LineBuffer implements LineSink {
  readonly colors: Output["colors"];
  readonly lineColumns: number | undefined;
  #lines: string[] = [];

  constructor({ colors, lineColumns }: Output) {
    this.colors = colors;
    this.lineColumns = lineColumns;
  }

  line(text: string): undefined {
    this.#lines.push(text);
  }

  clear(): void {
    this.#lines = [];
  }

  async writeTo(out: LineSink): Promise<void> {
    for (const line of this.#lines) await out.line(line);
  }
}

/**
 * Fills `buffer` with what `lines` prints into it, and empties it for good where the records are more than `BRIEF_RECORDS`.
 * @param atEnd is told whether the lines are all there
 */
export function briefPrinter(
  buffer: LineBuffer,
  lines: InspectionPrinter,
  summary: LogSummary,
  atEnd: (hasLines: boolean) => Promise<void>,
): InspectionPrinter {
  const hasLines = () => summary.recordCount <= BRIEF_RECORDS;
  return {
    begin: () => lines.begin(),
    get needsRecords() {
      return hasLines() && lines.needsRecords === true;
    },
    segment: (location) => {
      summary.segment(location);
      return hasLines() ? lines.segment(location) : undefined;
    },
    record: (row, record) => {
      summary.record(row);
      if (hasLines()) return lines.record(row, record);
      if (summary.recordCount === BRIEF_RECORDS + 1) buffer.clear();
      return undefined;
    },
    warnings: (warnings) => {
      summary.warnings(warnings);
      return hasLines() ? lines.warnings(warnings) : undefined;
    },
    end: () => atEnd(hasLines()),
  };
}
