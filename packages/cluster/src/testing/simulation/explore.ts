import { Random } from "@kaya/io";
import { LONG_MS, SCENARIOS } from "./explore-scenarios.js";
import type { SimNode } from "./sim-node.js";
import { type ClusterSimulationResult, runIn } from "./simulation.js";
import type { WorldCall } from "./steps.js";
import type { StoreFault } from "./store-client.js";
import type { ClusterViolation } from "./violation.js";
import { ClusterWorld, type Strike } from "./world.js";

const SEED = 1;
/** Small, so that writers make bases. */
const TAIL_MAX_BYTES = 8 * 1024;
/** Faster than the log: a writer that wakes up can use the blob store before it learns that it was replaced. */
const STORE_LATENCY_MS = 0.4;

type Injection = (world: ClusterWorld, node: SimNode, call: WorldCall) => StoreFault | undefined;

/** The faults that can be injected at a call. "After" means: the call is done, and the reply is on its way. */
const FAULTS: Readonly<Record<string, Injection>> = {
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
  crashAfter: (world, node, call) => {
    void afterCall(world, call).then(() => world.isCalm || node.die("crash"));
    return undefined;
  },
  stopBefore: (_, node) => {
    node.stop();
    return undefined;
  },
  stopAfter: (world, node, call) => {
    void afterCall(world, call).then(() => world.isCalm || node.stop());
    return undefined;
  },
  partition: (world, node) => {
    const { client } = node;
    world.log.partition(client, "drop");
    void world.clock.sleep(LONG_MS).then(() => world.log.heal(client));
    return undefined;
  },
};

/** Resolves when a call is done, and its reply is on its way. */
function afterCall({ clock }: ClusterWorld, { kind }: WorldCall): Promise<void> {
  return clock.sleep(1.5 * (kind.startsWith("store.") ? STORE_LATENCY_MS : 1));
}

/** Faults of reads of the blob store. */
const READ_FAULTS: Readonly<Record<string, Injection>> = { damaged: () => ({ kind: "damaged" }) };
const READS: readonly string[] = ["store.get", "store.stream"];

/** The calls that change the log or the blob store, or on which a writer bases a decision. Pairs of faults are injected into these. */
const DECISIVE: readonly string[] = [
  "claim",
  "append",
  "head",
  "setBase",
  "trim",
  "store.put",
  "store.delete",
];

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
  /** The number of calls of the log and of the blob store in a run without faults. */
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

/** Runs short scenarios of a cluster with a fault at each call of the shared log and of the blob store, and with pairs of faults. */
export async function exploreCluster(
  options: ClusterExplorationOptions = {},
): Promise<ClusterExplorationReport> {
  const { pairs = true, maxRuns = Number.POSITIVE_INFINITY, seed = 1, untilFirst = false, signal } = options;
  const totals = { calls: 0, all: 0, singles: 0, pairs: 0, acknowledged: 0, inDoubt: 0, refused: 0 };
  const violations: { faults: string; violation: ClusterViolation }[] = [];
  const plans: Plan[] = [];
  for (const scenario of Object.keys(SCENARIOS)) {
    const calls: WorldCall[] = [];
    const { violation } = await run(scenario, (call) => {
      calls.push(call);
      return undefined;
    });
    if (violation !== undefined) violations.push({ faults: `${scenario}/`, violation });
    const random = new Random(seed, 4);
    const singles = new Calls(calls).singles(random);
    const places = new FaultPairs(pairs ? calls : []);
    totals.calls += calls.length;
    totals.all += singles.length + places.count;
    plans.push({ scenario, runs: chosen(singles, places, random) });
  }
  for (const faults of byTurns(plans, maxRuns)) {
    if (signal?.aborted === true || (untilFirst && violations.length > 0)) break;
    const { clients, violation } = await exploreFaults(faults);
    if (faults.includes(",")) totals.pairs++;
    else totals.singles++;
    totals.acknowledged += clients.acknowledged;
    totals.inDoubt += clients.inDoubt;
    totals.refused += clients.refused;
    if (violation !== undefined) violations.push({ faults, violation });
  }
  return { ...totals, violations };
}

/**
 * Runs a short scenario of a cluster once, with the given faults.
 * @param faults the scenario and a list such as "bases/17:replyLost,23:crashAfter": the number of the call among all calls, and the fault at it
 * @throws Error if there is no such scenario or fault, or if a number is not one
 */
