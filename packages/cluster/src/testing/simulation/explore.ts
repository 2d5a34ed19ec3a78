import { Random } from "@kaya/io";
import type { SimCall, SimFault } from "../sim-faults.js";
import type { SimNode } from "./sim-node.js";
import { type ClusterSimulationResult, runIn } from "./simulation.js";
import type { ClusterStep } from "./steps.js";
import type { ClusterViolation } from "./violation.js";
import { ClusterWorld } from "./world.js";

const SEED = 1;
/** Beyond each presence, and beyond each call's time. */
const LONG_MS = 1_500;

/** A claim, two appends, a takeover, an append, with reads and a write of the earlier writer between them. */
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

/** What may happen at a call. "After" is when it is done, and the reply is under way. */
const STRIKES: Readonly<Record<string, Strike>> = {
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

/** Calls by which the log changes, or a writer decides: pairs of faults strike these. */
const DECISIVE: readonly string[] = ["claim", "append", "head", "setBase", "trim"];

/** What is explored. */
export interface ClusterExplorationOptions {
  /** Each fault alone at each call, or also pairs of them: the first at a decisive call, the second at any decisive call behind it. Default true. */
  readonly pairs?: boolean;
  /** The most runs; if there are more, `seed` draws which. Default: all. */
  readonly maxRuns?: number;
  /** Draws the runs. Default 1. */
  readonly seed?: number;
  /** The exploration ends at the first violation. Default false. */
  readonly untilFirst?: boolean;
  /** No more runs begin when it aborts. */
  readonly signal?: AbortSignal;
}

/** What an exploration found. */
export interface ClusterExplorationReport {
  /** Calls of the log in a run without faults. */
  readonly calls: number;
  /** Runs with one fault. */
  readonly singles: number;
  /** Runs with two faults. */
  readonly pairs: number;
  /** How many runs there are, those that were left out included. */
  readonly all: number;
  /** Writes that were acknowledged, in all runs. */
  readonly acknowledged: number;
  /** Writes whose error left their fate open, in all runs. */
  readonly inDoubt: number;
  /** Writes that were refused, in all runs. */
  readonly refused: number;
  /** What broke a promise, and the faults, as `exploreFaults` takes them. */
  readonly violations: readonly { readonly faults: string; readonly violation: ClusterViolation }[];
}

/** Runs a short life of a cluster with a fault at each call of the shared log, and with pairs of faults. */
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
 * Runs a short life of a cluster once, with the given faults.
 * @param faults as "17:replyLost,23:crashAfter": the number of the call, and what happens at it
 */
export function exploreFaults(faults: string): Promise<ClusterSimulationResult> {
  const strikes = new Map(
    faults.split(",").map((each) => {
      const [number, kind] = each.split(":");
      return [Number(number), STRIKES[kind ?? ""]] as const;
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
  const kinds = Object.keys(STRIKES);
  return calls.flatMap(({ number }) => kinds.map((kind) => `${number}:${kind}`));
}

/** All pairs of faults at decisive calls, the second behind the first. They are more than a list should hold. */
class FaultPairs {
  readonly count: number;
  readonly #faults: readonly string[];
  readonly #kinds = Object.keys(STRIKES).length;
  readonly #given = new Set<string>();

  constructor(calls: readonly SimCall[]) {
    const decisive = calls.filter(({ kind }) => DECISIVE.includes(kind));
    this.#faults = singlesOf(decisive);
    this.count = ((decisive.length * (decisive.length - 1)) / 2) * this.#kinds ** 2;
  }

  /** One that was not drawn yet; undefined: there is none. */
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

/** All, or so many of them, in a drawn order: singles and pairs by turns, so that an exploration that ends early has seen both. */
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
