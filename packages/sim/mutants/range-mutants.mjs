/**
 * Bugs in range deletes.
 *
 * @type {import("./mutants.mjs").Mutant[]}
 */
export const RANGE_MUTANTS = [
  {
    name: "the end of a range is deleted too when its record is applied",
    first: "simulation",
    rule: "clear",
    file: "engine/dist/apply.js",
    find: "memtable.deleteRange(operation.start, operation.end, sequence);",
    replace:
      "memtable.deleteRange(operation.start, operation.end && Buffer.concat([operation.end, Buffer.of(0)]), sequence);",
  },
  {
    name: "conditions do not see that a range with their key in it is being cleared",
    first: "simulation",
    rule: "conditions",
    file: "wal/dist/key-changes.js",
    find: "let last = this.#changes.get(nameOf(key));",
    replace: "return this.#changes.get(nameOf(key));",
  },
  {
    name: "a range of a batch takes no sequence",
    first: "simulation",
    rule: "order",
    file: "wal/dist/format.js",
    find: 'payload.type === "batch" ? payload.operations.length : 1',
    replace:
      'payload.type === "batch" ? [...payload.operations].filter(({ type }) => type !== "deleteRange").length || 1 : 1',
  },
  {
    name: "a clear without bounds that begin it leaves the empty key",
    first: "simulation",
    rule: "clear",
    file: "engine/dist/range.js",
    find: "?? NO_BYTES;",
    replace: "?? new Uint8Array(1);",
  },
];
