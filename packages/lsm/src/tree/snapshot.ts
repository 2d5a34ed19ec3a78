import { KayaError, type LogPosition } from "@kaya/core";
import type { EntryCursor, Found } from "../entry.js";
import type { CursorOptions } from "../table/read-ahead.js";
import type { Extent } from "../version/extent.js";
import type { Version } from "../version/version.js";

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

  /** As `LsmTree.get`. @throws KayaError KAYA_CLOSED after `release` */
  async get(key: Uint8Array): Promise<Found | undefined> {
    this.#check();
    return held(this.#version, (version) => version.get(key));
  }

  /** As `LsmTree.getSync`. @throws KayaError KAYA_CLOSED after `release` */
  getSync(key: Uint8Array): Found | undefined {
    this.#check();
    return this.#version.getSync(key);
  }

  /** As `LsmTree.cursor`. @throws KayaError KAYA_CLOSED after `release` */
  cursor(options?: CursorOptions): EntryCursor {
    this.#check();
    return holdingCursor(this.#version, options);
  }

  /** As `LsmTree.approximateSize`. @throws KayaError KAYA_CLOSED after `release` */
  async approximateSize(extent: Extent): Promise<number> {
    this.#check();
    return held(this.#version, (version) => version.approximateSize(extent));
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
export function holdingCursor(version: Version, options: CursorOptions = {}): EntryCursor {
  version.retain();
  const cursor = version.cursor(options);
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
