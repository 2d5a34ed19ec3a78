import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "@kaya/io";
import { Ledger } from "./ledger.mjs";
import { plannedWrite } from "./planned-writes.mjs";
import { verify } from "./verify.mjs";
import { WriterProcess } from "./writer-process.mjs";

const MAX_RECORD_BYTES = 8192;

/**
 * @typedef {object} KillFigures
 * @property {number} kills
 * @property {number} whileOpening those that came before the writer had opened
 * @property {number} verified those after which this process opened the store; after the others the next writer did
 * @property {number} acknowledged
 * @property {number} durable those of the acknowledged ones that were durable by then, which all strict ones are
 * @property {number} survivors writes that were there though nobody had been told so
 * @property {number} tornTails recoveries that cut a torn record
 * @property {{ seed: number, generation: number, dir: string, message: string }[]} violations
 */

/** @returns {KillFigures} */
export function noKills() {
  const none = {
    kills: 0,
    whileOpening: 0,
    verified: 0,
    acknowledged: 0,
    durable: 0,
    survivors: 0,
    tornTails: 0,
  };
  return { ...none, violations: [] };
}

/**
 * Kills a writer at a random moment, checks that everything it acknowledged is there, and starts the next one in the
 * same directory. It ends at the first violation, and then leaves the directory as it is.
 * @param {{ kills: number, seed: number, dir: string, onProgress?: (figures: KillFigures) => void, signal?: AbortSignal }} options
 * @returns {Promise<KillFigures>}
 */
export async function killLoop({ kills, seed, dir, onProgress, signal }) {
  const figures = noKills();
  const plan = { seed, keys: 300, maxValueBytes: 1000 };
  const ledger = new Ledger((generation, number) => plannedWrite(plan, generation, number));
  for (let generation = 1; generation <= kills && signal?.aborted !== true; generation++) {
    const random = new Random(seed, generation);
    const wal = {
      maxRecordBytes: MAX_RECORD_BYTES,
      segmentMaxBytes: MAX_RECORD_BYTES * random.pick([1, 2, 8]),
      maxBatchBytes: random.pick([2000, 100_000]),
    };
    const lanes = random.pick([1, 8, 64]);
    const writer = new WriterProcess({ dataDir: dir, generation, plan, lanes, wal });
    try {
      await killSometime(writer, random);
      count(figures, writer);
      if (writer.openedAt === undefined) figures.whileOpening++;
      ledger.ended(generation, writer, lanes);
      if (generation === kills || random.chance(0.75)) {
        if ((await verify(dir, wal, ledger)) > 0) figures.tornTails++;
        figures.verified++;
      }
      figures.survivors = ledger.survivors;
    } catch (error) {
      await writer.kill();
      const message = error instanceof Error ? error.message : String(error);
      figures.violations.push({ seed, generation, dir, message });
      return figures;
    }
    onProgress?.(figures);
  }
  return figures;
}

/**
 * @param {WriterProcess} writer
 * @param {Random} random
 */
async function killSometime(writer, random) {
  if (random.chance(0.2)) {
    await sleep(random.below(200)); // while node starts, while the engine recovers, or soon after
  } else {
    const enough = 1 + random.below(random.pick([10, 100, 600]));
    await writer.until(() => writer.acknowledged.length >= enough);
    await sleep(random.below(5));
  }
  if (writer.exitCode !== undefined) await writer.until(() => false); // it says why it ended
  await writer.kill();
  if (writer.rejected.length > 0) throw new Error(`a write was rejected: ${writer.rejected[0]?.code}`);
  if (writer.errors !== "") throw new Error(`the writer complains: ${writer.errors}`);
}

/**
 * @param {KillFigures} figures
 * @param {WriterProcess} writer
 */
function count(figures, { acknowledged }) {
  figures.kills++;
  figures.acknowledged += acknowledged.length;
  figures.durable += acknowledged.filter(({ durable }) => durable).length;
}
