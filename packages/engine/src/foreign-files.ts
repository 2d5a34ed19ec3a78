import { KayaError } from "@kaya/core";
import { type DirEntry, type Disk, readLockNote } from "@kaya/io";
import { listSegments } from "@kaya/wal";
import { CHECKPOINT_DIR, listCheckpoints } from "./checkpoint/checkpoint-files.js";
import { LOCK_PATH } from "./lock-path.js";

/** What an engine has in the root of its directory: something else under such a name is somebody else's. */
const OWN_FILES = [LOCK_PATH, `${LOCK_PATH}.tmp`, "consumers", "consumers.tmp"];
const OWN_DIRECTORIES = ["wal", CHECKPOINT_DIR];

/** More than a note has. */
const LOOKED_AT_BYTES = 1024;

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
  if (foreign === undefined) return;
  if (!OWN_DIRECTORIES.includes(foreign) && (await isRecognised(disk))) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${disk.root ?? "the disk"} is no data directory of Kaya: it holds ${foreign}, and neither a log nor a checkpoint. Nothing was changed. ` +
      "Give an empty or absent directory, or one of Kaya's; to write beside such files all the same, set allowForeignFiles: true.",
  );
}

/** A path that no engine makes; undefined where there is none. */
async function findForeign(disk: Disk): Promise<string | undefined> {
  const root = await disk.list("");
  for (const entry of root) {
    if (isOwn(entry) || entry.path === LOST_AND_FOUND) continue;
    if (!entry.isDirectory || (await disk.list(entry.path)).length > 0) return entry.path;
  }
  if (root.some(({ path }) => path === LOCK_PATH)) {
    const lock = await lockContent(disk);
    // An engine takes its lock before it makes anything else.
    if (lock === "note") return undefined;
    if (lock === "foreign") return LOCK_PATH;
  }
  for (const { path } of root.filter(({ path }) => OWN_DIRECTORIES.includes(path))) {
    const unknown =
      path === CHECKPOINT_DIR ? (await listCheckpoints(disk)).unknown : await unknownInLog(disk);
    if (unknown[0] !== undefined) return unknown[0];
  }
  return undefined;
}

/** What is neither a file nor a directory is refused by whoever opens it, with a word of what it is. */
function isOwn(entry: DirEntry): boolean {
  if (entry.special !== undefined)
    return OWN_FILES.includes(entry.path) || OWN_DIRECTORIES.includes(entry.path);
  return entry.isDirectory ? OWN_DIRECTORIES.includes(entry.path) : OWN_FILES.includes(entry.path);
}

/** What a lock file holds: a holder's note, nothing yet (a process may be killed before it writes its note), or something that is not ours. */
export async function lockContent(disk: Disk): Promise<"note" | "nothing" | "foreign"> {
  if ((await readLockNote(disk, LOCK_PATH)) !== undefined) return "note";
  const file = await disk.open(LOCK_PATH, { readOnly: true });
  try {
    const bytes = new Uint8Array(LOOKED_AT_BYTES);
    const length = await file.readAt(0, bytes);
    return bytes.subarray(0, length).every((byte) => byte === 0) ? "nothing" : "foreign";
  } finally {
    await file.close();
  }
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
