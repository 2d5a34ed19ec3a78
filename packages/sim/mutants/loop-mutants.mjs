/** Bugs of what follows a write, and of work that is done in slices. @type {import("./mutants.mjs").Mutant[]} */
export const LOOP_MUTANTS = [
  {
    name: "what fails behind the write is taken for a failed write",
    rule: "W4",
    instrument: "explorer",
    first: "is applied",
    file: "wal/dist/group-commit.js",
    find: `this.#poison(this.#failure ?? behindTheWrite(error));
            this.#busyWith = undefined;`,
    replace: `await this.#recoverFrom(asKayaError(error, "commit"));
            this.#busyWith = undefined;`,
  },
  {
    name: "those who lost against a write are told before it settles, one by one",
    rule: "conditions",
    first: "simulation",
    file: "engine/dist/conflict-queue.js",
    find: "ahead.settled());",
    replace: "Promise.resolve());",
  },
];
