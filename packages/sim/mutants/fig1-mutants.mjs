/** Bugs of buffers that are used again. @type {import("./mutants.mjs").Mutant[]} */
export const FIG1_MUTANTS = [
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
];
