import { sampleIndex } from "../data.js";
import { rateOf, rateOfSync } from "../measure.js";
import { collectGarbage } from "../memory.js";
import { type Person, personKey } from "../typed-data.js";
import { hasTyping, STRING_JSON, STRING_MSGPACK, type TypedStore, type Typing } from "../typed-system.js";
import type { Job, Row, Workload } from "../workload.js";
import { cycle } from "./gets.js";
import { nameOf } from "./typed-puts.js";
import { openTyped, typedEntries, typedStores } from "./typed-stores.js";

/** Enough that neither they nor what they find stay in the processor's caches. */
const MOST_KEYS = 50_000;
const IN_FLIGHT = 64;
const TYPINGS = [STRING_JSON, STRING_MSGPACK];

/** Objects by keys that are strings, decoded by each store in its own way. */
export const typedGets: Workload = {
  name: "typed-gets",
  rows: () => TYPINGS.flatMap(rowsOf),
  runsOn: ({ typed }) => TYPINGS.some((typing) => hasTyping(typed, typing)),
  fixture: typedStores,
  async run(job) {
    for (const typing of TYPINGS) {
      if (!rowsOf(typing).some(({ id }) => job.wants(id))) continue;
      const store = await openTyped(job, typing);
      if (store === undefined) continue;
      await measureGets(store, job, typing);
      await store.close();
    }
  },
};

function rowsOf(typing: Typing): Row[] {
  const title = `get of an object in ${nameOf(typing)}`;
  return [
    { id: rowOf(typing, "sync"), title: `${title}, synchronous`, unit: "gets/s", better: "higher" },
    {
      id: rowOf(typing, "async"),
      title: `${title}, awaited, ${IN_FLIGHT} in flight`,
      unit: "gets/s",
      better: "higher",
    },
  ];
}

function rowOf({ value }: Typing, way: "sync" | "async"): string {
  return `typed-gets/${value}-${way}`;
}

async function measureGets(store: TypedStore, { scale, wants, measure }: Job, typing: Typing): Promise<void> {
  const entries = typedEntries(scale);
  const wanted = Array.from({ length: Math.min(MOST_KEYS, entries) }, (_, i) => sampleIndex(i, entries));
  const asked = wanted.map((id) => ({ id, key: personKey(id) }));
  for (const { id, key } of asked) expectPerson(await store.get(key), id);
  await collectGarbage();
  const next = cycle(asked);
  const getSync = store.getSync?.bind(store);
  if (getSync !== undefined && wants(rowOf(typing, "sync"))) {
    const get = () => {
      const { id, key } = next();
      expectPerson(getSync(key), id);
    };
    await measure(rowOf(typing, "sync"), async () => rateOfSync(scale, get));
  }
  if (wants(rowOf(typing, "async"))) {
    const get = async () => {
      const { id, key } = next();
      expectPerson(await store.get(key), id);
    };
    await measure(rowOf(typing, "async"), () => rateOf(IN_FLIGHT, scale, get));
  }
}

// A store that does not decode would be fast.
function expectPerson(value: unknown, id: number): void {
  if ((value as Partial<Person> | undefined)?.id !== id)
    throw new Error(`the object of person ${id} is not the one that was put: ${JSON.stringify(value)}`);
}
