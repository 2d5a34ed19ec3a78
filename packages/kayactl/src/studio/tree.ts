import type { TreeLevel, TreeNode } from "./api.js";
import { toText } from "./base64url.js";
import { type ByteBounds, behind, endOfPrefix, from, shownParts } from "./key-range.js";
import type { Parameters } from "./parameters.js";
import type { Reading } from "./reading.js";
import { badRequest } from "./refusal.js";

export const TREE_PARAMETERS: readonly string[] = ["prefix", "delimiter", "after", "limit", "internal"];
const DEFAULT_NODES = 200;
const MOST_NODES = 1000;

/** Keys of one read: few where groups begin, since the rest of a group is skipped; many among keys without a group. */
const FEW_KEYS = 8;
const MANY_KEYS = 256;

export interface TreeRequest {
  readonly prefix: Uint8Array;
  /** Undefined: there are no groups. */
  readonly delimiter: number | undefined;
  readonly after: Uint8Array | undefined;
  readonly limit: number;
  readonly isInternal: boolean;
}

/** @throws Refusal */
export function readTreeRequest(parameters: Parameters): TreeRequest {
  const delimiter = parameters.bytes("delimiter");
  if (delimiter !== undefined && delimiter.length !== 1)
    throw badRequest(`the delimiter must be one byte in base64url, not ${delimiter.length}`);
  return {
    prefix: parameters.bytes("prefix") ?? Buffer.alloc(0),
    delimiter: delimiter?.[0],
    after: parameters.bytes("after"),
    limit: parameters.number("limit", 1, MOST_NODES) ?? DEFAULT_NODES,
    isInternal: parameters.flag("internal"),
  };
}

/** A node, and the bounds of the keys after it; undefined if there can be none. */
interface FoundNode {
  readonly node: TreeNode;
  readonly rest: ByteBounds | undefined;
}

/** One level of the tree of keys: a seek for each group, whatever its size. */
export async function readTree(reading: Reading, request: TreeRequest): Promise<TreeLevel> {
  const nodes: TreeNode[] = [];
  for (const part of partsOf(request)) {
    for await (const node of nodesOf(reading, part, request)) {
      const last = nodes.at(-1);
      if (isSame(last, node)) continue;
      if (nodes.length === request.limit && last !== undefined)
        return { nodes, next: last.kind === "group" ? last.prefix : last.key };
      nodes.push(node);
    }
  }
  return { nodes };
}

function isSame(last: TreeNode | undefined, node: TreeNode): boolean {
  return last?.kind === "group" && node.kind === "group" && last.prefix === node.prefix;
}

/** The part of the level after `after`. */
function partsOf({ prefix, after, isInternal, ...request }: TreeRequest): readonly ByteBounds[] {
  const level: ByteBounds = { prefix };
  const bounds = after === undefined ? level : nodeOf(after, level, { prefix, ...request }).rest;
  return bounds === undefined ? [] : shownParts(bounds, isInternal);
}

/** The node of each key that is read: several may be of one group. */
async function* nodesOf(
  reading: Reading,
  part: ByteBounds,
  level: Pick<TreeRequest, "prefix" | "delimiter">,
): AsyncGenerator<TreeNode, void> {
  let bounds: ByteBounds | undefined = part;
  let limit = FEW_KEYS;
  while (bounds !== undefined) {
    const keys: Uint8Array[] = await reading.keys({ ...bounds, limit }).toArray();
    if (keys.length === 0) return;
    for (const key of keys) {
      const found = nodeOf(key, part, level);
      yield found.node;
      bounds = found.rest;
      limit = found.node.kind === "key" ? MANY_KEYS : FEW_KEYS;
    }
  }
}

/** The node that a key is in. */
function nodeOf(
  key: Uint8Array,
  bounds: ByteBounds,
  { prefix, delimiter }: Pick<TreeRequest, "prefix" | "delimiter">,
): FoundNode {
  const index = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
  if (index === -1) return { node: { kind: "key", key: toText(key) }, rest: behind(bounds, key) };
  const group = key.subarray(0, index + 1);
  const end = endOfPrefix(group);
  return { node: { kind: "group", prefix: toText(group) }, rest: end && from(bounds, end) };
}
