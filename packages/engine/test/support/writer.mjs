// Another process: opens a data directory and writes until it is killed, or until the disk is full. What was acknowledged
// it says at once and synchronously, so that a kill loses nothing that was said.
import { writeSync } from "node:fs";
import { Engine } from "../../dist/index.js";

const [dataDir, name, segmentMaxBytes, valueBytes] = process.argv.slice(2);
const IN_FLIGHT = 8;

const say = (line) => writeSync(1, `${line}\n`);

const engine = await Engine.open({
  dataDir,
  wal: { segmentMaxBytes: Number(segmentMaxBytes), maxBatchBytes: 4096 },
});
say("open");
let next = 0;
let isFull = false;

async function writer() {
  while (!isFull) {
    const i = next++;
    const value = `${name}-${i}`.padEnd(Number(valueBytes), ".");
    const durability = i % 3 === 0 ? "strict" : "relaxed";
    try {
      const { lsn } =
        i % 5 === 0
          ? await engine.batch(
              ["a", "b"].map((half) => ({ type: "put", key: `${name}-${i}-${half}`, value })),
              { durability },
            )
          : await engine.put(`${name}-${i}`, value, { durability });
      say(`${i} ${durability} ${lsn}`);
    } catch (error) {
      isFull = true;
      say(error.code);
    }
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
setInterval(() => undefined, 1000); // stays, with the directory open, until it is killed
