import { join } from "node:path";
import type { Engine } from "@kaya/engine";
import { entryKey, entryValue, sampleKeys, VALUE_BYTES } from "../data.js";
import { entriesOf } from "../load.js";
import { paceOf, perSecond, rateOfSync } from "../measure.js";
import { collectGarbage } from "../memory.js";
import { PAGE_ENTRIES } from "../system.js";
import { flushAndCompact, openEngine } from "../systems/kaya-engine.js";
import { withUsage } from "../usage.js";
import type { Job, Row, Workload } from "../workload.js";
import { cycle, expectHit } from "./gets.js";
import { ROOM_FOR_ALL } from "./reads.js";
import { p99Of, WRITE_MEMORY, writeRows } from "./writes.js";

const IN_FLIGHT = 256;
const MOST_ENTRIES = 100_000;
const BATCH_ENTRIES = 1000;
const HOUR_MS = 3_600_000;

/** With a lifetime, or without one. */
interface Kind {
  /** Behind the row's figure. */
  readonly suffix: string;
  readonly title: string;
  readonly lifetime: { readonly ttlMs?: number };
}

const KINDS: readonly Kind[] = [
  { suffix: "", title: "that stay", lifetime: {} },
  { suffix: "-ttl", title: "that expire in an hour", lifetime: { ttlMs: HOUR_MS } },
];

/** The same puts and reads of entries that stay and of entries that expire: the cost of a lifetime. No peer has one. */
export const expiry: Workload = {
  name: "expiry",
  rows: () => [
    ...KINDS.flatMap((kind) => writeRows("expiry", putCase(kind))),
    ...KINDS.map(
      ({ suffix, title }): Row => ({
        id: `expiry/gets${suffix}`,
        title: `get, synchronous, of entries ${title}`,
        unit: "gets/s",
        better: "higher",
      }),
    ),
    ...KINDS.map(
      ({ suffix, title }): Row => ({
        id: `expiry/scan${suffix}`,
        title: `full scan by pages, of entries ${title}`,
        unit: "entries/s",
        better: "higher",
      }),
    ),
  ],
  runsOn: ({ kind }) => kind === "kaya",
  async run(job) {
    for (const kind of KINDS) await measurePuts(job, kind);
    for (const kind of KINDS) await measureReads(job, kind);
  },
};

function putCase({ suffix, title }: Kind) {
  return { figure: `puts${suffix}`, title: `relaxed puts of entries ${title}, ${IN_FLIGHT} in flight` };
}

async function measurePuts({ wants, report, scale, dir }: Job, kind: Kind): Promise<void> {
  const { figure } = putCase(kind);
  const id = `expiry/${figure}`;
  if (!wants(id) && !wants(p99Of(id))) return;
  const engine = await openEngine(join(dir, figure), { durability: "relaxed", memory: WRITE_MEMORY });
  const { lifetime } = kind;
  let index = 0;
  const put = () => {
    index++;
    return engine.put(entryKey(index), entryValue(index), lifetime);
  };
  const { value, usage } = await withUsage(() => paceOf(IN_FLIGHT, scale, put));
  report(id, value.perSecond, usage);
  report(p99Of(id), value.p99, usage);
  await engine.close();
}

/** All entries are in tables, and of the kind. */
async function measureReads({ wants, measure, scale, dir }: Job, { suffix, lifetime }: Kind): Promise<void> {
  const [gets, scan] = [`expiry/gets${suffix}`, `expiry/scan${suffix}`];
  if (!wants(gets) && !wants(scan)) return;
  const entries = Math.min(scale.entries, MOST_ENTRIES);
  const setup = { durability: "relaxed", memory: ROOM_FOR_ALL } as const;
  const engine = await openEngine(join(dir, `reads${suffix}`), setup);
  for (let from = 0; from < entries; from += BATCH_ENTRIES) {
    const puts = entriesOf(from, Math.min(from + BATCH_ENTRIES, entries));
    await engine.batch(puts.map((entry) => ({ type: "put", ...entry, ...lifetime })));
  }
  await flushAndCompact(engine);
  const keys = sampleKeys(entries, entries);
  for (const key of keys) expectHit(engine.getSync(key));
  await scanFor(engine, entries, 0);
  await collectGarbage();
  const next = cycle(keys);
  const get = () => expectHit(engine.getSync(next()));
  if (wants(gets)) await measure(gets, async () => rateOfSync(scale, get));
  if (wants(scan)) await measure(scan, () => scanFor(engine, entries, scale.measureMs));
  await engine.close();
}

/** Whole scans, at least one, until the time is over. @returns entries per second */
async function scanFor(engine: Engine, entries: number, ms: number): Promise<number> {
  const started = performance.now();
  let seen = 0;
  let scans = 0;
  do {
    for await (const page of engine.scan().pages(PAGE_ENTRIES)) {
      for (const { value } of page) if (value.length === VALUE_BYTES) seen++;
    }
    scans++;
  } while (performance.now() - started < ms);
  if (seen !== scans * entries) throw new Error(`${scans} scans of ${entries} entries saw ${seen}`);
  return perSecond(seen, started);
}
