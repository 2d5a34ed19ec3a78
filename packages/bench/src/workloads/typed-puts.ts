import { join } from "node:path";
import { paceOf } from "../measure.js";
import type { Durability } from "../system.js";
import { person, personKey } from "../typed-data.js";
import { hasTyping, STRING_JSON, STRING_MSGPACK, type Typing } from "../typed-system.js";
import { withUsage } from "../usage.js";
import type { Job, Workload } from "../workload.js";
import { p99Of, WRITE_MEMORY, writeRows } from "./writes.js";

interface TypedCase {
  readonly figure: string;
  readonly title: string;
  readonly typing: Typing;
  readonly durability: Durability;
  readonly inFlight: number;
}

const CASES: readonly TypedCase[] = [
  caseOf(STRING_JSON, "durable", 1),
  caseOf(STRING_JSON, "durable", 256),
  caseOf(STRING_JSON, "relaxed", 1),
  caseOf(STRING_JSON, "relaxed", 256),
  caseOf(STRING_MSGPACK, "relaxed", 256),
];
/** Objects are made before they are put, and put again under further keys. */
const OBJECTS = 1000;

/** Objects under new keys that are strings, encoded by each store in its own way. */
export const typedPuts: Workload = {
  name: "typed-puts",
  rows: () => CASES.flatMap((typed) => writeRows("typed-puts", typed)),
  runsOn: ({ typed }) => hasTyping(typed, STRING_JSON) || hasTyping(typed, STRING_MSGPACK),
  async run(job) {
    for (const typed of CASES) await measure(job, typed);
  },
};

function caseOf(typing: Typing, durability: Durability, inFlight: number): TypedCase {
  return {
    figure: `${typing.value}-${durability}-${inFlight}`,
    title: `${durability} puts of objects as ${nameOf(typing)}, ${inFlight} in flight`,
    typing,
    durability,
    inFlight,
  };
}

export function nameOf({ value }: Typing): string {
  return value === "json" ? "JSON" : value;
}

async function measure(job: Job, typed: TypedCase): Promise<void> {
  const { system, dir, wants, report, scale } = job;
  const { figure, typing, durability, inFlight } = typed;
  const id = `typed-puts/${figure}`;
  if ((!wants(id) && !wants(p99Of(id))) || !hasTyping(system.typed, typing)) return;
  const store = await system.typed?.open(join(dir, figure), durability, typing, WRITE_MEMORY);
  if (store === undefined) return;
  const objects = Array.from({ length: OBJECTS }, (_, i) => person(i));
  let index = 0;
  const put = () => {
    index++;
    return store.put(personKey(index), objects[index % OBJECTS]);
  };
  const { value, usage } = await withUsage(() => paceOf(inFlight, scale, put));
  report(id, value.perSecond, usage);
  report(p99Of(id), value.p99, usage);
  await store.close();
}
