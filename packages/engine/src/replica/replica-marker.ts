import { describe, KayaError } from "@kaya/core";
import { assertDisk, type Disk, NodeDisk } from "@kaya/io";
import { isLogId, readSealedFile, writeSealedFile } from "@kaya/wal";
import { REPLICA_PATH } from "../replica-path.js";

const VERSION = 1;

/** The marker of a replica: it names the shared log. */
export interface ReplicaMarker {
  /** The id of the log: 16 lower-case hex digits. */
  readonly logId: string;
  /** The name of the shared log. */
  readonly logName: string;
}

/**
 * Reads the marker of a directory, which names the shared log, without taking the lock. Undefined if the directory is not a replica.
 *
 * @param target a directory, or a disk
 * @throws KayaError KAYA_CORRUPTION if the marker is damaged, KAYA_UNSUPPORTED_VERSION if a newer version wrote it, KAYA_INVALID_ARGUMENT,
 *   KAYA_IO
 */
export async function readReplicaMarker(target: string | Disk): Promise<ReplicaMarker | undefined> {
  if (typeof target !== "string") return readMarker(target);
  const disk = new NodeDisk(target);
  try {
    return await readMarker(disk);
  } finally {
    await disk.close();
  }
}

/** @throws KayaError as `readReplicaMarker` */
export async function readMarker(disk: Disk): Promise<ReplicaMarker | undefined> {
  assertDisk(disk);
  const text = await readSealedFile(disk, REPLICA_PATH);
  return text === undefined ? undefined : parse(text);
}

/** Writes the marker durably. @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED */
export function writeMarker(disk: Disk, { logId, logName }: ReplicaMarker): Promise<void> {
  return writeSealedFile(disk, REPLICA_PATH, `${JSON.stringify({ version: VERSION, logId, logName })}\n`);
}

/** Removes the marker durably. @throws KayaError KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED */
export async function removeMarker(disk: Disk): Promise<void> {
  await disk.remove(REPLICA_PATH);
  await disk.syncDir("");
}

function parse(text: string): ReplicaMarker {
  const content = contentOf(text);
  if (Number.isSafeInteger(content.version) && (content.version as number) > VERSION)
    throw new KayaError(
      "KAYA_UNSUPPORTED_VERSION",
      `${REPLICA_PATH} has version ${content.version}, and this code knows version ${VERSION}: open the directory with the version of Kaya that wrote it. Nothing was changed.`,
    );
  const { logId, logName } = content;
  if (content.version !== VERSION || !isLogId(logId) || typeof logName !== "string")
    throw unknownContent(describe(text));
  return { logId, logName };
}

function contentOf(text: string): { readonly [Field in string]?: unknown } {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw unknownContent(describe(text)); // the message shows the text, so it needs no reason
  }
  if (typeof content !== "object" || content === null) throw unknownContent(describe(text));
  return content as { readonly [Field in string]?: unknown };
}

function unknownContent(found: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${REPLICA_PATH} holds ${found} instead of the id and name of a shared log. Nothing was changed. Restore the file, or remove the directory and load the node from the shared log.`,
  );
}
