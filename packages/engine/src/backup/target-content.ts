import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import {
  type FoundManifest,
  listManifests,
  listTables,
  MANIFEST_DIR,
  readManifest,
  TABLE_DIR,
} from "@kaya/lsm";
import { WAL_DIR } from "@kaya/wal";
import { LOST_AND_FOUND, lockContent } from "../foreign-files.js";
import { LOCK_PATH } from "../lock-path.js";
import { type BackupIdentity, parseBackupIdentity } from "./backup-identity.js";

/**
 * What a directory holds that something is to be written into.
 * - `nothing`: a `LOCK`, the directory `lost+found`, empty directories, and a store that was never written to count as nothing.
 * - `begun`: tables that no manifest names, or an unfinished manifest, and nothing else: what a writing leaves that was killed. Without tables, the first
 *   opening of a store may have left it: the opening was killed.
 * - `backup`: a whole backup, which was not written to since.
 * - `other`: anything else.
 */
export type TargetContent =
  | { readonly kind: "nothing" }
  | { readonly kind: "begun"; readonly hasTables: boolean }
  | { readonly kind: "backup"; readonly identity: BackupIdentity }
  | { readonly kind: "other"; readonly why: string; readonly cause?: KayaError };

/** Looks into a directory. Changes nothing. @throws KayaError KAYA_IO */
export async function contentOf(disk: Disk): Promise<TargetContent> {
  const stranger = await findStranger(disk);
  if (stranger !== undefined && stranger !== WAL_DIR) return { kind: "other", why: `it holds ${stranger}` };
  try {
    const { newest, leftovers } = await listManifests(disk);
    if (newest === undefined) {
      if (stranger !== undefined) return { kind: "other", why: `it holds ${stranger}` };
      const { tables, leftovers: staged } = await listTables(disk);
      const hasTables = tables.size + staged.length > 0;
      return hasTables || leftovers.length > 0 ? { kind: "begun", hasTables } : { kind: "nothing" };
    }
    return whole(await readManifest(disk), stranger !== undefined);
  } catch (error) {
    if (!KayaError.is(error) || error.code === "KAYA_IO") throw error;
    return { kind: "other", why: `what it holds cannot be read: ${error.message}`, cause: error };
  }
}

function whole({ state, torn }: FoundManifest, hasLog: boolean): TargetContent {
  const isEmpty = state.covered.lsn === 0 && state.levels.every((tables) => tables.length === 0);
  if (isEmpty && !hasLog) return { kind: "nothing" };
  const identity = parseBackupIdentity(state.logIdentity);
  if (identity === undefined) return { kind: "other", why: "it holds a store that is no backup" };
  if (hasLog || torn !== undefined)
    return {
      kind: "other",
      why: "the backup that it holds was opened and written to: it is a store of its own now",
    };
  return { kind: "backup", identity };
}

/** A path that no backup makes; undefined where there is none. */
async function findStranger(disk: Disk): Promise<string | undefined> {
  let found: string | undefined;
  for (const { path, isDirectory } of await disk.list("")) {
    if (path === LOST_AND_FOUND && isDirectory) continue;
    if (path === LOCK_PATH && !isDirectory) {
      if ((await lockContent(disk)) === "foreign") return path;
      continue;
    }
    if (isDirectory && (await disk.list(path)).length === 0) continue;
    if (isDirectory && (path === MANIFEST_DIR || path === TABLE_DIR)) {
      const { unknown } = path === TABLE_DIR ? await listTables(disk) : await listManifests(disk);
      if (unknown[0] !== undefined) return unknown[0];
      continue;
    }
    found ??= path;
    if (path !== WAL_DIR) return path;
  }
  return found;
}
