import { formatBytes, formatCount } from "../units.js";
import type { Alarm } from "./alarms.js";
import type { ClusterLook, NodeLook } from "./survey.js";

/** Something about a cluster that a person should know. */
export interface Finding {
  /** `problem`: writes are refused, or will be soon without help. */
  readonly level: "problem" | "warning";
  /** Stable, for programs. */
  readonly kind:
    | "no-nodes"
    | "no-writer"
    | "alarm"
    | "no-base"
    | "tail-near-bound"
    | "behind-trim"
    | "one-node"
    | "wanted-absent";
  /** What was found, and what to do. */
  readonly message: string;
}

type Look = Omit<ClusterLook, "findings">;

/** From this share of the bound on, a tail is near it. */
const NEAR = 0.75;

/** What is wrong, the worst first. */
export function findingsOf(look: Look, alarms: readonly Alarm[]): Finding[] {
  return [
    ...alarms.map(alarmFinding),
    ...writerFindings(look),
    ...tailFindings(look),
    ...look.nodes.filter(({ isBehindTrim }) => isBehindTrim).map((node) => behindTrim(node, look)),
    ...wantedFindings(look),
  ];
}

function alarmFinding({ member, alarm }: Alarm): Finding {
  const what =
    alarm === "NOSPACE"
      ? "its quota is used up, and writes are refused. Compact and defragment it, or raise --quota-backend-bytes; then `etcdctl alarm disarm`"
      : "see etcd's manual";
  return { level: "problem", kind: "alarm", message: `etcd reports ${alarm} on member ${member}: ${what}` };
}

function writerFindings({ nodes, writer, epoch }: Look): Finding[] {
  if (nodes.length === 0)
    return [
      problem("no-nodes", "no node is there: nobody accepts writes, and nobody answers reads. Start one"),
    ];
  if (!writer.isThere) {
    const candidates = nodes.filter(({ isFollowerOnly }) => !isFollowerOnly);
    const who = `no writer: ${writer.id}, which claimed epoch ${epoch}, is not there. Writes wait until another node claims the log.`;
    const advice =
      candidates.length > 0
        ? `Within seconds one of them should: ${candidates.map(({ id }) => id).join(", ")}`
        : "All nodes that are there only follow: `kayactl cluster promote NODE` asks one of them";
    return [problem("no-writer", `${who} ${advice}`)];
  }
  if (nodes.length > 1) return [];
  return [
    warning(
      "one-node",
      `${writer.id} is alone: no other node takes over when it ends, and writes wait until it is back`,
    ),
  ];
}

function tailFindings({ base, tail }: Look): Finding[] {
  const found: Finding[] = [];
  if (base === undefined)
    found.push(
      warning(
        "no-base",
        "no base yet: a new node reads the whole log. The writer makes one when the log has a quarter of tailMaxBytes, if it has a blobStore; without one, writes are refused at tailMaxBytes",
      ),
    );
  if (tail.bytes >= NEAR * tail.defaultLimitBytes)
    found.push(
      warning(
        "tail-near-bound",
        `the tail has ${formatBytes(tail.bytes)}, and writes are refused once it has tailMaxBytes (default ${formatBytes(tail.defaultLimitBytes)}) ` +
          "until the writer has named a newer base: look at the blob store",
      ),
    );
  return found;
}

function behindTrim({ id, lsn }: NodeLook, { base }: Look): Finding {
  const from = base === undefined ? "a base" : `the base as of LSN ${formatCount(base.lsn)}`;
  return warning(
    "behind-trim",
    `${id} needs the record behind LSN ${formatCount(lsn)}, which was trimmed. It loads ${from} by itself: if it does not, look at its log and the blob store`,
  );
}

function wantedFindings({ wanted, nodes }: Look): Finding[] {
  if (wanted === undefined || nodes.some(({ id }) => id === wanted)) return [];
  return [warning("wanted-absent", `${wanted} was asked to become the writer, and is not there`)];
}

function problem(kind: Finding["kind"], message: string): Finding {
  return { level: "problem", kind, message };
}

function warning(kind: Finding["kind"], message: string): Finding {
  return { level: "warning", kind, message };
}
