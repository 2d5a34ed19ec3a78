import { randomUUID } from "node:crypto";
import { asKayaError, KayaError, type PartialEngineConfig } from "@kaya/core";
import type { OpenEngineOptions } from "@kaya/engine";
import { openReplica, type Replica, readReplicaMarker } from "@kaya/engine/replica";
import type { Disk } from "@kaya/io";
import { adoptStore, isAdopted } from "./adopt-store.js";
import { BaseKeeper } from "./base-keeper.js";
import {
  assertBehind,
  emptyUnfinished,
  isUnfinished,
  loadBeside,
  removeLoading,
  takeLoaded,
} from "./base-loading.js";
import { type ClusterClock, SYSTEM_CLOCK } from "./clock.js";
import { assertNotAhead } from "./follower.js";
import { lostRecords } from "./known-log.js";
import { ClusterNode } from "./node.js";
import { readNodeNote } from "./node-note.js";
import {
  claimFirst,
  type Found,
  noteEpoch,
  type Opening,
  onDisk,
  readHead,
  Silent,
  silent,
} from "./opening.js";
import type { ResolvedClusterOptions } from "./options.js";
import type { LogBase, LogHead } from "./shared-log.js";
import { within } from "./within.js";

/** Settings of a node that make tests repeatable, beside those of an engine. */
export interface OpenClusterOptions extends OpenEngineOptions {
  /** The clock of all waiting. Default: the system's. */
  readonly timers?: ClusterClock;
}

const POLL_MS = 50;

/** @throws KayaError as `ClusterEngine.open` */
export async function openNode(
  options: ResolvedClusterOptions,
  disk: Disk | undefined,
  { timers: clock = SYSTEM_CLOCK, ...given }: OpenClusterOptions,
): Promise<ClusterNode> {
  const found = await onDisk(options.engine, disk, (it) => lookAt(it, options.engine));
  const nodeId = options.nodeId ?? found.nodeId ?? randomUUID();
  const opening = { options, disk, clock, given, found, nodeId };
  const head = await readHead(opening);
  if (head instanceof Silent) {
    if (found.logId === undefined) throw silent(options, head.why);
    return openWith(opening, found.logId, head);
  }
  if (head !== undefined) return openWith(opening, head.logId, head, undefined, isAdopted(opening, head));
  if (found.logId !== undefined)
    throw lostRecords(
      options.log.name,
      `it has no head, and this directory is a replica of log ${found.logId}`,
    );
  if (found.isStore) {
    const claimed = await adoptStore(opening);
    return openWith(opening, claimed.logId, claimed, claimed, true);
  }
  return openFirst(opening);
}

async function lookAt(disk: Disk, config: PartialEngineConfig): Promise<Found> {
  const marker = await readReplicaMarker(disk);
  if (marker !== undefined && (await isUnfinished(disk))) await emptyUnfinished(disk, config);
  const entries = await disk.list("");
  const isStore = entries.some(({ path }) => ["wal", "manifest", "sst"].includes(path));
  const note = await readNodeNote(disk);
  return {
    logId: marker?.logId,
    isStore: isStore && marker === undefined,
    nodeId: note?.nodeId,
    // Of another log, if the directory left that one.
    epoch: marker === undefined ? 0 : (note?.epoch ?? 0),
  };
}

/** Opens an empty directory on a log that no node has claimed yet. */
async function openFirst(opening: Opening): Promise<ClusterNode> {
  const { options } = opening;
  if (options.isFollowerOnly) {
    const head = await firstHead(opening);
    return openWith(opening, head.logId, head);
  }
  const { head: claimed, trouble } = await claimFirst(opening, { lsn: 0, sequence: 0 });
  if (claimed !== undefined) return openWith(opening, claimed.logId, claimed, claimed);
  const head = await readHead(opening); // another node was faster
  if (head instanceof Silent) throw silent(options, head.why);
  if (head === undefined) throw silent(options, trouble);
  return openWith(opening, head.logId, head);
}

/** Waits for the first claim: a follower cannot begin a log. */
async function firstHead(opening: Opening): Promise<LogHead> {
  const { options, clock } = opening;
  const deadline = clock.now() + options.commitTimeoutMs;
  for (;;) {
    const head = await readHead(opening);
    if (head instanceof Silent) throw silent(options, head.why);
    if (head !== undefined) return head;
    if (clock.now() >= deadline)
      throw new KayaError(
        "KAYA_NOT_FOUND",
        `${options.log.name}: nobody has begun this log in ${options.commitTimeoutMs} ms, and a follower does not: open a node with role "auto" first`,
      );
    await clock.sleep(POLL_MS);
  }
}

