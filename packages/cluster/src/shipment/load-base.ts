import { type LogPosition, type PartialEngineConfig, resolveEngineConfig, throwIfAborted } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { BlobStore } from "../blob-store.js";
import { readBase } from "./base-object.js";
import { NewDirectory } from "./new-directory.js";

/** The progress of a load. */
export interface LoadProgress {
  /** Bytes that were loaded. */
  readonly bytes: number;
  /** Bytes of all tables. */
  readonly totalBytes: number;
}

/** How a base is loaded. */
export interface LoadBaseOptions {
  /** The configuration with which the directory is opened later. Default: the defaults. */
  readonly config?: PartialEngineConfig;
  /** Aborts the load: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called while the load makes progress. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** The loaded state. */
export interface LoadedBase extends LogPosition {
  /** The id of the log: that of the store from which the base was made. */
  readonly logId: string;
  /** The number of its tables. */
  readonly tables: number;
  /** Bytes of its tables. */
  readonly bytes: number;
}

/**
 * Builds a data directory from a base. Its log has the same id as the log of the base's store, and continues at `lsn + 1`. So tokens of the
 * change feed stay valid. When the call resolves, all data was read back and is durable.
 *
 * @param into a directory that is absent or empty, or a disk
 * @throws KayaError KAYA_CORRUPTION with object and offset; KAYA_NOT_FOUND if the base or a table does not exist, or no longer exists: then
 *   look for a newer base; KAYA_INVALID_ARGUMENT if the directory is not empty; KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED; or the signal's
 *   reason. If the call rejects, it removes the files that it made
 */
export async function loadBase(
  store: BlobStore,
  name: string,
  into: string | Disk,
  { config, signal, onProgress }: LoadBaseOptions = {},
): Promise<LoadedBase> {
  throwIfAborted(signal);
  const pass = { ...(signal && { signal }) };
  const resolved = resolveEngineConfig(config);
  const base = await readBase(store, name, pass);
  const { covered, history, tables } = base;
  const totalBytes = tables.reduce((sum, { meta }) => sum + meta.fileBytes, 0);
  await NewDirectory.fill(into, { what: "a base", config: resolved }, async (directory) => {
    let bytes = 0;
    await directory.addTables(base, store, {
      ...pass,
      onBytes: (more) => {
        bytes += more;
        onProgress?.({ bytes, totalBytes });
      },
    });
    throwIfAborted(signal);
    await directory.finish(base, history, covered);
  });
  return { ...covered, logId: history.id, tables: tables.length, bytes: totalBytes };
}
