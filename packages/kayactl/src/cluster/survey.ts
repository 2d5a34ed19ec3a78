import type { LogBase, LogHead, Members, NodeInfo, SharedLog } from "@kaya/cluster";
import { KayaError } from "@kaya/core";
import { type Alarm, alarmsOf } from "./alarms.js";
import { type Finding, findingsOf } from "./findings.js";

/** What a node has as `tailMaxBytes` where it was told nothing else. */
export const DEFAULT_TAIL_BYTES = 256 * 1024 * 1024;

/** A node, as it told itself, and what follows from it. */
export interface NodeLook {
  readonly id: string;
  readonly role: NodeInfo["role"];
  /** It becomes the writer only where it is asked to. */
  readonly isFollowerOnly: boolean;
  readonly address: string | undefined;
  /** The last record that it had when it told. */
  readonly lsn: number;
  /** Records of the log that it lacked then. */
  readonly lag: number;
  /** The next record that it needs was trimmed: it begins with the base. */
  readonly isBehindTrim: boolean;
}

/** What a shared log tells of its cluster. */
export interface ClusterLook {
  readonly log: string;
  readonly epoch: number;
  /** The node that claimed the log last, whether it is there or not. */
  readonly writer: { readonly id: string; readonly address: string | undefined; readonly isThere: boolean };
  readonly lsn: number;
  readonly sequence: number;
  readonly logId: string;
  /** What is behind the base. Nobody but a node knows its own bound. */
  readonly tail: { readonly bytes: number; readonly defaultLimitBytes: number };
  readonly base: Pick<LogBase, "lsn" | "epoch" | "name"> | undefined;
  readonly nodes: readonly NodeLook[];
  /** The node that was asked to become the writer, and did not yet. */
  readonly wanted: string | undefined;
  readonly findings: readonly Finding[];
}

/** Asks the log who is there and how far. Changes nothing. @throws KayaError KAYA_NOT_FOUND where no node has been there yet */
export async function surveyCluster(log: SharedLog, signal?: AbortSignal): Promise<ClusterLook> {
  const options = signal === undefined ? {} : { signal };
  const [members, base, alarms] = await Promise.all([log.members(options), log.base(options), alarmsOf(log)]);
  // Last: nobody is ahead of what is compared with them.
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

/** Whether the record behind an LSN is in the log no more. */
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
