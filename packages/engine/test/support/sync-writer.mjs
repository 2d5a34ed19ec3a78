// Writes with putSync and batchSync, each strict, and says so once it has returned, until it is killed. Every third turn it lets the event
// loop go round: flushes and rotations run beside it.
import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Engine } from "@kaya/engine";

const [dataDir, name] = process.argv.slice(2);
const db = await Engine.open({
  dataDir,
  wal: { segmentMaxBytes: 8192, maxRecordBytes: 8192 },
  memory: { memtableBytes: 64 * 1024 },
});
for (let number = 0; ; number++) {
  const value = `${name}-${number}`.padEnd(100, ".");
  try {
    if (number % 5 === 4) {
      const keys = [`${name}-${number}-a`, `${name}-${number}-b`];
      db.batchSync(keys.map((key) => ({ type: "put", key, value })));
      writeSync(1, `${keys.join(" ")}\n`);
    } else {
      db.putSync(`${name}-${number}`, value);
      writeSync(1, `${name}-${number}\n`);
    }
  } catch (error) {
    if (error.code !== "KAYA_BUSY") throw error;
    await db.flush();
  }
  if (number % 3 === 2) await setImmediate();
}
