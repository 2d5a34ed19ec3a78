import { KayaError, type LogPosition } from "@kaya/core";
import type { TableSource } from "../copy/copy-table.js";
import type { EntryCursor, Found } from "../entry.js";
import type { ManifestState, TableMeta } from "../manifest/manifest-state.js";
import type { Extent } from "../version/extent.js";
import { tablePath } from "../version/table-files.js";
import type { TreeCursorOptions, Version } from "../version/version.js";

/** A table of a snapshot. */
export interface SnapshotTable extends TableMeta {
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

  /** Of level 0 the newest first, of the others in key order. Until `release` their files stay as they are, to be copied. */
  get tables(): readonly SnapshotTable[] {
    return this.#version.state.levels.flatMap((metas, level) =>
      metas.map((meta) => ({ ...meta, level, path: tablePath(meta.id) })),
    );
  }

  /** The same tables, to be copied: also where another process has removed their files meanwhile. */
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

  /** As `LsmTree.get`. @throws KayaError KAYA_CLOSED after `release` */
  async get(key: Uint8Array): Promise<Found | undefined> {
    return this.find(key);
  }

  /** As `LsmTree.find`. @throws KayaError KAYA_CLOSED after `release` */
  find(key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    this.#check();
    return this.#version.find(key);
  }

  /** As `LsmTree.getSync`. @throws KayaError KAYA_CLOSED after `release` */
  getSync(key: Uint8Array): Found | undefined {
    this.#check();
    return this.#version.getSync(key);
  }

  /** As `LsmTree.cursor`. @throws KayaError KAYA_CLOSED after `release` */
  cursor(options?: TreeCursorOptions): EntryCursor {
    this.#check();
    return holdingCursor(this.#version, options);
  }

  /** As `LsmTree.approximateSize`. @throws KayaError KAYA_CLOSED after `release` */
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
