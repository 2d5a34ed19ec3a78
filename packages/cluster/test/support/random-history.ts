import type { HistoryOperation, KeyedValue, OperationOutcome, RegisterValue } from "@kaya/cluster/testing";
import { Random } from "@kaya/io";

export interface RandomHistoryOptions {
  readonly seed: number;
  readonly operations: number;
  readonly processes: number;
  readonly keys: number;
  /** The share of batches among the operations, in percent. */
  readonly batches: number;
  readonly unknown: number;
}

interface Planned {
  readonly invoked: number;
  readonly effect: number;
  readonly returned: number;
  readonly process: string;
  readonly number: number;
}

/**
 * Generates a linearizable history: each operation takes effect on one copy of the registers at a random moment between its invocation and
 * its response. An operation of unknown outcome takes effect at any moment after its invocation, or never.
 */
export function randomHistory(options: RandomHistoryOptions): HistoryOperation[] {
  const random = new Random(options.seed);
  const state = new Map<string, RegisterValue>();
  const before = new Map<string, RegisterValue>();
  const plan = planOf(options, random).sort((a, b) => a.effect - b.effect);
  return plan.map((planned, order) => {
    const { process, invoked, returned, number } = planned;
    const isUnknown = random.below(100) < options.unknown;
    const call = callOf(random, options, number, state, before);
    const happens = !isUnknown || random.chance(0.5);
    const holds = call.expects.every(({ key, value }) => state.get(key) === value);
    if (happens && holds)
      for (const { key, value } of call.writes) {
        before.set(key, state.get(key));
        state.set(key, value);
      }
    const outcome: OperationOutcome = isUnknown ? "unknown" : holds ? "ok" : "conflict";
    return { process, invoked, returned, outcome, ...call, hint: order };
  });
}

function planOf({ operations, processes }: RandomHistoryOptions, random: Random): Planned[] {
  const plan: Planned[] = [];
  const free = Array.from({ length: processes }, () => random.below(100));
  for (let number = 0; number < operations; number++) {
    const lane = number % processes;
    const invoked = (free[lane] as number) + 1 + random.below(20);
    const returned = invoked + 2 + random.below(100);
    const effect = invoked + 0.5 + random.below(returned - invoked - 1);
    free[lane] = returned;
    plan.push({ invoked, effect, returned, process: `p${lane}`, number });
  }
  return plan;
}

function callOf(
  random: Random,
  { keys, batches }: RandomHistoryOptions,
  number: number,
  state: ReadonlyMap<string, RegisterValue>,
  before: ReadonlyMap<string, RegisterValue>,
): Pick<HistoryOperation, "name" | "expects" | "writes"> {
  const key = () => `k${random.below(keys)}`;
  const value = `v${number}`;
  if (random.below(100) < batches) {
    const [first, second] = [key(), key()];
    // Often the value that the key had a moment before.
    const seen = random.chance(0.5) ? state.get(first) : before.get(first);
    const writes: KeyedValue[] = [
      { key: first, value },
      { key: second, value: random.chance(0.2) ? undefined : `${value}+` },
    ];
    return { name: "batch", expects: [{ key: first, value: seen }], writes };
  }
  const one = key();
  if (random.chance(0.5)) return { name: "get", expects: [{ key: one, value: state.get(one) }], writes: [] };
  if (random.chance(0.15)) return { name: "delete", expects: [], writes: [{ key: one, value: undefined }] };
  return { name: "put", expects: [], writes: [{ key: one, value }] };
}
