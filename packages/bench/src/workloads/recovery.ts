import { NodeDisk } from "@kaya/io";
import { recoverWal } from "@kaya/wal";
import { perSecond } from "../measure.js";
import { memoryInUse } from "../memory.js";
import { checksumOfChunks, checksumOfRecords } from "../raw-read.js";
import type { Workload } from "../workload.js";
import { logOfPuts } from "./log-of-puts.js";

const RECORDS_A_LOOK = 4096;
const MIB = 1 << 20;

/** `recoverWal` over a log that is in the system's cache, beside the least cost of reading and checking it. */
export const recovery: Workload = {
  name: "recovery",
  rows: () => [
    { id: "recovery/records", title: "recoverWal with onRecord", unit: "records/s", better: "higher" },
    {
      id: "recovery/raw-chunks",
      title: "raw read + crc32c of the same bytes, by the mebibyte",
      unit: "records/s",
      better: "higher",
    },
    {
      id: "recovery/raw-records",
      title: "raw read + crc32c of the same bytes, by the record",
      unit: "records/s",
      better: "higher",
    },
    { id: "recovery/memory", title: "peak memory of recoverWal", unit: "MiB", better: "lower" },
  ],
  runsOn: (system) => system.kind === "kaya",
  fixture: logOfPuts,
  async run({ scale, fixtureDir, report }) {
    const records = scale.entries;
    await checksumOfChunks(fixtureDir); // into the system's cache
    const before = await memoryInUse();
    let peak = before.rss;
    let seen = 0;
    const started = performance.now();
    await recoverWal({}, new NodeDisk(fixtureDir), {
      onRecord: () => {
        if (seen++ % RECORDS_A_LOOK === 0) peak = Math.max(peak, process.memoryUsage.rss());
      },
    });
    if (seen !== records) throw new Error(`recovery gave ${seen} of ${records} records`);
    report("recovery/records", perSecond(records, started));
    report("recovery/memory", (peak - before.rss) / MIB);

    report("recovery/raw-chunks", await recordsPerSecond(records, () => checksumOfChunks(fixtureDir)));
    let checked = 0;
    const readRecords = async () => {
      checked = await checksumOfRecords(fixtureDir);
    };
    report("recovery/raw-records", await recordsPerSecond(records, readRecords));
    if (checked !== records) throw new Error(`the raw read saw ${checked} of ${records} records`);
  },
};

async function recordsPerSecond(records: number, read: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await read();
  return perSecond(records, started);
}
