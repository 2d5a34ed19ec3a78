// Recovers the log under argv[2] and prints how far memory outside the heap went above where it began. Run with --expose-gc.
import { NodeDisk } from "@kaya/io";
import { recoverWal } from "../dist/index.js";

const megabytes = (bytes) => Math.round(bytes / 2 ** 20);
globalThis.gc();
const start = process.memoryUsage();
let highest = start.rss;
let keptAlive = 0;
let valueBytes = 0;
const report = await recoverWal({}, new NodeDisk(process.argv[2]), {
  onRecord: ({ record }) => {
    valueBytes += record.payload.value.length;
  },
  onProgress: ({ bytes }) => {
    highest = Math.max(highest, process.memoryUsage().rss);
    if (bytes % (32 * 2 ** 20) < 2 ** 20) {
      globalThis.gc();
      keptAlive = Math.max(keptAlive, process.memoryUsage().arrayBuffers - start.arrayBuffers);
    }
  },
});
const { recordCount } = report;
console.log(
  JSON.stringify({
    recordCount,
    valueBytes,
    keptAlive: megabytes(keptAlive),
    rssGrowth: megabytes(highest - start.rss),
  }),
);
