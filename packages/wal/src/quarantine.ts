import { assertDisk, type DirEntry, type Disk, type DiskFile, isFile, isRemovable } from "@kaya/io";
import { checksumRange, copyRange, isCopyOf, removeHalfMade } from "./file-copy.js";
import { QUARANTINE_DIR, type SegmentFile, segmentName, TEMPORARY_SUFFIX, WAL_DIR } from "./segments.js";

const NAME = /\/([0-9a-f]{16})\.wal\.(\d+)-(\d+)\.[0-9a-f]{8}(\.torn)?(-\d+)?$/;

/**
 * Why bytes were taken out of the log: `torn` is an unfinished end, which a crash explains; `damage` is
 * something that no crash explains.
 */
export type QuarantineKind = "torn" | "damage";

/** A file in `wal/quarantine/`. */
export interface QuarantineFile {
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** Bytes of the file. */
  readonly bytes: number;
  /** Why the bytes were taken out of the log. `unknown`: recovery gives no such name. */
  readonly kind: QuarantineKind | "unknown";
}

/** How much is in `wal/quarantine/`. */
export interface QuarantineSummary {
  /** How many files there are. */
  readonly files: number;
  /** Bytes of all files. */
  readonly bytes: number;
  /** The files that are torn ends. `quarantineMaxBytes` bounds them. */
  readonly torn: {
    /** How many torn ends there are. */
    readonly files: number;
    /** Bytes of all torn ends. */
    readonly bytes: number;
  };
}

/** What a cleaning of `wal/quarantine/` has removed. */
export interface QuarantineCleaned {
  /** How many files were removed. */
  readonly files: number;
  /** Bytes of the removed files. */
  readonly bytes: number;
}

/**
 * The bytes that recovery took out of the log and kept, in the order in which they stood there. It changes
 * nothing and takes no lock.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT if `disk` is no disk; KAYA_IO
 */
export async function listQuarantine(disk: Disk): Promise<readonly QuarantineFile[]> {
  assertDisk(disk);
  return (await Quarantine.open(disk)).files;
}

/**
 * Where recovery keeps bytes that it takes out of the log. A name has their place and checksum
 * (`<segment>.<from>-<to>.<crc>`, with `.torn` behind it for an end that a crash tore), so that a recovery that is repeated after a crash
 * finds its own copy again, and no name is ever used for other bytes.
 */
export class Quarantine {
  readonly #disk: Disk;
  /** All existing paths: none is reused. */
  readonly #names: Set<string>;
  /** Length of each file among them, by path: nothing else is opened. */
  readonly #taken: Map<string, number>;
  /** Leftovers of a crash: unfinished copies, and links with such a name. */
  readonly #leftovers: readonly string[];
  /** Files that this recovery made or found again. */
  readonly #kept = new Set<string>();

  private constructor(disk: Disk, entries: readonly DirEntry[]) {
    this.#disk = disk;
    this.#names = new Set(entries.map(({ path }) => path));
    this.#taken = new Map(entries.filter(isFile).map(({ path, length }) => [path, length]));
    const removable = entries.filter((entry) => isUnfinished(entry.path) && isRemovable(entry));
    this.#leftovers = removable.map(({ path }) => path);
  }

  static async open(disk: Disk): Promise<Quarantine> {
    return new Quarantine(disk, await disk.list(QUARANTINE_DIR));
  }

