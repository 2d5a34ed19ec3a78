import type { SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { compareBytes } from "../bytes.js";
import type { EntryKind, RangeTombstone } from "../entry.js";
import type { TableMeta } from "../manifest/manifest-state.js";
import { compareEnds } from "../merge/compare.js";
import { isBefore } from "../version/extent.js";
import { tablePath } from "../version/table-files.js";
import { GRANDPARENT_RATIO, type MergeJob } from "./job.js";
import { OutputTable } from "./output-table.js";

/** The tables that a merge writes, one after the other: disjoint, each of about the wanted size. */
export class Outputs {
  readonly #disk: Disk;
  readonly #job: MergeJob;
  /** Raw bytes after which a table is full. */
  readonly #fullBytes: number;
  readonly #finished: TableMeta[] = [];
  #current: OutputTable | undefined;
  /** Range tombstones that no table has yet, sorted and disjoint. */
  #pieces: readonly RangeTombstone[];
  #made = 0;
  #grandparent = 0;
  #grandparentBytes = 0;

  /** @param pieces sorted and disjoint */
  constructor(disk: Disk, job: MergeJob, pieces: readonly RangeTombstone[]) {
    this.#disk = disk;
    this.#job = job;
    this.#pieces = pieces;
    const inputs = job.runs.flat();
    const [raw, stored] = [sum(inputs, "rawBytes"), sum(inputs, "fileBytes")];
    this.#fullBytes = job.tableBytes * (stored > 0 ? Math.max(1, raw) / stored : 1);
  }

  /** Gives a promise if it must wait. */
  add(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt: number,
  ): void | Promise<void> {
    const current = this.#current;
    if (current === undefined || this.#isFull(current, key))
      return this.#addToNext(key, kind, sequence, value, expiresAt);
    return current.add(key, kind, sequence, value, expiresAt);
  }

  /** All outputs, in key order. Their bytes are durable, their names are not. */
  async finish(): Promise<TableMeta[]> {
    if (this.#current === undefined && this.#pieces.length > 0) this.#current = await this.#create();
    await this.#finishCurrent(undefined);
    return this.#finished;
  }

  /** Removes its files. One that cannot be removed now is an orphan for the next opening. */
  async abandon(): Promise<void> {
    await this.#current?.abandon().catch(() => undefined);
    for (const { id } of this.#finished) await this.#disk.remove(tablePath(id)).catch(() => undefined);
  }

  async #addToNext(
    lentKey: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt: number,
  ): Promise<void> {
    // The cursor does not move before this is done, so the bytes stay.
    await this.#finishCurrent(lentKey);
    this.#current = await this.#create();
    await this.#current.add(lentKey, kind, sequence, value, expiresAt);
  }

  async #finishCurrent(before: Uint8Array | undefined): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    for (const piece of this.#takePieces(before)) current.addRangeTombstone(piece);
    this.#finished.push(await current.finish());
    this.#current = undefined;
    this.#grandparentBytes = 0;
  }

  /** The parts of range tombstones before a key: one that reaches beyond it is split there. */
  #takePieces(before: Uint8Array | undefined): RangeTombstone[] {
    const taken: RangeTombstone[] = [];
    const left: RangeTombstone[] = [];
    const cut = before && new Uint8Array(before);
    for (const piece of this.#pieces) {
      if (!isBefore(piece.start, cut)) left.push(piece);
      else if (compareEnds(piece.end, cut) <= 0) taken.push(piece);
      else {
        taken.push({ ...piece, end: cut });
        left.push({ ...piece, start: cut as Uint8Array }); // nothing reaches beyond no key at all
      }
    }
    this.#pieces = left;
    return taken;
  }

  async #create(): Promise<OutputTable> {
    const id = this.#job.firstId + this.#made++;
    const place = { id, path: tablePath(id) };
    return OutputTable.create(this.#disk, place, this.#job.format, seedOf(this.#job.seed, id));
  }

  #isFull(current: OutputTable, key: Uint8Array): boolean {
    if (this.#made >= this.#job.mostOutputs) return false;
    return current.rawBytes >= this.#fullBytes || this.#overlapsTooMuch(key);
  }

  #overlapsTooMuch(key: Uint8Array): boolean {
    const { grandparents, tableBytes } = this.#job;
    for (;;) {
      const grandparent = grandparents[this.#grandparent];
      if (grandparent === undefined || isBefore(key, grandparent.end)) break;
      this.#grandparent++;
      this.#grandparentBytes += grandparent.fileBytes;
    }
    return this.#grandparentBytes > GRANDPARENT_RATIO * tableBytes;
  }
}

/** A seed of its own for each table. */
export function seedOf(secret: Uint8Array, id: number): Uint8Array {
  const seed = new Uint8Array(secret);
  const view = new DataView(seed.buffer);
  view.setBigUint64(0, view.getBigUint64(0, true) ^ BigInt(id), true);
  return seed;
}

/** The parts of range tombstones below which something older may be, in order. */
export function clipToOlder(pieces: readonly RangeTombstone[], older: MergeJob["older"]): RangeTombstone[] {
  const clipped: RangeTombstone[] = [];
  let first = 0;
  for (const piece of pieces) {
    while (first < older.length && !isBefore(piece.start, (older[first] as { end?: Uint8Array }).end))
      first++;
    for (let i = first; i < older.length; i++) {
      const { start, end } = older[i] as MergeJob["older"][number]; // i is below the length
      if (!isBefore(start, piece.end)) break;
      clipped.push({
        start: compareBytes(start, piece.start) > 0 ? start : piece.start,
        end: compareEnds(end, piece.end) < 0 ? end : piece.end,
        sequence: piece.sequence,
      });
    }
  }
  return clipped;
}

function sum(tables: readonly TableMeta[], field: "rawBytes" | "fileBytes"): number {
  return tables.reduce((total, table) => total + table[field], 0);
}
