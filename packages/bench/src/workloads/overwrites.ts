import type { Engine } from "@kaya/engine";
import { entryKey, entryValue, KEY_BYTES, VALUE_BYTES } from "../data.js";
import { bytesBelow } from "../disk-use.js";
import { perSecond } from "../measure.js";
import type { Scale } from "../scale.js";
import type { Job, Workload } from "../workload.js";
import { sizeName } from "./growth.js";
import { memoryOf, openRelaxed, putEntries, writeAll } from "./long-life.js";

const KEYS = 20_000;
const TENTHS = 10;
const PUTS_A_LOOK = 10_000;
/** What an entry has in the log beside its key and value. */
const RECORD_OVERHEAD = 48;
/** `checkpoint.minLogBytes`, as it is by default. */
const FLOOR_BYTES = 64 << 20;
const ALLOWED_BYTES = 3 * KEYS * (KEY_BYTES + VALUE_BYTES + RECORD_OVERHEAD) + FLOOR_BYTES;

/** The same few keys written again and again, with the checkpoints that this brings: what it costs, and what it leaves. */
export const overwrites: Workload = {
  name: "overwrites",
  rows: ({ overwrites: count }: Scale) => {
    const of = `${sizeName(count)} overwrites of ${sizeName(KEYS)} keys`;
    return [
      { id: "overwrites/first-tenth", title: `${of}, the first tenth`, unit: "puts/s", better: "higher" },
      { id: "overwrites/last-tenth", title: `${of}, the last tenth`, unit: "puts/s", better: "higher" },
      {
        id: "overwrites/disk",
        title: `${of}, disk at its peak`,
        unit: "of 3x live + 64 MiB",
        better: "lower",
      },
      {
        id: "overwrites/memory",
        title: `${of}, memory at the end`,
        unit: "of freshly loaded",
        better: "lower",
      },
      {
        id: "overwrites/rss",
        title: `${of}, the process at the end`,
        unit: "of freshly loaded",
        better: "lower",
      },
    ];
  },
  runsOn: (system) => system.kind === "kaya",
  async run({ scale, dir, report }: Job) {
    const engine = await openRelaxed(dir);
    await putEntries(engine, 0, KEYS);
    const fresh = await memoryOf(engine);
    const tenth = Math.ceil(scale.overwrites / TENTHS);
    await overwrite(engine, dir, 0, tenth); // until the code is compiled and the log has been shortened once, it is not as it stays
    let peak = 0;
    for (let i = 0; i < TENTHS; i++) {
      const started = performance.now();
      peak = Math.max(peak, await overwrite(engine, dir, i * tenth, (i + 1) * tenth));
      if (i === 0) report("overwrites/first-tenth", perSecond(tenth, started));
      if (i === TENTHS - 1) report("overwrites/last-tenth", perSecond(tenth, started));
    }
    const end = await memoryOf(engine);
    report("overwrites/disk", peak / ALLOWED_BYTES);
    report("overwrites/memory", end.memoryBytes / fresh.memoryBytes);
    report("overwrites/rss", end.rss / fresh.rss);
    await engine.close();
  },
};

/** @returns bytes on the disk at their peak */
async function overwrite(engine: Engine, dir: string, from: number, to: number): Promise<number> {
  let peak = 0;
  await writeAll(from, to, (i) => {
    if (i % PUTS_A_LOOK === 0) peak = Math.max(peak, bytesBelow(dir));
    return engine.put(entryKey(i % KEYS), entryValue(i));
  });
  return peak;
}
