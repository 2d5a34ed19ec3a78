import { Random } from "@kaya/io";

/**
 * @typedef {import("@kaya/engine").PutOperation | import("@kaya/engine").DeleteOperation} PlannedOperation
 * @typedef {import("../../dist/explorer/engine-write.js").EngineWrite & { write: readonly PlannedOperation[] }} PlannedWrite
 * @typedef {PlannedWrite & { unless: string }} ConditionalWrite a batch that is rejected where that key is there
 * @typedef {(import("../../dist/explorer/engine-write.js").EngineWrite & { unless?: undefined }) | ConditionalWrite} MaybeConditional
 * @typedef {{ seed: number, keys: number, maxValueBytes: number }} Plan
 */

/**
 * The write with that number: the same in the process that makes it and in the one that checks, so that only numbers
 * have to travel between them.
 * @param {Plan} plan
 * @param {number} generation
 * @param {number} number
 * @returns {PlannedWrite}
 */
export function plannedWrite({ seed, keys, maxValueBytes }, generation, number) {
  const random = new Random(seed, generation, number);
  const durability = random.pick(["strict", "relaxed", "relaxed"]);
  const key = () => `key ${random.below(keys)}`;
  const value = () => {
    const letter = String.fromCharCode(97 + random.below(26));
    const most = random.pick([0, maxValueBytes / 20, maxValueBytes / 5, maxValueBytes]);
    return `${generation}.${number} ${letter.repeat(random.below(Math.floor(most) + 1))}`;
  };
  /** @returns {PlannedOperation} */
  const put = (of = key()) => ({ type: "put", key: of, value: value() });
  /** @returns {PlannedOperation} */
  const remove = (of = key()) => ({ type: "delete", key: of });
  const kind = random.pick(["put", "put", "put", "delete", "batch"]);
  if (kind === "put") return { durability, write: [put()] };
  if (kind === "delete") return { durability, write: [remove()] };
  const repeated = key(); // what comes of it is told by the order of the operations
  const operations = Array.from({ length: 2 + random.below(3) }, () => {
    const of = random.chance(0.2) ? repeated : key();
    return random.chance(0.3) ? remove(of) : put(of);
  });
  return { durability, write: operations };
}

/**
 * At least so many bytes of the log.
 * @param {import("../../dist/explorer/engine-write.js").EngineWrite} planned
 */
export function bytesOf({ write }) {
  if ("clear" in write) return 0;
  return write.reduce((sum, operation) => {
    if (operation.type === "clear") return sum;
    const value = operation.type === "put" ? operation.value.length : 0;
    return sum + operation.key.length + value;
  }, 0);
}
