import { Random } from "@kaya/io";
import type { SimFault } from "../sim-faults.js";
import type { ClusterStep, StruckCall } from "./steps.js";

/** The number of nodes of a simulated cluster. */
export const NODES = 3;
/** The number of keys that its clients use. */
export const KEYS = 8;

/** The options of a generated run. */
export interface GenerateClusterOptions {
  /** The seed: the same seed always gives the same run. */
  readonly seed: number;
  /** The number of steps. */
  readonly steps: number;
}

type Draw = (random: Random) => ClusterStep;

const node = (random: Random) => random.below(NODES);
const key = (random: Random) => random.below(KEYS);
const keys = (random: Random) => Array.from({ length: 1 + random.below(3) }, () => key(random));
const toWriter = (random: Random) => random.chance(0.85);

const STRUCK_CALLS = ["append", "append", "claim", "head", "setBase", "trim", "follow"] as const;
const STORE_READS = ["store.get", "store.stream"] as const;
const STORE_CALLS = ["store.put", ...STORE_READS, "store.list", "store.delete"] as const;

const CALLS: readonly (readonly [weight: number, Draw])[] = [
  [30, (random) => ({ step: "put", node: node(random), toWriter: toWriter(random), key: key(random) })],
  [6, (random) => ({ step: "delete", node: node(random), toWriter: toWriter(random), key: key(random) })],
  [10, (random) => multi("batch", random)],
  [6, (random) => multi("transact", random)],
  [14, (random) => ({ step: "get", node: node(random), key: key(random) })],
  [8, (random) => ({ step: "local-get", node: node(random), key: key(random) })],
  [3, (random) => ({ step: "snapshot", node: node(random), keys: keys(random) })],
];

const PROGRESS: readonly (readonly [weight: number, Draw])[] = [
  [30, (random) => ({ step: "advance", ms: random.pick([0, 1, 2, 5, 10]) })],
  [8, (random) => ({ step: "advance", ms: random.pick([50, 100, 300]) })],
  [3, (random) => ({ step: "advance", ms: random.pick([1000, 2500, 6000]) })],
  [3, (random) => ({ step: "compare", node: node(random) })],
  [1, (random) => ({ step: "token", node: node(random) })],
  [2, (random) => ({ step: "flush", node: node(random) })],
];

const TROUBLE: readonly (readonly [weight: number, Draw])[] = [
  [3, (random) => ({ step: "weather", percent: random.pick([0, 0, 3, 10, 30]) })],
  [4, (random) => ({ step: "fault", faults: [{ call: random.pick(STRUCK_CALLS), fault: faultOf(random) }] })],
  // A process that is stopped between two calls that belong together continues after another writer's claim.
  [
    2,
    (random) => ({
      step: "interrupt",
      call: random.pick([...STRUCK_CALLS, ...STORE_CALLS]),
      how: random.pick(["stop", "stop", "crash", "kill"]),
    }),
  ],
  // Two faults in a row at calls of the blob store.
  [2, (random) => ({ step: "fault", faults: storeFaults(random) })],
  // Faults at an append, at the writer's read of the head after it, and at its next attempt.
  [9, (random) => ({ step: "fault", faults: burst(random) })],
  [2, (random) => ({ step: "crash", node: node(random) })],
  [1, (random) => ({ step: "kill", node: node(random) })],
  [0.4, (random) => ({ step: "wipe", node: node(random) })],
  [1, (random) => ({ step: "close", node: node(random) })],
  [6, (random) => ({ step: "open", node: node(random) })],
  [2, (random) => ({ step: "stop", node: node(random) })],
  [3, (random) => ({ step: "go-on", node: node(random) })],
  [
    2,
    (random) => ({ step: "partition", node: node(random), how: random.pick(["drop", "refuse", "replies"]) }),
  ],
  [3, (random) => ({ step: "heal", node: node(random) })],
  [1.5, (random) => ({ step: "lose-presence", node: node(random) })],
  [1.5, (random) => ({ step: "promote", node: node(random) })],
  [0.7, (random) => ({ step: "step-down", node: node(random) })],
  [0.4, () => ({ step: "lose-majority" })],
  [1.2, (random) => ({ step: "restore-majority", pending: random.pick(["done", "dropped"]) })],
  [0.5, () => ({ step: "full", isFull: true })],
  [1.5, () => ({ step: "full", isFull: false })],
  [0.7, () => ({ step: "store", isDown: true })],
  [1.5, () => ({ step: "store", isDown: false })],
  [
    1,
    (random) => ({
      step: "disk-fault",
      node: node(random),
      kind: random.pick(["disk-full", "io-error", "fsync-failed"]),
      after: random.below(20),
    }),
  ],
];

/** Generates the steps of a run. The same seed gives the same steps. */
export function generateClusterSteps({ seed, steps }: GenerateClusterOptions): ClusterStep[] {
  const random = new Random(seed, 1);
  const trouble = random.pick([0.02, 0.1, 0.2]);
  const drawn: ClusterStep[] = [];
  for (let i = 0; i < steps; i++) {
    const kind = random.chance(trouble) ? TROUBLE : random.chance(0.6) ? CALLS : PROGRESS;
    drawn.push(drawFrom(kind, random));
  }
  return drawn;
}

/** Draws a fault for one call. */
export function faultOf(random: Random): SimFault {
  const afterMs = random.pick([0, 20, 1000]);
  const lateMs = random.pick([5, 300, 1500, 8000]);
  const faults: readonly [SimFault, ...SimFault[]] = [
    { kind: "requestLost", afterMs },
    { kind: "replyLost", afterMs },
    { kind: "delay", request: lateMs },
    { kind: "delay", reply: lateMs },
    { kind: "noMajority" },
    { kind: "diskFull" },
  ];
  return random.pick(faults);
}

function burst(random: Random): StruckCall[] {
  const faults: StruckCall[] = [{ call: "append", fault: faultOf(random) }];
  if (random.chance(0.7)) faults.push({ call: "head", fault: faultOf(random) });
  if (random.chance(0.7)) faults.push({ call: "append", fault: faultOf(random) });
  return faults;
}

function storeFaults(random: Random): StruckCall[] {
  const count = random.chance(0.5) ? 2 : 1;
  return Array.from({ length: count }, (): StruckCall => {
    if (random.chance(0.2)) return { call: random.pick(STORE_READS), fault: { kind: "damaged" } };
    return { call: random.pick(STORE_CALLS), fault: faultOf(random) };
  });
}

function multi(step: "batch" | "transact", random: Random): ClusterStep {
  return { step, node: node(random), toWriter: toWriter(random), condition: key(random), keys: keys(random) };
}

function drawFrom(all: readonly (readonly [weight: number, Draw])[], random: Random): ClusterStep {
  const total = all.reduce((sum, [weight]) => sum + weight, 0);
  let left = (random.uint32() / 2 ** 32) * total;
  for (const [weight, draw] of all) {
    left -= weight;
    if (left < 0) return draw(random);
  }
  return { step: "advance", ms: 1 };
}
