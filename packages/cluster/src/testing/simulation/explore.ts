import { Random } from "@kaya/io";
import type { SimCall, SimFault } from "../sim-faults.js";
import type { SimNode } from "./sim-node.js";
import { type ClusterSimulationResult, runIn } from "./simulation.js";
import type { ClusterStep } from "./steps.js";
import type { ClusterViolation } from "./violation.js";
import { ClusterWorld } from "./world.js";

const SEED = 1;
/** Longer than each presence, and longer than the time limit of each call. */
const LONG_MS = 1_500;

/** A claim, two appends, a takeover and another append, with reads and a write of the previous writer between them. */
const SCENARIO: readonly ClusterStep[] = [
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
];

type Strike = (world: ClusterWorld, node: SimNode) => SimFault | undefined;

/** The faults that can be injected at a call. "After" means: the call is done, and the reply is on its way. */
const FAULTS: Readonly<Record<string, Strike>> = {
  requestLost: () => ({ kind: "requestLost", afterMs: 0 }),
  requestLostLong: () => ({ kind: "requestLost" }),
  replyLost: () => ({ kind: "replyLost", afterMs: 0 }),
  replyLostLong: () => ({ kind: "replyLost" }),
  lateRequest: () => ({ kind: "delay", request: LONG_MS }),
  lateReply: () => ({ kind: "delay", reply: 300 }),
  noMajority: () => ({ kind: "noMajority" }),
  diskFull: () => ({ kind: "diskFull" }),
  crashBefore: (_, node) => {
    node.die("crash");
    return undefined;
  },
  crashAfter: (world, node) => {
    void world.clock.sleep(1.5).then(() => node.die("crash"));
    return undefined;
  },
  stopBefore: (_, node) => {
    node.stop();
    return undefined;
  },
  stopAfter: (world, node) => {
    void world.clock.sleep(1.5).then(() => node.stop());
    return undefined;
  },
  partition: (world, node) => {
    const { client } = node;
    world.log.partition(client, "drop");
    void world.clock.sleep(LONG_MS).then(() => world.log.heal(client));
    return undefined;
  },
};

/** The calls that change the log or on which a writer bases a decision. Pairs of faults are injected into these. */
const DECISIVE: readonly string[] = ["claim", "append", "head", "setBase", "trim"];

/** The options of an exploration. */
export interface ClusterExplorationOptions {
  /**
   * True (default): also pairs of faults: the first at a decisive call, the second at a later decisive call. False: only each fault alone
   * at each call.
   */
  readonly pairs?: boolean;
  /** The largest number of runs. If there are more, `seed` chooses among them. Default: all. */
  readonly maxRuns?: number;
  /** The seed that chooses the runs. Default 1. */
  readonly seed?: number;
  /** True: the exploration ends at the first violation. Default false. */
  readonly untilFirst?: boolean;
  /** When it aborts, no more runs begin. */
  readonly signal?: AbortSignal;
}

/** The result of an exploration. */
export interface ClusterExplorationReport {
  /** The number of calls of the log in a run without faults. */
  readonly calls: number;
  /** The number of runs with one fault. */
  readonly singles: number;
  /** The number of runs with two faults. */
  readonly pairs: number;
  /** The number of all possible runs, including those that were left out. */
  readonly all: number;
  /** The number of acknowledged writes in all runs. */
  readonly acknowledged: number;
  /** The number of writes with an unknown outcome in all runs. */
  readonly inDoubt: number;
  /** The number of refused writes in all runs. */
  readonly refused: number;
  /** The violations, with the faults in the form of `exploreFaults`. */
  readonly violations: readonly { readonly faults: string; readonly violation: ClusterViolation }[];
}