async function openWith(
  opening: Opening,
  logId: string,
  head: LogHead | Silent,
  claimed?: LogHead,
  adopt = false,
): Promise<ClusterNode> {
  const { options, disk, clock, given, found, nodeId } = opening;
  const { log } = options;
  if (found.logId !== undefined && found.logId !== logId)
    throw new KayaError(
      "KAYA_CORRUPTION",
      `${log.name}: its id is ${logId}, and this directory is a replica of log ${found.logId}. Nothing was changed. Check the prefix and the directory first. If both are right, the log was replaced: see "Etcd was restored" in docs/cluster.md.`,
    );
  let node: ClusterNode | undefined;
  const refusal = () => node?.refusal() ?? new KayaError("KAYA_NOT_LEADER", "the node is not open yet");
  const open = async (adopts: boolean): Promise<Replica> => {
    const replica = await openReplica(options.engine, disk, {
      ...given,
      logId,
      logName: log.name,
      maxBatchBytes: log.maxEntryBytes,
      refusal,
      adopt: adopts,
    });
    // Nothing reads what is left there, and the next opening tries again.
    await onDisk(options.engine, disk, (it) => removeLoading(it, disk === undefined)).catch(() => undefined);
    return replica;
  };
  const replica = await open(adopt);
  try {
    if (!(head instanceof Silent)) await assertKnown(opening, replica, head);
    if (found.nodeId !== nodeId) await noteEpoch(opening, found.epoch);
    node = new ClusterNode(replica, {
      log,
      clock,
      nodeId,
      address: options.address,
      isFollowerOnly: options.isFollowerOnly,
      commitTimeoutMs: options.commitTimeoutMs,
      presenceMs: options.presenceMs,
      tailMaxBytes: options.tailMaxBytes,
      logId,
      claimed,
      silence: head instanceof Silent ? asKayaError(head.why, `reach ${log.name}`) : undefined,
      seen: found.epoch === 0 ? undefined : { logId, epoch: found.epoch, lsn: replica.position.lsn },
      noteEpoch: (epoch) => noteEpoch(opening, epoch),
      keeper: (host) =>
        new BaseKeeper({
          log,
          clock,
          store: options.blobStore,
          nodeId,
          tailMaxBytes: options.tailMaxBytes,
          timeoutMs: options.commitTimeoutMs,
          host,
        }),
      loadBase: (before, signal, noted) => replaceByBase(opening, before, signal, () => open(false), noted),
    });
  } catch (error) {
    await replica.engine.close().catch(() => undefined); // the first error counts
    throw error;
  }
  return node;
}

/** An earlier process of this node may have written until the directory was taken, which is after the head was read: then a newer head counts. */
async function assertKnown(opening: Opening, replica: Replica, head: LogHead): Promise<void> {
  const newer = replica.position.lsn > head.lsn ? await readHead(opening) : head;
  if (newer !== undefined && !(newer instanceof Silent))
    assertNotAhead(opening.options.log.name, replica, newer);
}

/** Replaces the node's data by the base that the log names. The engine reads on until the base is loaded. */
async function replaceByBase(
  { options, disk, clock }: Opening,
  replica: Replica,
  signal: AbortSignal,
  reopen: () => Promise<Replica>,
  noted: (epoch: number) => Promise<void>,
): Promise<Replica> {
  const { log, blobStore: store, engine: config, commitTimeoutMs } = options;
  const base = await within(clock, commitTimeoutMs, (call) => log.base({ signal: call }), signal);
  if (base === undefined || store === undefined) throw cannotLoad(options, base);
  assertBehind(log.name, base, replica.position);
  return onDisk(config, disk, async (it) => {
    try {
      await loadBeside(it, { store, base, config, signal });
    } catch (error) {
      if (KayaError.is(error, "KAYA_CORRUPTION")) throw damagedBase(options, error);
      if (KayaError.is(error) || signal.aborted) throw error;
      // A blob store of somebody else may throw any error. The load is tried again.
      throw new KayaError("KAYA_IO", `${store.name}: the base cannot be loaded: ${String(error)}`, {
        cause: error,
      });
    }
    await noted(base.epoch);
    await replica.engine.close();
    await takeLoaded(it, config);
    return reopen();
  });
}

function cannotLoad({ log }: ResolvedClusterOptions, base: LogBase | undefined): KayaError {
  const missing =
    base === undefined
      ? "the log names no base: the writer makes one soon if it has a `blobStore`"
      : `the log names the base ${base.name}, and this node has no \`blobStore\`: open it with the one that the writer has`;
  return new KayaError(
    "KAYA_LOG_TRUNCATED",
    `${log.name}: records that this node needs are not in the log any more, and ${missing}`,
  );
}

/** A damaged base does not end the node: its own data is whole, and the writer makes another base. */
function damagedBase({ log }: ResolvedClusterOptions, cause: KayaError): KayaError {
  return new KayaError(
    "KAYA_LOG_TRUNCATED",
    `${log.name}: records that this node needs are not in the log any more, and the base cannot be loaded. It is tried again, also with each newer base. ${cause.message}`,
    { cause },
  );
}
