/** Bugs of the entries that are kept without their blocks. @type {import("./mutants.mjs").Mutant[]} */
export const ROW_CACHE_MUTANTS = [
  {
    name: "rows are told apart by their hash alone",
    rule: "T10",
    file: "lsm/dist/cache/row-cache.js",
    find: "if (bytes[start + i] !== key[i])\n                return false;",
    replace: "",
  },
  {
    name: "a row answers for another table that has its key",
    rule: "T10",
    first: "table: two",
    file: "lsm/dist/cache/row-cache.js",
    find: "words[word + OWNER] !== (owner | 0) ||",
    replace: "",
  },
  {
    name: "a memtable's range tombstone hides what was put after it from a scan",
    rule: "clear",
    first: "simulation",
    file: "lsm/dist/merge/merging-cursor.js",
    find: "age === place.age && newest > piece.sequence",
    replace: "age === place.age && newest > piece.sequence + 1",
  },
];
