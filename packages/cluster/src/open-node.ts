import { randomBytes, randomUUID } from "node:crypto";
import { KayaError, type PartialEngineConfig } from "@kaya/core";
import { Engine, type OpenEngineOptions } from "@kaya/engine";
import { openReplica, type Replica, readReplicaMarker } from "@kaya/engine/replica";
import { type Disk, NodeDisk } from "@kaya/io";
import { BaseKeeper } from "./base-keeper.js";
import {
  assertBehind,
  emptyUnfinished,
  isUnfinished,
  loadBeside,
  removeLoading,
  takeLoaded,
} from "./base-loading.js";
import { claimLog } from "./claim.js";
import { type ClusterClock, SYSTEM_CLOCK } from "./clock.js";
import { assertNotAhead } from "./follower.js";
import { lostRecords } from "./known-log.js";
import { ClusterNode } from "./node.js";
import { readNodeNote, writeNodeNote } from "./node-note.js";
import type { ResolvedClusterOptions } from "./options.js";
import type { LogBase, LogHead } from "./shared-log.js";
import { type MadeBase, makeBase } from "./shipment/make-base.js";
import { within } from "./within.js";

/** Settings of a node that make tests repeatable, beside those of an engine. */
export interface OpenClusterOptions extends OpenEngineOptions {
  /** The clock of all waiting. Default: the system's. */
  readonly timers?: ClusterClock;
}

const POLL_MS = 50;

/** The state of a directory before it is opened. */
interface Found {
  /** The id of the log that it is a replica of. */
  readonly logId: string | undefined;
  /** It is an ordinary store. */
  readonly isStore: boolean;
  readonly nodeId: string | undefined;
  /** See `NodeNote`. */
  readonly epoch: number;
}

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
    return openWith(opening, found.logId, undefined);
  }
  if (head !== undefined) return openWith(opening, head.logId, head, undefined, isAdopted(opening, head));
  if (found.logId !== undefined)
    throw lostRecords(
      options.log.name,
      `it has no head, and this directory is a replica of log ${found.logId}`,
    );
  if (found.isStore) return adoptStore(opening);
  return openFirst(opening);
}

