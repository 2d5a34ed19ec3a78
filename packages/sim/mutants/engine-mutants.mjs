/** Bugs of what readers see and of the engine. @type {import("./mutants.mjs").Mutant[]} */
export const ENGINE_MUTANTS = [
  {
    name: "a write settles before it is applied",
    rule: "order",
    file: "wal/dist/batch.js",
    find: "onCommit(this.#recordAt(i));",
    replace: "setImmediate(onCommit, this.#recordAt(i));",
  },
  {
    name: "readers see strict writes that are not durable",
    first: "simulation",
    rule: "order",
    file: "wal/dist/batch.js",
    find: "for (let i = this.#applied; i < until; i++)",
    replace: "for (let i = this.#applied; i < (durable ? 0 : this.#ends.length); i++)",
  },
  {
    name: "the writes of a batch are applied newest first",
    rule: "order",
    file: "wal/dist/batch.js",
    find: "for (let i = this.#applied; i < until; i++)",
    replace: "for (let i = until - 1; i >= this.#applied; i--)",
  },
  {
    name: "a batch is written as separate records",
    rule: "atomic",
    file: "engine/dist/engine.js",
    find: `return this.#write(options, () => ({ type: "batch", operations: this.#input.operations(operations) }));`,
    replace: `const writes = this.#input.operations(operations).map((one) => this.#write(options, () => one));
        return Promise.all(writes).then((results) => ({ ...results.at(-1), sequence: results[0].sequence }));`,
  },
  {
    name: "a batch is applied without its last operation",
    rule: "atomic",
    file: "engine/dist/apply.js",
    find: "applyOperations(memtable, payload.operations, sequence);",
    replace:
      "applyOperations(memtable, payload.operations.slice(0, payload.operations.length - 1 || 1), sequence);",
  },
  {
    name: "the lock's note says clean after a failure, too",
    rule: "R5",
    file: "wal/dist/writer.js",
    find: "return this.isClean ? this.#segments.tailMark : undefined;",
    replace: "return this.#segments.tailMark;",
  },
  {
    name: "the engine does not look at the lock's note",
    rule: "R5",
    file: "engine/dist/data-directory.js",
    find: "if (lock?.cleanStart !== true)",
    replace: "if (lock === undefined)",
  },
];
