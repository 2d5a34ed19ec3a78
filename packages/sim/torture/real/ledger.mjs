import { carryOut } from "../../dist/explorer/engine-write.js";
import { bytesOf } from "./planned-writes.mjs";

/** @typedef {import("./planned-writes.mjs").MaybeConditional} MaybeConditional */

/**
 * What must be in a data directory that writers used one after the other. A killed writer leaves open what became of
 * the writes that it had in flight; `settle` closes that with what the next opening finds.
 */
export class Ledger {
  lastLsn = 0;
  lastSequence = 0;
  /** @type {Map<string, string>} */
  contents = new Map();
  /** Writes that were there though nobody had been told so. */
  survivors = 0;
  /** Writes whose condition did not hold. */
  conflicts = 0;
  #planned;
  /** By LSN. @type {Map<number, ((contents: ReadonlyMap<string, string>) => void)[]>} */
  #awaited = new Map();
  /** @type {{ generation: number, writer: import("./writer-process.mjs").WriterProcess, inFlight: number } | undefined} */
  #pending;

  /** @param {(generation: number, number: number) => MaybeConditional} planned the write of a generation with that number */
  constructor(planned) {
    this.#planned = planned;
  }

  /**
   * Looks at what is there behind a record that is settled yet to be, once it is.
   * @param {number} lsn
   * @param {(contents: ReadonlyMap<string, string>) => void} look
   */
  lookAt(lsn, look) {
    if (lsn === this.lastLsn) look(this.contents);
    else this.#awaited.set(lsn, [...(this.#awaited.get(lsn) ?? []), look]);
  }

  /**
   * This writer has been killed. What it said, and at most `inFlight` writes behind that, is in the log.
   * @param {number} generation
   * @param {import("./writer-process.mjs").WriterProcess} writer
   * @param {number} inFlight
   */
  ended(generation, writer, inFlight) {
    if (writer.openedAt === undefined) return; // it came to no write
    if (this.#pending !== undefined) this.settle(writer.openedAt);
    mustEqual(writer.openedAt, this.lastLsn, "the last LSN that the writer found");
    this.#pending = { generation, writer, inFlight };
  }

  /**
   * The log was found to end here.
   * @param {number} lastLsn
   * @throws Error where that breaks a promise
   */
  settle(lastLsn) {
    if (this.#pending !== undefined) {
      const { generation, writer, inFlight } = this.#pending;
      this.#pending = undefined;
      this.#settle(lastLsn - this.lastLsn, generation, writer, inFlight);
    }
    mustEqual(lastLsn, this.lastLsn, "the last LSN");
    for (const lsn of this.#awaited.keys())
      throw new Error(`LSN ${lsn} was told, and the log ends at ${lastLsn}`);
  }

  /**
   * @param {number} found
   * @param {number} generation
   * @param {import("./writer-process.mjs").WriterProcess} writer
   * @param {number} inFlight
   */
  #settle(found, generation, { acknowledged, rejected }, inFlight) {
    const most = acknowledged.length + inFlight;
    if (found > most) throw new Error(`${found} writes are there, and at most ${most} were attempted`);
    const rejections = new Map(rejected.map(({ number, code }) => [number, code]));
    const answers = new Map(acknowledged.map((answer) => [answer.number, answer]));
    const last = acknowledged.reduce((max, { number }) => Math.max(max, number), -1);
    const end = this.lastLsn + found;
    for (let number = 0; number <= last || this.lastLsn < end; number++) {
      const rejection = rejections.get(number);
      if (rejection !== undefined && rejection !== "KAYA_CONFLICT") continue;
      const planned = this.#planned(generation, number);
      const told = answers.get(number);
      const isConflict = planned.unless !== undefined && this.contents.has(planned.unless);
      if (isConflict ? told !== undefined : rejection !== undefined)
        throw new Error(
          `conditional write ${generation}.${number} was ${rejection ?? "done"}, and «${planned.unless}» was ${isConflict ? "there" : "absent"}`,
        );
      if (isConflict) {
        this.conflicts++;
        continue;
      }
      if (this.lastLsn === end) {
        if (told === undefined) continue;
        const size = `${bytesOf(planned)} bytes, ${planned.durability}`;
        throw new Error(`acknowledged write ${generation}.${number} (LSN ${told.lsn}, ${size}) is lost`);
      }
      this.#apply(planned);
      if (told === undefined) {
        this.survivors++;
        continue;
      }
      mustEqual(told.lsn, this.lastLsn, `the LSN that was told of write ${generation}.${number}`);
      if (planned.durability === "strict" && !told.durable)
        throw new Error(
          `write ${generation}.${number} is strict, and was acknowledged before it was durable`,
        );
    }
  }

  /** @param {MaybeConditional} planned */
  #apply({ write }) {
    this.lastLsn++;
    this.lastSequence += "clear" in write ? this.#clear(write.clear) : this.#carryOut(write);
    for (const look of this.#awaited.get(this.lastLsn) ?? []) look(this.contents);
    this.#awaited.delete(this.lastLsn);
  }

  /** @param {readonly import("@kaya/engine").BatchOperation[]} operations */
  #carryOut(operations) {
    for (const operation of operations) carryOut(this.contents, operation);
    return operations.length;
  }

  /**
   * Gives the operations of its record: one, whatever it deletes.
   * @param {string} prefix
   */
  #clear(prefix) {
    carryOut(this.contents, { type: "clear", range: { prefix } });
    return 1;
  }
}

/**
 * @param {number | undefined} is
 * @param {number} wanted
 * @param {string} what
 */
export function mustEqual(is, wanted, what) {
  if (is !== wanted) throw new Error(`${what} is ${is}, and must be ${wanted}`);
}
