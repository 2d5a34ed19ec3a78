import { makeRandom } from "../data.js";
import { paceOf } from "../measure.js";
import type { Durability, Store } from "../system.js";
import { withUsage } from "../usage.js";
import type { Job, Workload } from "../workload.js";
import { addOne, Counters } from "./counters.js";
import { inFreshStore, p99Of, writeRows } from "./writes.js";

/** Transactions that are under way at once have keys of their own, unless one is thousands behind. */
const KEYS_APART = 8192;
const HOT_KEYS = 8;

/** Changes some of the counters, and gives their number. */
type Operation = () => Promise<number>;

interface TransactionCase {
  readonly figure: string;
  readonly title: string;
  readonly durability: Durability;
  readonly inFlight: number;
  readonly counters: number;
  /** Undefined where the store has no transactions. */
  readonly operationOn: (store: Store, keys: readonly Uint8Array[]) => Operation | undefined;
}

/** Two keys are read, and both are written. */
export const transactions = workloadOf("transactions", "transactions/s", [
  ...[1, 16, 256].map((inFlight) => apart("durable", inFlight)),
  apart("relaxed", 256),
  ...[16, 256].map((inFlight) => ({
    figure: `hot-${inFlight}`,
    title: `durable transactions of two of ${HOT_KEYS} keys, ${inFlight} in flight`,
    durability: "durable" as const,
    inFlight,
    counters: HOT_KEYS,
    operationOn: hotPairs,
  })),
]);

/** One counter that all callers add to: the store's way to change a value, and a transaction where it has no other. */
export const updates = workloadOf(
  "updates",
  "updates/s",
  [
    { durability: "durable" as const, inFlight: 1 },
    { durability: "durable" as const, inFlight: 256 },
    { durability: "relaxed" as const, inFlight: 256 },
  ].map(({ durability, inFlight }) => ({
    figure: `${durability}-${inFlight}`,
    title: `${durability} updates of one counter, ${inFlight} in flight`,
    durability,
    inFlight,
    counters: 1,
    operationOn: oneCounter,
  })),
);

function apart(durability: Durability, inFlight: number): TransactionCase {
  return {
    figure: `${durability}-${inFlight}`,
    title: `${durability} transactions of two keys, ${inFlight} in flight`,
    durability,
    inFlight,
    counters: KEYS_APART,
    operationOn: pairsInTurn,
  };
}

function pairsInTurn(store: Store, keys: readonly Uint8Array[]): Operation | undefined {
  let at = 0;
  return transactionsOf(store, () => {
    at = (at + 2) % keys.length;
    return keys.slice(at, at + 2);
  });
}

/** Two different ones, in any order. */
function hotPairs(store: Store, keys: readonly Uint8Array[]): Operation | undefined {
  const random = makeRandom();
  return transactionsOf(store, () => {
    const first = Math.floor(random() * keys.length);
    const second = (first + 1 + Math.floor(random() * (keys.length - 1))) % keys.length;
    return [keys[first], keys[second]] as Uint8Array[]; // both are below the length
  });
}

function transactionsOf(store: Store, nextKeys: () => readonly Uint8Array[]): Operation | undefined {
  const transact = store.transact?.bind(store);
  if (transact === undefined) return undefined;
  return async () => {
    const keys = nextKeys();
    await transact(keys, addOne);
    return keys.length;
  };
}

function oneCounter(store: Store, keys: readonly Uint8Array[]): Operation | undefined {
  const update = store.update?.bind(store);
  const [key] = keys;
  if (update === undefined || key === undefined) return transactionsOf(store, () => keys);
  return async () => {
    await update(key, addOne);
    return 1;
  };
}

function workloadOf(name: string, unit: string, cases: readonly TransactionCase[]): Workload {
  return {
    name,
    rows: () => cases.flatMap((one) => writeRows(name, one, unit)),
    runsOn: ({ setup }) => setup.transactions !== undefined,
    async run(job) {
      for (const one of cases) await measure(job, name, one);
    },
  };
}

async function measure(job: Job, name: string, one: TransactionCase): Promise<void> {
  const id = `${name}/${one.figure}`;
  if (!job.wants(id) && !job.wants(p99Of(id))) return;
  await inFreshStore(job, one, async (store) => {
    const counters = await Counters.create(store, one.counters);
    const operation = one.operationOn(store, counters.keys);
    if (operation === undefined) return;
    const counted = async () => counters.changed(await operation());
    const { value, usage } = await withUsage(() => paceOf(one.inFlight, job.scale, counted));
    await counters.check();
    job.report(id, value.perSecond, usage);
    job.report(p99Of(id), value.p99, usage);
  });
}
