import { KayaError, type LogPosition } from "@kaya/core";
import type { TableSource } from "../copy/copy-table.js";
import type { EntryCursor, Found } from "../entry.js";
import type { ManifestState, TableMeta } from "../manifest/manifest-state.js";
import type { Extent } from "../version/extent.js";
import { tablePath } from "../version/table-files.js";
import type { TreeCursorOptions, Version } from "../version/version.js";

/** A table of a snapshot. */
export interface SnapshotTable extends TableMeta {
  /** The level of the table. */
  readonly level: number;
  /** Relative to the disk's root. */
  readonly path: string;
}

/** The tables as they were at one moment. Their files stay until it is released, so it costs disk, not memory. */
export class LsmSnapshot {
  readonly #version: Version;
  #isReleased = false;

  /** @param version retained for it */
  constructor(version: Version) {
    this.#version = version;
  }

  /** What of the log it shows. */
  get covered(): LogPosition {
    return this.#version.covered;
  }

  /** What the manifest said: `writeManifest` takes it. */
  get state(): ManifestState {
    return this.#version.state;
  }

  /**
   * The tables of this snapshot: of level 0 the newest first, of the others in key order. Until `release` their
   * files stay as they are, to be copied.
   */
  get tables(): readonly SnapshotTable[] {
    return this.#version.state.levels.flatMap((metas, level) =>
      metas.map((meta) => ({ ...meta, level, path: tablePath(meta.id) })),
    );
  }

  /**
   * The tables of this snapshot as sources of a copy, even if another process has removed their files
   * meanwhile.
   */
  get sources(): readonly TableSource[] {
    return this.#version.levels.flatMap((tables, level) =>
      tables.map(({ meta, table }) => ({
        level,
        meta,
        path: tablePath(meta.id),
        read: (position: number, into: Uint8Array) => table.readBytes(position, into),
      })),
    );
  }

  /**
   * The newest entry of a key in this snapshot; undefined if it has none, or a tombstone. The caller checks
   * whether it has expired.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED after `release`
   */
  async get(key: Uint8Array): Promise<Found | undefined> {
    return this.find(key);
  }

  /**
   * The newest entry of a key in this snapshot; undefined if it has none, or a tombstone. It returns a promise
   * only if a block must be read from the disk.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED after `release`
   */
  find(key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    this.#check();
    return this.#version.find(key);
  }

  /**
   * The newest entry of a key in this snapshot, before it returns; undefined if it has none, or a tombstone. A
   * block that is not cached is read synchronously.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED after `release`
   */
  getSync(key: Uint8Array): Found | undefined {
    this.#check();
    return this.#version.getSync(key);
  }

  /**
   * A cursor over all entries of this snapshot that have a value. Close it before you release the snapshot.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED after `release`
   */
  cursor(options?: TreeCursorOptions): EntryCursor {
    this.#check();
    return holdingCursor(this.#version, options);
  }

  /**
   * About how many bytes of tables a range takes, from their indexes. Deleted and overwritten entries count
   * too.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED after `release`
   */
  async approximateSize(extent: Extent): Promise<number> {
    this.#check();
    return held(this.#version, (version) => version.approximateSize(extent));
  }

  /** Another holder of the same tables, to be released for itself. @throws KayaError KAYA_CLOSED after `release` */
  another(): LsmSnapshot {
    this.#check();
    return new LsmSnapshot(this.#version.retain());
  }

  /** Lets go of the files. Doing it again is fine. Cursors that are open keep what they need. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#version.release();
  }

  /** Releases the snapshot at the end of a `using` block, as `release` does. */
  [Symbol.dispose](): void {
    this.release();
  }

  #check(): void {
    if (this.#isReleased) throw new KayaError("KAYA_CLOSED", "the snapshot was released");
  }
}

/** The version stays while it is read. */
export async function held<T>(version: Version, read: (version: Version) => Promise<T>): Promise<T> {
  version.retain();
  try {
    return await read(version);
  } finally {
    version.release();
  }
}

/** The version stays until the cursor is closed. */
export function holdingCursor(version: Version, options: TreeCursorOptions = {}): EntryCursor {
  const cursor = version.cursor(options);
  version.retain();
  const close = cursor.close.bind(cursor);
  let isClosed = false;
  cursor.close = () => {
    if (isClosed) return;
    isClosed = true;
    close();
    version.release();
  };
  return cursor;
}
