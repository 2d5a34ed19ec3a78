import type { ClusterStep } from "./steps.js";

/** Longer than each presence, and longer than the time limit of each call. */
export const LONG_MS = 1_500;
const ALL_KEYS = [0, 1, 2, 3, 4, 5, 6, 7];

/** Three batches, together larger than the share of the tail behind which the writer makes a base. */
const ENOUGH_FOR_A_BASE: readonly ClusterStep[] = [1, 2, 3].flatMap((condition) => [
  { step: "batch", node: 0, toWriter: true, condition, keys: ALL_KEYS },
  { step: "advance", ms: 20 },
]);

const COME_BACK: readonly ClusterStep[] = [0, 1, 2].flatMap((node) => [
  { step: "go-on", node },
  { step: "open", node },
]);

/** The short runs into which the explorer injects faults, by name. */
export const SCENARIOS: Readonly<Record<string, readonly ClusterStep[]>> = {
  /** A claim, two appends, a takeover and another append, with reads and a write of the previous writer between them. */
  takeover: [
    { step: "put", node: 0, toWriter: true, key: 0 },
    { step: "advance", ms: 20 },
    { step: "batch", node: 0, toWriter: true, condition: 0, keys: [1, 2] },
    { step: "get", node: 1, key: 1 },
    { step: "advance", ms: 100 },
    { step: "put", node: 0, toWriter: true, key: 1 },
    { step: "promote", node: 1 },
    { step: "advance", ms: 5 },
    { step: "put", node: 0, toWriter: false, key: 2 },
    { step: "put", node: 1, toWriter: false, key: 3 },
    { step: "advance", ms: 300 },
    { step: "put", node: 1, toWriter: true, key: 0 },
    { step: "snapshot", node: 2, keys: [0, 1, 2, 3] },
    { step: "compare", node: 0 },
    { step: "advance", ms: LONG_MS },
    { step: "open", node: 0 },
    { step: "open", node: 1 },
    { step: "open", node: 2 },
    { step: "transact", node: 1, toWriter: true, condition: 3, keys: [0, 3] },
    { step: "get", node: 0, key: 0 },
    { step: "compare", node: 2 },
    { step: "advance", ms: LONG_MS },
    { step: "go-on", node: 0 },
    { step: "go-on", node: 1 },
    { step: "go-on", node: 2 },
    { step: "put", node: 0, toWriter: true, key: 4 },
    { step: "put", node: 0, toWriter: false, key: 5 },
    { step: "advance", ms: 500 },
  ],
  /** Bases of two writers, with trims and removals of old bases. A node whose disk was lost loads one of them. */
  bases: [
    { step: "wipe", node: 2 },
    ...ENOUGH_FOR_A_BASE,
    ...ENOUGH_FOR_A_BASE,
    ...ENOUGH_FOR_A_BASE,
    { step: "open", node: 2 },
    { step: "promote", node: 1 },
    { step: "advance", ms: 300 },
    ...ENOUGH_FOR_A_BASE,
    ...ENOUGH_FOR_A_BASE,
    { step: "advance", ms: LONG_MS },
    ...COME_BACK,
    { step: "compare", node: 2 },
    { step: "advance", ms: 300 },
    { step: "wipe", node: 0 },
    { step: "advance", ms: LONG_MS },
    ...COME_BACK,
    ...ENOUGH_FOR_A_BASE,
    { step: "advance", ms: 500 },
  ],
};
