import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KayaError } from "@kaya/core";
import { readLockHolder } from "@kaya/io";

/** Files that stand in a data directory itself: of an engine, of a node of a cluster, and of a copy that is being loaded. */
const IN_ROOT = /^(LOCK|(consumers|REPLICA|NODE|UNFINISHED)(\.tmp)?)$/;

/** Files by the directory that they stand in. */
const IN_DIRECTORY: readonly (readonly [dir: string, name: RegExp])[] = [
  ["wal", /^([0-9a-f]{16}\.wal|log-id)(\.tmp)?$/],
  ["manifest", /^[0-9a-f]{16}\.manifest(\.tmp)?$/],
  ["sst", /^[0-9a-f]{16}\.sst(\.tmp)?$/],
  ["wal/quarantine", /^[0-9a-f]{16}\.wal\./],
];

/** Whether a path below a data directory, with "/", is the one of a file of Kaya's, by its name. */
export function hasOwnName(path: string): boolean {
  const dir = dirname(path);
  if (dir === ".") return IN_ROOT.test(path);
  return IN_DIRECTORY.some(([of, names]) => dir === of && names.test(basename(path)));
}

/** Whether a real path has the name of a file of a data directory, and stands where such a file would: it may be absent. */
export async function isOfDataDirectory(path: string): Promise<boolean> {
  const [dir, name] = [dirname(path), basename(path)];
  if (IN_ROOT.test(name)) return isDataDirectory(dir);
  const above = join(basename(dirname(dir)), basename(dir));
  return IN_DIRECTORY.some(([of, names]) => names.test(name) && (basename(dir) === of || above === join(of)));
}

/** One that was opened has a lock file; a backup that was not has a manifest and tables alone. */
async function isDataDirectory(dir: string): Promise<boolean> {
  for (const below of ["wal", "manifest", "sst"]) if (await isDirectory(join(dir, below))) return true;
  return (await readLockHolder(join(dir, "LOCK")).catch(ignoreOurs)) !== undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false, // nothing is there, or nothing that this process may look at
  );
}

// A file that has the name of a lock file and is none says nothing of its directory.
function ignoreOurs(error: unknown): undefined {
  if (!KayaError.is(error)) throw error;
  return undefined;
}
