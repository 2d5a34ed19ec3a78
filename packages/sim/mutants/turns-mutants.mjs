/** Bugs of work that is done over several turns. @type {import("./mutants.mjs").Mutant[]} */
export const TURNS_MUTANTS = [
  {
    name: "a record that takes its time while it is replayed is replayed again",
    rule: "R1",
    first: "simulation",
    file: "wal/dist/scanner.js",
    find: "offset: start + at, over: taken",
    replace: "offset, over: taken",
  },
];
