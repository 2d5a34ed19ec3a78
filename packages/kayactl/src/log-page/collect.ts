import {
  formatWarning,
  isDamage,
  type SegmentLocation,
  type WalInspectionRow,
  type WalWarning,
} from "@kaya/wal";
import type { InspectionPrinter } from "../inspect/inspection-printer.js";
import { GroupEncoder } from "../page/group-codec.js";
import { type PageFinding, type PageSegment, RECORD_TYPES } from "../page/page-data.js";
import { RowEncoder } from "../page/row-codec.js";
import { damageRanges } from "./damage-ranges.js";

/** With more records than this a page would be too large: they are put into groups. */
export const MOST_ITEMS = 700_000;
const MOST_GROUPS = 200_000;

/** Sizes from 2^0 to 2^32. */
const POWERS = 33;

/** Collects what a page shows while the log is read. */
export class PageCollector implements InspectionPrinter {
  readonly groupSize: number;
  readonly segments: PageSegment[] = [];
  /** The encoded items of each segment. */
  readonly blocks: Uint8Array[] = [];
  readonly findings: PageFinding[] = [];
  readonly notes: string[] = [];
  readonly sizes: number[][] = RECORD_TYPES.map(() => new Array<number>(POWERS).fill(0));
  recordCount = 0;
  /** The damage in the last segment. */
  lastDamage: readonly WalWarning[] = [];
  readonly #mostItems: number;
  #location: SegmentLocation | undefined;
  #encoder: RowEncoder | GroupEncoder = new RowEncoder();
  #counts: number[] = [];
  #lsns: { firstLsn?: number; lastLsn?: number } = {};

  /** @param groupSize 1, and what `groupSizeFor` says once it has turned out that there are too many */
  constructor(groupSize: number, mostItems: number) {
    this.groupSize = groupSize;
    this.#mostItems = mostItems;
  }

  /** How many records an item must stand for; the same as `groupSize` where all could be collected. */
  get neededGroupSize(): number {
    if (this.groupSize > 1 || this.recordCount <= this.#mostItems) return this.groupSize;
    return Math.ceil(this.recordCount / Math.min(MOST_GROUPS, this.#mostItems));
  }

  begin(): undefined {}

  segment(location: SegmentLocation): undefined {
    this.#location = location;
    this.#encoder = this.groupSize === 1 ? new RowEncoder() : new GroupEncoder(this.groupSize);
    this.#counts = RECORD_TYPES.map(() => 0);
    this.#lsns = {};
  }

  record(row: WalInspectionRow): undefined {
    this.recordCount++;
    const type = RECORD_TYPES.indexOf(row.type);
    this.#counts[type] = (this.#counts[type] ?? 0) + 1;
    this.#lsns.firstLsn ??= row.lsn;
    this.#lsns.lastLsn = row.lsn;
    const sizes = this.sizes[type];
    const power = Math.floor(Math.log2(row.encodedLength));
    if (sizes !== undefined) sizes[power] = (sizes[power] ?? 0) + 1;
    if (this.groupSize > 1 || this.recordCount <= this.#mostItems) this.#encoder.add(row);
  }

  async warnings(warnings: readonly WalWarning[]): Promise<void> {
    const location = this.#location;
    if (location === undefined) return;
    const { bytes, items } = this.#encoder.end();
    const segment = this.segments.length;
    this.lastDamage = warnings.filter(isDamage);
    for (const warning of warnings) {
      const text = `${location.name}: ${formatWarning(warning)}`;
      const offset = offsetOf(warning);
      if (!isDamage(warning) || offset === undefined) this.notes.push(text);
      else this.findings.push({ segment, offset, text });
    }
    this.blocks.push(bytes);
    this.segments.push({
      name: location.name,
      bytes: location.length,
      records: this.#counts.reduce((sum, count) => sum + count, 0),
      ...this.#lsns,
      counts: this.#counts,
      items,
      itemBytes: bytes.length,
      ranges: await damageRanges(location, warnings),
      gaps: warnings.filter(({ kind }) => kind === "NonMonotonicLsn").map((gap) => offsetOf(gap) ?? 0),
    });
  }

  end(): undefined {}
}

function offsetOf(warning: WalWarning): number | undefined {
  if (warning.kind === "ValidRecordsBeyondDamage") return warning.firstOffset;
  return "offset" in warning ? warning.offset : undefined;
}
