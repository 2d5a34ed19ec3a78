import { Random } from "@kaya/io";
import { plannedWrite } from "../real/planned-writes.mjs";

const MIB = 1024 * 1024;
const WRITES_A_CLEAR = 5000;
const WRITES_A_LARGE_VALUE = 2000;
const WRITES_A_CONDITION = 25;
/** So that what it must not find is still on its way, more often than not. */
const MOST_BACK = 50;
const LARGE_KEYS = 4;
const LARGEST_BYTES = 600_000;

/** So many keys that the data stays within some megabytes, whatever is written. */
const PLAN = { keys: 20_000, maxValueBytes: 1000 };

/**
 * Small enough for many flushes and compactions, some of them on a worker. The same for the whole month: what the engine takes is held
 * against it.
 */
export const STORE = {
  memory: { memtableBytes: 4 * MIB, cacheBytes: 2 * MIB },
  tables: { tableBytes: MIB, level0Tables: 2, baseLevelBytes: 4 * MIB, levelRatio: 4 },
};

/**
 * The write of a life with that number: mostly small ones to one population of keys, now and then a large value, or a prefix that is
 * cleared, or a batch for which a key must be absent that was written or deleted just before.
 * @param {number} seed
 * @param {number} generation
 * @param {number} number
 * @returns {import("../real/planned-writes.mjs").MaybeConditional}
 */
export function monthsWrite(seed, generation, number) {
  if (!isClear(number) && number % WRITES_A_LARGE_VALUE !== 0) {
    const planned = plannedWrite({ ...PLAN, seed }, generation, number);
    const unless = isConditional(number) ? keyBefore(seed, generation, number) : undefined;
    return unless === undefined ? planned : { ...planned, unless };
  }
  const random = new Random(seed, generation, number);
  const durability = random.pick(["strict", "relaxed"]);
  if (isClear(number)) return { durability, write: { clear: `key ${10 + random.below(90)}` } };
  const value = `${generation}.${number} ${"x".repeat(random.below(LARGEST_BYTES))}`;
  return { durability, write: [{ type: "put", key: `large ${random.below(LARGE_KEYS)}`, value }] };
}

/** @param {number} number */
const isClear = (number) => number % WRITES_A_CLEAR === WRITES_A_CLEAR / 2;

/** @param {number} number */
const isConditional = (number) => number % WRITES_A_CONDITION === 1;

/**
 * A key that was written or deleted just before: a memtable, or the log's queue, knows of it. Were it read from a table, later writes might
 * come before the one that has the condition, and the ledger could not tell where that came.
 * @param {number} seed
 * @param {number} generation
 * @param {number} number
 */
function keyBefore(seed, generation, number) {
  let before = number - 1 - new Random(seed, generation, number).below(MOST_BACK);
  while (before > 0 && (isClear(before) || isConditional(before) || before % WRITES_A_LARGE_VALUE === 0))
    before--;
  if (before <= 0) return undefined;
  return String(plannedWrite({ ...PLAN, seed }, generation, before).write[0]?.key);
}

/**
 * From one opening to the end of its process.
 * @typedef {object} LifePlan
 * @property {number} writes at least so many
 * @property {"killed" | "closed"} end
 * @property {number} lanes writes in flight
 * @property {Partial<import("@kaya/core").WalConfig>} wal
 */

/**
 * @param {Random} random
 * @param {number} most writes that are left of the month
 * @returns {LifePlan}
 */
export function planLife(random, most) {
  // Some are long, so that what leaks has time to show.
  const about = random.pick([100, 3000, 10_000, 30_000, 100_000, 250_000]);
  const writes = Math.min(most, Math.ceil(about / 2) + random.below(about));
  const wal = {
    maxRecordBytes: MIB,
    segmentMaxBytes: MIB * random.pick([1, 2, 16]),
    maxBatchBytes: random.pick([20_000, MIB]),
  };
  // A caller by itself waits for each fsync: a short life only, or the month takes all night.
  const lanes = writes < 500 ? random.pick([1, 8]) : random.pick([256, 1024]);
  return { writes, end: random.pick(["killed", "killed", "closed"]), lanes, wal };
}
