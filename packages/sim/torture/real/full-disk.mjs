import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine, KayaError } from "@kaya/engine";
import { Random } from "@kaya/io";
import { Ledger } from "./ledger.mjs";
import { plannedWrite } from "./planned-writes.mjs";
import { closeWhereItFits, verify } from "./verify.mjs";
import { WriterProcess } from "./writer-process.mjs";

const LANES = 8;
const WAL = { maxRecordBytes: 100_000, segmentMaxBytes: 150_000, maxBatchBytes: 40_000 };
const BALLAST_BYTES = 256 * 1024;
/** What is full stays full: no flush makes the log shorter. */
const LOG_ALONE = { tables: { autoFlush: false } };

/**
 * On a small file system: a writer fills it, goes on trying, and is killed while it is full. The store is opened on the full
 * disk and compared; then there is space again, and the next writer goes on until that is used up.
 * @param {{ root: string, seed: number, rounds: number }} options
 * @returns {Promise<{ acknowledged: number[], rejected: number[] }>} by round
 * @throws Error where a promise is broken
 */
export async function fillAndKill({ root, seed, rounds }) {
  const dataDir = join(root, "data");
  // Every key is new, so that what is live grows too.
  const plan = { seed, keys: 2 ** 32, maxValueBytes: 20_000 };
  const ledger = new Ledger((generation, number) => plannedWrite(plan, generation, number));
  const ballast = Array.from({ length: rounds }, (_, i) => join(root, `ballast ${i}`));
  for (const path of ballast) await writeFile(path, new Uint8Array(BALLAST_BYTES));
  const acknowledged = [];
  const rejected = [];
  for (const [index, path] of ballast.entries()) {
    const generation = index + 1;
    const writer = new WriterProcess({ dataDir, generation, plan, lanes: LANES, wal: WAL, isLogAlone: true });
    try {
      await writer.until(() => writer.isFull);
      await sleep(new Random(seed, generation).below(50));
    } finally {
      await writer.kill();
    }
    mustAllBeFull(writer);
    acknowledged.push(writer.acknowledged.length);
    rejected.push(writer.rejected.length);
    ledger.ended(generation, writer, 1);
    await verify(dataDir, WAL, ledger, LOG_ALONE);
    await mustBeFull(dataDir, ledger);
    await rm(path);
  }
  await mustGoOn(dataDir, ledger);
  return { acknowledged, rejected };
}

/** @param {WriterProcess} writer */
function mustAllBeFull({ rejected, errors }) {
  const other = rejected.find(({ code }) => code !== "KAYA_DISK_FULL");
  if (other !== undefined) throw new Error(`write ${other.number} was rejected with ${other.code}`);
  if (errors !== "") throw new Error(`the writer complains: ${errors}`);
}

/**
 * @param {string} dataDir
 * @param {Ledger} ledger
 */
async function mustBeFull(dataDir, ledger) {
  const engine = await Engine.open({ dataDir, wal: WAL, ...LOG_ALONE });
  const answer = await engine.put("too much", new Uint8Array(90_000)).catch((error) => error);
  const entries = await engine.count();
  await closeWhereItFits(engine);
  if (!KayaError.is(answer, "KAYA_DISK_FULL")) throw new Error(`a full disk took 90,000 bytes: ${answer}`);
  if (entries !== ledger.contents.size) throw new Error("a rejected write can be seen");
}

/**
 * @param {string} dataDir
 * @param {Ledger} ledger
 */
async function mustGoOn(dataDir, ledger) {
  const engine = await Engine.open({ dataDir, wal: WAL });
  const { durable, lsn } = await engine.put("more", "fits");
  await engine.close();
  if (!durable || lsn !== ledger.lastLsn + 1) throw new Error(`after LSN ${ledger.lastLsn} came ${lsn}`);
}
