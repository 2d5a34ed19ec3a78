/** Bugs with what else has the log's files: hard links (R7). @type {import("./mutants.mjs").Mutant[]} */
export const OWNER_MUTANTS = [
  {
    name: "a tail that has another name is cut and written behind in place",
    first: "a log with a copy of hard links",
    rule: "R7",
    instrument: "explorer",
    file: "wal/dist/durable-tail.js",
    find: "(await file.links()) > 1",
    replace: "(await file.links()) > 9",
  },
  {
    name: "the file that a new tail took the place of is emptied although it has another name",
    first: "a log with a copy of hard links",
    rule: "R7",
    instrument: "explorer",
    file: "wal/dist/durable-tail.js",
    find: "(await replaced.links()) === 0",
    replace: "(await replaced.links()) >= 0",
  },
];
