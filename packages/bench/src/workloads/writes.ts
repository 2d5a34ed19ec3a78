import { join } from "node:path";
import { entryKey, entryValue } from "../data.js";
import { entriesOf } from "../load.js";
import { type Duration, type Pace, paceOf } from "../measure.js";
import type { Durability, Store, StoreMemory, System } from "../system.js";
import { CoalescedStore } from "../systems/coalesced.js";
import { encodeBatch, encodePuts, RawLoop } from "../systems/raw-loop.js";
import { withUsage } from "../usage.js";
import type { Job, Row } from "../workload.js";

/** Kaya's defaults, for each store that can be told. */
export const WRITE_MEMORY: StoreMemory = { cacheBytes: 64 << 20, writeBufferBytes: 64 << 20 };

/** How entries with new keys are written: one figure of a workload. */
export interface WriteCase {
  /** Behind the slash of the row's id. */
  readonly figure: string;
  readonly title: string;
  readonly durability: Durability;
  readonly inFlight: number;
  /** Entries of a batch. Absent: single puts. */
  readonly batchEntries?: number;
  /** Absent: the 100 bytes of every other row. */
  readonly valueBytes?: number;
  /** Absent: by an awaited call. `coalesced`: puts gathered by hand into one batch a commit. */
  readonly by?: "sync" | "coalesced";
}

/** The rate of a way to write, and how long a caller waits. */
export function writeRows(
  workload: string,
  { figure, title }: Pick<WriteCase, "figure" | "title">,
  unit = "puts/s",
): Row[] {
  const id = `${workload}/${figure}`;
  return [
    { id, title, unit, better: "higher" },
    {
      id: p99Of(id),
      title: `${title}, 99th percentile`,
      unit: "ms",
      better: "lower",
      measuredWith: id,
    },
  ];
}

/** The row of the 99th percentile beside a row of writes. */
export function p99Of(rowId: string): string {
  return `${rowId}-p99`;
}

/** Measures a way to write in a fresh store. A store that does not have it has no figure. */
export async function measureWrites(job: Job, workload: string, write: WriteCase): Promise<void> {
  const id = `${workload}/${write.figure}`;
  if (!job.wants(id) && !job.wants(p99Of(id))) return;
  await inFreshStore(job, write, async (store) => {
    const writes = writesOf(store, write, job.system);
    if (writes === undefined) return;
    const { value, usage } = await withUsage(() => paceOfWrites(writes, job.scale));
    job.report(id, value.perSecond, usage);
    job.report(p99Of(id), value.p99, usage);
  });
}

export async function inFreshStore(
  { system, dir }: Job,
  { figure, durability }: Pick<WriteCase, "figure" | "durability">,
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const store = await system.open(join(dir, figure), durability, WRITE_MEMORY);
  await work(store);
  await store.close();
}

/** Operations that write, for a number of callers. */
export interface Writes {
  readonly callers: number;
  readonly putsAnOperation: number;
  readonly operation: () => unknown;
}

async function paceOfWrites(
  { callers, putsAnOperation, operation }: Writes,
  duration: Duration,
): Promise<Pace> {
  const { perSecond, p99 } = await paceOf(callers, duration, operation);
  return { perSecond: perSecond * putsAnOperation, p99 };
}

/** @returns undefined where the store cannot write like that */
export function writesOf(store: Store, write: WriteCase, system: System): Writes | undefined {
  if (store instanceof RawLoop) return rawWrites(store, write);
  const { inFlight, batchEntries, valueBytes, by } = write;
  const puts = { callers: inFlight, putsAnOperation: 1 };
  if (batchEntries !== undefined) {
    return { callers: inFlight, putsAnOperation: batchEntries, operation: batches(store, batchEntries) };
  }
  if (by === "sync") {
    const put = store.putSync?.bind(store);
    return put && { ...puts, operation: newEntries(put, valueBytes) };
  }
  const target = by === "coalesced" && system.gathersPuts !== true ? new CoalescedStore(store) : store;
  return { ...puts, operation: newEntries((key, value) => target.put(key, value), valueBytes) };
}

function newEntries(
  put: (key: Uint8Array, value: Uint8Array) => unknown,
  valueBytes?: number,
): () => unknown {
  let index = 0;
  return () => {
    index++;
    return put(entryKey(index), entryValue(index, valueBytes));
  };
}

function batches(store: Store, batchEntries: number): () => unknown {
  let index = 0;
  return () => {
    const from = index;
    index += batchEntries;
    return store.batch(entriesOf(from, index));
  };
}

/** One write for all waiting callers, and one sync if durable. */
function rawWrites(raw: RawLoop, { inFlight, batchEntries, valueBytes, by }: WriteCase): Writes {
  const makeValue = (index: number) => entryValue(index, valueBytes);
  const bytes =
    batchEntries === undefined
      ? encodePuts(entriesOf(0, inFlight, makeValue))
      : Buffer.concat(Array(inFlight).fill(encodeBatch(entriesOf(0, batchEntries, makeValue))));
  return {
    callers: 1,
    putsAnOperation: inFlight * (batchEntries ?? 1),
    operation: by === "sync" ? () => raw.appendSync(bytes) : () => raw.append(bytes),
  };
}
