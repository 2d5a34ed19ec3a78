import type { Lsn } from "@kaya/core";
import {
  formatWarning,
  isDamage,
  type SegmentLocation,
  type WalInspectionRow,
  type WalWarning,
} from "@kaya/wal";
import { toJson } from "../bytes.js";
import { RECORD_TYPES, type RecordType } from "../page/page-data.js";
import { columns } from "../terminal/columns.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes, formatCount, plural } from "../units.js";
import type { InspectionPrinter, LineSink } from "./inspection-printer.js";
import { formatTables, sumLevels, type TablesLook } from "./tables-look.js";

interface Counts {
  bytes: number;
  records: number;
  firstLsn?: Lsn;
  lastLsn?: Lsn;
  readonly types: Record<WalInspectionRow["type"], number>;
}

interface SegmentSummary extends Counts {
  readonly segment: string;
  warnings: readonly WalWarning[];
}

/** What a log has, counted: as much as fits a screen, however many segments there are. */
export class LogSummary {
  readonly #segments: SegmentSummary[] = [];
  readonly #total: Counts = noCounts(0);

  get recordCount(): number {
    return this.#total.records;
  }

  segment({ name, length }: SegmentLocation): void {
    this.#segments.push({ segment: name, ...noCounts(length), warnings: [] });
    this.#total.bytes += length;
  }

  record(row: WalInspectionRow): void {
    count(this.#total, row);
    const segment = this.#segments.at(-1);
    if (segment !== undefined) count(segment, row);
  }

  warnings(warnings: readonly WalWarning[]): void {
    const segment = this.#segments.at(-1);
    if (segment !== undefined) segment.warnings = warnings;
  }

  async print(out: LineSink, tables: TablesLook | undefined): Promise<void> {
    const { bold, red, yellow } = out.colors;
    const [head, ...lines] = this.#table();
    await out.line(bold(head ?? ""));
    for (const line of lines) await out.line(line);
    for (const line of this.#findings(isDamage)) await out.line(red(escapeText(line)));
    for (const line of this.#findings((warning) => !isDamage(warning)))
      await out.line(`${yellow("note:")} ${escapeText(line)}`);
    if (hasTables(tables)) await out.line(`tables: ${formatTables(tables)}`);
  }

  toJson(tables: TablesLook | undefined): string {
    return toJson({
      segments: this.#segments,
      total: this.#total,
      ...(hasTables(tables) && { tables: tablesJson(tables) }),
    });
  }

  #table(): string[] {
    const total = { segment: plural(this.#segments.length, "segment"), ...this.#total };
    // Few logs have these, and a column for them does not fit a terminal of 80 characters.
    const isRare = (type: RecordType) => type === "DELETE_RANGE" || type === "PUT_EXPIRING";
    const types = RECORD_TYPES.filter((type) => !isRare(type) || this.#total.types[type] > 0);
    const head = ["segment", "LSN", "records", ...types, "bytes", ""];
    const rows: string[][] = [head];
    const shown = shownSegments(this.#segments);
    let next = 0;
    for (const index of shown) {
      if (index > next) rows.push([`… ${formatCount(index - next)} more`]);
      const segment = this.#segments[index];
      if (segment !== undefined)
        rows.push([...cells(segment, types), segment.warnings.some(isDamage) ? "DAMAGED" : ""]);
      next = index + 1;
    }
    if (this.#segments.length !== 1) rows.push(cells(total, types));
    return columns(rows, [0, 1, head.length - 1]);
  }

  #findings(isWanted: (warning: WalWarning) => boolean): string[] {
    const found = this.#segments.flatMap(({ segment, warnings }) =>
      warnings.filter(isWanted).map((warning) => `${segment}: ${formatWarning(warning)}`),
    );
    if (found.length <= MOST_FINDINGS) return found;
    return [
      ...found.slice(0, MOST_FINDINGS),
      `and ${formatCount(found.length - MOST_FINDINGS)} more like these`,
    ];
  }
}

/** A printer that says nothing until the end. */
export function summaryPrinter(
  summary: LogSummary,
  atEnd: () => Promise<void> | undefined,
): InspectionPrinter {
  return {
    begin: () => undefined,
    segment: (location) => void summary.segment(location),
    record: (row) => void summary.record(row),
    warnings: (warnings) => void summary.warnings(warnings),
    end: atEnd,
  };
}

function hasTables(tables: TablesLook | undefined): tables is TablesLook {
  return tables !== undefined && (tables.tables > 0 || tables.coveredLsn > 0);
}

function tablesJson(look: TablesLook): object {
  const { manifest, coveredLsn, tables, bytes } = look;
  return { manifest, coveredLsn, tables, bytes, levels: sumLevels(look) };
}

const MOST_FINDINGS = 8;
const FIRST = 3;
const LAST = 5;

/** The first, the last, and some of those that are damaged. */
function shownSegments(segments: readonly SegmentSummary[]): number[] {
  if (segments.length <= FIRST + LAST + 1) return [...segments.keys()];
  const damaged = [...segments.keys()].filter((index) => segments[index]?.warnings.some(isDamage));
  const ends = [...segments.keys()].filter((index) => index < FIRST || index >= segments.length - LAST);
  return [...new Set([...ends, ...damaged.slice(0, MOST_FINDINGS)])].sort((a, b) => a - b);
}

function noCounts(bytes: number): Counts {
  return {
    bytes,
    records: 0,
    types: { PUT: 0, DELETE: 0, NOOP: 0, BATCH: 0, DELETE_RANGE: 0, PUT_EXPIRING: 0 },
  };
}

function count(counts: Counts, { lsn, type }: WalInspectionRow): void {
  counts.records++;
  counts.firstLsn ??= lsn;
  counts.lastLsn = lsn;
  counts.types[type]++;
}

function cells(
  { segment, bytes, records, firstLsn, lastLsn, types: counted }: Counts & { segment: string },
  types: readonly RecordType[],
): string[] {
  const lsns = firstLsn === undefined ? "none" : `${firstLsn} to ${lastLsn}`;
  const counts = types.map((type) => formatCount(counted[type]));
  return [escapeText(segment), lsns, formatCount(records), ...counts, formatBytes(bytes)];
}
