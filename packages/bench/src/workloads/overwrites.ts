import type { Engine } from "@kaya/engine";
import { entryKey, entryValue, KEY_BYTES, VALUE_BYTES } from "../data.js";
import { bytesBelow } from "../disk-use.js";
import type { Scale } from "../scale.js";
import type { Workload } from "../workload.js";
import { sizeName } from "./growth.js";
import { memoryRow, openRelaxed, putEntries, residentMib, writeAll } from "./long-life.js";

const KEYS = 20_000;
const TENTHS = 10;
const PUTS_A_LOOK = 10_000;
/** Bytes of an entry in the log beside key and value. */
const RECORD_OVERHEAD = 48;
/** The log that is not flushed yet. */
const FLOOR_BYTES = 64 << 20;
const ALLOWED_BYTES = 3 * KEYS * (KEY_BYTES + VALUE_BYTES + RECORD_OVERHEAD) + FLOOR_BYTES;

/** The same few keys written again and again, with flushes: their cost, and the disk and memory that remain. */
export const overwrites: Workload = {
  name: "overwrites",
  rows: ({ overwrites: count }: Scale) => {
    const of = `${sizeName(count)} overwrites of ${sizeName(KEYS)} keys`;
    return [
      {
        id: "overwrites/first-tenth",
        title: `${of}, the first tenth`,
        unit: "µs of CPU a put",
        better: "lower",
      },
      {
        id: "overwrites/last-tenth",
        title: `${of}, the last tenth`,
        unit: "µs of CPU a put",
        better: "lower",
      },
      {
        id: "overwrites/disk",
        title: `${of}, disk at its peak`,
        unit: "of 3x live + 64 MiB",
        better: "lower",
      },
      memoryRow("overwrites", of),
    ];
  },
  runsOn: (system) => system.kind === "kaya",
  async run({ scale, dir, report }) {
    const engine = await openRelaxed(dir);
    await putEntries(engine, 0, KEYS);
    const tenth = Math.ceil(scale.overwrites / TENTHS);
    await overwrite(engine, dir, 0, tenth); // while the code is compiled a put costs more
    let peak = 0;
    for (let i = 0; i < TENTHS; i++) {
      const before = process.cpuUsage();
      peak = Math.max(peak, await overwrite(engine, dir, i * tenth, (i + 1) * tenth));
      if (i === 0) report("overwrites/first-tenth", microsecondsSince(before) / tenth);
      if (i === TENTHS - 1) report("overwrites/last-tenth", microsecondsSince(before) / tenth);
    }
    report("overwrites/disk", peak / ALLOWED_BYTES);
    report("overwrites/memory", await residentMib(engine));
    await engine.close();
  },
};

/** Of all threads: flushes and syncs are in it, waiting for the disk is not. */
function microsecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** @returns bytes on the disk at their peak */
async function overwrite(engine: Engine, dir: string, from: number, to: number): Promise<number> {
  let peak = 0;
  await writeAll(from, to, (i) => {
    if (i % PUTS_A_LOOK === 0) peak = Math.max(peak, bytesBelow(dir));
    return engine.put(entryKey(i % KEYS), entryValue(i));
  });
  return peak;
}
