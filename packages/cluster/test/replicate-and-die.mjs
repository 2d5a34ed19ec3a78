// Writes and replicates until it is killed. Prints each LSN that the replication reported as shipped.
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { directoryBlobStore, replicate } from "../dist/index.js";

const [, , work] = process.argv;
const db = await Engine.open({ dataDir: join(work, "data") });
const replica = await replicate(db, directoryBlobStore(join(work, "store")), {
  intervalMs: 10,
  baseBytes: 20_000,
});
for (;;) {
  for (let i = 0; i < 20; i++) {
    const lsn = db.stats().lastLsn + 1;
    await db.put(`key ${lsn}`, `${lsn}`);
    if (lsn % 97 === 0) await db.flush();
  }
  const { lsn } = await replica.sync();
  process.stdout.write(`${lsn}\n`);
}
