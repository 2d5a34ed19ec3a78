// Another process: writes to a data directory until it is killed, or until that fails for good. What becomes of each write
// it says at once, before it goes on.
import { setTimeout as sleep } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { perform } from "../../dist/explorer/engine-write.js";
import { plannedWrite } from "./planned-writes.mjs";
import { codeOf, say } from "./say.mjs";

process.on("SIGINT", () => undefined); // Ctrl-C is for the processes above

/** @type {import("./writer-process.mjs").WriterOptions & { plan: import("./planned-writes.mjs").Plan, isLogAlone?: boolean }} */
const { dataDir, generation, plan, lanes, wal, isLogAlone = false } = JSON.parse(process.argv[2] ?? "");

/** @type {Engine} */
let engine;
try {
  // So that kills meet flushes and compactions.
  const memory = { memtableBytes: 64 * 1024, cacheBytes: 64 * 1024 };
  const tables = { tableBytes: 64 * 1024, baseLevelBytes: 128 * 1024, level0Tables: 2, levelRatio: 4 };
  const config = isLogAlone ? { tables: { autoFlush: false } } : { memory, tables };
  engine = await Engine.open({ dataDir, wal, ...config });
} catch (error) {
  say(`refused ${codeOf(error)}`);
  process.exit(0);
}
say(`open ${engine.stats().lastLsn}`);

let next = 0;
let isFull = false;
let hasFailed = false;

/** Gives false where it was rejected. */
async function writeNext() {
  const number = next++;
  const planned = plannedWrite(plan, generation, number);
  try {
    const { lsn, durable } = await perform(engine, planned);
    say(`ok ${number} ${lsn} ${durable ? "durable" : "accepted"} ${process.hrtime.bigint()}`);
    return true;
  } catch (error) {
    say(`no ${number} ${codeOf(error)}`);
    if (KayaError.is(error, "KAYA_DISK_FULL")) isFull = true;
    else hasFailed = true;
    return false;
  }
}

async function lane() {
  while (!isFull && !hasFailed) await writeNext();
}

await Promise.all(Array.from({ length: lanes }, lane));
if (!hasFailed) say("full");
// What is too much now may fit later, and a smaller write may fit now.
while (!hasFailed) if (!(await writeNext())) await sleep(1);
const closing = engine.close().then(() => "without an error", codeOf);
say(`closed ${await closing}`);