export async function exploreFaults(faults: string): Promise<ClusterSimulationResult> {
  const [scenario = "", list = ""] = faults.split("/");
  const strikes = new Map(
    list
      .split(",")
      .filter((each) => each !== "")
      .map((each) => {
        const [number, kind = ""] = each.split(":");
        const injection = FAULTS[kind] ?? READ_FAULTS[kind];
        if (injection === undefined) throw new Error(`there is no fault ${kind} in ${faults}`);
        if (!/^[1-9]\d*$/.test(number ?? ""))
          throw new Error(`${number} in ${faults} is not the number of a call`);
        return [Number(number), injection] as const;
      }),
  );
  return await run(scenario, (call, world) => {
    const node = world.nodes.find(({ id }) => call.client.startsWith(`${id}.`));
    return node === undefined ? undefined : strikes.get(call.number)?.(world, node, call);
  });
}

function run(scenario: string, strike: Strike): Promise<ClusterSimulationResult> {
  const steps = SCENARIOS[scenario];
  if (steps === undefined) throw new Error(`there is no scenario ${scenario}`);
  return runIn(
    new ClusterWorld(SEED, { strike, tailMaxBytes: TAIL_MAX_BYTES, storeLatencyMs: STORE_LATENCY_MS }),
    SEED,
    steps,
  );
}

/** The calls of a run by kind. Most calls only ask for news: a draw chooses the kind first, so that the rare kinds are not left out. */
class Calls {
  readonly #byKind = new Map<string, number[]>();

  constructor(calls: readonly WorldCall[]) {
    for (const { kind, number } of calls) {
      const numbers = this.#byKind.get(kind);
      if (numbers === undefined) this.#byKind.set(kind, [number]);
      else numbers.push(number);
    }
  }

  get count(): number {
    return [...this.#byKind.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Each fault at each call, in a random order in which the kinds of calls take turns. */
  singles(random: Random): string[] {
    const byKind = [...this.#byKind].map(([kind, numbers]) => {
      const faults = Object.keys(READS.includes(kind) ? { ...FAULTS, ...READ_FAULTS } : FAULTS);
      return shuffled(
        numbers.flatMap((number) => faults.map((fault) => `${number}:${fault}`)),
        random,
      );
    });
    const longest = Math.max(0, ...byKind.map(({ length }) => length));
    return Array.from({ length: longest }, (_, turn) => byKind.flatMap((each) => each[turn] ?? [])).flat();
  }

  /** The number of a random call. */
  draw(random: Random): number {
    const numbers = [...this.#byKind.values()][random.below(this.#byKind.size)] ?? [];
    return numbers[random.below(numbers.length)] ?? 0;
  }
}

/** All pairs of faults at decisive calls, the second at a later call than the first. They are too many for a list. */
class FaultPairs {
  readonly count: number;
  readonly #calls: Calls;
  readonly #kinds = Object.keys(FAULTS);
  readonly #given = new Set<string>();

  constructor(calls: readonly WorldCall[]) {
    this.#calls = new Calls(calls.filter(({ kind }) => DECISIVE.includes(kind)));
    const { count } = this.#calls;
    this.count = ((count * (count - 1)) / 2) * this.#kinds.length ** 2;
  }

  /** Draws a pair that was not drawn before; undefined if there is none. */
  draw(random: Random): string | undefined {
    while (this.#given.size < this.count) {
      const [a, b] = [this.#calls.draw(random), this.#calls.draw(random)];
      if (a === b) continue;
      const [first, second] = [0, 1].map(() => this.#kinds[random.below(this.#kinds.length)]);
      const faults = `${Math.min(a, b)}:${first},${Math.max(a, b)}:${second}`;
      if (this.#given.has(faults)) continue;
      this.#given.add(faults);
      return faults;
    }
    return undefined;
  }
}

/** Gives all runs of a scenario. Singles and pairs take turns, so that an exploration that ends early has seen both. */
function* chosen(singles: readonly string[], pairs: FaultPairs, random: Random): Generator<string> {
  let next = 0;
  for (let i = 0; ; i++) {
    const faults =
      i % 2 === 0 ? (singles[next++] ?? pairs.draw(random)) : (pairs.draw(random) ?? singles[next++]);
    if (faults === undefined) return;
    yield faults;
  }
}

interface Plan {
  readonly scenario: string;
  readonly runs: Generator<string>;
}

/** Gives the runs of all scenarios by turns, `count` at most. */
function* byTurns(plans: readonly Plan[], count: number): Generator<string> {
  const left = new Set(plans);
  for (let given = 0; left.size > 0; )
    for (const plan of left) {
      if (given === count) return;
      const next = plan.runs.next();
      if (next.done === true) left.delete(plan);
      else {
        given++;
        yield `${plan.scenario}/${next.value}`;
      }
    }
}

function shuffled(all: readonly string[], random: Random): string[] {
  const lots = all.map((faults) => ({ faults, lot: random.uint32() }));
  lots.sort((a, b) => a.lot - b.lot);
  return lots.map(({ faults }) => faults);
}
