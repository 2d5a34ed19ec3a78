import {
  describe,
  type EngineConfig,
  type PartialEngineConfig,
  readInput,
  resolveEngineConfig,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import { listManifests, readManifest } from "@kaya/lsm";
import { isLogId, listSegments, WAL_HEADER_LENGTH, type WalWriter } from "@kaya/wal";
import { readRecoveryOptions } from "../data-directory.js";
import { Engine, OPEN, OPEN_OPTIONS, REPLICATION } from "../engine.js";
import { invalid } from "../input.js";
import { REPLICA_PATH } from "../replica-path.js";
import { EngineReplica } from "./engine-replica.js";
import type { Replica, ReplicaOptions } from "./replica.js";
import { type ReplicaMarker, readMarker, writeMarker } from "./replica-marker.js";
import { ReplicaRole } from "./replica-role.js";

/**
 * Opens a directory as a replica of a shared log. The replica follows at first. An absent or empty directory becomes a replica. The call
 * leaves a marker in the directory. Because of the marker, `Engine.open` refuses to write there: it does not know the shared log.
 *
 * @param config as for `Engine.open`; without `readOnly`
 * @param disk used instead of the real directory `config.dataDir`
 * @throws KayaError KAYA_INVALID_ARGUMENT, also if the directory is a replica of another log, or if it has a store with records and `adopt`
 *   is not given; KAYA_LOCK_CONFLICT if the directory is open elsewhere; KAYA_CORRUPTION for damage that a crash cannot cause;
 *   KAYA_UNSUPPORTED_VERSION if a newer version wrote it; KAYA_DISK_FULL; KAYA_IO; KAYA_FSYNC_FAILED
 */
export async function openReplica(
  config: PartialEngineConfig | undefined,
  disk: Disk | undefined,
  options: ReplicaOptions,
): Promise<Replica> {
  const resolved = resolveEngineConfig(config);
  const given = readReplicaOptions(options, resolved);
  const { logId, logName } = given;
  const role = new ReplicaRole(given);
  let before: ReplicaMarker | undefined;
  const engine = await Engine[OPEN](resolved, disk, given, {
    role,
    logId,
    check: async (target) => {
      before = await readMarker(target);
      await assertMine(target, before, given);
    },
  });
  try {
    await makeReplica(engine, before, { logId, logName });
    return new EngineReplica(engine, role);
  } catch (error) {
    await engine.close().catch(() => undefined); // the caller gets the first error
    throw error;
  }
}

/**
 * Sets the id before the marker: without the marker the directory is an ordinary store, whatever the id of its log is. If the directory has
 * the marker and another id, then a crash came between the two steps of `leaveCluster`, or a recovery cut the log. In both cases its
 * records belong to the shared log.
 */
async function makeReplica(
  engine: Engine,
  before: ReplicaMarker | undefined,
  marker: ReplicaMarker,
): Promise<void> {
  const { wal, disk } = engine[REPLICATION]();
  await nameLog(wal, marker.logId);
  if (before?.logName !== marker.logName) await writeMarker(disk, marker);
}

/** Gives the log its id immediately, so that an empty node accepts tokens of other nodes. */
async function nameLog(wal: WalWriter<unknown>, logId: string): Promise<void> {
  if (wal.history === undefined) await wal.identify();
  else if (wal.history.id !== logId) await wal.rename(logId);
}

async function assertMine(
  disk: Disk,
  marker: ReplicaMarker | undefined,
  { logId, adopt }: ReplicaOptions,
): Promise<void> {
  const name = disk.root ?? "the disk";
  if (marker !== undefined && marker.logId !== logId)
    throw invalid(
      `${name} is a replica of the log ${marker.logId} (${marker.logName}), not of ${logId}: its ${REPLICA_PATH} says so. Nothing was changed. Give the directory of this log, or an empty one.`,
    );
  if (marker === undefined && adopt !== true && (await hasRecords(disk)))
    throw invalid(
      `${name} holds a store that is not a replica. Nothing was changed. Give an empty directory; or give \`adopt\`: then its data becomes the beginning of the shared log.`,
    );
}

/** Whether a directory has, or may have, records in tables or in a log. */
async function hasRecords(disk: Disk): Promise<boolean> {
  const { segments } = await listSegments(disk);
  if (segments.some(({ length }) => length > 0)) return true;
  if ((await listManifests(disk)).newest === undefined) return false;
  return (await readManifest(disk)).state.covered.lsn > 0;
}

const REPLICA_OPTIONS = ["logId", "logName", "maxBatchBytes", "refusal", "adopt"];

function readReplicaOptions(given: ReplicaOptions, config: EngineConfig): ReplicaOptions {
  if (given === undefined) throw invalid("openReplica needs options: they name the shared log");
  const options = readRecoveryOptions(given, [...OPEN_OPTIONS, ...REPLICA_OPTIONS]) as ReplicaOptions;
  return readInput("the options", () => {
    const { logId, logName, maxBatchBytes, refusal, adopt = false } = options;
    if (config.readOnly) throw invalid("a replica writes: open it without `readOnly`");
    if (!isLogId(logId)) throw invalid(`logId must be 16 lower-case hex digits, not ${describe(logId)}`);
    if (typeof logName !== "string" || logName === "" || /[\p{C}\p{Zl}\p{Zp}]/u.test(logName))
      throw invalid(`logName must be one line of text, not ${describe(logName)}`);
    if (!Number.isSafeInteger(maxBatchBytes) || maxBatchBytes < WAL_HEADER_LENGTH)
      throw invalid(
        `maxBatchBytes must be a whole number >= ${WAL_HEADER_LENGTH}, not ${describe(maxBatchBytes)}`,
      );
    if (typeof refusal !== "function") throw invalid(`refusal must be a function, not ${describe(refusal)}`);
    if (typeof adopt !== "boolean") throw invalid(`adopt must be true or false, not ${describe(adopt)}`);
    return options;
  });
}
