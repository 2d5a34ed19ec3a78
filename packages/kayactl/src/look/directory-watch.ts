import { join } from "node:path";
import type { Lsn } from "@kaya/core";
import { lookAtConsumers } from "@kaya/engine";
import { NodeDisk, readLockHolder } from "@kaya/io";
import { listTables } from "@kaya/lsm";
import { inspectWal, isWarning, locateSegments, type SegmentLocation } from "@kaya/wal";
import { type LevelSum, lookAtTables, sumLevels, type TablesLook } from "../inspect/tables-look.js";

/** What the files of a data directory tell, whoever has it open. */
export interface DirectoryLook {
  /** When, in ISO 8601. */
  readonly at: string;
  /** `left`: the last process that had it open is gone and did not close it. `unknown`: its lock file says nothing. */
  readonly state: "in-use" | "closed" | "left" | "unknown";
  /** Of the process that has it open, or had it last. */
  readonly pid?: number;
  /** Of the last whole record in the log, durable or not; of what the tables cover where the log has none; 0 where there is nothing. */
  readonly lastLsn: Lsn;
  readonly wal: { readonly segments: number; readonly bytes: number };
  readonly tables: {
    /** The log up to here is in them. */
    readonly coveredLsn: Lsn;
    readonly tables: number;
    readonly bytes: number;
    /** Those that have tables. */
    readonly levels: readonly LevelSum[];
    /** Files that no manifest names: they are being written, are still read, or a crash left them. */
    readonly unnamedFiles: number;
  };
  /** Those who are registered, and bytes of the log that are kept for them only. */
  readonly changes: { readonly consumers: number; readonly keptLogBytes: number };
  /** Since the look before; absent at the first one. */
  readonly perSecond?: { readonly records: number; readonly walBytes: number };
}

/** How far a segment was read. */
interface SegmentEnd {
  /** Of the file, when it was read. */
  readonly length: number;
  /** Where its last whole record ends. */
  readonly offset: number;
  /** Where space ahead of the log begins; the length where there is none. */
  readonly used: number;
  /** Of that record; undefined where there is none. */
  readonly lsn: Lsn | undefined;
}

interface Seen {
  readonly at: number;
  readonly lastLsn: Lsn;
  /** Their lengths are without space ahead of the log. */
  readonly segments: readonly SegmentLocation[];
}

const STATES = { held: "in-use", clean: "closed", left: "left" } as const;

/**
 * Looks at a data directory again and again, without its lock and without a change. The last segment is read once; from then on only what was
 * appended since.
 */
export class DirectoryWatch {
  readonly #dataDir: string;
  readonly #limit: { readonly maxRecordBytes?: number };
  readonly #now: () => number;
  #seen: Seen | undefined;
  /** By name, of the segments that were read at the last look. */
  #ends: ReadonlyMap<string, SegmentEnd> = new Map();

  constructor(dataDir: string, maxRecordBytes?: number, now: () => number = () => performance.now()) {
    this.#dataDir = dataDir;
    this.#limit = maxRecordBytes === undefined ? {} : { maxRecordBytes };
    this.#now = now;
  }

  /** @throws KayaError KAYA_IO, KAYA_NOT_FOUND */
  async look(): Promise<DirectoryLook> {
    // A file may go, or get shorter, while it is read: then the second try sees what is there now.
    return this.#look().catch(() => this.#look());
  }

  async #look(): Promise<DirectoryLook> {
    const holder = await readLockHolder(join(this.#dataDir, "LOCK"));
    const disk = new NodeDisk(this.#dataDir);
    const files = await listTables(disk);
    // Before the segments: what tables cover goes after they came.
    const look = await lookAtTables(this.#dataDir);
    const found = await locateSegments(this.#dataDir);
    const lastLsn = Math.max(look.coveredLsn, await this.#readOn(found));
    const segments = found.map((segment) => ({
      ...segment,
      length: this.#ends.get(segment.name)?.used ?? segment.length,
    }));
    const consumers = await lookAtConsumers(disk, { lastLsn, ...this.#limit });
    const seen = { at: this.#now(), lastLsn, segments };
    const perSecond = this.#seen && growth(this.#seen, seen);
    this.#seen = seen;
    return {
      at: new Date().toISOString(),
      state: holder === undefined ? "unknown" : STATES[holder.state],
      ...(holder !== undefined && { pid: holder.pid }),
      lastLsn,
      wal: { segments: segments.length, bytes: segments.reduce((sum, { length }) => sum + length, 0) },
      tables: {
        coveredLsn: look.coveredLsn,
        tables: look.tables,
        bytes: look.bytes,
        levels: sumLevels(look),
        unnamedFiles: unnamed(files, look),
      },
      changes: {
        consumers: consumers.length,
        keptLogBytes: Math.max(0, ...consumers.map(({ keptLogBytes }) => keptLogBytes)),
      },
      ...(perSecond !== undefined && { perSecond }),
    };
  }

  /** LSN of the last record: in the newest segment, or before it where that has none yet. */
  async #readOn(segments: readonly SegmentLocation[]): Promise<Lsn> {
    const ends = new Map<string, SegmentEnd>();
    let lastLsn: Lsn | undefined;
    for (const segment of segments.toReversed()) {
      const end = await this.#endOf(segment, this.#ends.get(segment.name));
      ends.set(segment.name, end);
      lastLsn = end.lsn;
      if (lastLsn !== undefined) break;
    }
    this.#ends = ends;
    return lastLsn ?? 0;
  }

  /** @param known how far the segment was read before */
  async #endOf(segment: SegmentLocation, known: SegmentEnd | undefined): Promise<SegmentEnd> {
    const { length } = segment;
    // Records may have come into space that was there.
    if (known?.length === length && known.offset === length) return known;
    const from = known === undefined || known.offset > length ? 0 : known.offset;
    let end: SegmentEnd = { length, used: length, offset: from, lsn: from === 0 ? undefined : known?.lsn };
    for await (const item of inspectWal(segment.disk, segment.path, { from, ...this.#limit })) {
      if (isWarning(item)) {
        if (item.kind === "ZeroFilledTail") return { ...end, used: item.offset };
        // A failed write was taken back, it may be, and another one stands across the place where it ended.
        const isTorn = item.kind === "PartialHeader" || item.kind === "PartialPayload";
        if (from > 0 && end.offset === from && !isTorn) return this.#endOf(segment, undefined);
        continue;
      }
      end = { length, used: length, offset: item.offset + item.encodedLength, lsn: item.lsn };
    }
    return end;
  }
}

function unnamed(
  { tables, leftovers }: Awaited<ReturnType<typeof listTables>>,
  { levels }: TablesLook,
): number {
  const named = new Set(levels.flat().map(({ id }) => id));
  return leftovers.length + [...tables.keys()].filter((id) => !named.has(id)).length;
}

/** What came since; of segments that came and were dropped in between nothing is known but their records. */
function growth(before: Seen, now: Seen): DirectoryLook["perSecond"] {
  const seconds = (now.at - before.at) / 1000;
  if (seconds <= 0) return undefined;
  const known = new Map(before.segments.map(({ name, length }) => [name, length]));
  const newest = before.segments.at(-1)?.name ?? "";
  let bytes = 0;
  for (const { name, length } of now.segments) {
    if (name >= newest) bytes += length - (known.get(name) ?? 0);
  }
  return {
    records: Math.round(Math.max(0, now.lastLsn - before.lastLsn) / seconds),
    walBytes: Math.round(Math.max(0, bytes) / seconds),
  };
}
