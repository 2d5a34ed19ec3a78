import type { SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { compareBytes } from "../bytes.js";
import type { EntryKind, RangeTombstone } from "../entry.js";
import type { TableMeta } from "../manifest/manifest-state.js";
import { compareEnds, keyAfter } from "../merge/compare.js";
import { TableWriter } from "../table/table-writer.js";
import { type Extent, hull } from "../version/extent.js";
import type { TableFormat } from "./job.js";

/** A table that is being written, and its facts for the manifest. */
export class OutputTable {
  readonly id: number;
  readonly #writer: TableWriter;
  #rangeTombstones = 0;
  /** Of the range tombstones. */
  #start: Uint8Array | undefined;
  #end: Uint8Array | undefined;

  private constructor(id: number, writer: TableWriter) {
    this.id = id;
    this.#writer = writer;
  }

  /**
   * @param seed 16 secret bytes
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO
   */
  static async create(
    disk: Disk,
    { id, path }: { readonly id: number; readonly path: string },
    format: TableFormat,
    seed: Uint8Array,
  ): Promise<OutputTable> {
    return new OutputTable(id, await TableWriter.create(disk, path, { ...format, seed }));
  }

  /** Of keys and values. */
  get rawBytes(): number {
    return this.#writer.rawBytes;
  }

  /** Keys come in order. Gives a promise if it must wait. */
  add(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt: number,
  ): void | Promise<void> {
    return this.#writer.add(key, kind, sequence, value, expiresAt);
  }

  addRangeTombstone(tombstone: RangeTombstone): void {
    const { start, end } = tombstone;
    this.#writer.addRangeTombstone(tombstone);
    if (this.#rangeTombstones === 0 || compareBytes(start, this.#start as Uint8Array) < 0)
      this.#start = start;
    if (this.#rangeTombstones === 0 || compareEnds(end, this.#end) > 0) this.#end = end;
    this.#rangeTombstones++;
  }

  /** The file's bytes are durable then, its name is not. */
  async finish(): Promise<TableMeta> {
    const summary = await this.#writer.finish();
    const { fileBytes, footerCrc, entries, tombstones, rangeTombstones, rawBytes } = summary;
    const { smallestSequence, largestSequence } = summary;
    return {
      id: this.id,
      fileBytes,
      footerCrc,
      entries,
      tombstones,
      rangeTombstones,
      rawBytes,
      smallestSequence,
      largestSequence,
      ...this.#extent(),
    };
  }

  /** Removes its file. */
  async abandon(): Promise<void> {
    await this.#writer.abandon();
  }

  #extent(): Extent {
    const { firstKey, lastKey } = this.#writer;
    const tombstones = { start: this.#start as Uint8Array, end: this.#end }; // where there are any
    if (firstKey === undefined || lastKey === undefined) return tombstones;
    const entries = { start: firstKey, end: keyAfter(lastKey) };
    return this.#rangeTombstones === 0 ? entries : hull([entries, tombstones]);
  }
}