  /** In the order of the bytes in the log, without unfinished copies. */
  get files(): readonly QuarantineFile[] {
    const names = [...this.#taken].filter(([path]) => !isUnfinished(path));
    return names
      .map(([path, bytes]) => ({ path, bytes, kind: kindOf(path) }))
      .sort((a, b) => comparePlaces(placeOf(a.path), placeOf(b.path)));
  }

  get summary(): QuarantineSummary {
    const { files } = this;
    const torn = files.filter(({ kind }) => kind === "torn");
    return { files: files.length, bytes: bytesOf(files), torn: { files: torn.length, bytes: bytesOf(torn) } };
  }

  /** Removes copies that a crash left unfinished. */
  async removeLeftovers(): Promise<void> {
    for (const path of this.#leftovers) await this.#remove(path);
  }

  /**
   * Removes torn ends, oldest first, until at most so many bytes of them are left. The newest stays, and so do those kept since this was
   * opened. A power cut may bring names back; the next cleaning removes them again.
   */
  async clean(maxBytes: number): Promise<QuarantineCleaned> {
    const torn = this.files.filter(({ kind }) => kind === "torn");
    const newest = torn.at(-1)?.path;
    let left = bytesOf(torn);
    const removed: QuarantineFile[] = [];
    for (const file of torn) {
      if (left <= maxBytes) break;
      if (file.path === newest || this.#kept.has(file.path)) continue;
      await this.#remove(file.path);
      left -= file.bytes;
      removed.push(file);
    }
    return { files: removed.length, bytes: bytesOf(removed) };
  }

  /**
   * Keeps a copy of a segment's bytes from `from` to `to` and gives its path; `makeDurable` makes its name durable. If that fails, nothing
   * is left behind and the segment is unchanged.
   */
  async keepCopy(segment: SegmentFile, from: number, to: number, kind: QuarantineKind): Promise<string> {
    const source = await this.#disk.open(segment.path, { readOnly: true });
    try {
      const crc = await checksumRange(source, from, to);
      const path = await this.#pathFor(baseName(segment, from, to, crc, kind), source, from, to);
      if (!this.#taken.has(path)) await this.#copyTo(path, source, from, to);
      this.#kept.add(path);
      return path;
    } finally {
      await source.close();
    }
  }

  /** Once this resolves, the copied bytes may be cut and removed. */
  async makeDurable(): Promise<void> {
    await this.#disk.syncDir(QUARANTINE_DIR);
    await this.#disk.syncDir(WAL_DIR);
  }

  async #copyTo(path: string, source: DiskFile, from: number, to: number): Promise<void> {
    const temporary = `${path}${TEMPORARY_SUFFIX}`;
    try {
      await copyRange(this.#disk, source, from, to, temporary);
      await this.#disk.rename(temporary, path);
      this.#names.add(path);
      this.#taken.set(path, to - from);
    } catch (error) {
      await removeHalfMade(this.#disk, temporary);
      throw error;
    }
  }

  /** The name of an earlier copy of the same bytes, or an unused one. */
  async #pathFor(base: string, source: DiskFile, from: number, to: number): Promise<string> {
    for (const path of this.#taken.keys()) {
      if (path !== base && !path.startsWith(`${base}-`)) continue;
      if (await this.#holds(path, source, from, to)) return path;
    }
    return this.#freeName(base);
  }

  async #remove(path: string): Promise<void> {
    await this.#disk.remove(path);
    this.#names.delete(path);
    this.#taken.delete(path);
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
    for (let n = 2; this.#names.has(path); n++) path = `${base}-${n}`;
    return path;
  }
}

function baseName(segment: SegmentFile, from: number, to: number, crc: number, kind: QuarantineKind): string {
  const name = `${segmentName(segment.id)}.${from}-${to}.${crc.toString(16).padStart(8, "0")}`;
  return `${QUARANTINE_DIR}/${name}${kind === "torn" ? ".torn" : ""}`;
}

function isUnfinished(path: string): boolean {
  return path.endsWith(TEMPORARY_SUFFIX) && NAME.test(path.slice(0, -TEMPORARY_SUFFIX.length));
}

function kindOf(path: string): QuarantineFile["kind"] {
  const match = NAME.exec(path);
  if (match === null) return "unknown";
  return match[4] === undefined ? "damage" : "torn";
}

/** Segment and offset of the bytes; other names come first. */
function placeOf(path: string): readonly [segment: string, from: number, path: string] {
  const match = NAME.exec(path);
  return [match?.[1] ?? "", Number(match?.[2] ?? 0), path];
}

function comparePlaces(a: ReturnType<typeof placeOf>, b: ReturnType<typeof placeOf>): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1] || (a[2] < b[2] ? -1 : 1);
}

function bytesOf(files: readonly QuarantineFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
