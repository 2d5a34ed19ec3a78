// Writes keys in order, with flushes and compactions in between, until it is told to close: argv is a data directory and what the keys begin with.
import { once } from "node:events";
import { Engine } from "@kaya/engine";

const [, , dataDir, name] = process.argv;
const COUNT = 3000;
const db = await Engine.open({
  dataDir,
  durability: "relaxed",
  memory: { memtableBytes: 256 * 1024 },
  tables: { level0Tables: 2, tableBytes: 64 * 1024, baseLevelBytes: 256 * 1024 },
});
const value = Buffer.alloc(200, "v");
let written = 0;
const write = async (count) => {
  for (const end = written + count; written < end; written++)
    await db.put(`${name}:${String(written).padStart(6, "0")}`, value);
};
await write(10);
console.log("writing");
for (let round = 0; written < COUNT; round++) {
  await write(400);
  if (round % 3 === 0) await db.flush();
  if (round % 5 === 0) await db.compact();
}
await db.sync();
console.log(`wrote ${written}`);
await once(process.stdin, "data");
await db.close();
