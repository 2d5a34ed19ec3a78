import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { listTables, TABLE_DIR, tablePath } from "../version/table-files.js";
import { Manifest } from "./manifest.js";
import { applyEdit, EMPTY_STATE, type ManifestState, tablesOf } from "./manifest-state.js";
import { snapshotPayload } from "./payload.js";
import { readManifest } from "./read-manifest.js";

/**
 * Makes a directory's manifest say what `state` says, durably: for tables that were copied there. An older manifest counts until the new
 * one does; then it is removed. Tables that only the older one named are left to the caller.
 * @param state of `LsmSnapshot.state`; each of its tables must be there, with all of its bytes synced
 * @throws KayaError KAYA_INVALID_ARGUMENT for an impossible state, or where a table is missing or of another length; KAYA_CORRUPTION where
 *   the older manifest is damaged: with nothing changed. KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO: one of the two counts then
 */
export async function writeManifest(disk: Disk, state: ManifestState): Promise<void> {
  const checked = checkedState(state);
  const found = await readManifest(disk);
  await checkCopied(disk, checked);
  if (tablesOf(checked).length > 0) await disk.syncDir(TABLE_DIR); // M1
  const nextTableId = Math.max(checked.nextTableId, found.state.nextTableId);
  const options = { beginAnewBytes: 0, trusted: false, nextTableId };
  const manifest = await Manifest.resume(disk, { ...found, state: checked }, options);
  await manifest.close();
}

function checkedState(state: ManifestState): ManifestState {
  try {
    return applyEdit(EMPTY_STATE, snapshotPayload(state));
  } catch (cause) {
    if (!KayaError.is(cause)) throw cause;
    throw new KayaError("KAYA_INVALID_ARGUMENT", `this is no state of a manifest: ${cause.message}`, {
      cause,
    });
  }
}

async function checkCopied(disk: Disk, state: ManifestState): Promise<void> {
  const { tables } = await listTables(disk);
  for (const { id, fileBytes } of tablesOf(state)) {
    const there = tables.get(id)?.bytes;
    if (there === fileBytes) continue;
    const what = there === undefined ? "is not there" : `has ${there} bytes`;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${tablePath(id)} ${what}, and the manifest would say ${fileBytes}: copy it first.`,
    );
  }
}
