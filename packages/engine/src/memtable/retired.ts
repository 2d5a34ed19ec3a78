import type { Arena } from "./arena.js";
import { birthOf, NODE_WORDS } from "./node-layout.js";
import { type NodePool, nodeStart } from "./node-pool.js";
import type { Kind } from "./pins.js";
import { freeRecord, lengthOf, sequenceOf } from "./record.js";

// The kinds of things that leave the tree, as numbered for `Pins`.
export const RECORD = 0;
export const SEPARATOR = 1;
export const NODE = 2;

export function retiredKinds(records: Arena, separators: Arena, nodes: NodePool): readonly Kind[] {
  return [recordsOf(records), recordsOf(separators), nodesOf(nodes)];
}

function recordsOf(arena: Arena): Kind {
  return {
    // A record that compaction moved is as old as before: it may be kept for a snapshot that never saw the copy.
    birthOf: (address) => sequenceOf(arena, address),
    bytesOf: (address) => lengthOf(arena, address),
    free: (address) => freeRecord(arena, address),
  };
}

function nodesOf(nodes: NodePool): Kind {
  return {
    birthOf: (node) => birthOf(nodes.wordsOf(node), nodeStart(node)),
    bytesOf: () => NODE_WORDS * 4,
    free: (node) => nodes.free(node),
  };
}