/** Runs a short scenario of a cluster with a fault at each call of the shared log, and with pairs of faults. */
export async function exploreCluster(
  options: ClusterExplorationOptions = {},
): Promise<ClusterExplorationReport> {
  const { pairs = true, maxRuns = Number.POSITIVE_INFINITY, seed = 1, untilFirst = false, signal } = options;
  const calls: SimCall[] = [];
  const calm = await run((call) => {
    calls.push(call);
    return undefined;
  });
  const singles = singlesOf(calls);
  const places = new FaultPairs(pairs ? calls : []);
  const totals = { singles: 0, pairs: 0, acknowledged: 0, inDoubt: 0, refused: 0 };
  const violations = calm.violation === undefined ? [] : [{ faults: "", violation: calm.violation }];
  for (const faults of chosen(singles, places, maxRuns, seed)) {
    if (signal?.aborted === true || (untilFirst && violations.length > 0)) break;
    const { clients, violation } = await exploreFaults(faults);
    if (faults.includes(",")) totals.pairs++;
    else totals.singles++;
    totals.acknowledged += clients.acknowledged;
    totals.inDoubt += clients.inDoubt;
    totals.refused += clients.refused;
    if (violation !== undefined) violations.push({ faults, violation });
  }
  return { calls: calls.length, all: singles.length + places.count, ...totals, violations };
}

/**
 * Runs the short scenario of a cluster once, with the given faults.
 * @param faults a list such as "17:replyLost,23:crashAfter": the number of the call, and the fault at it
 */
export function exploreFaults(faults: string): Promise<ClusterSimulationResult> {
  const strikes = new Map(
    faults.split(",").map((each) => {
      const [number, kind] = each.split(":");
      return [Number(number), FAULTS[kind ?? ""]] as const;
    }),
  );
  return run(({ number, client }, world) => {
    const node = world.nodes.find(({ id }) => client.startsWith(`${id}.`));
    return node === undefined ? undefined : strikes.get(number)?.(world, node);
  });
}

function run(
  strike: (call: SimCall, world: ClusterWorld) => SimFault | undefined,
): Promise<ClusterSimulationResult> {
  return runIn(new ClusterWorld(SEED, strike), SEED, SCENARIO);
}

function singlesOf(calls: readonly SimCall[]): string[] {
  const kinds = Object.keys(FAULTS);
  return calls.flatMap(({ number }) => kinds.map((kind) => `${number}:${kind}`));
}

/** All pairs of faults at decisive calls, the second at a later call than the first. They are too many for a list. */
class FaultPairs {
  readonly count: number;
  readonly #faults: readonly string[];
  readonly #kinds = Object.keys(FAULTS).length;
  readonly #given = new Set<string>();

  constructor(calls: readonly SimCall[]) {
    const decisive = calls.filter(({ kind }) => DECISIVE.includes(kind));
    this.#faults = singlesOf(decisive);
    this.count = ((decisive.length * (decisive.length - 1)) / 2) * this.#kinds ** 2;
  }

  /** Draws a pair that was not drawn before; undefined if there is none. */
  draw(random: Random): string | undefined {
    while (this.#given.size < this.count) {
      const [a, b] = [random.below(this.#faults.length), random.below(this.#faults.length)];
      if (Math.floor(a / this.#kinds) === Math.floor(b / this.#kinds)) continue;
      const faults = `${this.#faults[Math.min(a, b)]},${this.#faults[Math.max(a, b)]}`;
      if (this.#given.has(faults)) continue;
      this.#given.add(faults);
      return faults;
    }
    return undefined;
  }
}

/** Gives `count` runs in a random order. Singles and pairs take turns, so that an exploration that ends early has seen both. */
function* chosen(
  singles: readonly string[],
  pairs: FaultPairs,
  count: number,
  seed: number,
): Generator<string> {
  const random = new Random(seed, 4);
  const left = drawn(singles, random);
  for (let i = 0; i < count; i++) {
    const faults = i % 2 === 0 ? (left.pop() ?? pairs.draw(random)) : (pairs.draw(random) ?? left.pop());
    if (faults === undefined) return;
    yield faults;
  }
}

function drawn(all: readonly string[], random: Random): string[] {
  const lots = all.map((faults) => ({ faults, lot: random.uint32() }));
  lots.sort((a, b) => a.lot - b.lot);
  return lots.map(({ faults }) => faults);
}
