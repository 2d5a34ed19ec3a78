// Another process: writes to a data directory, flushes and compacts in a tight loop until it is killed. Batch number n sets "a" and "b" to n,
// and "key n % 50" too, so that what is there says whether it is whole. It says each number at once and synchronously.
import { writeSync } from "node:fs";
import { Engine } from "../../dist/index.js";

const [dataDir] = process.argv.slice(2);
const engine = await Engine.open({
  dataDir,
  durability: "relaxed",
  wal: { segmentMaxBytes: 8192, maxRecordBytes: 4096 },
  memory: { memtableBytes: 64 * 1024 },
  tables: { level0Tables: 2, blockBytes: 1024, tableBytes: 8192, quietMs: 0 },
});
const before = Buffer.from((await engine.get("a")) ?? "0").toString();
for (let n = Number(before) + 1; ; n++) {
  await engine.batch(
    ["a", "b", `key ${n % 50}`].map((key) => ({ type: "put", key, value: `${n}`.padStart(100, "0") })),
  );
  if (n % 5 === 0) await engine.flush();
  if (n % 20 === 0) await engine.compact();
  writeSync(1, `${n}\n`);
}
