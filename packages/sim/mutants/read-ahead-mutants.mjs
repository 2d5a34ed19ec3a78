/** Bugs of buffers that are used again, and of blocks that are read together. @type {import("./mutants.mjs").Mutant[]} */
export const READ_AHEAD_MUTANTS = [
  {
    name: "a cursor reads ahead into the buffer that it looks at",
    rule: "T9",
    file: "lsm/dist/table/read-ahead.js",
    find: `this.#piece = piece;
        if (!this.#isClosed`,
    replace: `this.#piece = piece;
        if (piece !== undefined) this.#pool.give(piece.buffer);
        if (!this.#isClosed`,
  },
  {
    name: "a block that is read at a seek gets into the cache as the one before it",
    rule: "T9",
    first: "lsm: a log that is staged",
    file: "lsm/dist/table/read-ahead.js",
    find: "this.#blocks.adopt(ordinal, place, bytes)",
    replace: "this.#blocks.adopt(piece.first, place, bytes)",
  },
];
