import type { LogHead, Members, NodeInfo } from "./shared-log.js";

/** The facts by which a node decides whether to become the writer. */
export interface ElectionView {
  /** This node. */
  readonly self: NodeInfo;
  /** The newest head; undefined before the first claim. */
  readonly head: LogHead | undefined;
  /** The nodes whose presence has not run out. */
  readonly members: Members;
  /** True: this node stepped down, and others come first. */
  readonly hasYielded: boolean;
}

/** Whether a node should try to become the writer. Nothing here protects anything: the log's compare does (C8). */
export type Election =
  /** The writer is present, or this node never claims by itself. */
  | { readonly decision: "follow" }
  /** This node was asked to. */
  | { readonly decision: "claim"; readonly reason: "asked" }
  /** No writer is present. Candidates claim one after the other: `rank` others come first. */
  | { readonly decision: "claim"; readonly reason: "first" | "gone"; readonly rank: number };

const FOLLOW: Election = { decision: "follow" };

/** The present writer: the node that made the head, and whose presence says that it writes. */
export function presentWriter({
  head,
  members,
}: Pick<ElectionView, "head" | "members">): NodeInfo | undefined {
  if (head === undefined) return undefined;
  return members.nodes.find(({ id, role }) => id === head.writer && role === "writer");
}

/** Whether this node, which does not write now, should claim the log. */
export function decide(view: ElectionView): Election {
  const { self, head, members } = view;
  if (members.wanted === self.id) return { decision: "claim", reason: "asked" };
  if (self.isFollowerOnly) return FOLLOW;
  if (head === undefined) return { decision: "claim", reason: "first", rank: rankOf(view) };
  const writer = presentWriter(view);
  // Its own presence as a writer comes from an earlier process: this process does not write.
  if (writer !== undefined && writer.id !== self.id) return FOLLOW;
  return { decision: "claim", reason: "gone", rank: rankOf(view) };
}

/** How many candidates come before this node: those with more of the log; among equals those with a smaller id. */
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
