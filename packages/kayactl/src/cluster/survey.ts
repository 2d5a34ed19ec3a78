import type { LogBase, LogHead, Members, NodeInfo, SharedLog } from "@kaya/cluster";
import { KayaError } from "@kaya/core";
import { type Alarm, alarmsOf } from "./alarms.js";
import { type Finding, findingsOf } from "./findings.js";

/** The default of `tailMaxBytes`. */
export const DEFAULT_TAIL_BYTES = 256 * 1024 * 1024;

/** A node as its presence describes it, with conclusions. */
export interface NodeLook {
  readonly id: string;
  readonly role: NodeInfo["role"];
  /** It becomes the writer only if it is asked to. */
  readonly isFollowerOnly: boolean;
  readonly address: string | undefined;
  /** LSN of its last record when it reported. */
  readonly lsn: number;
  /** The number of records that it did not have at that time. */
  readonly lag: number;
  /** The next record that it needs was trimmed, so it must load the base. */
  readonly isBehindTrim: boolean;
}

/** The information that a shared log has about its cluster. */
export interface ClusterLook {
  readonly log: string;
  readonly epoch: number;
  /** The node that claimed the log last. It may be absent. */
  readonly writer: { readonly id: string; readonly address: string | undefined; readonly isThere: boolean };
  readonly lsn: number;
  readonly sequence: number;
  readonly logId: string;
  /** The part of the log after the base. Only a node knows its own bound. */
  readonly tail: { readonly bytes: number; readonly defaultLimitBytes: number };
  readonly base: Pick<LogBase, "lsn" | "epoch" | "name"> | undefined;
  readonly nodes: readonly NodeLook[];
  /** The node that was asked to become the writer and has not become it yet. */
  readonly wanted: string | undefined;
  readonly findings: readonly Finding[];
}

/** Reads the state of a cluster from its log. Changes nothing. @throws KayaError KAYA_NOT_FOUND if no node has begun the log yet */
export async function surveyCluster(log: SharedLog, signal?: AbortSignal): Promise<ClusterLook> {
  const options = signal === undefined ? {} : { signal };
  const [members, base, alarms] = await Promise.all([log.members(options), log.base(options), alarmsOf(log)]);
  // The head is read last, so no node can be ahead of it.
  const head = await log.head(options);
  if (head === undefined) throw notBegun(log);
  const nodes = await Promise.all(members.nodes.map((node) => lookAtNode(log, head, base, node)));
  return lookOf({ log, head, base, members, nodes, alarms });
}

export function notBegun(log: SharedLog): KayaError {
  return new KayaError(
    "KAYA_NOT_FOUND",
    `${log.name}: there is no log yet. It begins when the first node is opened: check the prefix`,
  );
}

async function lookAtNode(
  log: SharedLog,
  head: LogHead,
  base: LogBase | undefined,
  { id, role, isFollowerOnly, address, lsn }: NodeInfo,
): Promise<NodeLook> {
  const lag = Math.max(0, head.lsn - lsn);
  const isBehindTrim = lag > 0 && lsn < (base?.lsn ?? 0) && (await isTrimmed(log, lsn));
  return { id, role, isFollowerOnly, address, lsn, lag, isBehindTrim };
}

/** Whether the record after an LSN was trimmed. */
async function isTrimmed(log: SharedLog, lsn: number): Promise<boolean> {
  try {
    await log.read(lsn, { maxBytes: 1 });
    return false;
  } catch (error) {
    if (KayaError.is(error, "KAYA_LOG_TRUNCATED")) return true;
    throw error;
  }
}

interface Asked {
  readonly log: SharedLog;
  readonly head: LogHead;
  readonly base: LogBase | undefined;
  readonly members: Members;
  readonly nodes: readonly NodeLook[];
  readonly alarms: readonly Alarm[];
}

function lookOf({ log, head, base, members, nodes, alarms }: Asked): ClusterLook {
  const look = {
    log: log.name,
    epoch: head.epoch,
    writer: {
      id: head.writer,
      address: head.address,
      isThere: nodes.some(({ id }) => id === head.writer),
    },
    lsn: head.lsn,
    sequence: head.sequence,
    logId: head.logId,
    tail: { bytes: head.bytes - (base?.bytes ?? 0), defaultLimitBytes: DEFAULT_TAIL_BYTES },
    base: base && { lsn: base.lsn, epoch: base.epoch, name: base.name },
    nodes,
    wanted: members.wanted,
  };
  return { ...look, findings: findingsOf(look, alarms) };
}
