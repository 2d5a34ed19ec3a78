import { KayaError } from "@kaya/core";
import { type Disk, readLockNote } from "@kaya/io";
import { listSegments } from "@kaya/wal";
import { CHECKPOINT_DIR, listCheckpoints } from "./checkpoint/checkpoint-files.js";
import { LOCK_PATH } from "./lock-path.js";

/** What an engine has in the root of its directory. */
const OWN_NAMES = [LOCK_PATH, "wal", CHECKPOINT_DIR, "consumers", "consumers.tmp"];

/** A new file system makes this directory in its root. */
export const LOST_AND_FOUND = "lost+found";

/**
 * Makes sure that a directory is one for an engine to write to: it holds nothing, or something by which it is recognised: segments,
 * checkpoints, or a lock file with a holder's note. Stray files beside those are fine; `lost+found` and empty directories count as nothing.
 * Other stores call their lock file `LOCK` too, so the name alone proves nothing. Reads one directory where all is well.
 * @throws KayaError KAYA_INVALID_ARGUMENT, which names a file of somebody else; KAYA_IO
 */
export async function assertNotForeign(disk: Disk): Promise<void> {
  const foreign = await findForeign(disk);
  if (foreign === undefined || (await isRecognised(disk))) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${disk.root ?? "the disk"} is no data directory of Kaya: it holds ${foreign}, and neither a log nor a checkpoint. Nothing was changed. ` +
      "Give an empty or absent directory, or one of Kaya's; to write beside such files all the same, set allowForeignFiles: true.",
  );
}

/** A path that no engine makes; undefined where there is none. */
async function findForeign(disk: Disk): Promise<string | undefined> {
  const root = await disk.list("");
  for (const { path, isDirectory } of root) {
    if (OWN_NAMES.includes(path) || path === LOST_AND_FOUND) continue;
    if (!isDirectory || (await disk.list(path)).length > 0) return path;
  }
  // An engine takes its lock before it makes anything else: where the lock file was removed, these names are to be looked at.
  if (root.some(({ path }) => path === LOCK_PATH)) return undefined;
  const below = root.filter(({ path, isDirectory }) => isDirectory && OWN_NAMES.includes(path));
  for (const { path } of below) {
    const unknown =
      path === CHECKPOINT_DIR ? (await listCheckpoints(disk)).unknown : await unknownInLog(disk);
    if (unknown[0] !== undefined) return unknown[0];
  }
  return undefined;
}

async function unknownInLog(disk: Disk): Promise<readonly string[]> {
  return (await listSegments(disk)).unknown;
}

async function isRecognised(disk: Disk): Promise<boolean> {
  const { segments, hasLogId } = await listSegments(disk);
  if (segments.length > 0 || hasLogId) return true;
  const { newest, leftovers, impossible } = await listCheckpoints(disk);
  if (newest !== undefined || leftovers.length > 0 || impossible.length > 0) return true;
  return (await readLockNote(disk, LOCK_PATH)) !== undefined;
}
