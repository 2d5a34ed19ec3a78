import { formatBytes, formatCount } from "../units.js";
import type { Alarm } from "./alarms.js";
import type { ClusterLook, NodeLook } from "./survey.js";

/** A problem of a cluster, or a risk, that an operator should know. */
export interface Finding {
  /** `problem`: writes are refused now, or will be soon unless an operator acts. */
  readonly level: "problem" | "warning";
  /** A stable name, for programs. */
  readonly kind:
    | "no-nodes"
    | "no-writer"
    | "alarm"
    | "no-base"
    | "tail-near-bound"
    | "behind-trim"
    | "one-node"
    | "wanted-absent";
  /** The finding, and what to do. */
  readonly message: string;
}

type Look = Omit<ClusterLook, "findings">;

/** A tail is near its bound from this share of the bound on. */
const NEAR = 0.75;

/** The findings, the most serious first. */
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
    return [problem("no-nodes", "no node is present: writes and reads are impossible. Start a node")];
  if (!writer.isThere) {
    const candidates = nodes.filter(({ isFollowerOnly }) => !isFollowerOnly);
    const who = `no writer: ${writer.id}, which claimed epoch ${epoch}, is not present. Writes wait until another node claims the log.`;
    const advice =
      candidates.length > 0
        ? `One of these should do so within seconds: ${candidates.map(({ id }) => id).join(", ")}`
        : "All present nodes only follow: `kayactl cluster promote NODE` asks one of them";
    return [problem("no-writer", `${who} ${advice}`)];
  }
  if (nodes.length > 1) return [];
  return [
    warning(
      "one-node",
      `${writer.id} is alone: no other node can take over if it stops, and writes then wait until it is back`,
    ),
  ];
}

function tailFindings({ base, tail }: Look): Finding[] {
  const found: Finding[] = [];
  if (base === undefined)
    found.push(
      warning(
        "no-base",
        "no base yet: a new node reads the whole log. If the writer has a blobStore, it makes a base when the log has a quarter of tailMaxBytes. Without a blobStore, writes are refused at tailMaxBytes",
      ),
    );
  if (tail.bytes >= NEAR * tail.defaultLimitBytes)
    found.push(
      warning(
        "tail-near-bound",
        `the tail has ${formatBytes(tail.bytes)}. At tailMaxBytes (default ${formatBytes(tail.defaultLimitBytes)}) writes are refused ` +
          "until the writer has made a newer base: check the blob store",
      ),
    );
  return found;
}

function behindTrim({ id, lsn }: NodeLook, { base }: Look): Finding {
  const from = base === undefined ? "a base" : `the base at LSN ${formatCount(base.lsn)}`;
  return warning(
    "behind-trim",
    `${id} needs the record after LSN ${formatCount(lsn)}, which was trimmed. It loads ${from} by itself. If it does not, check its log and the blob store`,
  );
}

function wantedFindings({ wanted, nodes }: Look): Finding[] {
  if (wanted === undefined || nodes.some(({ id }) => id === wanted)) return [];
  return [warning("wanted-absent", `${wanted} was asked to become the writer, but is not present`)];
}

function problem(kind: Finding["kind"], message: string): Finding {
  return { level: "problem", kind, message };
}

function warning(kind: Finding["kind"], message: string): Finding {
  return { level: "warning", kind, message };
}
