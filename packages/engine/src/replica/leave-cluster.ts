import { type PartialEngineConfig, resolveEngineConfig } from "@kaya/core";
import { assertDisk, type Disk, type DiskLock, NodeDisk } from "@kaya/io";
import { randomLogId, type WalWriter } from "@kaya/wal";
import { letGo, letGoAsFound, takeDirectory } from "../data-directory.js";
import { type RecoveredState, recoverState } from "../recover-state.js";
import { readMarker, removeMarker } from "./replica-marker.js";

/**
 * Turns a replica into an ordinary store, with all records that it has. Its log gets a new id, because its later records may differ from
 * those of the shared log. Change tokens up to the last record stay valid. If the directory is not a replica, the call does nothing.
 *
 * @param target a directory, or a disk
 * @param given as for `Engine.open`; `dataDir` is not used
 * @throws KayaError KAYA_LOCK_CONFLICT if the directory is open; KAYA_INVALID_ARGUMENT; KAYA_CORRUPTION for damage that a crash cannot
 *   cause; KAYA_UNSUPPORTED_VERSION if a newer version wrote it; KAYA_DISK_FULL; KAYA_IO; KAYA_FSYNC_FAILED
 */
export async function leaveCluster(target: string | Disk, given?: PartialEngineConfig): Promise<void> {
  const config = resolveEngineConfig(given);
  const disk = typeof target === "string" ? new NodeDisk(target) : target;
  assertDisk(disk);
  const own = disk === target ? undefined : disk;
  let lock: DiskLock | undefined;
  let wal: WalWriter<unknown> | undefined;
  try {
    // The marker is read before the lock is taken: taking the lock would create a directory for a mistyped path.
    if ((await readMarker(disk)) === undefined) return;
    lock = await takeDirectory(config, disk);
    if ((await readMarker(disk)) === undefined) return;
    const state = await recoverState(config, disk, lock, {});
    wal = state.wal;
    await leave(disk, state);
  } finally {
    if (wal === undefined) await letGoAsFound(lock);
    else await letGo({ lock, own: undefined }, wal);
    await own?.close?.();
  }
}

/** Changes the id before it removes the marker. While the marker exists, no program writes to the directory. */
async function leave(disk: Disk, { wal, closeTables }: RecoveredState): Promise<void> {
  try {
    await wal.rename(randomLogId());
    await removeMarker(disk);
  } finally {
    await closeTables();
    await wal.close();
  }
}
