// Another process: writes to a data directory, and backs it up into the same directory again and again until it is killed. What it
// backed up it says at once and synchronously: "backup" and how many keys there are.
import { writeSync } from "node:fs";
import { Engine } from "../../dist/index.js";

const [dataDir, target] = process.argv.slice(2);
const engine = await Engine.open({ dataDir, memory: { memtableBytes: 1 << 20 } });
let next = (await engine.count()) ?? 0;
for (;;) {
  const operations = Array.from({ length: 500 }, () => ({
    type: "put",
    key: String(next++).padStart(9, "0"),
    value: "x".repeat(200),
  }));
  await engine.batch(operations);
  await engine.backup(target);
  writeSync(1, `backup ${next}\n`);
}
