import { sampleIndex, VALUE_BYTES } from "../data.js";
import { perSecond, rateOf } from "../measure.js";
import { collectGarbage } from "../memory.js";
import type { Scale } from "../scale.js";
import { TUPLE_KIND, TUPLES_A_PREFIX } from "../typed-data.js";
import { hasTyping, TUPLE_BYTES, type Tuple, type TupleRange, type TypedStore } from "../typed-system.js";
import type { Workload } from "../workload.js";
import { openTyped, typedEntries, typedStores } from "./typed-stores.js";

const PREFIX = "tuple-scans/prefix";
const ALL = "tuple-scans/all";

type ScanOfTuples = NonNullable<TypedStore["scan"]>;

/** Scans of keys of a string and two numbers, with values of bytes: the cost of keys. */
export const tupleScans: Workload = {
  name: "tuple-scans",
  rows: () => [
    {
      id: PREFIX,
      title: `tuple keys, the ${TUPLES_A_PREFIX} of a prefix`,
      unit: "ranges/s",
      better: "higher",
    },
    { id: ALL, title: "tuple keys, full scan", unit: "entries/s", better: "higher" },
  ],
  runsOn: ({ typed }) => hasTyping(typed, TUPLE_BYTES),
  fixture: typedStores,
  async run(job) {
    const { scale, wants, measure } = job;
    const store = await openTyped(job, TUPLE_BYTES);
    const scan = store?.scan?.bind(store);
    if (store === undefined || scan === undefined) return;
    await readAll(scan, scale);
    await collectGarbage();
    if (wants(PREFIX)) await measure(PREFIX, () => rateOf(1, scale, prefixes(scan, scale)));
    if (wants(ALL)) await measure(ALL, () => scanFor(scan, scale));
    await store.close();
  },
};

/** Reads all prefixes once: a store may keep a full scan out of its cache. */
async function readAll(scan: ScanOfTuples, scale: Scale): Promise<void> {
  const users = Math.ceil(typedEntries(scale) / TUPLES_A_PREFIX);
  for (let user = 0; user < users; user++) await scan(() => undefined, rangeOf(user));
  await scanAll(scan, scale);
}

/** @returns an operation that reads all entries of one prefix, another each time */
function prefixes(scan: ScanOfTuples, scale: Scale): () => Promise<void> {
  const users = Math.ceil(typedEntries(scale) / TUPLES_A_PREFIX);
  let asked = 0;
  return async () => {
    const user = sampleIndex(asked++, users);
    let seen = 0;
    await scan((key, value) => {
      if (key[1] === user && (value as Uint8Array).length === VALUE_BYTES) seen++;
    }, rangeOf(user));
    if (seen !== TUPLES_A_PREFIX) throw new Error(`a prefix of ${TUPLES_A_PREFIX} entries gave ${seen}`);
  };
}

function rangeOf(user: number): TupleRange {
  return { from: [TUPLE_KIND, user], to: [TUPLE_KIND, user + 1] };
}

/** Whole scans, at least one, until the time is over. @returns entries per second */
async function scanFor(scan: ScanOfTuples, scale: Scale): Promise<number> {
  const started = performance.now();
  let seen = 0;
  do {
    seen += await scanAll(scan, scale);
  } while (performance.now() - started < scale.measureMs);
  return perSecond(seen, started);
}

async function scanAll(scan: ScanOfTuples, scale: Scale): Promise<number> {
  let seen = 0;
  let last: Tuple = [TUPLE_KIND, 0, 0];
  await scan((key, value) => {
    if (isAfter(key, last) && (value as Uint8Array).length === VALUE_BYTES) seen++;
    last = key;
  });
  const entries = typedEntries(scale);
  if (seen !== entries)
    throw new Error(`a scan of ${entries} entries gave ${seen} in the order of their keys`);
  return seen;
}

function isAfter([, user = 0, at = 0]: Tuple, [, lastUser = 0, lastAt = 0]: Tuple): boolean {
  return user > lastUser || (user === lastUser && at > lastAt);
}
