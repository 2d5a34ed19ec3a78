import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KayaError } from "@kaya/core";
import { type Disk, NodeDisk } from "@kaya/io";
import { MANIFEST_DIR, manifestNumber } from "./manifest-files.js";
import type { ManifestState } from "./manifest-state.js";
import type { ManifestPayload } from "./payload.js";
import { readWhole } from "./read-manifest.js";
import { findRecordBehind, type ManifestDamage, type ManifestRecordType } from "./record.js";
import { replayManifest, type Verdict } from "./replay.js";

/** One record of a manifest. */
export interface ManifestInspectionRow extends ManifestPayload {
  /** Offset of the record's first byte in its file. */
  readonly offset: number;
  /** The type of the record. */
  readonly type: ManifestRecordType;
  /** 1, 2, 3 … over all manifests of a tree. */
  readonly number: number;
  /** Bytes of the record, its header included. */
  readonly encodedLength: number;
}

/** The records of a manifest, and what is wrong with it. */
export interface ManifestInspection {
  /** The name of the manifest's file. */
  readonly manifest: string;
  /** Bytes of the file. */
  readonly bytes: number;
  /** Its records, up to the first that is wrong. */
  readonly rows: readonly ManifestInspectionRow[];
  /** What an opening would make of the file. */
  readonly verdict: Verdict;
  /** What is wrong; absent where all is whole. */
  readonly damage?: ManifestDamage;
  /** Offset of the first record behind the damage whose checksums hold; absent where there is none. */
  readonly recordBehind?: number;
  /** The state after the last row. */
  readonly state: ManifestState;
}

/**
 * Every record of a manifest, and what is wrong with it. It takes no lock and never writes; damage is told, not thrown.
 * @param path relative to the disk's root; a number in its name must be that of its records
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO
 */
export async function inspectManifest(disk: Disk, path: string): Promise<ManifestInspection> {
  const bytes = await readWhole(disk, path);
  const manifest = manifestNumber(basename(path));
  const { records, state, verdict, damage } = replayManifest(bytes, manifest);
  const ours = manifest ?? records[0]?.record.manifest;
  const behind = damage === undefined ? undefined : findRecordBehind(bytes, damage.offset, ours);
  return {
    manifest: basename(path),
    bytes: bytes.length,
    rows: records.map(({ offset, length, record: { type, number, payload } }) => ({
      offset,
      type,
      number,
      encodedLength: length,
      ...payload,
    })),
    verdict,
    ...(damage && { damage }),
    ...(behind !== undefined && { recordBehind: behind }),
    state,
  };
}

/**
 * A manifest of the real file system, or those of a data directory or its `manifest/`, in order. The last one counts.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO
 */
export async function inspectManifestPath(path: string): Promise<ManifestInspection[]> {
  const inspections: ManifestInspection[] = [];
  for (const file of await locateManifests(path)) {
    inspections.push(await inspectManifest(new NodeDisk(dirname(file)), basename(file)));
  }
  return inspections;
}

async function locateManifests(path: string): Promise<string[]> {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") {
      const message = `${path} is not there: give a manifest, a data directory or its manifest/`;
      throw new KayaError("KAYA_NOT_FOUND", message, { cause });
    }
    throw new KayaError("KAYA_IO", `${path} cannot be looked at: ${cause.message}`, { cause });
  });
  if (!info.isDirectory()) return [path];
  const inner = join(path, MANIFEST_DIR);
  const hasInner = await stat(inner).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const dir = hasInner ? inner : path;
  const entries = await new NodeDisk(dir).list("");
  return entries
    .filter((entry) => !entry.isDirectory && manifestNumber(entry.path) !== undefined)
    .map((entry) => join(dir, entry.path));
}
