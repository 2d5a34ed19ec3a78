import { KayaError } from "@kaya/engine";
import { perform } from "../../dist/explorer/engine-write.js";
import { say } from "../real/say.mjs";
import { monthsWrite } from "./plan.mjs";

/**
 * What a process is started with.
 * @typedef {import("../real/writer-process.mjs").WriterOptions & {
 *   seed: number, writes?: number, backupDir: string, store: typeof import("./plan.mjs").STORE, place?: Place
 * }} LifeOptions writes: then it closes; until it is killed where absent. place: of the reader by token
 *
 * @typedef {{ lsn: number, token: string }} Place behind the last change that was read
 */

/** An engine from its opening to its end, and what the activities beside its writes have to know of one another. */
export class Life {
  /** Every activity ends. */
  isOver = false;
  /** Backups, and flushes and compactions that were asked for, under way, which have files open. */
  writingFiles = 0;
  /** Snapshots and scans that are open. */
  looking = 0;
  /** The last record that was acknowledged. */
  lastLsn = 0;
  /** Of the reader by token. @type {Place | undefined} */
  place;
  #next = 0;
  #acknowledged = 0;
  #unsaid = "";
  #unsaidLines = 0;
  /** @type {{ at: number, resolve: () => void }[]} */
  #waiting = [];

  /**
   * @param {import("@kaya/engine").Engine} engine
   * @param {LifeOptions} options
   */
  constructor(engine, options) {
    this.engine = engine;
    this.options = options;
    this.lastLsn = engine.stats().lastLsn;
    this.place = options.place;
  }

  /** Writes with as many callers as it has lanes, each of which waits for its own, until it has done its share. */
  async write() {
    const { lanes, writes = Number.POSITIVE_INFINITY } = this.options;
    const lane = async () => {
      while (this.#acknowledged < writes) await this.#writeNext();
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** From now on activities end. */
  end() {
    this.isOver = true;
    this.#flush();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /**
   * Resolves once so many more writes are acknowledged, or this is over.
   * @param {number} writes
   * @returns {Promise<void>}
   */
  after(writes) {
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ at: this.#acknowledged + writes, resolve });
    });
  }

  /**
   * Tells the process above.
   * @param {string} name
   * @param {object} fields
   */
  note(name, fields) {
    this.#flush();
    say(`note ${JSON.stringify({ name, ...fields })}`);
  }

  async #writeNext() {
    const { seed, generation } = this.options;
    const number = this.#next++;
    const result = await performUnless(this.engine, monthsWrite(seed, generation, number));
    if (result === undefined) return this.#say(`no ${number} KAYA_CONFLICT\n`);
    const { lsn, durable } = result;
    this.lastLsn = Math.max(this.lastLsn, lsn);
    this.#say(`ok ${number} ${lsn} ${durable ? "durable" : "accepted"}\n`);
    this.#acknowledged++;
    const due = this.#waiting.filter(({ at }) => at <= this.#acknowledged);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#acknowledged);
    for (const { resolve } of due) resolve();
  }

  /**
   * Several lines at once, or one costs more than the write that it tells of: at the latest when as many as there are lanes are unsaid, so
   * a kill leaves twice as many writes open as are in flight.
   * @param {string} line
   */
  #say(line) {
    this.#unsaid += line;
    this.#unsaidLines++;
    if (this.#unsaidLines >= this.options.lanes) this.#flush();
    else if (this.#unsaidLines === 1) setImmediate(() => this.#flush());
  }

  #flush() {
    if (this.#unsaidLines === 0) return;
    say(this.#unsaid.slice(0, -1));
    this.#unsaid = "";
    this.#unsaidLines = 0;
  }
}

/**
 * Undefined where the key is there that must not be.
 * @param {import("@kaya/engine").Engine} engine
 * @param {import("../real/planned-writes.mjs").MaybeConditional} planned
 */
async function performUnless(engine, planned) {
  if (planned.unless === undefined) return perform(engine, planned);
  const { write, durability, unless } = planned;
  try {
    return await engine.batch(write, { durability, conditions: [{ key: unless, sequence: undefined }] });
  } catch (error) {
    if (!KayaError.is(error, "KAYA_CONFLICT") || Buffer.from(error.key ?? []).toString() !== unless)
      throw error;
    return undefined;
  }
}
