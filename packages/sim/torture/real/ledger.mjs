import { bytesOf, plannedWrite } from "./planned-writes.mjs";

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
  #plan;
  /** @type {{ generation: number, writer: import("./writer-process.mjs").WriterProcess, inFlight: number } | undefined} */
  #pending;

  /** @param {import("./planned-writes.mjs").Plan} plan */
  constructor(plan) {
    this.#plan = plan;
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
    const isRejected = new Set(rejected.map(({ number }) => number));
    const answers = new Map(acknowledged.map((answer) => [answer.number, answer]));
    const last = acknowledged.reduce((max, { number }) => Math.max(max, number), -1);
    const end = this.lastLsn + found;
    for (let number = 0; number <= last || this.lastLsn < end; number++) {
      if (isRejected.has(number)) continue;
      const planned = plannedWrite(this.#plan, generation, number);
      const told = answers.get(number);
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

  /** @param {import("./planned-writes.mjs").PlannedWrite} planned */
  #apply({ write }) {
    this.lastLsn++;
    this.lastSequence += write.length;
    for (const operation of write) {
      if (operation.type === "put") this.contents.set(String(operation.key), String(operation.value));
      else this.contents.delete(String(operation.key));
    }
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
