import { Engine } from "@kaya/engine";
import { contentsOf } from "../../dist/explorer/engine-write.js";
import { mustEqual } from "../real/ledger.mjs";
import { CONSUMER } from "./activities/follow.mjs";
import { digestOfValue, toTold } from "./changes.mjs";

/** What a consumer of the changes has made of them: nothing else goes into it. It outlives the processes that are killed. */
export class Copy {
  /** Changes, also those that came again. */
  given = 0;
  givenAgain = 0;
  #lsn = 0;
  #sequence = 0;
  /** By key, what its value is known by. @type {Map<string, string>} */
  #contents = new Map();
  #acknowledged = 0;
  /** By LSN, those that may come again. @type {Map<number, string>} */
  #mayComeAgain = new Map();
  /** What the feed gives next. */
  #next = 1;

  /**
   * Takes in what a life told of its feeds.
   * @param {readonly import("../real/writer-process.mjs").Note[]} notes
   * @throws Error at a gap, at what came again as another, and where an acknowledgement is lost
   */
  take(notes) {
    for (const note of notes) {
      if (note.name === "feed") this.#begin(note.from);
      else if (note.name === "changes") for (const change of note.changes) this.#give(change);
      else if (note.name === "acknowledged") this.#acknowledge(note.lsn);
    }
  }

  /**
   * What it was given is in the log, and it is what the store was at that LSN; as soon as the ledger has got there.
   * @param {import("../real/ledger.mjs").Ledger} ledger
   */
  compareWith(ledger) {
    if (this.#lsn > ledger.lastLsn) ledger.lookAt(this.#lsn, (contents) => this.#mustBe(contents));
  }

  /**
   * Reads on to the end, and compares the whole with the store.
   * @param {string} dataDir
   * @param {Partial<import("@kaya/core").WalConfig>} wal
   * @throws Error where they differ
   */
  async catchUp(dataDir, wal) {
    const engine = await Engine.open({ dataDir, wal });
    try {
      const { lsn = 0 } = engine.consumers().find(({ name }) => name === CONSUMER) ?? {};
      this.#begin(lsn);
      const { durableLsn, lastLsn } = engine.stats();
      mustEqual(durableLsn, lastLsn, "the durable LSN after opening");
      const feed = engine.changes({ consumer: CONSUMER });
      while (this.#next <= lastLsn) {
        const { value } = await feed.next();
        if (value === undefined) throw new Error("a feed is over before its end");
        this.#give(toTold(value));
      }
      await feed.return();
      this.#mustBe(await contentsOf(engine));
    } finally {
      await engine.close();
    }
  }

  /** @param {number} acknowledged */
  #begin(acknowledged) {
    if (acknowledged < this.#acknowledged)
      throw new Error(
        `LSN ${this.#acknowledged} was acknowledged, and the feed begins behind ${acknowledged}`,
      );
    if (acknowledged > this.#lsn)
      throw new Error(`the feed begins behind LSN ${acknowledged}, and gave nothing beyond ${this.#lsn}`);
    this.#acknowledge(acknowledged);
    this.#next = acknowledged + 1;
  }

  /** @param {import("./changes.mjs").ToldChange} change */
  #give([lsn, sequence, operations]) {
    mustEqual(lsn, this.#next++, "the LSN of a change");
    this.given++;
    const text = JSON.stringify([sequence, operations]);
    if (lsn <= this.#lsn) {
      this.givenAgain++;
      const before = this.#mayComeAgain.get(lsn);
      if (text !== before)
        throw new Error(`the change at LSN ${lsn} was ${before}, and came again as ${text}`);
      return;
    }
    mustEqual(sequence, this.#sequence + 1, `the sequence of the change at LSN ${lsn}`);
    for (const [key, value, isRange] of operations) {
      if (isRange) this.#deleteRange(key, value);
      else if (value === null) this.#contents.delete(key);
      else this.#contents.set(key, value);
    }
    this.#lsn = lsn;
    this.#sequence += Math.max(1, operations.length); // an empty record has one too
    this.#mayComeAgain.set(lsn, text);
  }

  /**
   * @param {string} start
   * @param {string | null} end
   */
  #deleteRange(start, end) {
    for (const key of this.#contents.keys())
      if (key >= start && (end === null || key < end)) this.#contents.delete(key);
  }

  /** @param {number} lsn */
  #acknowledge(lsn) {
    this.#acknowledged = lsn;
    for (const each of this.#mayComeAgain.keys()) {
      if (each > lsn) break;
      this.#mayComeAgain.delete(each);
    }
  }

  /** @param {ReadonlyMap<string, string>} contents */
  #mustBe(contents) {
    const where = `the copy that was made of the changes, at LSN ${this.#lsn}`;
    mustEqual(this.#contents.size, contents.size, `the number of entries in ${where},`);
    for (const [key, value] of contents) {
      const [is, wanted] = [this.#contents.get(key), digestOfValue(Buffer.from(value))];
      if (is !== wanted) throw new Error(`«${key}» is ${is} in ${where}, and must be ${wanted}`);
    }
  }
}
