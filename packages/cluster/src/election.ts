import type { LogHead, Members, NodeInfo } from "./shared-log.js";

/** The facts by which a node decides whether to become the writer. */
export interface ElectionView {
  /** This node. */
  readonly self: NodeInfo;
  /** The newest head; undefined before the first claim. */
  readonly head: LogHead | undefined;
  /** The nodes whose presence has not expired. */
  readonly members: Members;
  /** True: this node stepped down, so all other candidates come first. */
  readonly hasYielded: boolean;
}

/** The decision whether to become the writer. It only affects when a node claims: the compare of the log keeps two writers apart (C8). */
export type Election =
  /** The writer is present, or this node never claims by itself. */
  | { readonly decision: "follow" }
  /** This node was asked to become the writer. */
  | { readonly decision: "claim"; readonly reason: "asked" }
  /** No writer is present. Candidates claim one after the other: `rank` other nodes come first. */
  | { readonly decision: "claim"; readonly reason: "first" | "gone"; readonly rank: number };

const FOLLOW: Election = { decision: "follow" };

/** The present writer: the node that made the head and whose presence has the role "writer". */
export function presentWriter({
  head,
  members,
}: Pick<ElectionView, "head" | "members">): NodeInfo | undefined {
  if (head === undefined) return undefined;
  return members.nodes.find(({ id, role }) => id === head.writer && role === "writer");
}

/** Decides whether this node should claim the log. The node does not write now. */
export function decide(view: ElectionView): Election {
  const { self, head, members } = view;
  if (members.wanted === self.id) return { decision: "claim", reason: "asked" };
  if (self.isFollowerOnly) return FOLLOW;
  if (head === undefined) return { decision: "claim", reason: "first", rank: rankOf(view) };
  const writer = presentWriter(view);
  // A presence of this node with the role "writer" comes from an earlier process: this process does not write.
  if (writer !== undefined && writer.id !== self.id) return FOLLOW;
  return { decision: "claim", reason: "gone", rank: rankOf(view) };
}

/** The number of candidates that come before this node: those that have more of the log, then those with the same position and a smaller id. */
function rankOf({ self, members, hasYielded }: ElectionView): number {
  const others = members.nodes.filter(
    ({ id, isFollowerOnly }) => id !== self.id && (!isFollowerOnly || id === members.wanted),
  );
  if (hasYielded) return others.length;
  return others.filter((other) => comesBefore(other, self, members.wanted)).length;
}

function comesBefore(other: NodeInfo, self: NodeInfo, wanted: string | undefined): boolean {
  if (other.id === wanted) return true;
  return other.lsn === self.lsn ? other.id < self.id : other.lsn > self.lsn;
}
