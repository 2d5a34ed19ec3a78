import { KayaError } from "@kaya/core";
import { type DirEntry, type Disk, readLockNote } from "@kaya/io";
import { listManifests, listTables, MANIFEST_DIR, TABLE_DIR } from "@kaya/lsm";
import { listSegments, WAL_DIR } from "@kaya/wal";
import { LOCK_PATH } from "./lock-path.js";
import { REPLICA_PATH } from "./replica-path.js";

/** What an engine has in the root of its directory: something else under such a name is somebody else's. */
const OWN_FILES = [
  LOCK_PATH,
  `${LOCK_PATH}.tmp`,
  "consumers",
  "consumers.tmp",
  REPLICA_PATH,
  `${REPLICA_PATH}.tmp`,
];
const OWN_DIRECTORIES = [WAL_DIR, MANIFEST_DIR, TABLE_DIR];

/** More than a note has. */
const LOOKED_AT_BYTES = 1024;

/** A new file system makes this directory in its root. */
export const LOST_AND_FOUND = "lost+found";

/**
 * Makes sure that a directory is one for an engine to write to: it holds nothing, or something by which it is recognised: segments,
 * tables, or a lock file with a holder's note. Stray files beside those are fine; `lost+found` and empty directories count as nothing.
 * Other stores call their lock file `LOCK` too, so the name alone proves nothing. Reads one directory where all is well.
 * @throws KayaError KAYA_INVALID_ARGUMENT, which names a file of somebody else; KAYA_IO
 */
export async function assertNotForeign(disk: Disk): Promise<void> {
  const foreign = await findForeign(disk);
  if (foreign === undefined) return;
  if (!OWN_DIRECTORIES.includes(foreign) && (await isRecognised(disk))) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${disk.root ?? "the disk"} is no data directory of Kaya: it holds ${foreign}, and neither a log nor tables. Nothing was changed. ` +
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
    const unknown = await unknownIn(disk, path);
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

async function unknownIn(disk: Disk, directory: string): Promise<readonly string[]> {
  if (directory === MANIFEST_DIR) return (await listManifests(disk)).unknown;
  if (directory === TABLE_DIR) return (await listTables(disk)).unknown;
  return (await listSegments(disk)).unknown;
}

async function isRecognised(disk: Disk): Promise<boolean> {
  const { segments, hasLogId } = await listSegments(disk);
  if (segments.length > 0 || hasLogId) return true;
  if ((await listManifests(disk)).newest !== undefined || (await listTables(disk)).tables.size > 0)
    return true;
  return (await readLockNote(disk, LOCK_PATH)) !== undefined;
}
