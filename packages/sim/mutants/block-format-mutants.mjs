/** Bugs of the insides of a data block: what finds a key, and what keys have in common. @type {import("./mutants.mjs").Mutant[]} */
export const BLOCK_FORMAT_MUTANTS = [
  {
    name: "an entry of a block takes the slot of another one",
    rule: "T10",
    file: "lsm/dist/table/data-block-builder.js",
    find: "while (bytes[slotsAt + slot * slotBytes] !== 0)",
    replace: "while (bytes[slotsAt + slot * slotBytes] === 0x100)",
  },
  {
    name: "the search for a key does not go on from the last slot to the first",
    rule: "T10",
    file: "lsm/dist/table/data-block.js",
    find: "if (at === end)",
    replace: "if (at === end && bytes.length > 0) return false; else if (at === end)",
  },
  {
    name: "entries that have less in common with a later key do not get their bytes back",
    rule: "T10",
    file: "lsm/dist/table/data-block-builder.js",
    find: "copyInto(to, written, this.#first, inCommon, this.#inCommon);",
    replace: "to.fill(0, written, written + lost);",
  },
  {
    name: "a sequence below that of a block's first entry is taken for one above it",
    rule: "T10",
    file: "lsm/dist/table/data-block.js",
    find: "flags >= 2 ? this.#base - away : this.#base + away",
    replace: "flags >= 4 ? this.#base - away : this.#base + away",
  },
  {
    name: "two cursors have the same arrays",
    rule: "T10",
    first: "lsm:",
    file: "lsm/dist/table/decoded-entries.js",
    find: "return DecodedEntries.#free.pop() ?? new DecodedEntries();",
    replace: "return (DecodedEntries.#free[0] ??= new DecodedEntries());",
  },
];
