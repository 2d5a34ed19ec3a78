import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { listManifests, type ManifestDirectory, type ManifestFile } from "./manifest-files.js";
import { EMPTY_STATE, type ManifestState } from "./manifest-state.js";
import type { ManifestDamage } from "./record.js";
import { type Replay, replayManifest } from "./replay.js";

/** Bounds a read. A new manifest begins long before. */
const MOST_BYTES = 1024 * 1024 * 1024;

/** What the manifest of a directory says, and what else is there. */
export interface FoundManifest {
  /** Everything that the manifest says. */
  readonly state: ManifestState;
  /** The files in the directory of manifests, told apart. */
  readonly directory: ManifestDirectory;
  /** The number of the file that counts; 0 if there is none. */
  readonly number: number;
  /** The number of its last record; 0 if there is none. */
  readonly lastRecord: number;
  /** Bytes of its records. */
  readonly validLength: number;
  /** The last edit is torn: it was never durable. */
  readonly torn?: {
    /** The path of the file. */
    readonly path: string;
    /** How many bytes of the file are not whole records. */
    readonly bytes: number;
    /** What is wrong with them. */
    readonly damage: ManifestDamage;
  };
}

/** How often a manifest is looked for again that another process began anew meanwhile. */
const MOST_ATTEMPTS = 100;

/**
 * Reads the manifest that counts. Changes nothing. Another process may write meanwhile: then it is what that one wrote so far.
 * @throws KayaError KAYA_CORRUPTION with file and offset for damage that a crash cannot have done; KAYA_UNSUPPORTED_VERSION;
 *   KAYA_IO
 */
export async function readManifest(disk: Disk): Promise<FoundManifest> {
  for (let attempt = 1, none = 0; ; attempt++) {
    const directory = await listManifests(disk);
    try {
      if (directory.newest !== undefined) return await read(disk, directory, directory.newest);
      // One listing may miss both the old manifest and the new one.
      if (++none > 1) return { state: EMPTY_STATE, directory, number: 0, lastRecord: 0, validLength: 0 };
    } catch (error) {
      const isGone = KayaError.is(error, "KAYA_NOT_FOUND");
      if (!isGone || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

async function read(disk: Disk, directory: ManifestDirectory, newest: ManifestFile): Promise<FoundManifest> {
  const bytes = await readWhole(disk, newest.path);
  const replay = replayManifest(bytes, newest.number);
  const { state, validLength, records, damage } = replay;
  if (replay.verdict === "damaged" || replay.verdict === "unknown-format") throw refusal(newest.path, replay);
  const lastRecord = records.at(-1)?.record.number ?? 0;
  const found = { state, directory, number: newest.number, lastRecord, validLength };
  if (damage === undefined) return found;
  return { ...found, torn: { path: newest.path, bytes: bytes.length - validLength, damage } };
}

/** @throws KayaError KAYA_NOT_FOUND, KAYA_IO; KAYA_CORRUPTION where it is too long for a manifest */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, { readOnly: true });
  try {
    const length = await file.length();
    if (length > MOST_BYTES)
      throw new KayaError("KAYA_CORRUPTION", `${path} has ${length} bytes: no manifest is that long.`);
    const bytes = new Uint8Array(length);
    const read = await file.readAt(0, bytes);
    if (read === length) return bytes;
    throw new KayaError("KAYA_IO", `${path} got shorter while it was read: it ends at ${read} now.`);
  } finally {
    await file.close();
  }
}

function refusal(path: string, { verdict, damage, validLength }: Replay): KayaError {
  const where = `${path} at offset ${validLength}: ${damage?.message}. Nothing was changed.`;
  if (verdict === "unknown-format") {
    const advice = "The header is intact: a newer version wrote it. Open the directory with that version.";
    return new KayaError("KAYA_UNSUPPORTED_VERSION", `${where} ${advice}`);
  }
  return new KayaError(
    "KAYA_CORRUPTION",
    `${where} A crash cannot have done this: restore the directory from a backup.`,
  );
}
