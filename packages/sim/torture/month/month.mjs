import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Random } from "@kaya/io";
import { Ledger, mustEqual } from "../real/ledger.mjs";
import { mustBeOfAKill, verify } from "../real/verify.mjs";
import { WriterProcess } from "../real/writer-process.mjs";
import { Backups } from "./backups.mjs";
import { Copy } from "./copy.mjs";
import { digestOfContents } from "./digest.mjs";
import { checkNames, filesBelow } from "./directory.mjs";
import { addNotes, noMonth } from "./figures.mjs";
import { monthsWrite, planLife, STORE } from "./plan.mjs";

const ENGINE_PROCESS = fileURLToPath(new URL("./engine-process.mjs", import.meta.url));
/** A life may be long; this much of it is not. */
const WRITES_WAITED_FOR = 2000;

/**
 * Lets an engine live for so many writes: life after life in one directory, each a process that is killed or closes, with flushes, compactions,
 * backups, snapshots and scans beside the writes. It ends at the first violation, and then leaves the directory as it is.
 * @param {{ writes: number, seed: number, dir: string, onProgress?: (figures: import("./figures.mjs").MonthFigures) => void }} options
 * @returns {Promise<import("./figures.mjs").MonthFigures>}
 */
export async function liveAMonth({ writes, seed, dir, onProgress }) {
  const month = new Month(seed, dir);
  const { figures } = month;
  for (let generation = 1; figures.writes < writes; generation++) {
    try {
      await month.live(generation, writes);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      figures.violations.push({ seed, generation, dir, message });
      return figures;
    }
    onProgress?.(figures);
  }
  return figures;
}

class Month {
  figures = noMonth();
  #seed;
  #dataDir;
  #backupDir;
  #ledger;
  #backups;
  #copy = new Copy();
  /** Of the reader by token. @type {import("./life.mjs").Place | undefined} */
  #place;

  /**
   * @param {number} seed
   * @param {string} dir
   */
  constructor(seed, dir) {
    this.#seed = seed;
    this.#dataDir = join(dir, "data");
    this.#backupDir = join(dir, "backups");
    this.#ledger = new Ledger((generation, number) => monthsWrite(seed, generation, number));
    this.#backups = new Backups(this.#backupDir);
  }

  /**
   * One life, and what it left.
   * @param {number} generation
   * @param {number} writes of the whole month
   * @throws Error where a promise is broken
   */
  async live(generation, writes) {
    const random = new Random(this.#seed, generation);
    const plan = planLife(random, writes - this.figures.writes);
    const { lanes, wal } = plan;
    const options = {
      ...{
        dataDir: this.#dataDir,
        backupDir: this.#backupDir,
        generation,
        lanes,
        wal,
        store: STORE,
        place: this.#place,
      },
      ...{ seed: this.#seed, ...(plan.end === "closed" && { writes: plan.writes }) },
    };
    const engine = new WriterProcess(options, ENGINE_PROCESS);
    try {
      if (plan.end === "closed") await untilClosed(engine, plan.writes);
      else await killSometime(engine, plan.writes, random);
      mustBeWell(engine);
      await this.#takeStock(generation, engine, plan);
      const isLast = this.figures.writes >= writes;
      if (isLast || random.chance(0.5)) await this.#verify(wal);
    } finally {
      await engine.kill();
    }
  }

  /**
   * @param {number} generation
   * @param {WriterProcess} engine
   * @param {import("./plan.mjs").LifePlan} plan
   */
  async #takeStock(generation, engine, { end, lanes }) {
    const { figures } = this;
    figures.lives++;
    if (end === "killed") figures.kills++;
    figures.writes += engine.acknowledged.length;
    addNotes(figures, engine.notes);
    if (engine.openedAt === undefined) return;
    this.#ledger.settle(engine.openedAt);
    figures.backups += await this.#backups.verify();
    checkOpening(engine, this.#ledger);
    this.#ledger.ended(generation, engine, end === "killed" ? 2 * lanes : 0);
    await this.#backups.collect(engine.notes, this.#ledger);
    this.#place = placeAfter(engine, this.#place);
    this.#copy.take(engine.notes);
    this.#copy.compareWith(this.#ledger);
    this.#addCounts();
  }

  /**
   * Otherwise the next life finds what a kill left.
   * @param {Partial<import("@kaya/core").WalConfig>} wal
   */
  async #verify(wal) {
    await verify(this.#dataDir, wal, this.#ledger);
    checkNames(filesBelow(this.#dataDir));
    this.figures.backups += await this.#backups.verify();
    await this.#copy.catchUp(this.#dataDir, wal);
    this.#addCounts();
  }

  #addCounts() {
    const { given: changes, givenAgain: changesAgain } = this.#copy;
    Object.assign(this.figures, { changes, changesAgain, conflicts: this.#ledger.conflicts });
  }
}

/**
 * What an engine found when it opened is what its predecessors wrote.
 * @param {WriterProcess} engine
 * @param {Ledger} ledger
 */
function checkOpening({ notes }, ledger) {
  const opened = notes.find(({ name }) => name === "opened");
  if (opened === undefined) throw new Error("an engine does not say what it found");
  const { entries, digest } = digestOfContents(ledger.contents);
  mustEqual(opened.entries, entries, `the number of entries found at LSN ${ledger.lastLsn}`);
  if (opened.digest !== digest)
    throw new Error(`the entries found at LSN ${ledger.lastLsn} are not what was written`);
  mustBeOfAKill(/** @type {any} */ (opened));
}

/**
 * Where the reader by token goes on in the next life.
 * @param {WriterProcess} engine
 * @param {import("./life.mjs").Place | undefined} before
 */
function placeAfter({ notes }, before) {
  const last = notes.findLast(({ name }) => name === "read");
  return last === undefined ? before : last.place;
}

/**
 * @param {WriterProcess} engine
 * @param {number} writes
 */
async function untilWritten(engine, writes) {
  for (let some = 0; some < writes; some += WRITES_WAITED_FOR) {
    const enough = Math.min(writes, some + WRITES_WAITED_FOR);
    await engine.until(() => engine.acknowledged.length >= enough);
  }
}

/**
 * @param {WriterProcess} engine
 * @param {number} writes
 */
async function untilClosed(engine, writes) {
  await untilWritten(engine, writes);
  await engine.until(() => engine.exitCode !== undefined);
  if (engine.closed !== "without an error" || engine.exitCode !== 0)
    throw new Error(`closing: ${engine.closed ?? `exit code ${engine.exitCode}`} ${engine.errors}`);
}

/**
 * @param {WriterProcess} engine
 * @param {number} writes
 * @param {Random} random
 */
async function killSometime(engine, writes, random) {
  if (random.chance(0.1)) {
    await sleep(random.below(300)); // while node starts, or the engine opens
  } else {
    await untilWritten(engine, writes);
    await sleep(random.below(30));
  }
  if (engine.exitCode !== undefined) await engine.until(() => false); // it says why it ended
  await engine.kill();
}

/** @param {WriterProcess} engine */
function mustBeWell({ rejected, errors }) {
  const strange = rejected.find(({ code }) => code !== "KAYA_CONFLICT"); // the ledger knows where that fits
  if (strange !== undefined) throw new Error(`a write was rejected: ${strange.code}`);
  if (errors !== "") throw new Error(`the engine's process complains: ${errors}`);
}
