import { Engine } from "@kaya/engine";

/**
 * The process that is going to be killed: it keeps many strict writes in flight and prints the number of each one that was
 * acknowledged. Nothing here knows when the end comes.
 */
const WRITES_IN_FLIGHT = 64;

const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error("usage: writer DATA_DIR");

const engine = await Engine.open({
  dataDir,
  wal: { segmentMaxBytes: 256 * 1024, maxRecordBytes: 64 * 1024 },
});
let next = 0;

async function writeForever(): Promise<never> {
  for (;;) {
    const n = next++;
    await engine.put(`order:${n}`, `paid ${n * 7}`);
    process.stdout.write(`${n}\n`);
  }
}

await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, writeForever));
