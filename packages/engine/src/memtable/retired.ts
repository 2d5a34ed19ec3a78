import type { Arena } from "./arena.js";
import { birthOf, NODE_WORDS } from "./node-layout.js";
import { type NodePool, nodeStart } from "./node-pool.js";
import type { Kind, Retired } from "./pins.js";
import { bytesOf, freeRecord, sequenceOf } from "./record.js";

// The kinds of things that leave the present, as numbered for `Pins`.
export const RECORD = 0;
export const NODE = 1;
export const OBJECT = 2;

export function retiredKinds(records: Arena, nodes: NodePool): readonly Kind<Retired>[] {
  const kinds: readonly [Kind<number>, Kind<number>, Kind<Exclude<Retired, number>>] = [
    {
      birthOf: (address) => sequenceOf(records, address),
      bytesOf: (address) => bytesOf(records, address),
      free: (address) => freeRecord(records, address),
    },
    {
      birthOf: (node) => birthOf(nodes.wordsOf(node), nodeStart(node)),
      bytesOf: () => NODE_WORDS * 4,
      free: (node) => nodes.free(node),
    },
    {
      birthOf: ({ birth }) => birth,
      bytesOf: ({ bytes }) => bytes,
      // The garbage collector does.
      free: () => undefined,
    },
  ];
  return kinds;
}
