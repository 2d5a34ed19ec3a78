/** Bugs with what else has the files: hard links (R7), who only looks, and segments that a checkpoint covers. @type {import("./mutants.mjs").Mutant[]} */
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
  {
    name: "a segment with the first record behind the checkpoint at its end is not read",
    rule: "R6",
    file: "wal/dist/covered-segments.js",
    find: "next > after + 1",
    replace: "next > after + 2",
  },
  {
    name: "a looking engine clears up as an opening does",
    first: "engine: looked at",
    rule: "read-only",
    instrument: "explorer",
    file: "wal/dist/writer.js",
    find: "{ ...recoverOptions, dryRun: readOnly }",
    replace: "{ ...recoverOptions, dryRun: false }",
  },
];
