import { type DirEntry, type Disk, type DiskFile, isFile, isRemovable } from "@kaya/io";
import { checksumRange, copyRange, isCopyOf, removeHalfMade } from "./file-copy.js";
import { QUARANTINE_DIR, type SegmentFile, segmentName, TEMPORARY_SUFFIX, WAL_DIR } from "./segments.js";

const UNFINISHED_COPY = /\/[0-9a-f]{16}\.wal\.\d+-\d+\.[0-9a-f]{8}(-\d+)?\.tmp$/;

/**
 * Where recovery keeps what it takes out of the log. A name says where the bytes stood and what they are
 * (`<segment>.<from>-<to>.<crc>`), so that a recovery that is repeated after a crash finds its own copy again, and no
 * name is ever used for other bytes.
 */
export class Quarantine {
  readonly #disk: Disk;
  /** Paths of all that is there. */
  readonly #taken: Set<string>;
  /** Paths of the files among them: nothing else is opened. */
  readonly #files: Set<string>;
  readonly #leftovers: readonly string[];

  private constructor(disk: Disk, entries: readonly DirEntry[]) {
    this.#disk = disk;
    this.#taken = new Set(entries.map(({ path }) => path));
    this.#files = new Set(entries.filter(isFile).map(({ path }) => path));
    const removable = entries.filter((entry) => UNFINISHED_COPY.test(entry.path) && isRemovable(entry));
    this.#leftovers = removable.map(({ path }) => path);
  }

  static async open(disk: Disk): Promise<Quarantine> {
    return new Quarantine(disk, await disk.list(QUARANTINE_DIR));
  }

  /** Removes copies that a crash left unfinished. */
  async removeLeftovers(): Promise<void> {
    for (const path of this.#leftovers) {
      await this.#disk.remove(path);
      this.#taken.delete(path);
      this.#files.delete(path);
    }
  }

  /**
   * Keeps a copy of a segment's bytes from `from` to `to` and gives its path; `makeDurable` makes its name durable. Where
   * that fails, nothing is left behind and nothing of the segment was changed.
   */
  async keepCopy(segment: SegmentFile, from: number, to: number): Promise<string> {
    const source = await this.#disk.open(segment.path, { readOnly: true });
    try {
      const crc = await checksumRange(source, from, to);
      const path = await this.#pathFor(segment, from, to, crc, source);
      if (!this.#files.has(path)) await this.#copyTo(path, source, from, to);
      return path;
    } finally {
      await source.close();
    }
  }

  /** Once this resolves, what was copied may be cut and removed. */
  async makeDurable(): Promise<void> {
    await this.#disk.syncDir(QUARANTINE_DIR);
    await this.#disk.syncDir(WAL_DIR);
  }

  async #copyTo(path: string, source: DiskFile, from: number, to: number): Promise<void> {
    const temporary = `${path}${TEMPORARY_SUFFIX}`;
    try {
      await copyRange(this.#disk, source, from, to, temporary);
      await this.#disk.rename(temporary, path);
      this.#taken.add(path);
      this.#files.add(path);
    } catch (error) {
      await removeHalfMade(this.#disk, temporary);
      throw error;
    }
  }

  /** The name of an earlier copy of the same bytes, or one that was never used. */
  async #pathFor(
    segment: SegmentFile,
    from: number,
    to: number,
    crc: number,
    source: DiskFile,
  ): Promise<string> {
    const base = baseName(segment, from, to, crc);
    for (const path of this.#files) {
      if (path !== base && !path.startsWith(`${base}-`)) continue;
      if (await this.#holds(path, source, from, to)) return path;
    }
    return this.#freeName(base);
  }

  async #holds(path: string, source: DiskFile, from: number, to: number): Promise<boolean> {
    const copy = await this.#disk.open(path, { readOnly: true });
    try {
      return await isCopyOf(copy, source, from, to);
    } finally {
      await copy.close();
    }
  }

  #freeName(base: string): string {
    let path = base;
    for (let n = 2; this.#taken.has(path); n++) path = `${base}-${n}`;
    return path;
  }
}

function baseName(segment: SegmentFile, from: number, to: number, crc: number): string {
  return `${QUARANTINE_DIR}/${segmentName(segment.id)}.${from}-${to}.${crc.toString(16).padStart(8, "0")}`;
}