interface Opening {
  readonly options: ResolvedClusterOptions;
  readonly disk: Disk | undefined;
  readonly clock: ClusterClock;
  readonly given: OpenEngineOptions;
  readonly found: Found;
  readonly nodeId: string;
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

/** The log did not answer in time. */
class Silent {
  constructor(readonly why: unknown) {}
}

/** The head, or `Silent` if the log does not answer in time. */
async function readHead({ options, clock }: Opening): Promise<LogHead | undefined | Silent> {
  const { log, commitTimeoutMs } = options;
  try {
    return await within(clock, commitTimeoutMs, (signal) => log.head({ signal }));
  } catch (error) {
    if (KayaError.is(error) && !["KAYA_NO_MAJORITY", "KAYA_IN_DOUBT"].includes(error.code)) throw error;
    return new Silent(error); // an open node tries again, and reports it
  }
}

/** Opens an empty directory on a log that no node has claimed yet. */
async function openFirst(opening: Opening): Promise<ClusterNode> {
  const { options } = opening;
  if (options.isFollowerOnly) {
    const head = await firstHead(opening);
    return openWith(opening, head.logId, head);
  }
  const claimed = await claimFirst(opening, { lsn: 0, sequence: 0 });
  if (claimed !== undefined) return openWith(opening, claimed.logId, claimed, claimed);
  const head = await readHead(opening); // another node was faster
  if (head instanceof Silent) throw silent(options, head.why);
  if (head === undefined) throw silent(options);
  return openWith(opening, head.logId, head);
}

function claimFirst(
  { options, clock, given, nodeId }: Opening,
  position: { readonly lsn: number; readonly sequence: number },
): Promise<LogHead | undefined> {
  const { log, address, commitTimeoutMs } = options;
  const logId = given.newLogId?.() ?? randomBytes(8).toString("hex");
  return claimLog({
    log,
    clock,
    claim: { writer: nodeId, address, origin: { logId, ...position } },
    timeoutMs: commitTimeoutMs,
    reading: () => () => undefined,
    mayClaim: (head) => head === undefined || (head.writer === nodeId && head.logId === logId),
    isAsked: true,
    onTrouble: () => undefined, // the caller rejects with KAYA_NO_MAJORITY
    signal: new AbortController().signal,
  });
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
  head: LogHead | undefined,
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
    if (head !== undefined) await assertKnown(opening, replica, head);
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

/** Makes an ordinary store the first node: its data becomes the base, and the log goes on behind it. */
async function adoptStore(opening: Opening): Promise<ClusterNode> {
  const { options, disk, clock, given, nodeId } = opening;
  const { log, blobStore, commitTimeoutMs } = options;
  if (!options.adopt || blobStore === undefined || options.isFollowerOnly) throw noNode(options);
  const engine = await Engine.open(asItWas(options.engine), disk, given);
  let made: MadeBase;
  try {
    made = await makeBase(engine, blobStore, { epoch: 1, nodeId });
  } finally {
    await engine.close();
  }
  await noteEpoch(opening, 0);
  const { name, lsn, sequence } = made;
  const claimed = await claimFirst(opening, { lsn, sequence });
  if (claimed === undefined) throw silent(options);
  const base = { name, lsn, sequence, bytes: 0, epoch: claimed.epoch };
  // If this fails, the writer makes another base at once.
  await within(clock, commitTimeoutMs, (signal) => log.setBase(undefined, base, { signal })).catch(
    () => undefined,
  );
  return openWith(opening, claimed.logId, claimed, claimed, true);
}

/** Whether a crash broke off `adoptStore` behind its claim. Claims may have followed since, and no record. */
function isAdopted({ options, found }: Opening, { lsn, starts: [first] }: LogHead): boolean {
  if (!options.adopt || !found.isStore) return false;
  return first?.epoch === 1 && first.lsn === lsn && first.writer === found.nodeId;
}

/** An earlier process of this node may have written until the directory was taken, which is after the head was read: then a newer head counts. */
async function assertKnown(opening: Opening, replica: Replica, head: LogHead): Promise<void> {
  const newer = replica.position.lsn > head.lsn ? await readHead(opening) : head;
  if (newer !== undefined && !(newer instanceof Silent))
    assertNotAhead(opening.options.log.name, replica, newer);
}

/** The configuration of a store before it becomes a node: its log may have larger records. */
function asItWas({ wal, ...config }: PartialEngineConfig): PartialEngineConfig {
  const { maxBatchBytes: _batch, maxRecordBytes: _record, ...rest } = wal ?? {};
  return { ...config, wal: rest };
}

function noNode({ log, engine: { dataDir = "./data" } }: ResolvedClusterOptions): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${dataDir} holds an ordinary store, and nobody has begun ${log.name}. Nothing was changed. To begin the log with what is there, open it with role "auto", \`adopt: true\` and a \`blobStore\`, which gets a copy of it for the other nodes; or give an empty directory.`,
  );
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
    await loadBeside(it, { store, base, config, signal });
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

function noteEpoch({ options, disk, nodeId }: Opening, epoch: number): Promise<void> {
  return onDisk(options.engine, disk, (it) => writeNodeNote(it, { nodeId, epoch }));
}

async function onDisk<T>(
  { dataDir = "./data" }: PartialEngineConfig,
  disk: Disk | undefined,
  run: (disk: Disk) => Promise<T>,
): Promise<T> {
  if (disk !== undefined) return run(disk);
  const own = new NodeDisk(dataDir);
  try {
    return await run(own);
  } finally {
    await own.close();
  }
}

function silent({ log, commitTimeoutMs }: ResolvedClusterOptions, why?: unknown): KayaError {
  const reason = KayaError.is(why) ? why.message : `${log.name}: no answer in ${commitTimeoutMs} ms`;
  return new KayaError(
    "KAYA_NO_MAJORITY",
    `${reason}. This directory has no data yet, so the node cannot open before the log answers`,
    { cause: why },
  );
}
