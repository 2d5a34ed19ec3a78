import { randomBytes } from "node:crypto";
import { KayaError, type PartialEngineConfig } from "@kaya/core";
import type { OpenEngineOptions } from "@kaya/engine";
import { type Disk, NodeDisk } from "@kaya/io";
import { claimLog } from "./claim.js";
import type { ClusterClock } from "./clock.js";
import { writeNodeNote } from "./node-note.js";
import type { ResolvedClusterOptions } from "./options.js";
import type { LogHead } from "./shared-log.js";
import { within } from "./within.js";

/** The state of a directory before it is opened. */
export interface Found {
  /** The id of the log that it is a replica of. */
  readonly logId: string | undefined;
  /** It is an ordinary store. */
  readonly isStore: boolean;
  readonly nodeId: string | undefined;
  /** See `NodeNote`. */
  readonly epoch: number;
}

/** An opening of a node under way. */
export interface Opening {
  readonly options: ResolvedClusterOptions;
  readonly disk: Disk | undefined;
  readonly clock: ClusterClock;
  readonly given: OpenEngineOptions;
  readonly found: Found;
  readonly nodeId: string;
}

/** The log did not answer in time. */
export class Silent {
  constructor(readonly why: unknown) {}
}

/** The head, or `Silent` if the log does not answer in time. */
export async function readHead({ options, clock }: Opening): Promise<LogHead | undefined | Silent> {
  const { log, commitTimeoutMs } = options;
  try {
    return await within(clock, commitTimeoutMs, (signal) => log.head({ signal }));
  } catch (error) {
    if (KayaError.is(error) && !["KAYA_NO_MAJORITY", "KAYA_IN_DOUBT"].includes(error.code)) throw error;
    return new Silent(error); // an open node tries again, and reports it
  }
}

/** An attempt to begin the log. */
export interface FirstClaim {
  /** The first head; undefined if another node was faster, or the log did not take the claim in time. */
  readonly head: LogHead | undefined;
  /** The last error of the log. */
  readonly trouble: unknown;
}

/** Begins the log. @throws KayaError KAYA_INVALID_ARGUMENT if it refuses such a claim, as for a prefix that has other keys */
export async function claimFirst(
  { options, clock, given, nodeId }: Opening,
  position: { readonly lsn: number; readonly sequence: number },
): Promise<FirstClaim> {
  const { log, address, commitTimeoutMs } = options;
  let trouble: unknown;
  const logId = given.newLogId?.() ?? randomBytes(8).toString("hex");
  const head = await claimLog({
    log,
    clock,
    claim: { writer: nodeId, address, origin: { logId, ...position } },
    timeoutMs: commitTimeoutMs,
    reading: () => () => undefined,
    mayClaim: (head) => head === undefined || (head.writer === nodeId && head.logId === logId),
    isAsked: true,
    onTrouble: (error) => {
      trouble = error;
    },
    signal: new AbortController().signal,
  });
  return { head, trouble };
}

/** Notes durably that no record here has a later epoch. */
export function noteEpoch({ options, disk, nodeId }: Opening, epoch: number): Promise<void> {
  return onDisk(options.engine, disk, (it) => writeNodeNote(it, { nodeId, epoch }));
}

/** Runs with the given disk, or with the one of the directory. */
export async function onDisk<T>(
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

/** The error of an opening that needs an answer of the log. @param why the last error of the log. A refusal is the error itself: waiting does not help */
export function silent({ log, commitTimeoutMs }: ResolvedClusterOptions, why?: unknown): KayaError {
  if (KayaError.is(why, "KAYA_IO") || KayaError.is(why, "KAYA_DISK_FULL")) return why;
  const reason = KayaError.is(why) ? why.message : `${log.name}: no answer in ${commitTimeoutMs} ms`;
  return new KayaError(
    "KAYA_NO_MAJORITY",
    `${reason}. This directory has no data of the log yet, so the node cannot open before the log answers`,
    { cause: why },
  );
}
